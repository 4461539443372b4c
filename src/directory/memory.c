/*
 * memory.c: the directory of the tests.
 *
 * Invariant: recipients and everything they point to live in one arena; replaced ones stay there, unused.
 */
#include "directory/memory.h"

#include "directory/password.h"
#include "directory/recipient.h"

#include <stdlib.h>

enum { RECIPIENTS_MAX = 256 };

struct memory {
    struct directory base;
    struct arena arena;
    struct {
        struct recipient recipient;
        struct span hash;
    } all[RECIPIENTS_MAX];
    size_t count;
    bool unavailable;
};

static enum err_code refuse(struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "the directory does not answer");
}

static size_t by_guid(const struct memory *m, struct span guid)
{
    size_t i = 0;
    while (i < m->count && !span_ieq(m->all[i].recipient.guid, guid))
        i++;
    return i;
}

static size_t by_address(const struct memory *m, struct span address)
{
    size_t i = 0;
    while (i < m->count && !recipient_owns(&m->all[i].recipient, address))
        i++;
    return i;
}

/* The mailbox by address, then by UserPrincipalName, then by Name. */
static size_t by_user(const struct memory *m, struct span user)
{
    size_t i = by_address(m, user);
    if (i < m->count && m->all[i].recipient.kind == DIRECTORY_MAILBOX)
        return i;
    for (i = 0; i < m->count; i++)
        if (m->all[i].recipient.kind == DIRECTORY_MAILBOX &&
            span_ieq(m->all[i].recipient.user_principal_name, user))
            return i;
    for (i = 0; i < m->count; i++)
        if (m->all[i].recipient.kind == DIRECTORY_MAILBOX && span_ieq(m->all[i].recipient.name, user))
            return i;
    return i;
}

static enum err_code memory_resolve(struct directory *d, struct span address, struct arena *arena,
                                    struct directory_recipient *ret, struct err *err)
{
    const struct memory *m = (const struct memory *)d;
    if (m->unavailable)
        return refuse(err);
    size_t i = by_address(m, address), n = 0;
    if (i == m->count) {
        *ret = (struct directory_recipient){.kind = DIRECTORY_NOT_FOUND};
        return ERR_NONE;
    }
    const struct recipient *r = &m->all[i].recipient;
    struct span *members = ARENA_ARRAY(arena, r->member_count, struct span);
    if (!members)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    for (size_t k = 0; k < r->member_count; k++) {
        size_t member = by_guid(m, r->members[k]);
        if (member < m->count)
            members[n++] = m->all[member].recipient.primary;
    }
    *ret = (struct directory_recipient){r->kind, r->guid, r->primary, r->target, members, n, r->authenticated_only};
    return ERR_NONE;
}

static enum err_code memory_account(struct directory *d, struct span user, struct arena *arena,
                                    struct directory_account *ret, struct err *err)
{
    const struct memory *m = (const struct memory *)d;
    (void)arena;
    if (m->unavailable)
        return refuse(err);
    size_t i = by_user(m, user);
    if (i == m->count)
        return err_set(err, ERR_NOT_FOUND, "there is no such user");
    *ret = (struct directory_account){m->all[i].recipient.guid, m->all[i].recipient.enabled, m->all[i].hash};
    return ERR_NONE;
}

static enum err_code memory_principal(struct directory *d, struct span principal, struct arena *arena,
                                      struct directory_account *ret, struct err *err)
{
    const struct memory *m = (const struct memory *)d;
    (void)arena;
    if (m->unavailable)
        return refuse(err);
    for (size_t i = 0; i < m->count; i++) {
        const struct recipient *r = &m->all[i].recipient;
        struct span own = r->user_principal_name.len ? r->user_principal_name : r->primary;
        if (r->kind == DIRECTORY_MAILBOX && span_ieq(own, principal)) {
            *ret = (struct directory_account){r->guid, r->enabled, m->all[i].hash};
            return ERR_NONE;
        }
    }
    return err_set(err, ERR_NOT_FOUND, "there is no such user");
}

static bool contains(const struct recipient *group, struct span guid)
{
    for (size_t i = 0; i < group->member_count; i++)
        if (span_ieq(group->members[i], guid))
            return true;
    return false;
}

