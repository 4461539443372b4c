/*
 * passwords.c: checking passwords without holding up the loop.
 *
 * Invariants: at most RUNNING_MAX verifications run at once (each takes 19 MiB and a core), at most WAITING_MAX
 * wait; beyond that the answer is "unavailable" (454 for the client), at once. Of many that wait with the same
 * right password only the first are hashed: the rest find it in the cache when their turn comes. Whoever asked may
 * die meanwhile: role_answer then drops the answer.
 */
#include "role/directory/internal.h"

#include "base/cursor.h"
#include "directory/directory_check.h"
#include "role/common/messages.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <stdlib.h>
#include <string.h>

enum { RUNNING_MAX = 4, WAITING_MAX = 1024, PASSWORD_MAX = 1024, ANSWER_MAX = 128 * 1024 };

struct job {
    uv_work_t work;
    struct job *next;
    struct role *role;
    struct role_asker asker;
    struct directory_check *check;
};

static struct job *waiting, **waiting_last = &waiting;
static size_t running_count, waiting_count;

static void start_next(void);

static void answer(const struct role_asker *asker, uint8_t verdict, const struct directory_identity *identity)
{
    struct buf b;
    buf_init(&b, ANSWER_MAX);
    message_put_identity(&b, verdict, identity);
    if (b.failed) { /* an identity with more addresses and groups than a frame holds */
        log_text(LOG_ERROR, "identity-too-large", "a user's addresses and groups do not fit into %d bytes",
                 ANSWER_MAX);
        buf_clear(&b);
        put_u8(&b, DIRECTORY_UNAVAILABLE);
    }
    role_answer(asker, buf_span(&b), SPAN(""), NULL, 0);
    buf_done(&b);
}

static void finish(struct job *j)
{
    struct err err = {0};
    enum directory_verdict v = directory_check_finish(j->check, clock_wall_ms(), &err);
    if (v == DIRECTORY_UNAVAILABLE) {
        struct log_line l = log_begin(LOG_ERROR, "directory-unavailable");
        log_err(&l, &err);
        log_end(&l);
    }
    answer(&j->asker, (uint8_t)v, v == DIRECTORY_ACCEPTED ? directory_check_identity(j->check) : NULL);
    directory_check_free(j->check);
    free(j);
}

static void on_work(uv_work_t *w)
{
    struct job *j = w->data;
    directory_check_verify(j->check);
}

static void on_work_done(uv_work_t *w, int status)
{
    (void)status; /* jobs are not cancelled */
    running_count--;
    finish(w->data);
    start_next();
}

static void start_next(void)
{
    while (waiting && running_count < RUNNING_MAX) {
        struct job *j = waiting;
        waiting = j->next;
        if (!waiting)
            waiting_last = &waiting;
        waiting_count--;
        if (directory_check_recall(j->check, clock_wall_ms())) {
            finish(j);
            continue;
        }
        running_count++;
        j->work.data = j;
        uv_queue_work(&j->role->loop, &j->work, on_work, on_work_done);
    }
}

static void enqueue(struct job *j)
{
    *waiting_last = j;
    waiting_last = &j->next;
    waiting_count++;
    start_next();
}

void passwords_check(struct role *role, struct directory *directory, struct link *link, struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    struct span user = cursor_bytes(&c, DIRECTORY_NAME_MAX), password = cursor_bytes(&c, PASSWORD_MAX);
    struct job *j = cursor_done(&c) && waiting_count < WAITING_MAX ? calloc(1, sizeof *j) : NULL;
    if (j)
        j->check = directory_check_new(directory, user, password, clock_wall_ms());
    explicit_bzero((char *)(uintptr_t)f->body.ptr, f->body.len); /* the frame's buffer is reused, but not soon */
    if (!j || !j->check) {
        free(j);
        struct role_asker asker = role_asker(link, f);
        answer(&asker, DIRECTORY_UNAVAILABLE, NULL);
        return;
    }
    j->role = role;
    j->asker = role_asker(link, f);
    if (directory_check_pending(j->check))
        enqueue(j);
    else
        finish(j);
}
