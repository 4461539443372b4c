/* test_support.c: see test_support.h. Whatever fails here fails the test. */
#include "store/test_support.h"

#include "check.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RECIPIENTS_MAX = 64 };

void folder_make(struct folder *f)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(f->path, sizeof f->path, "%.200s/mailreeve-store-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->path));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void folder_remove(struct folder *f)
{
    assert_int_equal(nftw(f->path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const char *folder_file(const struct folder *f, const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", f->path, name);
    return path;
}

uint64_t draw(struct draw *d, uint64_t below)
{
    d->state ^= d->state << 13, d->state ^= d->state >> 7, d->state ^= d->state << 17;
    return d->state * UINT64_C(0x2545f4914f6cdd1d) % below;
}

enum err_code commit_ops(struct queue *q, struct queue_op *ops, size_t count, struct buf *removed)
{
    struct queue_unit unit = {.ops = ops, .op_count = count}, *list[] = {&unit};
    struct buf own;
    struct err err;
    buf_init(&own, 1 << 20);
    enum err_code whole = queue_commit(q, list, 1, removed ? removed : &own, &err);
    CHECK("commit", whole == ERR_NONE || whole == unit.result);
    buf_done(&own);
    return unit.result;
}

uint64_t enqueue_simple(struct queue *q, size_t n, int64_t due_ms, struct span body)
{
    char addresses[RECIPIENTS_MAX][40];
    struct queue_recipient r[RECIPIENTS_MAX] = {0};
    assert_true(n <= RECIPIENTS_MAX);
    for (size_t i = 0; i < n; i++) {
        snprintf(addresses[i], sizeof addresses[i], "r%zu@example.com", i);
        r[i] = (struct queue_recipient){.address = span_of(addresses[i]), .next_attempt_ms = due_ms};
    }
    struct queue_message m = {.message_id = SPAN("<1@example.com>"),
                              .sender = SPAN("s@example.com"),
                              .size = body.len,
                              .body = body,
                              .recipients = r,
                              .recipient_count = n};
    struct queue_op op = {.kind = QUEUE_OP_ENQUEUE, .enqueue = &m};
    assert_int_equal(commit_ops(q, &op, 1, NULL), ERR_NONE);
    return op.message;
}

enum err_code finish(struct queue *q, uint64_t id, uint32_t index, enum queue_state state)
{
    struct queue_recipient r = {.state = state};
    struct queue_op op = {.kind = QUEUE_OP_DONE, .message = id, .index = index, .recipient = &r};
    return commit_ops(q, &op, 1, NULL);
}
