/*
 * pending.c: the note `pending-policy`: u64 deadline, u64 applied at, u32 count, count * record: every object of
 * the policy as it was before.
 *
 * Invariant: rolling back makes the policy whole again, whatever has happened to it since, so that it cannot fail
 * over a name that is taken meanwhile.
 */
#include "cmdlet/pending.h"

#include "base/value_codec.h"
#include "cmdlet/plan_internal.h"

#include <stdlib.h>

enum { NOTE_MAX = 256 << 20, OBJECTS_MAX = 10 << 20 };
#define NOTE SPAN("pending-policy")

/* ---- the note ---- */

static struct pending take_head(struct cursor *c)
{
    struct pending p;
    p.deadline_ms = (int64_t)cursor_u64(c);
    p.applied_ms = (int64_t)cursor_u64(c);
    return p;
}

enum err_code pending_read(struct object_store *policy, struct pending *ret, struct err *err)
{
    struct arena arena;
    struct span note;
    arena_init(&arena, 0);
    enum err_code code = object_store_note_get(policy, NOTE, &arena, &note, err);
    struct cursor c = cursor_of(code ? SPAN("") : note);
    struct pending p = {0};
    if (!code && note.len)
        p = take_head(&c);
    if (!code)
        *ret = p;
    arena_clear(&arena);
    return code;
}

static bool is_policy(const struct plan_class *c)
{
    return !c->noun || !c->noun->recipients;
}

static enum err_code put_objects(struct cmdlet_context *c, struct arena *arena, struct buf *out,
                                 uint32_t *ret_count, struct err *err)
{
    enum err_code code = ERR_NONE;
    *ret_count = 0;
    for (size_t i = 0; !code && i < PLAN_CLASSES; i++) {
        struct record **all;
        size_t count = 0;
        if (!is_policy(&plan_classes[i]))
            continue;
        code = object_store_list(c->policy, span_of(plan_classes[i].class->name), arena, &all, &count, err);
        for (size_t k = 0; !code && k < count; k++)
            record_encode(out, all[k]);
        *ret_count += (uint32_t)count;
    }
    return code;
}

enum err_code pending_begin(struct cmdlet_context *c, int64_t within_ms, struct err *err)
{
    struct arena arena;
    struct buf objects, note;
    uint32_t count;
    arena_init(&arena, SHELL_STATEMENT_ARENA_MAX);
    buf_init(&objects, NOTE_MAX);
    buf_init(&note, NOTE_MAX + 64);
    enum err_code code = put_objects(c, &arena, &objects, &count, err);
    int64_t now = c->now_ms();
    if (!code) {
        put_u64(&note, (uint64_t)(now + within_ms));
        put_u64(&note, (uint64_t)now);
        put_u32(&note, count);
        buf_add(&note, buf_span(&objects));
        code = objects.failed || note.failed
                   ? err_set(err, ERR_LIMIT, "the policy is too large to be kept for a rollback")
                   : object_store_note_set(c->policy, NOTE, buf_span(&note), err);
    }
    buf_wipe(&objects); /* with the passwords of smart hosts */
    buf_wipe(&note);
    arena_clear(&arena);
    return code;
}

/* ---- rolling back ---- */

struct objects {
    struct record **items;
    size_t count;
};

static int by_guid(const void *a, const void *b)
{
    const struct record *const *x = a, *const *y = b;
    return span_icmp(record_string(*x, SPAN("Guid")), record_string(*y, SPAN("Guid")));
}

static const struct record *find(const struct objects *o, const struct record *r)
{
    const struct record *const *found =
        o->count ? bsearch(&r, o->items, o->count, sizeof(*o->items), by_guid) : NULL;
    return found ? *found : NULL;
}

static bool is_same(const struct record *a, const struct record *b)
{
    if (!b || !span_ieq(a->type, b->type) || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct value *v = record_get(b, a->fields[i].name);
        if (!v || !value_eq(a->fields[i].value, *v, false))
            return false;
    }
    return true;
}

