/*
 * certificate_store.c: see certificate_store.h.
 *
 * Invariant: the model is what the adapter listed with every staged change made to it; it is listed anew after each
 * end. Keys lie in buffers that are wiped.
 */
#include "tls/certificate_store.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 64 << 20 };

struct staged {
    enum certificate_change_kind kind;
    struct span name, public; /* in the arena */
    struct buf key;
};

struct certificate_store {
    const struct certificate_adapter *adapter;
    void *context;
    struct arena arena;
    bool listed;
    struct certificate items[CERTIFICATES_MAX];
    size_t count;
    struct staged staged[CERTIFICATE_CHANGES_MAX];
    size_t staged_count;
};

struct certificate_store *certificate_store_new(const struct certificate_adapter *adapter, void *context)
{
    struct certificate_store *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->adapter = adapter;
    s->context = context;
    arena_init(&s->arena, ARENA_MAX);
    return s;
}

void certificate_store_end(struct certificate_store *s)
{
    for (size_t i = 0; i < s->count; i++)
        tls_identity_free(s->items[i].id);
    for (size_t i = 0; i < s->staged_count; i++)
        buf_wipe(&s->staged[i].key);
    s->count = s->staged_count = 0;
    s->listed = false;
    arena_clear(&s->arena);
    arena_init(&s->arena, ARENA_MAX);
}

void certificate_store_free(struct certificate_store *s)
{
    if (!s)
        return;
    certificate_store_end(s);
    arena_clear(&s->arena);
    free(s);
}

bool certificate_name_valid(struct span name)
{
    return name.len > 0 && name.len <= CERTIFICATE_NAME_MAX && name.ptr[0] != '.' &&
           span_is_printable_ascii(name) && span_find(name, '/') == SIZE_MAX;
}

/* ---- the model ---- */

static void read_public(struct certificate *c)
{
    struct err err = {0};
    c->id = NULL;
    if (c->chain.len && tls_identity_load_public(c->chain, &c->id, &err) && !c->problem.len)
        c->problem = SPAN("the certificate cannot be read");
}

static enum err_code fill(struct certificate_store *s, struct err *err)
{
    struct certificate *found = NULL;
    size_t count = 0;
    if (s->listed)
        return ERR_NONE;
    enum err_code code = s->adapter->list(s->context, &s->arena, &found, &count, err);
    if (code)
        return code;
    if (count > CERTIFICATES_MAX)
        return err_set(err, ERR_LIMIT, "there are more than %d certificates", CERTIFICATES_MAX);
    for (size_t i = 0; i < count; i++) {
        s->items[i] = found[i];
        read_public(&s->items[i]);
    }
    s->count = count;
    s->listed = true;
    return ERR_NONE;
}

static struct certificate *find(struct certificate_store *s, struct span name)
{
    for (size_t i = 0; i < s->count; i++)
        if (span_eq(s->items[i].name, name))
            return &s->items[i];
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    const struct certificate *x = a, *y = b;
    return span_cmp(x->name, y->name);
}

enum err_code certificate_store_list(struct certificate_store *s, const struct certificate **ret, size_t *ret_count,
                                     struct err *err)
{
    enum err_code code = fill(s, err);
    if (code)
        return code;
    qsort(s->items, s->count, sizeof *s->items, by_name);
    *ret = s->items;
    *ret_count = s->count;
    return ERR_NONE;
}

/* ---- changes ---- */

static bool adds(enum certificate_change_kind kind)
{
    return kind == CERTIFICATE_ADD || kind == CERTIFICATE_REQUEST;
}

static enum err_code check(struct certificate_store *s, const struct certificate_change *c,
                           const struct certificate *present, struct err *err)
{
    if (!certificate_name_valid(c->name))
        return err_set(err, ERR_INVALID, "\"%.*s\" cannot be the name of a certificate's files",
                       SPAN_ARG(span_head(c->name, 100)));
    if (adds(c->kind) && present)
        return err_set(err, ERR_EXISTS, "there is a certificate \"%.*s\" already", SPAN_ARG(c->name));
    if (!adds(c->kind) && !present)
        return err_set(err, ERR_NOT_FOUND, "there is no certificate \"%.*s\"", SPAN_ARG(c->name));
    if (s->staged_count == CERTIFICATE_CHANGES_MAX)
        return err_set(err, ERR_LIMIT, "a statement can change %d certificates", CERTIFICATE_CHANGES_MAX);
    if (adds(c->kind) && s->count == CERTIFICATES_MAX)
        return err_set(err, ERR_LIMIT, "there are %d certificates already, and more cannot be kept",
                       CERTIFICATES_MAX);
    return ERR_NONE;
}

static void update(struct certificate_store *s, const struct staged *c, struct certificate *present)
{
    struct certificate *item = present ? present : &s->items[s->count++];
    switch (c->kind) {
    case CERTIFICATE_ADD:
    case CERTIFICATE_COMPLETE:
        *item = (struct certificate){.name = c->name, .chain = c->public, .enabled = true};
        read_public(item);
        break;
    case CERTIFICATE_REQUEST: *item = (struct certificate){.name = c->name, .request = c->public}; break;
    case CERTIFICATE_ENABLE: item->enabled = true; break;
    case CERTIFICATE_DISABLE: item->enabled = false; break;
    case CERTIFICATE_REMOVE:
        tls_identity_free(item->id);
        *item = s->items[--s->count];
        break;
    case CERTIFICATE_CHANGES: break;
    }
}

enum err_code certificate_store_stage(struct certificate_store *s, const struct certificate_change *c,
                                      struct err *err)
{
    enum err_code code = fill(s, err);
    struct certificate *present = code ? NULL : find(s, c->name);
    if (!code)
        code = check(s, c, present, err);
    if (code)
        return code;
    struct staged fresh = {c->kind, arena_dup(&s->arena, c->name), arena_dup(&s->arena, c->public), {0}};
    buf_init(&fresh.key, c->key.len + 1);
    if (c->key.len && buf_reserve(&fresh.key, c->key.len))
        buf_add(&fresh.key, c->key);
    if (!fresh.name.ptr || !fresh.public.ptr || fresh.key.failed || fresh.key.len != c->key.len) {
        buf_wipe(&fresh.key);
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    }
    s->staged[s->staged_count++] = fresh;
    update(s, &fresh, present);
    return ERR_NONE;
}

enum err_code certificate_store_commit(struct certificate_store *s, struct err *err)
{
    struct certificate_change changes[CERTIFICATE_CHANGES_MAX];
    for (size_t i = 0; i < s->staged_count; i++)
        changes[i] = (struct certificate_change){s->staged[i].kind, s->staged[i].name, s->staged[i].public,
                                                 buf_span(&s->staged[i].key)};
    enum err_code code = s->staged_count ? s->adapter->apply(s->context, changes, s->staged_count, err) : ERR_NONE;
    certificate_store_end(s);
    return code;
}