/* Adds groups until a round adds none: cycles end. */
static size_t collect_groups(const struct memory *m, struct span guid, struct span *out)
{
    bool in[RECIPIENTS_MAX] = {false};
    size_t n = 0, before;
    do {
        before = n;
        for (size_t i = 0; i < m->count; i++) {
            bool member = contains(&m->all[i].recipient, guid);
            for (size_t k = 0; k < n && !member; k++)
                member = contains(&m->all[i].recipient, out[k]);
            if (member && !in[i]) {
                in[i] = true;
                out[n++] = m->all[i].recipient.guid;
            }
        }
    } while (n > before);
    return n;
}

static enum err_code memory_identity(struct directory *d, struct span guid, struct arena *arena,
                                     struct directory_identity *ret, struct err *err)
{
    const struct memory *m = (const struct memory *)d;
    if (m->unavailable)
        return refuse(err);
    size_t i = by_guid(m, guid);
    if (i == m->count || m->all[i].recipient.kind != DIRECTORY_MAILBOX)
        return err_set(err, ERR_NOT_FOUND, "there is no such mailbox");
    struct span *groups = ARENA_ARRAY(arena, m->count, struct span);
    if (!groups)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    const struct recipient *r = &m->all[i].recipient;
    *ret = (struct directory_identity){
        .guid = r->guid,
        .primary = r->primary,
        .display_name = r->display_name,
        .addresses = r->addresses,
        .address_count = r->address_count,
        .groups = groups,
        .group_count = collect_groups(m, r->guid, groups),
    };
    return ERR_NONE;
}

static enum err_code memory_send_as(struct directory *d, struct span user, struct span address, bool *ret,
                                    struct err *err)
{
    const struct memory *m = (const struct memory *)d;
    struct span groups[RECIPIENTS_MAX];
    if (m->unavailable)
        return refuse(err);
    size_t i = by_address(m, address), n = collect_groups(m, user, groups);
    *ret = false;
    for (size_t k = 0; i < m->count && k < m->all[i].recipient.send_as_count; k++) {
        struct span who = m->all[i].recipient.send_as[k];
        *ret = *ret || (span_istarts(who, SPAN("user:")) && span_ieq(span_from(who, 5), user));
        for (size_t g = 0; g < n; g++)
            *ret = *ret || (span_istarts(who, SPAN("group:")) && span_ieq(span_from(who, 6), groups[g]));
    }
    return ERR_NONE;
}

static void memory_close(struct directory *d)
{
    struct memory *m = (struct memory *)d;
    arena_clear(&m->arena);
    free(m);
}

static const struct directory_ops memory_ops = {memory_resolve,  memory_account, memory_principal,
                                                memory_identity, memory_send_as, memory_close};

struct directory *directory_memory_new(void)
{
    struct memory *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->base.ops = &memory_ops;
    arena_init(&m->arena, 0);
    return &m->base;
}

enum err_code directory_memory_put(struct directory *d, const struct record *r, struct err *err)
{
    struct memory *m = (struct memory *)d;
    struct recipient x;
    struct buf hash;
    const struct record *copy = record_copy(&m->arena, r);
    if (!copy)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    enum err_code code = recipient_read(copy, &m->arena, &x, err);
    if (code != ERR_NONE)
        return code;
    size_t i = by_guid(m, x.guid);
    if (i == RECIPIENTS_MAX)
        return err_set(err, ERR_LIMIT, "the directory holds %d recipients", RECIPIENTS_MAX);
    buf_init(&hash, PASSWORD_HASH_MAX);
    if (x.password)
        code = password_hash(x.password->s, &hash, err);
    if (code == ERR_NONE) {
        if (x.password)
            m->all[i].hash = arena_dup(&m->arena, buf_span(&hash));
        x.password = NULL;
        m->all[i].recipient = x;
        if (i == m->count)
            m->count++;
        directory_changed(d, x.guid);
    }
    buf_done(&hash);
    return code;
}

void directory_memory_fail(struct directory *d, bool unavailable)
{
    ((struct memory *)d)->unavailable = unavailable;
}
