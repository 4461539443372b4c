/*
 * queue_sqlite_read.c: single messages on the schedule's connection, pages and sums on the reader's.
 *
 * Invariants: each call is one read transaction, so what it gives fits together, and leaves no statement open, so
 * it does not keep the log from starting over.
 */
#include "store/queue_sqlite_internal.h"

#include <string.h>

/* A statement's columns copied into an arena; failed: memory was out at one of them. */
struct row {
    sqlite3_stmt *st;
    struct arena *arena;
    bool failed;
};

static struct span text(struct row *r, int column)
{
    const void *bytes = sqlite3_column_blob(r->st, column);
    struct span s = arena_dup(r->arena, span_make(bytes, (size_t)sqlite3_column_bytes(r->st, column)));
    r->failed = r->failed || !s.ptr;
    return s;
}

static enum err_code read_envelope(sqlite3_stmt *st, struct arena *arena, struct queue_message *ret,
                                   struct err *err)
{
    struct row r = {st, arena, false};
    *ret = (struct queue_message){
        .id = (uint64_t)sqlite3_column_int64(st, 0),
        .received_ms = sqlite3_column_int64(st, 1),
        .size = (uint64_t)sqlite3_column_int64(st, 2),
        .flags = (unsigned)sqlite3_column_int64(st, 3),
        .message_id = text(&r, 4),
        .sender = text(&r, 5),
        .subject = text(&r, 6),
        .source = text(&r, 7),
        .source_ip = text(&r, 8),
        .user = text(&r, 9),
        .envid = text(&r, 10),
        .auth = text(&r, 11),
        .spool = text(&r, 12),
    };
    return r.failed ? queue_no_memory(err) : ERR_NONE;
}

enum err_code store_read_recipient(sqlite3_stmt *st, struct arena *arena, struct queue_recipient *ret,
                                   struct err *err)
{
    struct row r = {st, arena, false};
    *ret = (struct queue_recipient){
        .index = (uint32_t)sqlite3_column_int64(st, 0),
        .address = text(&r, 1),
        .orcpt = text(&r, 2),
        .notify = (uint32_t)sqlite3_column_int64(st, 3),
        .state = (enum queue_state)sqlite3_column_int(st, 4),
        .attempts = (uint32_t)sqlite3_column_int64(st, 5),
        .next_attempt_ms = sqlite3_column_int64(st, 6),
        .delay_noticed = sqlite3_column_int(st, 7),
        .suspended = sqlite3_column_int(st, 8),
        .last_error = text(&r, 9),
        .queue_name = text(&r, 10),
    };
    return r.failed ? queue_no_memory(err) : ERR_NONE;
}

enum err_code store_step(struct connection *c, sqlite3_stmt *st, bool *ret_row, struct err *err)
{
    int rc = sqlite3_step(st);
    *ret_row = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_NONE : store_err(c, err);
}

enum err_code store_begin(struct connection *c, struct err *err)
{
    return store_run(c, ST_BEGIN_READ) ? ERR_NONE : store_err(c, err);
}

enum err_code store_end(struct connection *c, enum err_code code, struct err *err)
{
    bool ended = store_run(c, ST_END_READ);
    return code != ERR_NONE || ended ? code : store_err(c, err);
}

enum err_code store_damaged(uint64_t id, const char *what, struct err *err)
{
    return err_set(err, ERR_IO, "the queue's file is damaged: message %llu has no %s", (unsigned long long)id,
                   what);
}

/* ---- messages and pages ---- */

enum err_code store_read_message(struct queue_sqlite *q, uint64_t id, struct arena *arena,
                                 struct queue_message *ret, struct err *err)
{
    sqlite3_stmt *st = q->schedule.st[ST_MESSAGE];
    bool row = false;
    store_bind_id(st, 1, id);
    enum err_code code = store_step(&q->schedule, st, &row, err);
    if (code == ERR_NONE)
        code = row ? read_envelope(st, arena, ret, err) : queue_no_message(id, err);
    sqlite3_reset(st);
    return code;
}

static void mark_leased(struct queue_sqlite *q, struct queue_message *m)
{
    pthread_mutex_lock(&q->mutex);
    for (size_t i = 0; i < m->recipient_count; i++)
        m->recipients[i].leased = lease_find(&q->leases, (struct queue_key){m->id, m->recipients[i].index});
    pthread_mutex_unlock(&q->mutex);
}

