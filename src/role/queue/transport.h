/*
 * transport.h: the queue role's parts and what they share, for its own files only. How a message goes through it:
 *
 *   submission.c   QUEUE_STORE -> durable -> a mail in hand
 *   claims.c       what the store holds and is due -> mails in hand
 *   categorizer.c  each recipient of a mail: its route, asked of policy and directory
 *   expansion.c    groups -> further recipients
 *   companions.c   recipients whose mailbox another one goes to already wait for what becomes of that
 *   destination.c  recipients that share a next hop wait here, its limits and its retries
 *   attempt.c      DELIVER_JOB and its report
 *   outcome.c      what became of each recipient -> durable, with the report to the sender (report.c)
 *   poison.c       messages on which a process dies
 *   actions.c      what an administrator does to queues and messages; held.c: the queues that are suspended
 *   track.c        tells each of these steps for the message tracking log
 *
 * Invariant: a recipient in hand is leased in the store, belongs to exactly one of these places at a time, and is
 * let go of (recipient_release) when its outcome is durable. All of it runs on the loop; only group commit and the
 * flush of a spool file have threads.
 *
 * Memory: what is in hand is bounded by transport_held_max recipients; everything else waits in the store. When
 * even the few bytes of a list cannot be had the process ends: nothing that was acknowledged is lost by that.
 */
#pragma once

#include "policy/policy.h"
#include "role/common/policy_ref.h"
#include "role/common/role.h"
#include "role/queue/address_set.h"
#include "routing/route.h"
#include "routing/schedule.h"
#include "store/queue.h"
#include "store/spool.h"
#include "store/tracking/tracking.h"

enum {
    TRANSPORT_HELD_MAX = 20000,          /* recipients in hand */
    TRANSPORT_BODY_BYTES_MAX = 64 << 20, /* bodies kept in memory between storing and the first attempt */
};
/* While memory is short no more than these are taken into hand: they are delivered, and the rest waits in the
 * store.
 */
enum { TRANSPORT_HELD_SHORT_MAX = 1000, TRANSPORT_BODY_BYTES_SHORT_MAX = 4 << 20 };
enum { TRANSPORT_LEASE_MS = 60 * 60 * 1000, TRANSPORT_RENEW_MS = 15 * 60 * 1000 };

struct change;
struct changes;
struct shared_mailbox;
struct claims;
struct destination;
struct destinations;
struct expansion;
struct held;
struct poison;
struct shortage;
struct submissions;
struct unreachable;

struct transport {
    struct role *role;
    struct queue *store;
    struct spool spool;
    struct changes *changes;
    struct submissions *submissions;
    struct destinations *destinations;
    struct held *held_queues;
    struct poison *poison;
    struct claims *claims;
    struct shortage *shortage;
    struct expansion *expansions; /* those under way */
    struct unreachable *unreachable;
    struct mail *mails; /* in hand */
    size_t held;        /* recipients in hand */
    size_t body_bytes;  /* bodies in memory */
    bool draining;      /* nothing new is begun */
    bool memory_short;  /* its pressure is high (policy/pressure.h) */
};

/* How many recipients may be in hand now, and bytes of bodies in memory. */
size_t transport_held_max(const struct transport *t);
size_t transport_body_bytes_max(const struct transport *t);
/* There is room in hand, and a policy to route by: the first may come after the first message to store. */
bool transport_may_hold(const struct transport *t);
/* Something came to its end: while draining, perhaps the last. */
void transport_settled(struct transport *t);

/* ---- mail.c: a message in hand ---- */

struct recipient {
    struct mail *mail;
    struct queue_recipient *record; /* in the mail's envelope */
    struct span address;            /* where it goes: the record's address, or what that was redirected to */
    unsigned redirections;
    struct shared_mailbox *mailbox;  /* that it goes to; NULL: none, or not routed yet */
    struct destination *destination; /* where it waits or from where it is being sent; NULL before */
    struct recipient *next;          /* in the list that it belongs to */
};

/* What an administrator has done to a message whose recipients are in hand. What is not being sent is let go of,
 * and what is being sent when that has failed. */
enum withdrawal {
    WITHDRAWN_NOT,
    WITHDRAWN_SUSPENDED,
    WITHDRAWN_REMOVED,
    WITHDRAWN_REPORTED, /* removed, and the sender is told */
};

/* Recipients of one message that were claimed together. There may be several mails of one message. */
struct mail {
    struct transport *transport;
    struct mail *prev, *next;
    struct arena arena;
    struct queue_message envelope; /* its body is always empty; recipients are those in hand */
    char *body;                    /* in memory; NULL: in the store, or a spool file */
    size_t body_len;
    enum withdrawal withdrawal;
    bool fresh;        /* no attempt can have been made yet */
    bool claimed;      /* enqueued with a lease */
    size_t live;       /* recipients not yet released */
    size_t unresolved; /* recipients that the directory was asked for */
    struct recipient *recipients;
    struct address_set mailboxes; /* that recipients of it go to: nobody gets two copies */
    struct verdict *verdicts;     /* the categorizer's, recorded when all recipients are routed */
    struct group *groups;         /* likewise */
};

