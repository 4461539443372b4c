/*
 * directory.c: users and recipients out of a store's records, for one replay: all are read when the first is asked
 * for, and then found by halving.
 *
 * Invariants: it answers as the directory role would. An address that two recipients have, which the store refuses,
 * is the first one's.
 */
#include "directory/recipient.h"
#include "replay/replay.h"
#include "store/objects.h"

#include <stdlib.h>

enum { DIRECTORY_BYTES = 512 << 20 };

struct entry {
    struct span key; /* an address */
    const struct recipient *recipient;
};

/* That a recipient is in a group. */
struct membership {
    struct span member; /* GUIDs */
    const struct recipient *group;
};

enum { CERTIFICATES_KNOWN = 64 }; /* names that are greeted with; beyond it they are asked for again */

struct replay_directory {
    struct object_store *store;
    replay_certificate_fn *certificate;
    void *certificate_context;
    struct {
        struct span fqdn;
        struct explain_certificate found;
    } certificates[CERTIFICATES_KNOWN];
    size_t certificate_count;
    struct arena arena;
    bool read;
    struct err err; /* code set: they cannot be read */
    struct entry *entries;
    size_t entry_count;
    struct membership *memberships;
    size_t membership_count;
    struct { /* the last one that was asked for: facts come user by user */
        struct arena arena;
        struct span name; /* ptr NULL: none */
        struct explain_user found;
    } user;
};

struct replay_directory *replay_directory_new(struct object_store *recipients, replay_certificate_fn *certificate,
                                              void *context)
{
    struct replay_directory *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->store = recipients;
    d->certificate = certificate;
    d->certificate_context = context;
    arena_init(&d->arena, DIRECTORY_BYTES);
    arena_init(&d->user.arena, DIRECTORY_BYTES);
    return d;
}

void replay_directory_free(struct replay_directory *d)
{
    if (!d)
        return;
    arena_clear(&d->user.arena);
    arena_clear(&d->arena);
    free(d);
}

/* ---- reading ---- */

static int by_key(const void *a, const void *b)
{
    return span_icmp(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

static int by_member(const void *a, const void *b)
{
    return span_icmp(((const struct membership *)a)->member, ((const struct membership *)b)->member);
}

struct all {
    struct recipient *items;
    size_t count, addresses, members;
};

static enum err_code no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "the recipients need more memory than there is");
}

static enum err_code read_class(struct replay_directory *d, enum directory_kind kind, struct all *ret)
{
    struct record **records = NULL;
    size_t count = 0;
    enum err_code code = object_store_list(d->store, recipient_class(kind), &d->arena, &records, &count, &d->err);
    if (code)
        return code;
    ret->items = ARENA_ARRAY(&d->arena, count, struct recipient);
    if (!ret->items)
        return no_memory(&d->err);
    for (size_t i = 0; i < count; i++) {
        struct recipient *r = &ret->items[ret->count];
        code = recipient_read(records[i], &d->arena, r, &d->err);
        if (code == ERR_NO_MEMORY)
            return code;
        if (code)
            continue; /* the directory does not know it either */
        ret->count++;
        ret->addresses += r->address_count;
        ret->members += r->member_count;
    }
    d->err = (struct err){0};
    return ERR_NONE;
}

static void add(struct replay_directory *d, const struct all *a)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct recipient *r = &a->items[i];
        for (size_t k = 0; k < r->address_count; k++)
            d->entries[d->entry_count++] = (struct entry){r->addresses[k], r};
        for (size_t k = 0; k < r->member_count; k++)
            d->memberships[d->membership_count++] = (struct membership){r->members[k], r};
    }
}

static enum err_code read_all(struct replay_directory *d)
{
    static const enum directory_kind kinds[] = {DIRECTORY_MAILBOX, DIRECTORY_CONTACT, DIRECTORY_GROUP};
    struct all all[ARRAY_LEN(kinds)] = {0};
    size_t addresses = 0, members = 0;
    enum err_code code = ERR_NONE;
    for (size_t i = 0; !code && i < ARRAY_LEN(kinds); i++) {
        code = read_class(d, kinds[i], &all[i]);
        addresses += all[i].addresses;
        members += all[i].members;
    }
    if (code)
        return code;
    d->entries = ARENA_ARRAY(&d->arena, addresses, struct entry);
    d->memberships = ARENA_ARRAY(&d->arena, members, struct membership);
    if (!d->entries || !d->memberships)
        return no_memory(&d->err);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        add(d, &all[i]);
    if (d->entry_count)
        qsort(d->entries, d->entry_count, sizeof *d->entries, by_key);
    if (d->membership_count)
        qsort(d->memberships, d->membership_count, sizeof *d->memberships, by_member);
    return ERR_NONE;
}

static bool is_read(struct replay_directory *d)
{
    if (!d->read && read_all(d) && !d->err.code)
        d->err.code = ERR_UNAVAILABLE;
    d->read = true;
    return !d->err.code;
}

/* ---- asking ---- */

static const struct recipient *find(const struct replay_directory *d, struct span address)
{
    const struct entry wanted = {.key = address},
                       *e = d->entry_count ? bsearch(&wanted, d->entries, d->entry_count, sizeof *e, by_key) : NULL;
    return e ? e->recipient : NULL;
}

