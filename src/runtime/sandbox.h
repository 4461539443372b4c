/*
 * sandbox.h: what a process gives up. Each role calls sandbox_enter once, after it was handed what it needs and
 * before it reads a byte from anybody. What the kernel cannot do (no Landlock, no seccomp) is said in the result,
 * not an error: confinement is a second line of defence and must not keep mail from flowing on an older kernel.
 */
#pragma once

#include "base/err.h"

#include <sys/types.h>

/* The account that the roles run as. */
struct sandbox_user {
    bool change; /* false: not started as root, or told to stay */
    uid_t uid;
    gid_t gid;
    char name[32];
};

/*
 * As root: the system user `mailreeve`, or `nobody` where it is missing (then *ret_fallback is true and the caller
 * warns). Otherwise `change` is false.
 */
enum err_code sandbox_find_user(struct sandbox_user *ret, bool *ret_fallback, struct err *err);

/* A folder below which a role may read and write; nothing else of the file system stays reachable. */
struct sandbox_path {
    const char *path;
    bool writable;
};

enum sandbox_call { /* groups of system calls that a role may need beyond the common ones */
                    SANDBOX_CONNECT = 1 << 0, /* connect to the network */
};

struct sandbox {
    const struct sandbox_user *user;
    const struct sandbox_path *paths;
    size_t path_count;
    unsigned calls; /* enum sandbox_call */
};

struct sandbox_report {
    bool landlock, seccomp;
};

/*
 * Drops the user and all capabilities, sets no_new_privs, forbids core files and ptrace, then Landlock to the paths
 * and a seccomp filter that refuses (EPERM) what no role needs: running programs, mounting, tracing, loading kernel
 * code, and connecting where not asked for. An error means that privileges could not be dropped: the caller must
 * end.
 */
enum err_code sandbox_enter(const struct sandbox *box, struct sandbox_report *ret, struct err *err);