/* Copies everything. Not yet counted as in hand: mail_hold does that. NULL when memory is out. */
struct mail *mail_new(struct transport *t, const struct queue_message *m, struct span body);
void mail_hold(struct mail *m);
/* Adds the op that stores a mail; it is claimed at once where there is room in hand. */
void mail_enqueue(struct mail *m, struct change *c);
/* That op is durable: the mail is in hand now and routed, or left to the store. */
void mail_enqueued(struct mail *m, const struct queue_op *op);
/* Frees a mail that was never held. */
void mail_discard(struct mail *m);
/* The recipient is done with; the mail goes with its last one. */
void recipient_release(struct recipient *r);
/* Lets go of a body in memory. */
void mail_drop_body(struct mail *m);
/*
 * The body: *ret is inline bytes (living as long as the mail or the arena), or *ret_fd (>= 0, the caller's) is a
 * file with it.
 */
enum err_code mail_body(struct mail *m, struct arena *arena, struct span *ret, int *ret_fd, struct err *err);
void mails_renew_leases(struct transport *t);
/* A log line about a message, with its id; end it with log_end. */
struct log_line mail_log(const struct mail *m, const char *event);

/* ---- submission.c ---- */

/* The pickup process stands behind the receive processes. */
enum { SUBMISSIONS_OF_PICKUP = ROLE_RECEIVE_MAX };
struct submissions *submissions_new(struct transport *t);
void submissions_on_frame(struct transport *t, uint32_t index, struct link *link, struct frame *f);
/* A receive process is gone: what it had open goes too. */
void submissions_peer_lost(struct transport *t, uint32_t index);

/* ---- claims.c ---- */

struct claims *claims_new(struct transport *t);
/* Something in the store is due at that time. */
void claims_due(struct transport *t, int64_t wall_ms);
/* Something may be due now: room in hand, a policy, something stored without being held. */
void claims_wake(struct transport *t);

/* ---- unreachable.c ---- */

/* This recipient waits for a send connector. */
void unreachable_add(struct transport *t, struct queue_key key);
/* The policy is new: those that wait are tried at once. */
void unreachable_resume(struct transport *t);

/* ---- categorizer.c ---- */

/* Routes all recipients of a mail in hand. */
void categorize(struct mail *m);
/* One recipient anew (its policy has changed meanwhile). */
void categorize_again(struct recipient *r);

/* ---- expansion.c ---- */

struct group {
    struct recipient *recipient;
    const struct span *members;
    size_t count;
    struct group *next;
};
/* Turns the groups of a mail into their members, durably, and categorizes those. */
void expansion_start(struct mail *m, struct group *groups);

/* ---- destination.c and destinations.c ---- */

struct verdict;

/* Recipients of one mail at one destination. */
struct parcel {
    struct parcel *next;
    struct mail *mail;
    struct destination *destination;
    struct policy_ref *policy; /* by which it was routed; route points into it */
    struct route route;
    struct recipient *recipients, **last;
    size_t count;
};

struct destinations *destinations_new(struct transport *t);
/* False: its destination is in its retry time or suspended, or its message is withdrawn; *ret_postponed says until
 * when. */
bool destination_add(struct recipient *r, const struct route *route, struct verdict *ret_postponed);
/* Starts what may be started. */
void destinations_pump(struct transport *t);
/* The same after a new policy, whose limits and routes may differ for all that waits. */
void destinations_wake(struct transport *t);
void destinations_sweep(struct transport *t);
/* Lets go of what waits of withdrawn mails. */
void destinations_withdraw(struct transport *t);
/* The destination of that name, if there is one, goes by what held_has says of it from now on. */
void destinations_hold(struct transport *t, struct span name);
/* Ends the retry time of the destination of that name, if there is one. */
void destinations_end_retry(struct transport *t, struct span name);
/* Attempts under way. */
size_t destinations_active(const struct transport *t);
/* An attempt is over: the next hop could be used, or not at all (then nothing is tried until the retry). */
void destination_done(struct destination *d, bool fault, int64_t retry_at_ms, struct span error);
/* Consecutive attempts that failed on the next hop as a whole, this one included. */
uint32_t destination_failures(const struct destination *d, uint32_t attempts);
struct span destination_name(const struct destination *d);
struct span destination_connector(const struct destination *d); /* empty: a mailbox */
struct destination_facts {
    struct span name, next_hop_domain, connector, last_error;
    const char *delivery_type;
    size_t waiting, active; /* messages; attempts under way */
    bool suspended;
    uint32_t failures;
    int64_t retry_at_ms, last_retry_ms; /* 0: none */
};
void destinations_list(struct transport *t, void (*each)(void *context, const struct destination_facts *f),
                       void *context);

/* ---- attempt.c ---- */

/* Takes recipients out of the parcel and sends them; true when it was begun (the parcel may be empty then). */
bool attempt_start(struct parcel *p);

/* ---- outcome.c ---- */

