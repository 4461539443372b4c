/*
 * test_support.h: the queue role as a process of its own, and all that it talks to, played by the test: supervisor,
 * manage, directory, deliver, two receive processes. Everything of the test runs on one loop and waits for events,
 * each with a deadline.
 */
#pragma once

#include "check.h"

#include "base/value.h"
#include "delivery/delivery.h"
#include "role/common/protocol.h"
#include "role/common/submission.h"
#include "runtime/link.h"
#include "smtp/params.h"
#include "store/queue.h"
#include "store/queue_action.h"

#include <sys/types.h>

enum bench_end {
    BENCH_CONTROL,
    BENCH_MANAGE,
    BENCH_LIST, /* manage's link for QUEUE_LIST */
    BENCH_DIRECTORY,
    BENCH_DELIVER,
    BENCH_RECEIVE,
    BENCH_RECEIVE_OTHER,
    BENCH_ENDS,
};

/* What the deliver process reports of an address; who is in no rule is delivered. */
struct bench_rule {
    const char *address;
    enum delivery_outcome outcome;
    uint16_t code;
    const char *enhanced, *text;
    bool fault; /* the next hop could not be used at all */
};

struct bench_job {
    struct delivery_job job; /* its body always in memory */
    uint64_t question;
    struct span password;
    bool by_file; /* the body came as a descriptor */
    int64_t at_ms;
};

struct bench_answer { /* to QUEUE_STORE */
    bool lost;
    enum content_outcome outcome;
    uint64_t id;
    struct span text;
};

struct bench_peer {
    struct bench *bench;
    enum bench_end end;
    struct link *link; /* NULL: down */
};

enum { BENCH_JOBS_MAX = 12000, BENCH_RULES_MAX = 16, BENCH_RECORDS_MAX = 2000 };

struct bench {
    uv_loop_t loop;
    uv_timer_t deadline;
    bool late;
    char folder[64];
    pid_t pid; /* 0: not running */
    bool ready;
    uint64_t queue_length; /* as it was told last, */
    size_t lengths;        /* of so many times */
    struct bench_peer peers[BENCH_ENDS];
    uint64_t policy_version;
    struct arena arena; /* all that was received */
    uv_poll_t log_poll;
    int log_fds[2];
    struct buf log;
    /* directory */
    bool directory_fails, directory_silent;
    size_t questions;
    uint64_t question_id; /* of the last */
    struct span question;
    /* deliver */
    struct bench_rule rules[BENCH_RULES_MAX];
    bool dsn_offered;
    struct bench_job jobs[BENCH_JOBS_MAX];
    size_t job_count, job_next;
    /* receive */
    struct bench_answer answer;
    size_t answer_count, stored_count;
    uint64_t spool_id;
    int spool_fd;
    /* events of the message tracking log, a line each: "EVENT SOURCE recipients (status) instead of RELATED via
     * CONNECTOR reference ID {CUSTOM}", without what is empty */
    struct buf track;
    size_t track_count;
    /* QUEUE_LIST */
    struct record *records[BENCH_RECORDS_MAX];
    size_t record_count, list_answers;
    uint64_t list_next;
    enum err_code list_code;
    /* QUEUE_CHANGE and QUEUE_EXPORT */
    size_t action_answers;
    enum err_code action_code;
    struct span action_text, exported;
};

/* Setup and teardown of cmocka: *state is a bench whose role serves by bench_policy(b, NULL, NULL). */
int bench_setup(void **state);
int bench_teardown(void **state);

