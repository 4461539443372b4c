/*
 * recipient.c: addresses of mailboxes, contacts and groups.
 *
 * Invariants: EmailAddresses begins with PrimarySmtpAddress; an address belongs to one recipient, of whatever
 * class; when it was given it lay in an accepted domain.
 */
#include "cmdlet/internal.h"
#include "cmdlet/send_as.h"
#include "mail/domain.h"

const char *const recipient_keys[] = {"EmailAddresses", "UserPrincipalName", NULL};

static const char *const classes[] = {"Mailbox", "MailContact", "DistributionGroup"};

static struct span domain_of(struct span address)
{
    size_t at = span_rfind(address, '@');
    return at == SIZE_MAX ? SPAN("") : span_from(address, at + 1);
}

static bool is_listed(const struct record *r, struct span address)
{
    const struct value *v = r ? record_get(r, SPAN("EmailAddresses")) : NULL;
    for (size_t i = 0; v && v->kind == VALUE_LIST && i < v->list.count; i++)
        if (span_ieq(v->list.items[i].s, address))
            return true;
    return r && span_ieq(record_string(r, SPAN("PrimarySmtpAddress")), address);
}

/* ---- accepted domains ---- */

static enum err_code accepted_domains(struct shell_call *call, struct record ***ret, size_t *ret_count,
                                      struct err *err)
{
    return object_store_list(cmdlet_context(call)->policy, SPAN("AcceptedDomain"), call->arena, ret, ret_count,
                             err);
}

static enum err_code check_domain(struct shell_call *call, struct span address, struct err *err)
{
    struct record **all;
    size_t count = 0;
    struct buf names;
    struct span domain = domain_of(address);
    enum err_code code = accepted_domains(call, &all, &count, err);
    for (size_t i = 0; code == ERR_NONE && i < count; i++)
        if (domain_pattern_matches(record_string(all[i], SPAN("DomainName")), domain))
            return ERR_NONE;
    if (code)
        return code;
    buf_init(&names, 512);
    for (size_t i = 0; i < count && i < 4; i++)
        buf_addf(&names, "%s%.*s", i ? ", " : "",
                 SPAN_ARG(span_head(record_string(all[i], SPAN("DomainName")), 60)));
    struct span list = buf_span(&names), shown = span_head(domain, 80);
    err_set(err, ERR_INVALID,
            "%s: \"%.*s\": %.*s is not an accepted domain; first New-AcceptedDomain -Name %.*s -DomainName %.*s, "
            "or use one "
            "of: %.*s",
            call->command->name, SPAN_ARG(span_head(address, 80)), SPAN_ARG(shown), SPAN_ARG(shown),
            SPAN_ARG(shown), SPAN_ARG(list));
    buf_done(&names);
    return ERR_INVALID;
}

static enum err_code default_domain(struct shell_call *call, struct span *ret, struct err *err)
{
    struct record **all;
    size_t count = 0;
    enum err_code code = accepted_domains(call, &all, &count, err);
    *ret = SPAN("");
    for (size_t i = 0; code == ERR_NONE && i < count; i++)
        if (record_bool(all[i], SPAN("Default"), false))
            *ret = record_string(all[i], SPAN("DomainName"));
    return code;
}

/* ---- uniqueness ---- */

static enum err_code check_free_in(struct shell_call *call, const struct record *r, const char *class_name,
                                   struct span property, struct span address, struct err *err)
{
    struct record **found;
    size_t count = 0;
    enum err_code code = object_store_find(cmdlet_context(call)->recipients, span_of(class_name), property, address,
                                           call->arena, &found, &count, err);
    for (size_t i = 0; code == ERR_NONE && i < count; i++)
        if (!span_ieq(record_string(found[i], SPAN("Guid")), record_string(r, SPAN("Guid"))))
            code = err_set(err, ERR_EXISTS,
                           "%s: the address %.*s belongs to the %s \"%.*s\"; choose another, or take it away "
                           "there",
                           call->command->name, SPAN_ARG(span_head(address, 100)),
                           schema_class(span_of(class_name))->label,
                           SPAN_ARG(span_head(record_string(found[i], SPAN("Name")), 64)));
    return code;
}

