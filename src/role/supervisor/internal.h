/* internal.h: the supervisor's parts, for its own files only. */
#pragma once

#include "role/common/keytab_file.h"
#include "role/common/protocol.h"
#include "role/common/role.h"
#include "role/common/state.h"
#include "role/supervisor/resources.h"
#include "role/supervisor/supervisor.h"
#include "runtime/link.h"
#include "runtime/sandbox.h"
#include "tls/tls.h"

#include "base/ip.h"
#include "base/keyed_hash.h"

enum { SUPERVISOR_LISTENERS_MAX = 1024, SUPERVISOR_IDENTITIES_MAX = 256, SUPERVISOR_LET_GO_MAX = 64 };

struct child {
    struct supervisor *supervisor;
    enum role_kind kind;
    uint32_t index; /* of receive processes; 0 otherwise */
    uv_process_t process;
    uv_timer_t restart;
    struct link *control;
    bool running, ready;
    bool fault; /* its last process ended by one */
    int64_t started_ms;
    int64_t backoff_ms; /* 0 until it died once */
};

/* One address to listen on: a socket for each receive process, so that the kernel spreads the connections. */
struct listener {
    struct ip_endpoint endpoint;
    int fds[ROLE_RECEIVE_MAX];
};

/* An address that a receive connector names, whether it could be opened or not. */
struct wanted {
    struct ip_endpoint endpoint;
    int failure; /* errno of the last attempt, 0: none yet, or it is open; each change is logged once */
};

/* An endpoint given up lately: the receive processes may hold its sockets for a moment yet. */
struct let_go {
    struct ip_endpoint endpoint;
    int64_t until_ms; /* clock_mono_ms */
};

struct identity_pem {
    struct buf chain, key;
};

/* certs/ as it is watched; see watch.c. */
struct watch {
    uv_fs_event_t folder, trusted;
    uv_timer_t quiet, look;
    uint64_t seen;
};

struct supervisor {
    uv_loop_t loop;
    uv_signal_t signals[3];
    uv_timer_t drain, retry, measure;
    const struct supervisor_options *options;
    char state[1024];
    char certs[1040]; /* the folder of the certificates */
    struct node_settings node;
    struct sandbox_user user;
    struct child children[ROLE_KINDS - 1 + ROLE_RECEIVE_MAX];
    size_t child_count;
    uint32_t receivers;
    struct listener listeners[SUPERVISOR_LISTENERS_MAX];
    size_t listener_count;
    struct wanted wanted[SUPERVISOR_LISTENERS_MAX];
    size_t wanted_count;
    struct let_go let_go[SUPERVISOR_LET_GO_MAX];
    size_t let_go_next;
    int submit_fd; /* of submit.sock, which all receive processes share; 0: not open */
    bool bindings_known;
    bool serving; /* all roles were up once: the sockets are open */
    bool stopping;
    bool killed; /* something did not end by itself while stopping */
    struct identity_pem identities[SUPERVISOR_IDENTITIES_MAX];
    size_t identity_count;
    struct keytab_file keytab;            /* in use */
    char keytab_problem[KEYTAB_TEXT_MAX]; /* why the one on disk is not, where that is another; or empty */
    bool keytab_read;                     /* once at least */
    struct buf trust;                     /* PEM of the authorities of client certificates */
    struct watch watch;
    struct link *calls; /* on which manage asks */
    char ticket_keys[TLS_TICKET_KEYS * TLS_TICKET_KEY_LEN];
    struct counters *counters; /* of all receive processes; NULL: not made */
    struct hash_key counting_key;
    int counting_fd;
    struct resources resources;
    bool metered; /* both were made */
    int metrics_fd;
    int console_fd; /* listens; -1: no console */
    int exit_status;
};

/* ---- children.c ---- */
enum err_code children_start(struct supervisor *s, struct err *err);
/* Asks all receive processes to drain; when they are gone, the others. Each of the two has its own time. */
void children_stop(struct supervisor *s);
/*
 * That time is over: kills what was asked and has not ended, and sets s->killed. Others that were not asked yet are
 * asked when the receive processes are gone.
 */