/* All recipients of a message. */
static enum err_code read_recipients(struct queue_sqlite *q, struct connection *c, struct arena *arena,
                                     struct queue_message *m, struct err *err)
{
    sqlite3_stmt *st = c->st[ST_RECIPIENTS];
    size_t cap = 0;
    bool row = true;
    enum err_code code = ERR_NONE;
    store_bind_id(st, 1, m->id);
    while (code == ERR_NONE && (code = store_step(c, st, &row, err)) == ERR_NONE && row) {
        if (m->recipient_count == cap) {
            struct queue_recipient *grown = ARENA_ARRAY(arena, cap = cap ? 2 * cap : 4, struct queue_recipient);
            if (!grown) {
                code = queue_no_memory(err);
                break;
            }
            for (size_t i = 0; i < m->recipient_count; i++)
                grown[i] = m->recipients[i];
            m->recipients = grown;
        }
        code = store_read_recipient(st, arena, &m->recipients[m->recipient_count], err);
        m->recipient_count += code == ERR_NONE;
    }
    sqlite3_reset(st);
    mark_leased(q, m);
    return code;
}

static enum err_code read_body(struct queue_sqlite *q, struct arena *arena, struct queue_message *m,
                               struct err *err)
{
    struct row r = {q->schedule.st[ST_BODY], arena, false};
    bool row = false;
    store_bind_id(r.st, 1, m->id);
    enum err_code code = store_step(&q->schedule, r.st, &row, err);
    if (code == ERR_NONE && !row)
        code = store_damaged(m->id, "body", err);
    if (code == ERR_NONE)
        m->body = text(&r, 0);
    sqlite3_reset(r.st);
    return r.failed ? queue_no_memory(err) : code;
}

enum err_code store_load(struct queue *base, uint64_t id, unsigned parts, struct arena *arena,
                         struct queue_message *ret, struct err *err)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    struct queue_message m;
    enum err_code code = store_begin(&q->schedule, err);
    if (code != ERR_NONE)
        return code;
    code = store_read_message(q, id, arena, &m, err);
    if (code == ERR_NONE && parts & QUEUE_BODY && m.spool.len == 0)
        code = read_body(q, arena, &m, err);
    if (code == ERR_NONE && parts & QUEUE_RECIPIENTS)
        code = read_recipients(q, &q->schedule, arena, &m, err);
    code = store_end(&q->schedule, code, err);
    if (code == ERR_NONE)
        *ret = m;
    return code;
}

static enum err_code read_page(struct queue_sqlite *q, uint64_t after, size_t limit, struct arena *arena,
                               struct queue_page *ret, struct err *err)
{
    struct connection *c = &q->reader;
    struct queue_page page = {.messages = ARENA_ARRAY(arena, limit, struct queue_message)};
    size_t recipients = 0;
    enum err_code code = page.messages ? store_begin(c, err) : queue_no_memory(err);
    if (code != ERR_NONE)
        return code;
    store_bind_id(c->st[ST_LIST], 1, after);
    while ((code = store_step(c, c->st[ST_LIST], &page.more, err)) == ERR_NONE && page.more) {
        struct queue_message *m = &page.messages[page.count];
        if (page.count == limit || recipients >= QUEUE_PAGE_RECIPIENTS)
            break;
        if ((code = read_envelope(c->st[ST_LIST], arena, m, err)) != ERR_NONE ||
            (code = read_recipients(q, c, arena, m, err)) != ERR_NONE)
            break;
        page.count++;
        recipients += m->recipient_count;
    }
    sqlite3_reset(c->st[ST_LIST]);
    code = store_end(c, code, err);
    if (code == ERR_NONE)
        *ret = page;
    return code;
}

enum err_code store_list(struct queue *base, uint64_t after, size_t limit, struct arena *arena,
                         struct queue_page *ret, struct err *err)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    pthread_mutex_lock(&q->reading);
    enum err_code code = read_page(q, after, limit, arena, ret, err);
    pthread_mutex_unlock(&q->reading);
    return code;
}

static struct span text_at(sqlite3_stmt *st, int column)
{
    return span_make(sqlite3_column_text(st, column), (size_t)sqlite3_column_bytes(st, column));
}