/* Waits until the condition holds; fails the test when it takes too long. */
#define BENCH_UNTIL(b, cond)                                                                                       \
    do {                                                                                                           \
        bench_arm(b);                                                                                              \
        while (!(cond))                                                                                            \
            bench_turn((b), #cond);                                                                                \
    } while (0)
void bench_arm(struct bench *b);
void bench_turn(struct bench *b, const char *what);

/* ---- the process ---- */

/* (Re)starts the role with all links and the policy; returns when it serves. */
void bench_start(struct bench *b);
/* The same without the policy: it does not serve yet. */
void bench_start_bare(struct bench *b);
/* kill -9 and all links lost; what lies in the store stays. */
void bench_kill(struct bench *b);
/* Asks it to end; waits for that: it must end with 0. */
void bench_ask_drain(struct bench *b);
void bench_drained(struct bench *b);
/* Both, and then there must be so many messages left in the store, and without any no file in the spool. */
void bench_finish(struct bench *b, size_t messages);
void bench_lose(struct bench *b, enum bench_end end);
void bench_join(struct bench *b, enum bench_end end);
/* The supervisor's word that a process of that role ended by a fault. */
void bench_fault(struct bench *b, enum role_kind dead);
struct link *bench_link(const struct bench *b, enum bench_end end);
/*
 * A policy with short retry times, the accepted domain example.com, and `objects` (NULL: a smart host for far.test,
 * MX for all else). `server`: further settings, "Name=value|Name=value", which win; or NULL.
 */
void bench_policy(struct bench *b, const char *server, const char *objects);
bool bench_logged(const struct bench *b, const char *text);
/* Regular files in the spool. */
size_t bench_spool_files(const struct bench *b);
/* The store of a role that does not run; close it with queue_close. */
struct queue *bench_open_store(struct bench *b);

/* ---- receive ---- */

struct bench_mail {
    const char *from; /* NULL or "": <> */
    const char *to;   /* addresses with commas between them */
    uint32_t notify;
    const char *orcpt, *envid, *subject, *body;
    enum smtp_ret ret;
    bool anonymous; /* of nobody whom the organisation knows */
    bool require_tls, tls_optional;
};

/* The envelope of a mail as it travels. The caller frees it (buf_done). */
void bench_envelope(struct buf *out, const struct bench_mail *m, uint64_t size);
/* Asks QUEUE_STORE; the answer comes into b->answer. */
void bench_ask_store(struct bench *b, enum bench_end from, uint64_t token, uint64_t spool_id, struct span envelope,
                     struct span body);
void bench_await_answer(struct bench *b, size_t count_before);
/* A part of an envelope goes ahead. */
void bench_send_part(struct bench *b, enum bench_end from, uint64_t token, struct span bytes);
/* Sends a mail with an inline body and waits until it is stored; its InternalId. */
uint64_t bench_send(struct bench *b, const struct bench_mail *m);
#define BENCH_SEND(b, ...) bench_send((b), &(struct bench_mail){__VA_ARGS__})
/* Asks for a spool file. The answer comes into b->spool_id, b->spool_fd (the bench's); bench_spool waits for it. */
void bench_ask_spool(struct bench *b, enum bench_end from);
void bench_spool(struct bench *b, enum bench_end from);
void bench_drop_spool(struct bench *b, enum bench_end from, uint64_t id);

/* ---- directory ---- */

/* A silent directory answers the last question, and all from then on. */
void bench_speak(struct bench *b);

/* ---- deliver ---- */

/* The next job that came, or will come. */
struct bench_job *bench_job(struct bench *b);
/* Reports it by the rules. */
void bench_report(struct bench *b, const struct bench_job *j);
/* Answers it with these bytes. */
void bench_answer_job(struct bench *b, const struct bench_job *j, struct span bytes);
/* Waits for a job, and reports it. */
struct bench_job *bench_deliver(struct bench *b);
void bench_rule(struct bench *b, struct bench_rule rule); /* replaces that of the same address */
void bench_no_rules(struct bench *b);
/* "a@x b@y": a job's recipients. */
struct span bench_recipients(struct bench *b, const struct bench_job *j);

/* ---- manage ---- */

/* Waits until so many lines are in b->track. */
void bench_await_track(struct bench *b, size_t count);

/* Asks QUEUE_LIST. The answer comes into b->list_code, records, list_next; bench_list waits for it. */
void bench_ask_list(struct bench *b, enum queue_list_what what, uint64_t after, uint32_t limit);
void bench_list(struct bench *b, enum queue_list_what what, uint64_t after, uint32_t limit);
/* Lists until there are that many messages. */
void bench_until_messages(struct bench *b, size_t count);
/* Lists until the property of the first message, or of the only queue, reads so. */
void bench_until(struct bench *b, enum queue_list_what what, const char *property, const char *value);
/* Asks QUEUE_CHANGE, of a queue or of one message, and waits: b->action_code, b->action_text. */
void bench_act_on_queue(struct bench *b, enum queue_action what, const char *queue);
void bench_act_on_message(struct bench *b, enum queue_action what, uint64_t id);
/* Asks for several messages without waiting. */
void bench_ask_action(struct bench *b, enum queue_action what, const char *queue, const uint64_t *ids,
                      size_t count);
/* Asks QUEUE_EXPORT and waits: b->action_code, b->action_text, b->exported. */
void bench_export(struct bench *b, uint64_t id);
/* A property of a listed record as text. */
struct span bench_property(struct bench *b, size_t i, const char *name);
int64_t bench_number(const struct bench *b, size_t i, const char *name);

#define CHECK_TEXT(row, got, want) CHECK_SPAN(row, got, span_of(want))
bool span_has(struct span s, const char *text);
#define CHECK_HAS(row, got, text)                                                                                  \
    do {                                                                                                           \
        struct span got_has = (got);                                                                               \
        if (!span_has(got_has, (text))) {                                                                          \
            print_error("row `%s`: there is no `%s` in `%.*s`\n", (row), (text), SPAN_ARG(got_has));               \
            _fail(__FILE__, __LINE__);                                                                             \
        }                                                                                                          \
    } while (0)