/* Addresses and UserPrincipalNames share one space, since both name a user who logs on. */
static enum err_code check_free(struct shell_call *call, const struct record *r, struct span address,
                                struct err *err)
{
    enum err_code code = ERR_NONE;
    for (size_t i = 0; code == ERR_NONE && i < ARRAY_LEN(classes); i++)
        code = check_free_in(call, r, classes[i], SPAN("EmailAddresses"), address, err);
    return code ? code : check_free_in(call, r, "Mailbox", SPAN("UserPrincipalName"), address, err);
}

/* ---- the primary address ---- */

/* Exchange marks the primary one of several addresses with an upper-case "SMTP:". */
static struct span marked_primary(const struct value *given)
{
    bool list = given && given->kind == VALUE_LIST;
    const struct value *items = list ? given->list.items : given;
    for (size_t i = 0; given && i < (list ? given->list.count : 1); i++)
        if (items[i].kind == VALUE_STRING && span_starts(items[i].s, SPAN("SMTP:")))
            return items[i].s;
    return SPAN("");
}

static enum err_code set_primary(struct shell_call *call, struct record *r, struct span address, struct err *err)
{
    struct value v;
    const struct schema_property *p = schema_property(schema_class(r->type), SPAN("PrimarySmtpAddress"));
    enum err_code code = cmdlet_parse(call, p, value_string(address), NULL, &v, err);
    return code ? code : cmdlet_set(r, "PrimarySmtpAddress", v, err);
}

/* For a new recipient without PrimarySmtpAddress: from whatever says it best. */
static enum err_code find_primary(struct shell_call *call, struct record *r, struct err *err)
{
    const struct value *given = cmdlet_argument(call, "EmailAddresses"),
                       *all = record_get(r, SPAN("EmailAddresses"));
    struct span name = record_string(r, SPAN("Name")), principal = record_string(r, SPAN("UserPrincipalName")),
                domain;
    struct span marked = marked_primary(given);
    if (marked.len)
        return set_primary(call, r, marked, err);
    if (all && all->kind == VALUE_LIST && all->list.count)
        return set_primary(call, r, all->list.items[0].s, err);
    if (principal.len)
        return set_primary(call, r, principal, err);
    if (span_find(name, '@') != SIZE_MAX)
        return set_primary(call, r, name, err);
    enum err_code code = default_domain(call, &domain, err);
    if (code)
        return code;
    struct span made = arena_printf(call->arena, "%.*s@%.*s", SPAN_ARG(name), SPAN_ARG(domain));
    struct err ignored;
    if (!name.len || !domain.len || set_primary(call, r, made, &ignored) != ERR_NONE)
        return err_set(err, ERR_INVALID, "%s: -PrimarySmtpAddress must be given", call->command->name);
    return ERR_NONE;
}

static enum err_code choose_primary(struct shell_call *call, const struct record *old, struct record *r,
                                    struct err *err)
{
    const struct value *given = cmdlet_argument(call, "EmailAddresses");
    struct span marked = marked_primary(given), primary = record_string(r, SPAN("PrimarySmtpAddress"));
    if (!primary.len)
        return find_primary(call, r, err);
    if (cmdlet_argument(call, "PrimarySmtpAddress"))
        return ERR_NONE;
    if (marked.len)
        return set_primary(call, r, marked, err);
    const struct value *all = record_get(r, SPAN("EmailAddresses"));
    bool kept = false;
    for (size_t i = 0; all && all->kind == VALUE_LIST && i < all->list.count; i++)
        kept = kept || span_ieq(all->list.items[i].s, primary);
    if (old && given && given->kind == VALUE_RECORD && !kept)
        return err_set(
            err, ERR_CONFLICT,
            "%s -EmailAddresses: %.*s is the primary address and cannot be taken away; first give another with "
            "-PrimarySmtpAddress",
            call->command->name, SPAN_ARG(primary));
    return ERR_NONE;
}

