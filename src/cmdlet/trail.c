/*
 * trail.c: the stores of a statement, watched. For each object it is kept what it was when the transaction began
 * and what it is now; at the commit that becomes entries (trail_write.c).
 *
 * Invariant: a change that cannot be written down is not committed.
 */
#include "cmdlet/trail_internal.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_SLOTS = 64 };

static struct trailed *of(struct object_store *s)
{
    return (struct trailed *)s;
}

static bool is_recipients(const struct trailed *s)
{
    return s == &s->trail->recipients;
}

/* ---- the changes of a transaction ---- */

static void wipe_secrets(const struct record *r)
{
    for (size_t i = 0; r && i < r->count; i++)
        if (r->fields[i].value.kind == VALUE_SECRET)
            explicit_bzero((char *)(uintptr_t)r->fields[i].value.s.ptr, r->fields[i].value.s.len);
}

static void forget_all(struct trail *t)
{
    for (size_t i = 0; i < t->count; i++) {
        wipe_secrets(t->changes[i].before);
        wipe_secrets(t->changes[i].after);
    }
    arena_reset(&t->arena);
    t->changes = NULL;
    t->slots = NULL;
    t->count = t->cap = t->slot_count = 0;
}

/* The changes of one store, whose transaction has ended; memory goes with those of the other. */
static void forget(struct trailed *s)
{
    struct trail *t = s->trail;
    size_t left = 0;
    for (size_t i = 0; i < t->count; i++) {
        t->changes[i].over |= t->changes[i].recipients == is_recipients(s);
        left += !t->changes[i].over;
    }
    if (!left)
        forget_all(t);
}

static size_t *slot_of(struct trail *t, bool recipients, struct span class_name, struct span guid)
{
    size_t mask = t->slot_count - 1;
    for (size_t i = (size_t)span_ihash(guid) & mask;; i = (i + 1) & mask) {
        const struct trail_change *c = t->slots[i] ? &t->changes[t->slots[i] - 1] : NULL;
        if (!c || (c->recipients == recipients && span_ieq(c->guid, guid) && span_ieq(c->class_name, class_name)))
            return &t->slots[i];
    }
}

/* Room for one more change, with the table at most half full. */
static bool grow(struct trail *t)
{
    if (t->count < t->cap)
        return true;
    size_t cap = t->cap ? t->cap * 2 : FIRST_SLOTS / 2;
    struct trail_change *changes = ARENA_ARRAY(&t->arena, cap, struct trail_change);
    size_t *slots = ARENA_ARRAY(&t->arena, 2 * cap, size_t);
    if (!changes || !slots)
        return false;
    for (size_t i = 0; i < t->count; i++)
        changes[i] = t->changes[i];
    t->changes = changes;
    t->slots = slots;
    t->cap = cap;
    t->slot_count = 2 * cap;
    for (size_t i = 0; i < t->count; i++)
        *slot_of(t, changes[i].recipients, changes[i].class_name, changes[i].guid) = i + 1;
    return true;
}

/* What the object was before its first change; *ret is a record of the store, or NULL. */
static enum err_code read_before(struct trailed *s, struct span class_name, struct span guid, struct arena *arena,
                                 struct record **ret, struct err *err)
{
    struct err why = {0};
    enum err_code code = object_store_get(s->inner, class_name, guid, arena, ret, &why);
    if (code == ERR_NOT_FOUND) {
        *ret = NULL;
        return ERR_NONE;
    }
    return code ? err_set(err, code, "%s", why.text) : ERR_NONE;
}

/* after: NULL for an object that goes. */
static enum err_code note(struct trailed *s, struct span class_name, struct span guid, const struct record *after,
                          struct err *err)
{
    struct trail *t = s->trail;
    struct record *was = NULL;
    enum err_code code = grow(t) ? ERR_NONE : err_set(err, ERR_NO_MEMORY, "out of memory for the audit trail");
    size_t *slot = code ? NULL : slot_of(t, is_recipients(s), class_name, guid);
    bool first = slot && *slot == 0;
    if (!code && first)
        code = read_before(s, class_name, guid, &t->arena, &was, err);
    if (code)
        return code;
    struct trail_change *c = &t->changes[first ? t->count : *slot - 1];
    if (first) {
        *c = (struct trail_change){.recipients = is_recipients(s),
                                   .class_name = arena_dup(&t->arena, class_name),
                                   .guid = arena_dup(&t->arena, guid),
                                   .before = was};
        *slot = ++t->count;
    }
    c->after = after ? record_copy(&t->arena, after) : NULL;
    return (after && !c->after) || !c->class_name.ptr || !c->guid.ptr
               ? err_set(err, ERR_NO_MEMORY, "out of memory for the audit trail")
               : ERR_NONE;
}

/* ---- the port ---- */

