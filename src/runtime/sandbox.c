/*
 * sandbox.c: dropping rights, in this order: user, no_new_privs, core files, Landlock, seccomp (the filter last,
 * since it forbids part of what comes before).
 *
 * Landlock's constants are our own where the distribution's header is older than the kernel.
 */
#include "runtime/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

enum err_code sandbox_find_user(struct sandbox_user *ret, bool *ret_fallback, struct err *err)
{
    *ret = (struct sandbox_user){0};
    *ret_fallback = false;
    if (geteuid() != 0)
        return ERR_NONE;
    struct passwd *pw = getpwnam("mailreeve");
    if (!pw) {
        *ret_fallback = true;
        pw = getpwnam("nobody");
    }
    if (!pw)
        return err_set(err, ERR_NOT_FOUND,
                       "neither the system user `mailreeve` nor `nobody` exists; create one: "
                       "adduser --system --group --no-create-home mailreeve");
    ret->change = true;
    ret->uid = pw->pw_uid;
    ret->gid = pw->pw_gid;
    snprintf(ret->name, sizeof ret->name, "%s", pw->pw_name);
    return ERR_NONE;
}

static enum err_code drop_user(const struct sandbox_user *user, struct err *err)
{
    if (user->change && (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
                         setresuid(user->uid, user->uid, user->uid) < 0))
        return err_errno(err, errno, "cannot become user %s", user->name);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_errno(err, errno, "cannot set no_new_privs");
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_errno(err, errno, "cannot forbid core files");
    return ERR_NONE;
}

static bool add_landlock_path(int ruleset, const struct sandbox_path *p, uint64_t read, uint64_t all)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = p->writable ? all : read,
                                              .parent_fd = open(p->path, O_PATH | O_CLOEXEC)};
    if (rule.parent_fd < 0)
        return true; /* what is not there cannot be reached anyway */
    long rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    if (rc < 0 && errno == EINVAL) { /* a file takes no directory rights */
        rule.allowed_access &=
            LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE;
        rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    }
    close(rule.parent_fd);
    return rc == 0;
}

static bool enter_landlock(const struct sandbox *box)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return false;
    uint64_t all = (1ULL << 13) - 1; /* ABI 1: execute .. make_sym */
    if (abi >= 2)
        all |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        all |= LANDLOCK_ACCESS_FS_TRUNCATE;
    struct landlock_ruleset_attr attr = {.handled_access_fs = all};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (ruleset < 0)
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < box->path_count; i++)
        ok = add_landlock_path(ruleset, &box->paths[i], LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
                               all);
    ok = ok && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    close(ruleset);
    return ok;
}

/* What no role ever does. */
static const int forbidden[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(acct),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(personality),
    SCMP_SYS(open_by_handle_at),
};

static bool enter_seccomp(const struct sandbox *box)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < ARRAY_LEN(forbidden); i++)
        ok = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), forbidden[i], 0) == 0;
    if (!(box->calls & SANDBOX_CONNECT))
        ok = ok && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(connect), 0) == 0;
    ok = ok && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return ok;
}

enum err_code sandbox_enter(const struct sandbox *box, struct sandbox_report *ret, struct err *err)
{
    enum err_code code = drop_user(box->user, err);
    if (code)
        return code;
    ret->landlock = enter_landlock(box);
    ret->seccomp = enter_seccomp(box);
    return ERR_NONE;
}
