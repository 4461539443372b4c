/*
 * explain_stores.c: the facts that an explanation asks for: certificates, users, recipients.
 *
 * Invariant: an unchanged recipient is answered for by the directory, as the server would; what a trial has changed
 * is read out of its record. Nothing here writes.
 */
#include "cli/explain_stores.h"

#include "cmdlet/policy_block.h"
#include "directory/recipient.h"

#include <inttypes.h>

/* ---- certificates ---- */

static struct span time_text(struct arena *arena, int64_t ms)
{
    struct buf b;
    buf_init(&b, 64);
    value_print(&b, value_time(ms));
    struct span text = arena_dup(arena, buf_span(&b));
    buf_done(&b);
    return text;
}

static struct span describe(struct arena *arena, const struct explain_certificates *c, size_t i)
{
    const struct tls_identity *id = c->ids[i];
    return arena_printf(arena, "%s, thumbprint %.*s, valid until %.*s%s", c->files[i],
                        SPAN_ARG(tls_identity_thumbprint(id)),
                        SPAN_ARG(time_text(arena, tls_identity_not_after(id))),
                        tls_identity_self_signed(id) ? ", self-signed" : "");
}

static bool is_valid(const struct tls_identity *id, int64_t now)
{
    return tls_identity_not_before(id) <= now && now <= tls_identity_not_after(id);
}

/* The names, without wildcards, of certificates that are valid now. */
static void collect_names(const struct explain_certificates *c, int64_t now, struct arena *arena,
                          struct explain_certificate *ret)
{
    enum { NAMES_MAX = 64 };
    struct span *names = ARENA_ARRAY(arena, NAMES_MAX, struct span), *own;
    size_t n = 0;
    for (size_t i = 0; names && i < c->count; i++) {
        size_t count = is_valid(c->ids[i], now) ? explain_certificate_names(c->ids[i], arena, &own) : 0;
        for (size_t k = 0; k < count && n < NAMES_MAX; k++)
            if (span_find(own[k], '*') == SIZE_MAX)
                names[n++] = own[k];
    }
    ret->others = names;
    ret->other_count = n;
}

static struct span why_none(const struct explain_certificates *c, struct span fqdn, int64_t now,
                            struct arena *arena, const struct explain_certificate *others)
{
    if (c->count == 0)
        return SPAN("there is no certificate in certs/");
    for (size_t i = 0; i < c->count; i++)
        if (tls_identity_matches(c->ids[i], fqdn) && !is_valid(c->ids[i], now))
            return tls_identity_not_after(c->ids[i]) < now
                       ? arena_printf(arena, "%s names %.*s, but has expired on %.*s", c->files[i], SPAN_ARG(fqdn),
                                      SPAN_ARG(time_text(arena, tls_identity_not_after(c->ids[i]))))
                       : arena_printf(arena, "%s names %.*s, but is valid only from %.*s on", c->files[i],
                                      SPAN_ARG(fqdn),
                                      SPAN_ARG(time_text(arena, tls_identity_not_before(c->ids[i]))));
    if (others->other_count)
        return arena_printf(arena, "no certificate in certs/ names the Fqdn %.*s (there is one for %.*s)",
                            SPAN_ARG(fqdn), SPAN_ARG(others->others[0]));
    return arena_printf(arena, "no certificate in certs/ names the Fqdn %.*s", SPAN_ARG(fqdn));
}

static void certificate(void *context, struct span fqdn, struct arena *arena, struct explain_certificate *ret)
{
    const struct explain_stores *s = context;
    const struct explain_certificates *c = s->certificates;
    *ret = (struct explain_certificate){0};
    if (c->unreadable.code) {
        ret->unknown = true;
        ret->text = arena_dup(arena, span_of(c->unreadable.text));
        return;
    }
    const struct tls_identity *best = tls_identity_choose(c->ids, c->count, fqdn, s->now_ms);
    ret->found = best;
    for (size_t i = 0; i < c->count && best; i++)
        if (c->ids[i] == best)
            ret->text = describe(arena, c, i);
    if (!best) {
        collect_names(c, s->now_ms, arena, ret);
        ret->text = why_none(c, fqdn, s->now_ms, arena, ret);
    }
}

/* ---- recipients ---- */