enum verdict_kind {
    VERDICT_DELIVERED, /* into the mailbox, or taken over by the next hop */
    VERDICT_TEMPORARY, /* tried and to be tried again: on the schedule, unless it has expired */
    VERDICT_PERMANENT,
    VERDICT_POSTPONED, /* not tried: at next_ms again */
    VERDICT_REMOVED,   /* by an administrator; outcome.c makes it of the two before */
};

struct verdict {
    struct recipient *recipient;
    enum verdict_kind kind;
    struct span status; /* "5.1.1" */
    struct span text;   /* what stands behind the status; for POSTPONED and TEMPORARY why */
    uint16_t code;      /* the reply code that was received; 0: none, it is made of the status */
    struct span remote; /* who said it; empty: this server */
    struct span remote_ip;
    enum tracking_source source; /* where that was decided */
    struct span security;        /* how the connection was encrypted and verified (track_security) */
    enum failure_scope scope;
    int64_t next_ms;  /* TEMPORARY (0: by the schedule), POSTPONED */
    bool relayed;     /* DELIVERED: the next hop will not report success */
    bool by_next_hop; /* DELIVERED: the next hop took over NOTIFY */
    const struct verdict *next;
};

/* "550 5.1.1 text", as it is shown and reported. */
struct span verdict_error(struct arena *arena, const struct verdict *v);
/* Records the verdicts of a mail, with the reports they ask for, and releases the recipients when that is durable.
 */
void outcomes_record(struct mail *m, const struct verdict *list);

/* ---- companions.c ---- */

enum companion {
    COMPANION_FIRST,   /* it is the one to be sent */
    COMPANION_WAITS,   /* another one is: outcomes_record gives both the same verdict */
    COMPANION_DECIDED, /* another one was, with *ret_decided */
};
/* A mailbox that recipients of a mail go to. */
struct shared_mailbox {
    struct span address;           /* in the mail's set, which borrows it: hence the first member */
    struct recipient *first;       /* who is sent; NULL: nobody at the moment */
    struct recipient *companions;  /* who waits for that, at its destination */
    const struct verdict *decided; /* on the first; NULL: not yet */
};
/* A recipient was routed to this mailbox. */
enum companion companions_join(struct recipient *r, struct span mailbox, struct verdict *ret_decided);
/* The list with the verdicts of those who waited for recipients in it; what is added lives in the mail's arena. */
const struct verdict *companions_add(struct mail *m, const struct verdict *list);
/* The recipient is to be routed anew; those who waited for it, linked by next, too. */
struct recipient *companions_part(struct recipient *r);

/* ---- report.c ---- */

struct dsn_recipient;
/* Notifications that a change stores: one, unless its recipients are too many for that. */
struct reports {
    struct mail **mails; /* in the change's arena; the op of mails[i] is number first_op + i of its unit */
    size_t count, first_op;
};
/* How many ops reports_add may take. */
size_t reports_max(size_t recipients);
/*
 * Notifications to the sender, each with the op that stores it: mails that are the caller's to pass to
 * reports_enqueued, or to reports_discard. What cannot be made is logged, and not in *ret.
 */
void reports_add(struct change *c, struct mail *original, const struct dsn_recipient *recipients, size_t count,
                 struct reports *ret);
/* Their ops are durable: tells of them, as long as the original is there, and then hands them over. */
void reports_track(const struct reports *r, const struct mail *original, const struct queue_unit *u);
void reports_enqueued(const struct reports *r, const struct queue_unit *u);
/* They were not written. */
void reports_discard(const struct reports *r);

/* ---- held.c ---- */

NODISCARD enum err_code held_read(struct transport *t, struct err *err);
/* The queue of that name is suspended. */
bool held_has(const struct transport *t, struct span name);
/* It is from now on, or not any more. The store knows it already. */
void held_set(struct transport *t, struct span name, bool held);
/* The names of those that are, in their order; until the next change of them. */
const struct span *held_names(const struct transport *t, size_t *ret_count);

/* ---- actions.c ---- */

/* QUEUE_CHANGE. */
void actions_on_frame(struct transport *t, struct link *link, const struct frame *f);

/* ---- hasten.c ---- */

/*
 * What waits in the store under that queue's name, and is not suspended, is due at once. first(context, code, err)
 * is called when that is durable of the first of it, some hundred messages; the rest follows by itself.
 */
void hasten_queue(struct transport *t, struct span name,
                  void (*first)(void *context, enum err_code code, const struct err *err), void *context);

/* ---- export.c ---- */

/* QUEUE_EXPORT. */
void export_on_frame(struct transport *t, struct link *link, const struct frame *f);

/* ---- shortage.c: the queue's part in back pressure ---- */

/* Counts what the store holds; looks every PRESSURE_POLL_MS at what is short, and tells how many recipients wait.
 */
struct shortage *shortage_new(struct transport *t, struct err *err);
/* A unit is durable. */
void shortage_committed(struct transport *t, const struct queue_unit *unit);

/* ---- view.c ---- */

/* QUEUE_LIST. */
void view_on_frame(struct transport *t, struct link *link, const struct frame *f);