void children_drain_over(struct supervisor *s);
bool children_all_ready(const struct supervisor *s);
/* Sends a control message to every running child of the kind (ROLE_KINDS: to all). */
void children_tell(struct supervisor *s, enum role_kind kind, uint16_t type, struct span body);

/* ---- listeners.c ---- */
/*
 * From now on these endpoints are wanted: closes what is not among them and, when the supervisor is serving, opens
 * what is missing; the receive processes are told of both.
 */
void listeners_set(struct supervisor *s, const struct ip_endpoint *endpoints, size_t count);
/* Tries to open what is wanted and not open; what fails is tried again every few seconds. */
void listeners_open_missing(struct supervisor *s);
/* Hands all sockets to a receive process that has just started. */
void listeners_hand_over(struct supervisor *s, struct child *receive);
void listeners_close(struct supervisor *s);
/* A listening socket for this process alone, or -1 with errno. */
int listeners_bind(struct ip_endpoint e);

/* ---- submit.c: submit.sock, for programs of this machine ---- */
/* What fails is logged: the network's sockets do not depend on it. */
void submit_open(struct supervisor *s);
void submit_hand_over(struct supervisor *s, struct child *receive);
void submit_close(struct supervisor *s);

/* ---- keys.c ---- */
/*
 * Reads each NAME.crt with its NAME.key in certs/, and the authorities that client certificates are verified
 * against, and checks that all of it can be used. The error names the file of the first pair that cannot; the old
 * set stays whole then.
 */
enum err_code keys_load(struct supervisor *s, struct err *err);
enum err_code keys_make_tickets(struct supervisor *s, struct err *err);
void keys_hand_over(struct supervisor *s, struct child *c);
/* To all that need them. */
void keys_hand_over_all(struct supervisor *s);
void keys_wipe(struct supervisor *s);

/* ---- keytab.c ---- */
/* Reads the keytab as it is on disk. True when what is in use has changed by it. */
bool keytab_load(struct supervisor *s);
/* To a child that has just started, where it is one that must know. */
void keytab_hand_over(struct supervisor *s, struct child *c);
void keytab_hand_over_all(struct supervisor *s);
/* Appends the answer to KEYTAB_DESCRIBE. */
void keytab_describe_to(const struct supervisor *s, struct buf *out);

/* ---- counting.c ---- */
enum err_code counting_make(struct supervisor *s, struct err *err);
/* To a receive process that has just started. */
void counting_hand_over(struct supervisor *s, struct child *receive);
/* It is dead, and with it what it counted. */
void counting_forget(struct supervisor *s, const struct child *receive);

/* ---- pressure.c ---- */
enum err_code pressure_start(struct supervisor *s, struct err *err);
/* To a receive, queue or manage process that has just started. */
void pressure_hand_over(struct supervisor *s, struct child *c);
/* True: the frame was about resources, and was dealt with. */
bool pressure_on_frame(struct supervisor *s, const struct child *c, const struct frame *f);

/* ---- metering.c ---- */
/* The memory, and the console's socket where one is wanted. */
enum err_code metering_make(struct supervisor *s, struct err *err);
/* To a process that has just started. */
void metering_hand_over(struct supervisor *s, struct child *c);

/* ---- watch.c ---- */
/* Certificates that change on disk are loaded and handed over. */
void watch_start(struct supervisor *s);
/* The folder is about to be read as it is now. */
void watch_note(struct supervisor *s);
/* keys_load, then keys_hand_over_all, and the same of the keytab by itself; what was found is not loaded again by
 * itself. */
enum err_code watch_load(struct supervisor *s, struct err *err);

/* ---- certificate_calls.c ---- */
/* Gives a manage process that has just started its end of the link on which it asks about certificates. */
void certificate_calls_open(struct supervisor *s, struct child *manage);

/* ---- supervisor.c ---- */
/* The node's settings as CONTROL_CONFIG and CONTROL_RELOAD carry them. */
void supervisor_put_node(const struct supervisor *s, struct buf *out);
void supervisor_check_ready(struct supervisor *s);
void supervisor_on_bindings(struct supervisor *s, struct span body);
/* All children are gone. */
void supervisor_children_gone(struct supervisor *s);