/* The changed recipient of a class with this text in a property; false: none. */
static bool find_changed(struct explain_stores *s, struct span class_name, const char *property, struct span text,
                         struct arena *arena, struct recipient *ret)
{
    struct record **found;
    size_t count = 0;
    struct err ignored = {0};
    if (!s->overlay ||
        object_store_find(s->overlay, class_name, span_of(property), text, arena, &found, &count, &ignored))
        return false;
    for (size_t i = 0; i < count; i++)
        if (object_store_overlay_changed(s->overlay, class_name, record_string(found[i], SPAN("Guid"))) &&
            !recipient_read(found[i], arena, ret, &ignored))
            return true;
    return false;
}

static const enum directory_kind kinds[] = {DIRECTORY_MAILBOX, DIRECTORY_CONTACT, DIRECTORY_GROUP};

static bool was_changed(struct explain_stores *s, struct span guid)
{
    for (size_t i = 0; s->overlay && i < ARRAY_LEN(kinds); i++)
        if (object_store_overlay_changed(s->overlay, recipient_class(kinds[i]), guid))
            return true;
    return false;
}

static enum resolved_kind resolved_kind(enum directory_kind kind)
{
    switch (kind) {
    case DIRECTORY_NOT_FOUND: break;
    case DIRECTORY_MAILBOX: return RESOLVED_MAILBOX;
    case DIRECTORY_CONTACT: return RESOLVED_CONTACT;
    case DIRECTORY_GROUP: return RESOLVED_GROUP;
    }
    return RESOLVED_NOT_FOUND;
}

static void recipient(void *context, struct span address, struct arena *arena, struct explain_recipient *ret)
{
    struct explain_stores *s = context;
    struct directory_recipient found = {0};
    struct recipient changed;
    struct err err = s->directory_err;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (find_changed(s, recipient_class(kinds[i]), "EmailAddresses", address, arena, &changed)) {
            *ret = (struct explain_recipient){resolved_kind(changed.kind), changed.target, changed.member_count,
                                              SPAN(""), changed.authenticated_only};
            return;
        }
    if (!s->directory || directory_resolve(s->directory, address, arena, &found, &err))
        *ret = (struct explain_recipient){RESOLVED_LATER, SPAN(""), 0, arena_dup(arena, span_of(err.text))};
    else if (found.kind == DIRECTORY_NOT_FOUND || was_changed(s, found.guid))
        *ret = (struct explain_recipient){RESOLVED_NOT_FOUND, SPAN(""), 0, SPAN("")};
    else
        *ret = (struct explain_recipient){resolved_kind(found.kind), found.target, found.member_count, SPAN(""),
                                          found.authenticated_only};
}

/* ---- users ---- */

static bool find_changed_user(struct explain_stores *s, struct span name, struct arena *arena,
                              struct recipient *ret)
{
    static const char *const properties[] = {"EmailAddresses", "UserPrincipalName", "Name"};
    for (size_t i = 0; i < ARRAY_LEN(properties); i++)
        if (find_changed(s, SPAN("Mailbox"), properties[i], name, arena, ret))
            return true;
    return false;
}

static void unavailable(const struct err *err, struct arena *arena, struct explain_user *ret)
{
    *ret = (struct explain_user){.state = EXPLAIN_USER_UNAVAILABLE, .text = arena_dup(arena, span_of(err->text))};
}

static void fill_user(const struct directory_identity *id, struct explain_user *ret)
{
    *ret = (struct explain_user){.state = EXPLAIN_USER_FOUND,
                                 .primary = id->primary,
                                 .gate = {.guid = id->guid,
                                          .addresses = id->addresses,
                                          .address_count = id->address_count,
                                          .groups = id->groups,
                                          .group_count = id->group_count}};
}

/* Of a mailbox that a trial has made or changed; a new one has a password, since cmdlets demand it. */
static void changed_user(struct explain_stores *s, const struct recipient *r, struct arena *arena,
                         struct explain_user *ret)
{
    struct directory_identity id = {0};
    struct err err = {0};
    enum err_code code = s->directory ? directory_identity(s->directory, r->guid, arena, &id, &err) : ERR_NOT_FOUND;
    if (code && code != ERR_NOT_FOUND) {
        unavailable(&err, arena, ret);
        return;
    }
    id.guid = r->guid; /* the groups are those that it was in */
    id.primary = r->primary;
    id.addresses = r->addresses;
    id.address_count = r->address_count;
    fill_user(&id, ret);
    if (!r->enabled)
        ret->state = EXPLAIN_USER_DISABLED;
}