static enum err_code order_addresses(struct shell_call *call, struct record *r, struct err *err)
{
    const struct value *all = record_get(r, SPAN("EmailAddresses"));
    size_t count = all && all->kind == VALUE_LIST ? all->list.count : 0, n = 0;
    struct span primary = record_string(r, SPAN("PrimarySmtpAddress"));
    struct value *items = ARENA_ARRAY(call->arena, count + 1, struct value);
    if (!items)
        return cmdlet_no_memory(err);
    items[n++] = value_string(primary);
    for (size_t i = 0; i < count; i++)
        if (!span_ieq(all->list.items[i].s, primary))
            items[n++] = all->list.items[i];
    return cmdlet_set(r, "EmailAddresses", value_list(items, n), err);
}

static enum err_code check_addresses(struct shell_call *call, const struct record *old, const struct record *r,
                                     struct err *err)
{
    const struct value *all = record_get(r, SPAN("EmailAddresses"));
    enum err_code code = ERR_NONE;
    for (size_t i = 0; code == ERR_NONE && i < all->list.count; i++) {
        struct span address = all->list.items[i].s;
        if (is_listed(old, address))
            continue;
        code = check_domain(call, address, err);
        if (code == ERR_NONE)
            code = check_free(call, r, address, err);
    }
    struct span principal = record_string(r, SPAN("UserPrincipalName"));
    bool same = old && span_ieq(record_string(old, SPAN("UserPrincipalName")), principal);
    return code || !principal.len || same ? code : check_free(call, r, principal, err);
}

enum err_code recipient_prepare(struct shell_call *call, const struct record *old, struct record *r,
                                struct err *err)
{
    enum err_code code = choose_primary(call, old, r, err);
    if (code == ERR_NONE)
        code = order_addresses(call, r, err);
    struct span primary = record_string(r, SPAN("PrimarySmtpAddress"));
    if (code == ERR_NONE && !record_string(r, SPAN("Name")).len)
        code = cmdlet_set(r, "Name", value_string(span_head(primary, span_rfind(primary, '@'))), err);
    return code ? code : check_addresses(call, old, r, err);
}

/* ---- removal ---- */

static enum err_code leave_groups(struct shell_call *call, struct span guid, struct err *err)
{
    struct record **groups;
    size_t count = 0;
    struct object_store *s = cmdlet_context(call)->recipients;
    enum err_code code =
        object_store_find(s, SPAN("DistributionGroup"), SPAN("Members"), guid, call->arena, &groups, &count, err);
    for (size_t i = 0; code == ERR_NONE && i < count; i++) {
        const struct value *members = record_get(groups[i], SPAN("Members"));
        struct value *kept = ARENA_ARRAY(call->arena, members->list.count, struct value);
        size_t n = 0;
        for (size_t k = 0; kept && k < members->list.count; k++)
            if (!span_ieq(members->list.items[k].s, guid))
                kept[n++] = members->list.items[k];
        code = kept ? cmdlet_set(groups[i], "Members", value_list(kept, n), err) : cmdlet_no_memory(err);
        if (code == ERR_NONE)
            code = object_store_put(s, groups[i], err);
    }
    return code;
}

static enum err_code leave_acls(struct shell_call *call, const struct record *r, struct err *err)
{
    struct record **entries;
    size_t count = 0;
    struct object_store *s = cmdlet_context(call)->policy;
    bool group = span_ieq(r->type, SPAN("DistributionGroup"));
    struct span user =
        arena_printf(call->arena, "%s:%.*s", group ? "group" : "user", SPAN_ARG(record_string(r, SPAN("Guid"))));
    enum err_code code =
        object_store_find(s, SPAN("ADPermission"), SPAN("User"), user, call->arena, &entries, &count, err);
    for (size_t i = 0; code == ERR_NONE && i < count; i++)
        code = object_store_remove(s, SPAN("ADPermission"), record_string(entries[i], SPAN("Guid")), err);
    return code;
}

enum err_code recipient_removed(struct shell_call *call, const struct record *r, struct err *err)
{
    enum err_code code = leave_groups(call, record_string(r, SPAN("Guid")), err);
    if (code == ERR_NONE)
        code = send_as_forget(call, r, err);
    return code ? code : leave_acls(call, r, err);
}
