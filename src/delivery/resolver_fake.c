/*
 * resolver_fake.c: a table of records behind the resolver port. Answers are given from a timer of the loop, so that
 * a test meets the same order of events as with a real resolver.
 */
#include "delivery/resolver_fake.h"

#include "base/num.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 64, DATA_MAX = 16384 };

struct resolver_lookup {
    struct resolver_lookup *next;
    enum resolver_type type;
    char name[RESOLVER_NAME_MAX + 1];
    resolver_records_fn *done;
    void *context;
};

struct fake {
    struct resolver port;
    uv_timer_t timer;
    const struct resolver_fake_row *rows;
    size_t row_count, asked;
    struct resolver_lookup *first, **last;
};

/* Into the buffer, which holds the answer's record data for the time of the call. */
static bool parse_data(const struct resolver_fake_row *row, struct buf *out, struct resolver_record *ret)
{
    size_t at = out->len;
    struct span text = span_of(row->data);
    if (row->type == RESOLVER_TXT) {
        buf_add_char(out, (char)text.len);
        buf_add(out, text);
    } else {
        for (size_t i = 0; i + 1 < text.len; i += 2) {
            unsigned octet;
            if (sscanf(text.ptr + i, "%2x", &octet) != 1)
                return false;
            buf_add_char(out, (char)octet);
        }
    }
    ret->data = span_make(out->ptr + at, out->len - at);
    return !out->failed && text.len < 256;
}

static bool parse_record(const struct resolver_fake_row *row, struct buf *data, struct resolver_record *ret)
{
    struct span rest = span_of(row->data), preference;
    uint32_t n = 0;
    if (row->type == RESOLVER_TLSA || row->type == RESOLVER_TXT)
        return parse_data(row, data, ret);
    if (row->type != RESOLVER_MX)
        return ip_parse(rest, &ret->addr);
    if (!span_split(&rest, ' ', &preference) || !num_parse_u32(preference, UINT16_MAX, &n))
        return false;
    ret->preference = (uint16_t)n;
    ret->host = span_eq(rest, SPAN(".")) ? SPAN("") : rest;
    return true;
}

/* False when the question is to stay without an answer. */
static bool find(const struct fake *f, const struct resolver_lookup *l, struct resolver_record *records,
                 struct buf *data, struct resolver_records *ret)
{
    bool named = false;
    *ret = (struct resolver_records){
        .status = RESOLVER_NO_DATA, .records = records, .secure = span_ends(span_of(l->name), SPAN("secure.test"))};
    for (size_t i = 0; i < f->row_count; i++) {
        const struct resolver_fake_row *row = &f->rows[i];
        if (!span_ieq(span_of(row->name), span_of(l->name)))
            continue;
        named = true;
        if (row->type != l->type)
            continue;
        if (row->silent)
            return false;
        if (!row->data) {
            ret->status = row->status;
            ret->secure = false;
            ret->text = "the table says so";
            return true;
        }
        ASSERT(ret->count < ANSWER_MAX);
        ret->secure = row->secure && (ret->secure || ret->count == 0);
        if (row->canonical)
            ret->canonical = span_of(row->canonical);
        bool parsed = parse_record(row, data, &records[ret->count++]);
        ASSERT(parsed);
        ret->status = RESOLVER_OK;
    }
    if (!named)
        ret->status = RESOLVER_NO_NAME;
    return true;
}

static void on_timer(uv_timer_t *timer)
{
    struct fake *f = timer->data;
    struct resolver_lookup **at = &f->first;
    while (*at) {
        struct resolver_lookup *l = *at;
        struct resolver_record records[ANSWER_MAX];
        struct resolver_records answer;
        struct buf data;
        buf_init(&data, DATA_MAX);
        char *room = buf_reserve(&data, DATA_MAX); /* so that it does not move */
        ASSERT(room);
        if (!find(f, l, records, &data, &answer)) {
            buf_done(&data);
            at = &l->next;
            continue;
        }
        *at = l->next;
        if (!*at)
            f->last = at;
        l->done(l->context, &answer);
        buf_done(&data);
        free(l);
        at = &f->first; /* the callback may have asked or cancelled */
    }
}

static struct resolver_lookup *fake_lookup(struct resolver *r, enum resolver_type type, struct span name,
                                           resolver_records_fn *done, void *context)
{
    struct fake *f = (struct fake *)r;
    struct resolver_lookup *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->type = type;
    memcpy(l->name, name.ptr, name.len);
    l->done = done;
    l->context = context;
    *f->last = l;
    f->last = &l->next;
    f->asked++;
    uv_timer_start(&f->timer, on_timer, 0, 0);
    return l;
}

static void fake_cancel(struct resolver *r, struct resolver_lookup *l)
{
    struct fake *f = (struct fake *)r;
    struct resolver_lookup **at = &f->first;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    if (!*at)
        f->last = at;
    free(l);
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

static void fake_close(struct resolver *r)
{
    struct fake *f = (struct fake *)r;
    while (f->first)
        fake_cancel(r, f->first);
    uv_close((uv_handle_t *)&f->timer, on_closed);
}

struct resolver *resolver_fake_new(uv_loop_t *loop, const struct resolver_fake_row *rows, size_t count)
{
    struct fake *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->port = (struct resolver){.lookup = fake_lookup, .cancel = fake_cancel, .close = fake_close};
    f->rows = rows;
    f->row_count = count;
    f->last = &f->first;
    uv_timer_init(loop, &f->timer);
    f->timer.data = f;
    return &f->port;
}

size_t resolver_fake_asked(const struct resolver *r)
{
    return ((const struct fake *)r)->asked;
}
