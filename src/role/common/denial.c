/*
 * denial.c: see denial.h. The ring is read anew for each question, so that the shell sees the same with the server
 * running and stopped.
 */
#include "role/common/denial.h"

#include "store/ring/ring.h"

#include <stdio.h>
#include <string.h>

/* Letters and digits that are not taken for each other when read aloud. */
static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
enum { CODE_DIGITS = 8 };

bool denial_is_code(struct span text)
{
    if (text.len != 3 + CODE_DIGITS || !span_istarts(text, SPAN("mr-")))
        return false;
    for (size_t i = 3; i < text.len; i++)
        if (!strchr(digits, ascii_lower(text.ptr[i])))
            return false;
    return true;
}

void denial_print_code(struct buf *out, uint64_t random)
{
    buf_add(out, SPAN("mr-"));
    for (int i = 0; i < CODE_DIGITS; i++, random >>= 5)
        buf_add_char(out, digits[random & 31]);
}

/* How each field is named, and how much of it a record keeps: together less than a ring's record. */
static const struct {
    const char *name;
    size_t max;
} fields[DENIAL_FIELDS] = {
    [DENIAL_CODE] = {"Code", 16},
    [DENIAL_SESSION] = {"Session", 16},
    [DENIAL_CONNECTOR] = {"Connector", 64},
    [DENIAL_LOCAL] = {"LocalEndpoint", 64},
    [DENIAL_REMOTE] = {"RemoteEndpoint", 64},
    [DENIAL_HELO] = {"HeloName", 255},
    [DENIAL_TLS] = {"TlsVersion", 16},
    [DENIAL_USER] = {"User", 320},
    [DENIAL_QUESTION] = {"Question", 32},
    [DENIAL_SENDER] = {"Sender", 320},
    [DENIAL_RECIPIENT] = {"Recipient", 320},
    [DENIAL_REPLY] = {"Reply", 400},
    [DENIAL_LIMIT] = {"Limit", 128},
    [DENIAL_TRACE] = {"Trace", 1600},
    [DENIAL_POLICY] = {"PolicyVersion", 24},
};

void denial_put(struct buf *out, const struct event *e)
{
    struct event cut = *e;
    size_t before = out->len;
    for (size_t i = 0; i < DENIAL_FIELDS; i++)
        cut.field[i] = span_head(cut.field[i], fields[i].max);
    event_put(out, &cut);
    ASSERT(out->failed || out->len - before <= RING_RECORD_MAX);
}

bool denial_get(struct span record, struct event *ret)
{
    struct cursor c = cursor_of(record);
    return event_get(&c, ret) && cursor_done(&c) && ret->kind == EVENT_DENIAL;
}

struct record *denial_record(const struct event *e, struct arena *arena)
{
    struct record *r = record_new(arena, SPAN("Denial"));
    bool ok = r && record_set(r, SPAN("Time"), value_time(e->at_ms));
    for (size_t i = 0; ok && i < DENIAL_FIELDS; i++) {
        struct span text = arena_dup(arena, e->field[i]);
        ok = (text.ptr || !e->field[i].len) && record_set(r, span_of(fields[i].name), value_string(text));
    }
    return ok ? r : NULL;
}

bool denials_path(const char *state, char *out, size_t cap)
{
    int n = snprintf(out, cap, "%s/log/denials.ring", state);
    return n > 0 && (size_t)n < cap;
}

/* ---- the view ---- */

struct visit {
    bool (*each)(void *context, const struct record *r);
    void *context;
    struct arena arena; /* of one record */
    bool no_memory;
};

static bool visit_one(void *context, struct span key, struct span record)
{
    struct visit *v = context;
    struct event e;
    (void)key;
    if (!denial_get(record, &e))
        return true;
    arena_reset(&v->arena);
    struct record *r = denial_record(&e, &v->arena);
    v->no_memory = !r;
    return r && v->each(v->context, r);
}

static enum err_code visit(struct denial_view *view, bool (*each)(void *context, const struct record *r),
                           void *context, struct err *err)
{
    const struct denials *d = (const struct denials *)view;
    struct visit v = {.each = each, .context = context};
    struct ring *ring;
    char path[1400];
    if (!denials_path(d->state, path, sizeof path))
        return err_set(err, ERR_LIMIT, "the path of the state folder is too long");
    enum err_code code = ring_open_read(path, &ring, err);
    if (code == ERR_NOT_FOUND)
        return ERR_NONE; /* nothing was ever refused here */
    if (code)
        return code;
    arena_init(&v.arena, 64 * 1024);
    code = ring_visit(ring, visit_one, &v, err);
    arena_clear(&v.arena);
    ring_close(ring);
    return !code && v.no_memory ? err_set(err, ERR_NO_MEMORY, "out of memory") : code;
}

void denials_init(struct denials *d, const char *state)
{
    *d = (struct denials){.view = {.visit = visit}, .state = state};
}