static enum err_code read_before(struct span note, struct arena *arena, struct objects *ret, struct err *err)
{
    struct cursor c = cursor_of(note);
    take_head(&c);
    size_t count = cursor_u32(&c);
    if (!cursor_ok(&c) || count > OBJECTS_MAX)
        return err_set(err, ERR_INVALID, "what the policy was before cannot be read");
    ret->items = ARENA_ARRAY(arena, count, struct record *);
    for (ret->count = 0; ret->items && ret->count < count; ret->count++)
        if (!(ret->items[ret->count] = record_decode(&c, arena)))
            return err_set(err, ERR_INVALID, "what the policy was before cannot be read");
    return ret->items ? ERR_NONE : cmdlet_no_memory(err);
}

static enum err_code read_now(struct cmdlet_context *c, struct arena *arena, struct objects *ret, struct err *err)
{
    enum err_code code = ERR_NONE;
    size_t cap = 0;
    *ret = (struct objects){0};
    for (size_t i = 0; !code && i < PLAN_CLASSES; i++) {
        struct record **all, **grown;
        size_t count = 0;
        if (!is_policy(&plan_classes[i]))
            continue;
        code = object_store_list(c->policy, span_of(plan_classes[i].class->name), arena, &all, &count, err);
        grown = code ? NULL : ARENA_ARRAY(arena, cap + count, struct record *);
        if (!code && !grown)
            code = cmdlet_no_memory(err);
        for (size_t k = 0; !code && k < cap + count; k++)
            grown[k] = k < cap ? ret->items[k] : all[k - cap];
        if (!code)
            *ret = (struct objects){grown, cap += count};
    }
    return code;
}

/* Whatever differs goes first, so that no name is in the way of one that comes back. */
static enum err_code restore(struct cmdlet_context *c, const struct objects *before, const struct objects *now,
                             struct err *err)
{
    enum err_code code = ERR_NONE;
    for (size_t i = now->count; !code && i-- > 0;) {
        const struct record *r = now->items[i];
        if (!is_same(r, find(before, r)))
            code = object_store_remove(c->policy, r->type, record_string(r, SPAN("Guid")), err);
    }
    for (size_t i = 0; !code && i < before->count; i++) {
        const struct record *r = before->items[i];
        if (!is_same(r, find(now, r)))
            code = object_store_put(c->policy, r, err);
    }
    return code;
}

static enum err_code nothing_waits(struct err *err)
{
    return err_set(err, ERR_NOT_FOUND,
                   "no policy waits for a confirmation: it was confirmed or rolled back already, or "
                   "applied without a time");
}

enum err_code pending_roll_back(struct cmdlet_context *c, struct err *err)
{
    struct arena arena;
    struct span note;
    struct objects before = {0}, now = {0};
    arena_init(&arena, SHELL_STATEMENT_ARENA_MAX);
    enum err_code code = object_store_note_get(c->policy, NOTE, &arena, &note, err);
    if (!code && !note.len)
        code = nothing_waits(err);
    if (!code)
        code = read_before(note, &arena, &before, err);
    if (!code)
        code = read_now(c, &arena, &now, err);
    if (!code) {
        qsort(before.items, before.count, sizeof(*before.items), by_guid);
        qsort(now.items, now.count, sizeof(*now.items), by_guid);
        code = restore(c, &before, &now, err);
    }
    if (!code)
        code = object_store_note_set(c->policy, NOTE, SPAN(""), err);
    arena_clear(&arena);
    return code;
}

enum err_code pending_confirm(struct cmdlet_context *c, struct err *err)
{
    struct pending p;
    enum err_code code = pending_read(c->policy, &p, err);
    if (!code && !p.deadline_ms)
        code = nothing_waits(err);
    if (!code && c->now_ms() >= p.deadline_ms)
        code = err_set(err, ERR_CONFLICT,
                       "the time to confirm is over; the policy is rolled back to what it was "
                       "before: apply it again");
    return code ? code : object_store_note_set(c->policy, NOTE, SPAN(""), err);
}
