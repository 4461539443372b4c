/*
 * role.h: what every role process has in common: its set-up by the supervisor over descriptor 3, its links to the
 * other roles (replaced whenever a peer was started anew), giving up rights, the loop, and its end.
 *
 * A role's main file fills in a struct role_main and calls nothing of the set-up itself.
 */
#pragma once

#include "role/common/protocol.h"
#include "runtime/link.h"
#include "runtime/sandbox.h"

enum { ROLE_RECEIVE_MAX = 64 };

struct role;

struct role_main {
    enum role_kind kind;
    /* Before rights are dropped: open what only the starting user may. May be NULL. */
    enum err_code (*prepare)(struct role *role, struct err *err);
    /* After the sandbox: build the state, start serving. The role says role_ready(role) when it serves. */
    enum err_code (*start)(struct role *role, struct err *err);
    /* A frame from a peer (LINK_WORK), or on a LINK_CALL link of which this role is the answering side. */
    void (*on_frame)(struct role *role, enum role_kind peer, uint32_t index, struct link *link, struct frame *f);
    /* A link to a peer was (re)made, or lost (link NULL). May be NULL. */
    void (*on_link)(struct role *role, enum role_kind peer, uint32_t index, struct link *link);
    /* A control message beyond the common ones: LISTEN, IDENTITY, TICKET_KEYS, RELOAD (host and nameservers are
     * new by then). May be NULL. */
    void (*on_control)(struct role *role, struct frame *f);
    /* CONTROL_DRAIN: finish, then role_exit. NULL: the process ends at once. */
    void (*on_drain)(struct role *role);
    /* Folders below the state folder that the role may touch ("" = all of it), NULL-terminated; NULL: no files. */
    const char *const *state_paths;
    /* Absolute paths it may read. NULL-terminated or NULL. */
    const char *const *system_paths;
    unsigned sandbox_calls; /* enum sandbox_call */
};

struct role {
    const struct role_main *main;
    uv_loop_t loop;
    struct link *control;
    uint32_t index;           /* of several receive processes */
    uint32_t receive_count;   /* how many receive processes there are */
    char state[1024];         /* path of the state folder, NUL-terminated */
    char host[256];           /* this server's own name */
    char nameservers[256];    /* for DNS, comma-separated; empty: the system's */
    char dnssec_anchors[256]; /* path of a file; empty: the DNS is not validated */
    struct sandbox_user user;
    /* LINK_WORK links by peer; receive peers by index, the others at 0. NULL while a peer is down. */
    struct link *links[ROLE_KINDS][ROLE_RECEIVE_MAX];
    int call_fds[ROLE_KINDS]; /* LINK_CALL ends of which this role asks; -1 while there is none */
    int exit_status;
    void *state_data; /* the role's own */
};

/* Runs the role with descriptor 3 as the control link until it ends; the process's exit status. */
int role_run(const struct role_main *main);

struct link *role_link(struct role *role, enum role_kind peer, uint32_t index);

/* Who asked, for an answer that comes later: the peer may have died and been started anew by then. */
struct role_asker {
    struct link *link;
    uint64_t serial;
    uint64_t id;
    uint16_t type;
};
struct role_asker role_asker(struct link *link, const struct frame *f);
/* Sends the answer; drops it (with a log line where that is not the peer's death) when it cannot be sent. */
void role_answer(const struct role_asker *asker, struct span head, struct span tail, const int *fds,
                 size_t fd_count);
/* Tells the supervisor that this role serves. Once. */
void role_ready(struct role *role);
/* Ends the loop; role_run returns the status. */
void role_exit(struct role *role, int status);
/* A path below the state folder, NUL-terminated in out; false when it would not fit. */
NODISCARD bool role_state_path(const struct role *role, const char *name, char *out, size_t cap);
/* Logs a frame that this peer may not send, or whose body is malformed. */
void role_bad_frame(enum role_kind peer, const struct frame *f, const char *why);