static bool is_leased(struct queue_sqlite *q, struct queue_key key)
{
    pthread_mutex_lock(&q->mutex);
    bool leased = lease_find(&q->leases, key);
    pthread_mutex_unlock(&q->mutex);
    return leased;
}

enum err_code store_waiting(struct queue *base, queue_waiting_fn *each, void *context, struct err *err)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    sqlite3_stmt *st = q->reader.st[ST_WAITING];
    enum err_code code;
    bool row;
    pthread_mutex_lock(&q->reading);
    while ((code = store_step(&q->reader, st, &row, err)) == ERR_NONE && row) {
        struct queue_key key = {(uint64_t)sqlite3_column_int64(st, 0), (uint32_t)sqlite3_column_int64(st, 1)};
        struct queue_recipient r = {.index = key.index,
                                    .suspended = sqlite3_column_int(st, 2) != 0,
                                    .next_attempt_ms = sqlite3_column_int64(st, 3),
                                    .attempts = (uint32_t)sqlite3_column_int64(st, 4),
                                    .last_error = text_at(st, 5),
                                    .queue_name = text_at(st, 6)};
        if (!is_leased(q, key))
            each(context, key.message, &r);
    }
    sqlite3_reset(st);
    pthread_mutex_unlock(&q->reading);
    return code;
}

/* Two numbers that a statement of the reader answers. */
static enum err_code read_numbers(struct queue_sqlite *q, enum statement which, uint64_t *ret_a, uint64_t *ret_b,
                                  struct err *err)
{
    sqlite3_stmt *st = q->reader.st[which];
    bool row = false;
    enum err_code code = store_step(&q->reader, st, &row, err);
    if (code == ERR_NONE && row) {
        *ret_a = (uint64_t)sqlite3_column_int64(st, 0);
        *ret_b = (uint64_t)sqlite3_column_int64(st, 1);
    }
    sqlite3_reset(st);
    return code;
}

static enum err_code read_counts(struct queue_sqlite *q, struct queue_counts *ret, struct err *err)
{
    struct queue_counts c = {0};
    enum err_code code = store_begin(&q->reader, err);
    if (code != ERR_NONE)
        return code;
    code = read_numbers(q, ST_COUNT_MESSAGES, &c.messages, &c.bytes, err);
    if (code == ERR_NONE)
        code = read_numbers(q, ST_COUNT_RECIPIENTS, &c.pending, &c.suspended, err);
    code = store_end(&q->reader, code, err);
    if (code == ERR_NONE)
        *ret = c;
    return code;
}

enum err_code store_held(struct queue *base, struct arena *arena, struct span **ret, size_t *ret_count,
                         struct err *err)
{
    struct connection *c = &((struct queue_sqlite *)base)->schedule;
    sqlite3_stmt *st = c->st[ST_HELD];
    struct span *list = NULL;
    size_t count = 0, cap = 0;
    enum err_code code;
    bool row;
    while ((code = store_step(c, st, &row, err)) == ERR_NONE && row) {
        if (count == cap) {
            struct span *grown = ARENA_ARRAY(arena, cap = cap ? cap * 2 : 16, struct span);
            if (grown && count)
                memcpy(grown, list, count * sizeof *list);
            list = grown;
        }
        if (!list || !(list[count] = arena_dup(arena, text_at(st, 0))).ptr) {
            code = queue_no_memory(err);
            break;
        }
        count++;
    }
    sqlite3_reset(st);
    if (code == ERR_NONE) {
        *ret = list;
        *ret_count = count;
    }
    return code;
}

enum err_code store_counts(struct queue *base, struct queue_counts *ret, struct err *err)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    pthread_mutex_lock(&q->reading);
    enum err_code code = read_counts(q, ret, err);
    pthread_mutex_unlock(&q->reading);
    return code;
}

enum err_code store_names_spool(struct queue *base, struct span name, bool *ret, struct err *err)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    uint64_t named = 0, unused;
    pthread_mutex_lock(&q->reading);
    store_bind_text(q->reader.st[ST_NAMES_SPOOL], 1, name);
    enum err_code code = read_numbers(q, ST_NAMES_SPOOL, &named, &unused, err);
    pthread_mutex_unlock(&q->reading);
    if (code == ERR_NONE)
        *ret = named;
    return code;
}
