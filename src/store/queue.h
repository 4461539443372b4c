/*
 * queue.h: the queue port: messages that were accepted, and what became of each recipient. It is written in batches
 * of units with an answer for each unit, and read by claims, which take a lease, and by pages.
 *
 * Durability: a unit whose result is ERR_NONE is on stable storage. A message lives until its last recipient is
 * final; then its row and body go in the same transaction. Delivery is at least once: leases are memory, so after a
 * restart everything that is pending can be claimed again.
 *
 * Threads. A handle is shared by three, each of which may call its own group at the same time as the others:
 *   writer    queue_commit, queue_maintain
 *   schedule  queue_claim, queue_next_due, queue_load, queue_held
 *   reader    queue_list, queue_waiting, queue_counts, queue_names_spool: for administration; never holds up the
 * other two. These may be called by several threads, of which one reads and the others wait queue_reserve_id and
 * queue_lease may be called from any thread. Opening and closing is nobody's business but the owner's, before the
 * threads start and after they ended.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct queue;

enum {
    QUEUE_TEXT_MAX = 4096,      /* bytes of any text below without a limit of its own: more refuses the unit */
    QUEUE_SPOOL_MAX = 64,       /* bytes of a spool file's name */
    QUEUE_SUBJECT_MAX = 255,    /* a longer subject is stored cut, at a character's end */
    QUEUE_ERROR_MAX = 1024,     /* the same for last_error */
    QUEUE_INLINE_MAX = 1 << 20, /* bytes of an inline body; a larger one goes into the spool */
    QUEUE_PAGE_RECIPIENTS = 10000,
};

enum queue_flag {
    QUEUE_8BIT = 1 << 0,
    QUEUE_BINARY = 1 << 1,
    QUEUE_UTF8 = 1 << 2,     /* SMTPUTF8 */
    QUEUE_REPORT = 1 << 3,   /* one of our own notifications */
    QUEUE_RET_FULL = 1 << 4, /* RFC 3461 4.3 */
    QUEUE_RET_HDRS = 1 << 5,
    QUEUE_INTERNAL = 1 << 6,     /* submitted from inside the organisation */
    QUEUE_REQUIRE_TLS = 1 << 7,  /* REQUIRETLS (RFC 8689) */
    QUEUE_TLS_OPTIONAL = 1 << 8, /* TLS-Required: No */
};

/* The numbers are on disk. All but QUEUE_PENDING are final. */
enum queue_state {
    QUEUE_PENDING,
    QUEUE_DELIVERED,
    QUEUE_FAILED,
    QUEUE_EXPANDED, /* a group: its members are recipients now */
    QUEUE_REMOVED,  /* by an administrator */
    QUEUE_STATES,
};

struct queue_recipient {
    uint32_t index; /* within the message: 0, 1, 2, ...; given by the store, never used again */
    struct span address, orcpt;
    uint32_t notify; /* the caller's bits for NOTIFY (RFC 3461 4.1); 0: not given */
    enum queue_state state;
    uint32_t attempts;
    int64_t next_attempt_ms;
    bool delay_noticed; /* a delay notification was sent */
    bool suspended;     /* not claimed until resumed */
    bool leased;        /* read only: claimed, and its result not written yet */
    struct span last_error;
    struct span queue_name; /* where it waited last, for display */
};

struct queue_message {
    uint64_t id;                    /* > 0, ever increasing: the InternalId */
    struct span message_id, sender; /* sender empty: <> */
    int64_t received_ms;
    uint64_t size;
    unsigned flags; /* enum queue_flag */
    struct span subject, source, source_ip, user;
    struct span envid; /* RFC 3461 4.4 */
    struct span auth;  /* AUTH= of MAIL (RFC 4954 5) */
    struct span body;  /* inline; or */
    struct span spool; /* the name of a spool file. Empty: inline */
    struct queue_recipient *recipients;
    size_t recipient_count;
};

enum queue_op_kind {
    QUEUE_OP_ENQUEUE, /* the message with its recipients, all of them pending; their index and state are not read */
    QUEUE_OP_RETRY,   /* recipient: attempts, next_attempt_ms, last_error, queue_name, delay_noticed are written */
    QUEUE_OP_DONE,    /* recipient: a final state and last_error are written */
    QUEUE_OP_EXPAND,  /* marks a recipient expanded and adds members, pending; their index and state are not read */
    QUEUE_OP_SUSPEND,
    QUEUE_OP_RESUME, /* not suspended any more; when_ms, unless 0, becomes the next attempt (suspended or not) */
    QUEUE_OP_HASTEN, /* when_ms becomes the next attempt; of those that are suspended nothing changes */
    QUEUE_OP_REMOVE, /* the state becomes QUEUE_REMOVED */
    QUEUE_OP_HOLD_QUEUE, /* queue_name is suspended as a whole: only kept here, queue_held tells; again is fine */
    QUEUE_OP_FREE_QUEUE, /* not any more; fine when it was not */
};

/* As the index of SUSPEND, RESUME, HASTEN and REMOVE: every recipient that is pending. */
#define QUEUE_EVERY UINT32_MAX

struct queue_op {
    enum queue_op_kind kind;
    uint64_t message;                    /* of a message's ops; ENQUEUE answers the id here */
    uint32_t index;                      /* all but ENQUEUE: which recipient. EXPAND answers in ret_first */
    struct span queue_name;              /* HOLD_QUEUE, FREE_QUEUE: not empty */
    const struct queue_message *enqueue; /* ENQUEUE. id 0: the store gives one; otherwise from queue_reserve_id */
    const struct queue_recipient *recipient; /* RETRY, DONE: the values */
    const struct queue_recipient *members;   /* EXPAND */
    size_t member_count;
    int64_t when_ms;        /* RESUME, HASTEN */
    int64_t lease_until_ms; /* ENQUEUE, EXPAND: not 0: the new recipients are claimed by the caller at once */
    uint32_t ret_first;     /* EXPAND: the index of the first member; the others follow */
};

