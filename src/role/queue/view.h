/* view.h: a question for the queues or the messages on its way, for view.c and view_records.c only. */
#pragma once

#include "role/queue/transport.h"

#include <uv.h>

/* What waits in the store under one queue's name. */
struct waiting {
    struct span name;
    uint64_t messages;
    int64_t next_ms, last_message;
    struct span error;
    size_t room; /* for it */
    uint32_t attempts;
    bool shown; /* joined with what is in hand */
};

/* Where a message in hand is. */
struct in_hand {
    uint64_t id;
    const struct destination *destination;
    enum withdrawal withdrawal;
};

struct view {
    uv_work_t work;
    struct transport *transport;
    struct role_asker asker;
    enum queue_list_what what;
    uint64_t after;
    uint32_t limit;
    struct arena arena;
    enum err_code code;
    struct err err;
    struct queue_page page; /* MESSAGES */
    struct in_hand *held;   /* MESSAGES: by id */
    size_t held_count;
    void *tree; /* QUEUES: of struct waiting, by name */
    struct buf answer;
    uint32_t count;
    uint64_t seen; /* QUEUES: those before this one, on whatever page */
    uint64_t next;
};

/* The order of struct waiting in the tree. */
int view_compare(const void *a, const void *b);
/* That of a queue's name, made when there is none; NULL when memory is out. */
struct waiting *view_waiting_at(struct view *v, struct span name);
/* Turn what was read of the store, with what is in hand, into the records of the answer. On the loop. */
void view_show_queues(struct view *v);
void view_show_messages(struct view *v);