static void recipient(void *context, struct span address, struct arena *arena, struct explain_recipient *ret)
{
    static const enum resolved_kind resolved[] = {[DIRECTORY_NOT_FOUND] = RESOLVED_NOT_FOUND,
                                                  [DIRECTORY_MAILBOX] = RESOLVED_MAILBOX,
                                                  [DIRECTORY_CONTACT] = RESOLVED_CONTACT,
                                                  [DIRECTORY_GROUP] = RESOLVED_GROUP};
    struct replay_directory *d = context;
    if (!is_read(d)) {
        *ret = (struct explain_recipient){.kind = RESOLVED_LATER, .text = arena_dup(arena, span_of(d->err.text))};
        return;
    }
    const struct recipient *r = find(d, address);
    *ret = r ? (struct explain_recipient){resolved[r->kind], r->target, r->member_count, SPAN(""),
                                          r->authenticated_only}
             : (struct explain_recipient){.kind = RESOLVED_NOT_FOUND};
}

static size_t first_membership(const struct replay_directory *d, struct span member)
{
    size_t low = 0, high = d->membership_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (span_icmp(d->memberships[middle].member, member) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has(const struct span *list, size_t count, struct span s)
{
    for (size_t i = 0; i < count; i++)
        if (span_ieq(list[i], s))
            return true;
    return false;
}

/* All groups that it is in, direct or not: those of the groups that were found are looked for in turn. */
static bool fill_groups(const struct replay_directory *d, struct arena *arena, struct gate_user *u)
{
    enum { GROUPS_MAX = 4096 }; /* of one user */
    struct span *groups = ARENA_ARRAY(arena, GROUPS_MAX, struct span), of = u->guid;
    size_t count = 0;
    if (!groups)
        return false;
    for (size_t next = 0;; next++) {
        for (size_t i = first_membership(d, of);
             i < d->membership_count && span_ieq(d->memberships[i].member, of) && count < GROUPS_MAX; i++)
            if (!has(groups, count, d->memberships[i].group->guid))
                groups[count++] = d->memberships[i].group->guid;
        if (next == count)
            break;
        of = groups[next];
    }
    u->groups = groups;
    u->group_count = count;
    return true;
}

static void find_user(struct replay_directory *d, struct span name, struct arena *arena, struct explain_user *ret)
{
    const struct recipient *r = is_read(d) ? find(d, name) : NULL;
    *ret = (struct explain_user){.state = EXPLAIN_USER_UNKNOWN};
    if (d->err.code) {
        *ret = (struct explain_user){.state = EXPLAIN_USER_UNAVAILABLE,
                                     .text = arena_dup(arena, span_of(d->err.text))};
    } else if (r && r->kind == DIRECTORY_MAILBOX) {
        *ret = (struct explain_user){
            .state = r->enabled ? EXPLAIN_USER_FOUND : EXPLAIN_USER_DISABLED,
            .primary = r->primary,
            .gate = {.guid = r->guid, .addresses = r->addresses, .address_count = r->address_count}};
        if (!fill_groups(d, arena, &ret->gate))
            *ret = (struct explain_user){.state = EXPLAIN_USER_UNAVAILABLE, .text = SPAN("out of memory")};
    }
}

/* By GSSAPI as well, it is the mailbox's address that is recorded, and not the principal. */
static void user(void *context, struct span name, bool kerberos UNUSED, struct arena *arena UNUSED,
                 struct explain_user *ret)
{
    struct replay_directory *d = context;
    if (!d->user.name.ptr || !span_eq(d->user.name, name)) {
        arena_reset(&d->user.arena);
        d->user.name = arena_dup(&d->user.arena, name);
        find_user(d, name, &d->user.arena, &d->user.found);
    }
    *ret = d->user.found;
}

static enum gate_send_as send_as(void *context, const struct gate_user *u, struct span address)
{
    struct replay_directory *d = context;
    if (!is_read(d))
        return GATE_SEND_AS_UNAVAILABLE;
    const struct recipient *r = find(d, address);
    for (size_t i = 0; r && i < r->send_as_count; i++) {
        struct span who = r->send_as[i];
        bool is_user = span_istarts(who, SPAN("user:")) && span_ieq(span_from(who, 5), u->guid),
             is_group = span_istarts(who, SPAN("group:")) && has(u->groups, u->group_count, span_from(who, 6));
        if (is_user || is_group)
            return GATE_SEND_AS_YES;
    }
    return GATE_SEND_AS_NO;
}

static void certificate_of(void *context, struct span fqdn, struct arena *arena, struct explain_certificate *ret)
{
    struct replay_directory *d = context;
    for (size_t i = 0; i < d->certificate_count; i++)
        if (span_ieq(d->certificates[i].fqdn, fqdn)) {
            *ret = d->certificates[i].found;
            return;
        }
    if (d->certificate_count == CERTIFICATES_KNOWN) {
        d->certificate(d->certificate_context, fqdn, arena, ret);
        return;
    }
    d->certificate(d->certificate_context, fqdn, &d->arena, ret);
    struct span kept = arena_dup(&d->arena, fqdn);
    if (!kept.ptr)
        return;
    d->certificates[d->certificate_count].fqdn = kept;
    d->certificates[d->certificate_count++].found = *ret;
}

struct explain_facts replay_directory_facts(struct replay_directory *d, struct span host)
{
    return (struct explain_facts){.context = d,
                                  .host = host,
                                  .certificate = certificate_of,
                                  .user = user,
                                  .recipient = recipient,
                                  .send_as = send_as};
}