/* The mailbox that a principal means, as the directory role finds it, among those that a trial has changed. */
static bool find_changed_principal(struct explain_stores *s, struct span name, struct arena *arena,
                                   struct recipient *ret)
{
    if (find_changed(s, SPAN("Mailbox"), "UserPrincipalName", name, arena, ret))
        return true;
    return find_changed(s, SPAN("Mailbox"), "PrimarySmtpAddress", name, arena, ret) &&
           !ret->user_principal_name.len;
}

static void user(void *context, struct span name, bool kerberos, struct arena *arena, struct explain_user *ret)
{
    struct explain_stores *s = context;
    struct directory_account account = {0};
    struct directory_identity id = {0};
    struct recipient changed;
    struct err err = s->directory_err;
    if (kerberos ? find_changed_principal(s, name, arena, &changed) : find_changed_user(s, name, arena, &changed)) {
        changed_user(s, &changed, arena, ret);
        return;
    }
    enum err_code code = !s->directory ? ERR_UNAVAILABLE
                         : kerberos    ? directory_principal(s->directory, name, arena, &account, &err)
                                       : directory_account(s->directory, name, arena, &account, &err);
    bool proved = kerberos || account.password_hash.len;
    if (!code && account.enabled && proved)
        code = directory_identity(s->directory, account.guid, arena, &id, &err);
    if (code == ERR_NOT_FOUND || (!code && was_changed(s, account.guid)))
        *ret = (struct explain_user){.state = EXPLAIN_USER_UNKNOWN};
    else if (code)
        unavailable(&err, arena, ret);
    else if (!account.enabled)
        *ret = (struct explain_user){.state = EXPLAIN_USER_DISABLED};
    else if (!proved)
        *ret = (struct explain_user){.state = EXPLAIN_USER_NO_PASSWORD};
    else
        fill_user(&id, ret);
}

/* ---- Send-As ---- */

static bool is_holder(const struct gate_user *user, struct span who)
{
    if (span_istarts(who, SPAN("user:")))
        return span_ieq(span_from(who, 5), user->guid);
    for (size_t i = 0; span_istarts(who, SPAN("group:")) && i < user->group_count; i++)
        if (span_ieq(span_from(who, 6), user->groups[i]))
            return true;
    return false;
}

static enum gate_send_as send_as(void *context, const struct gate_user *user, struct span address)
{
    struct explain_stores *s = context;
    struct recipient changed;
    struct directory_recipient owner = {0};
    struct arena arena;
    bool may = false, known = false;
    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_LEN(kinds) && !known; i++) {
        known = find_changed(s, recipient_class(kinds[i]), "EmailAddresses", address, &arena, &changed);
        for (size_t k = 0; known && k < changed.send_as_count; k++)
            may = may || is_holder(user, changed.send_as[k]);
    }
    if (!known)
        known = s->directory && !directory_resolve(s->directory, address, &arena, &owner, NULL) &&
                (owner.kind == DIRECTORY_NOT_FOUND || was_changed(s, owner.guid) ||
                 !directory_send_as(s->directory, user->guid, address, &may, NULL));
    arena_clear(&arena);
    return !known ? GATE_SEND_AS_UNAVAILABLE : may ? GATE_SEND_AS_YES : GATE_SEND_AS_NO;
}

struct explain_facts explain_stores_facts(struct explain_stores *s)
{
    return (struct explain_facts){
        .context = s,
        .host = span_of(s->node->host),
        .certificate = certificate,
        .user = user,
        .recipient = recipient,
        .send_as = send_as,
        .keytab = {.unknown = s->keytab->unknown, .usable = s->keytab->usable, .text = span_of(s->keytab->text)},
        .pressure = s->pressure};
}

enum err_code explain_stores_compile(struct object_store *policy, struct buf *ret_block, struct policy **ret,
                                     struct err *err)
{
    buf_init(ret_block, POLICY_BLOCK_MAX);
    enum err_code code = cmdlet_policy_block(policy, object_store_generation(policy), ret_block, err);
    if (!code)
        code = policy_open(buf_span(ret_block), ret, err);
    if (code)
        buf_done(ret_block);
    return code;
}