static enum err_code begin(struct object_store *s, struct err *err)
{
    return object_store_begin(of(s)->inner, err);
}

static enum err_code commit(struct object_store *s, struct err *err)
{
    enum err_code code = trail_write(of(s)->trail, of(s), err);
    if (!code)
        code = object_store_commit(of(s)->inner, err);
    if (!code)
        forget(of(s));
    return code;
}

static void rollback(struct object_store *s)
{
    object_store_rollback(of(s)->inner);
    forget(of(s));
}

static enum err_code put(struct object_store *s, const struct record *r, struct err *err)
{
    enum err_code code = note(of(s), r->type, record_string(r, SPAN("Guid")), r, err);
    return code ? code : object_store_put(of(s)->inner, r, err);
}

static enum err_code remove_object(struct object_store *s, struct span class_name, struct span guid,
                                   struct err *err)
{
    enum err_code code = note(of(s), class_name, guid, NULL, err);
    return code ? code : object_store_remove(of(s)->inner, class_name, guid, err);
}

static enum err_code list(struct object_store *s, struct span class_name, struct arena *arena, struct record ***ret,
                          size_t *ret_count, struct err *err)
{
    return object_store_list(of(s)->inner, class_name, arena, ret, ret_count, err);
}

static enum err_code get(struct object_store *s, struct span class_name, struct span guid, struct arena *arena,
                         struct record **ret, struct err *err)
{
    return object_store_get(of(s)->inner, class_name, guid, arena, ret, err);
}

static enum err_code find(struct object_store *s, struct span class_name, struct span property, struct span text,
                          struct arena *arena, struct record ***ret, size_t *ret_count, struct err *err)
{
    return object_store_find(of(s)->inner, class_name, property, text, arena, ret, ret_count, err);
}

static enum err_code trail_add(struct object_store *s, const struct record *entry, int64_t at_ms, int64_t since_ms,
                               struct err *err)
{
    return object_store_trail_add(of(s)->inner, entry, at_ms, since_ms, err);
}

static enum err_code trail_read(struct object_store *s, uint64_t before, size_t limit, struct arena *arena,
                                struct record ***ret, size_t *ret_count, uint64_t *ret_next, struct err *err)
{
    return object_store_trail_read(of(s)->inner, before, limit, arena, ret, ret_count, ret_next, err);
}

/* That it was set or removed is written down, not what it holds. */
static enum err_code note_set(struct object_store *s, struct span name, struct span bytes, struct err *err)
{
    struct record *r = record_new(&of(s)->trail->arena, SPAN("Note"));
    if (!r || !record_set(r, SPAN("Name"), value_string(name)) ||
        !record_set(r, SPAN("Set"), value_bool(bytes.len != 0)))
        return err_set(err, ERR_NO_MEMORY, "out of memory for the audit trail");
    enum err_code code = note(of(s), SPAN("Note"), name, r, err);
    return code ? code : object_store_note_set(of(s)->inner, name, bytes, err);
}

static enum err_code note_get(struct object_store *s, struct span name, struct arena *arena, struct span *ret,
                              struct err *err)
{
    return object_store_note_get(of(s)->inner, name, arena, ret, err);
}

static uint64_t generation(struct object_store *s)
{
    return object_store_generation(of(s)->inner);
}

static void close_store(struct object_store *s)
{
    rollback(s);
}

/* ---- its life ---- */

void trail_init(struct trail *t, struct object_store *policy, struct object_store *recipients,
                struct cmdlet_context *context)
{
    static const struct object_store_ops ops = {.begin = begin,
                                                .commit = commit,
                                                .rollback = rollback,
                                                .put = put,
                                                .remove = remove_object,
                                                .list = list,
                                                .get = get,
                                                .find = find,
                                                .generation = generation,
                                                .close = close_store,
                                                .trail_add = trail_add,
                                                .trail_read = trail_read,
                                                .note_set = note_set,
                                                .note_get = note_get};
    *t = (struct trail){.policy = {{&ops}, policy, t},
                        .recipients = {{&ops}, recipients, t},
                        .context = context,
                        .caller = "unknown",
                        .cmdlet = "",
                        .text = ""};
    arena_init(&t->arena, SHELL_STATEMENT_ARENA_MAX);
}

void trail_done(struct trail *t)
{
    if (t->policy.trail)
        forget_all(t);
    arena_clear(&t->arena);
}

void trail_set_caller(struct trail *t, const char *caller)
{
    snprintf(t->caller, sizeof t->caller, "%s", caller);
}

void trail_set_statement(struct trail *t, const struct shell_table *table, const struct statement *statement)
{
    t->table = table;
    t->statement = statement;
}

void trail_set_event(struct trail *t, const char *cmdlet, const char *text)
{
    t->statement = NULL;
    t->cmdlet = cmdlet;
    t->text = text;
}
