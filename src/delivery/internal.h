/* internal.h: what the files of delivery share: the engine, and tasks as both transports see them. */
#pragma once

#include "base/arena.h"
#include "delivery/delivery.h"

struct smtp_connection;

enum { BODY_PIECE = 65536 }; /* octets of a body in hand at once */

struct delivery_engine {
    struct delivery_options options; /* with defaults filled in */
    struct arena arena;              /* its text */
    uv_async_t wake;                 /* tasks are finished, or the engine may be gone */
    int mail_root;                   /* directory, or -1 */
    struct delivery_task *tasks;     /* under way */
    struct delivery_task *finished, **finished_last;
    size_t task_count;                              /* both lists */
    struct smtp_connection *idle_first, *idle_last; /* the oldest first */
    size_t idle_count, connection_count;
    uint64_t connects, reuses;
    bool closing, wake_closing;
    void (*closed)(void *context);
    void *closed_context;
    char body[BODY_PIECE];  /* a piece read from a descriptor, used up at once */
    char input[BODY_PIECE]; /* the same for what a socket gives */
    char plain[BODY_PIECE]; /* and what TLS makes of it */
};

struct delivery_task_kind {
    void (*start)(struct delivery_task *t);
    void (*cancel)(struct delivery_task *t); /* must lead to delivery_task_finish soon */
};

struct delivery_task {
    struct delivery_task *prev, *next;
    struct delivery_engine *engine;
    const struct delivery_task_kind *kind;
    struct delivery_job job;
    delivery_done_fn *done;
    void *context;
    struct arena arena;              /* results' text; freed with the task */
    struct delivery_result *results; /* decided where `stage` is set */
    size_t undecided;
    struct delivery_report report;
    bool cancelled, finished;
};

/* Decides one recipient; text and enhanced are copied. Nothing happens if it is decided already. */
void delivery_task_decide(struct delivery_task *t, size_t recipient, const struct delivery_result *result);
void delivery_task_decide_rest(struct delivery_task *t, const struct delivery_result *result);
/* The report is due; everybody must be decided. Nobody but the engine touches the task afterwards. */
void delivery_task_finish(struct delivery_task *t);
/* Closes the engine's last handle when it is closing and nothing is left. */
void delivery_engine_settle(struct delivery_engine *e);

/* What a cancel makes of those who are undecided. */
extern const struct delivery_result delivery_cancelled;

/* The transports: allocate a task with room for their own state. NULL when memory is out. */
struct delivery_task *smtp_transport_new(void);
struct delivery_task *maildir_task_new(void);