/* Ops that belong together: all of them or none, in their order. All they point to is the caller's. */
struct queue_unit {
    struct queue_op *ops;
    size_t op_count;
    enum err_code result; /* the answer, see queue_commit */
    struct err err;
};

/*
 * Writes the units as one transaction with one flush and answers each of them:
 *   ERR_NONE       durable
 *   ERR_UNKNOWN    nobody can say whether it was written
 *   anything else  refused, nothing of it was written: ERR_NOT_FOUND (no such message, or no pending recipient with
 *                  that index; with HASTEN, none that is not suspended), ERR_INVALID, ERR_LIMIT, ERR_EXISTS (the id
 * is in use) concern the unit alone; ERR_IO, ERR_UNAVAILABLE and ERR_NO_MEMORY may come from it or from the batch
 * as a whole Of a message that became final nothing remains; the name of its spool file is appended to removed,
 * with a NUL behind it: the caller unlinks it (what is forgotten there, spool_sweep finds). A durable RETRY, DONE,
 * EXPAND or REMOVE ends the recipient's lease. The result is ERR_NONE when the transaction is durable, though units
 * of it may be refused; otherwise what went wrong, which err tells and every unit that was not refused for what it
 * is (ERR_INVALID, ERR_LIMIT): what another unit of the batch had in its way may be as it was. Nothing is retried
 * here. After ERR_UNKNOWN the handle refuses every further commit with ERR_UNAVAILABLE: only reopening can find
 * out.
 */
enum err_code queue_commit(struct queue *q, struct queue_unit *const *units, size_t count, struct buf *removed,
                           struct err *err);
/*
 * Work that may stand behind commits but not within them (the checkpoint). Call it when the answers of a batch are
 * handed out; idle says that no further batch waits. A failure harms nothing yet and comes again: report it.
 */
enum err_code queue_maintain(struct queue *q, bool idle, struct err *err);

/* The next id for a message, to be enqueued under it or never: for whoever must name a spool file first. */
uint64_t queue_reserve_id(struct queue *q);

struct queue_key {
    uint64_t message;
    uint32_t index;
};

/*
 * Claims up to limit recipients that are pending, not suspended, due at now_ms and not leased (any more), by the
 * time of their next attempt: they are leased until lease_until_ms. *ret is *ret_count messages, whole envelopes
 * without bodies and with the claimed recipients only; one message once, in the order of its most urgent recipient.
 * Less than limit recipients in all: nothing more was due. On an error nothing is leased.
 */
enum err_code queue_claim(struct queue *q, int64_t now_ms, size_t limit, int64_t lease_until_ms,
                          struct arena *arena, struct queue_message **ret, size_t *ret_count, struct err *err);
/*
 * When queue_claim will next have something: the earliest next attempt of what is not leased, or the end of a
 * lease. May be too early, never too late. INT64_MAX: nothing waits.
 */
enum err_code queue_next_due(struct queue *q, int64_t now_ms, int64_t *ret, struct err *err);
/* Extends the leases of these recipients; until_ms 0 gives them back. What is not leased is passed over. */
void queue_lease(struct queue *q, const struct queue_key *keys, size_t count, int64_t until_ms);

enum queue_part {
    QUEUE_ENVELOPE = 0,        /* is always read */
    QUEUE_BODY = 1 << 0,       /* the inline body */
    QUEUE_RECIPIENTS = 1 << 1, /* all of them, final ones too */
};
/* One message with the parts asked for (enum queue_part). ERR_NOT_FOUND. */
enum err_code queue_load(struct queue *q, uint64_t id, unsigned parts, struct arena *arena,
                         struct queue_message *ret, struct err *err);

struct queue_page {
    struct queue_message *messages; /* without bodies, with all recipients, by id */
    size_t count;
    bool more; /* go on after the last one's id */
};
/* Messages with id > after: at most limit (> 0), and no further one once the page holds QUEUE_PAGE_RECIPIENTS. */
enum err_code queue_list(struct queue *q, uint64_t after, size_t limit, struct arena *arena, struct queue_page *ret,
                         struct err *err);

/*
 * Calls each for every recipient that is pending and not leased, by message and index. Of the recipient the index,
 * suspended, attempts, next_attempt_ms, last_error and queue_name are given, for the time of the call. Reads all
 * there is, in one go and without copies: a second for some millions.
 */
typedef void queue_waiting_fn(void *context, uint64_t message, const struct queue_recipient *r);
enum err_code queue_waiting(struct queue *q, queue_waiting_fn *each, void *context, struct err *err);

struct queue_counts {
    uint64_t messages, bytes;    /* bytes: the sum of their sizes */
    uint64_t pending, suspended; /* recipients; suspended ones are pending too */
};
/* Reads all there is: not for every second. */
enum err_code queue_counts(struct queue *q, struct queue_counts *ret, struct err *err);
/* The names of HOLD_QUEUE, in their order. The schedule's. */
enum err_code queue_held(struct queue *q, struct arena *arena, struct span **ret, size_t *ret_count,
                         struct err *err);
/* True when a message names this spool file. */
enum err_code queue_names_spool(struct queue *q, struct span name, bool *ret, struct err *err);

/* Frees the handle; nothing is lost by it. NULL allowed. */
void queue_close(struct queue *q);
