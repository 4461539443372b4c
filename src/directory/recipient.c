/*
 * recipient.c: records to recipients.
 *
 * Invariants: PrimarySmtpAddress alone decides which address is the primary. A contact whose only address is the
 * external one resolves to nothing, since a redirection to itself would be a loop.
 */
#include "directory/recipient.h"

#include <string.h>

static const struct span classes[] = {
    [DIRECTORY_NOT_FOUND] = SPAN_INIT(""),
    [DIRECTORY_MAILBOX] = SPAN_INIT("Mailbox"),
    [DIRECTORY_CONTACT] = SPAN_INIT("MailContact"),
    [DIRECTORY_GROUP] = SPAN_INIT("DistributionGroup"),
};

enum directory_kind recipient_kind(struct span class_name)
{
    for (size_t i = DIRECTORY_MAILBOX; i < ARRAY_LEN(classes); i++)
        if (span_ieq(classes[i], class_name))
            return (enum directory_kind)i;
    return DIRECTORY_NOT_FOUND;
}

struct span recipient_class(enum directory_kind kind)
{
    return classes[kind];
}

/* The address without "smtp:"; empty for an address of another kind. */
static struct span bare_address(struct span s)
{
    if (span_istarts(s, SPAN("smtp:")))
        return span_from(s, 5);
    return span_find(s, '@') == SIZE_MAX ? SPAN("") : s;
}

bool recipient_owns(const struct recipient *r, struct span address)
{
    for (size_t i = 0; i < r->address_count; i++)
        if (span_ieq(r->addresses[i], address))
            return true;
    return false;
}

static const struct value *list_of(const struct record *r, struct span name, size_t *ret_count)
{
    const struct value *v = record_get(r, name);
    *ret_count = 0;
    if (!v || v->kind == VALUE_NULL)
        return NULL;
    if (v->kind == VALUE_LIST) {
        *ret_count = v->list.count;
        return v->list.items;
    }
    *ret_count = 1;
    return v;
}

static enum err_code read_addresses(const struct record *r, struct arena *arena, struct recipient *ret,
                                    struct err *err)
{
    size_t count;
    const struct value *items = list_of(r, SPAN("EmailAddresses"), &count);
    struct span *out = ARENA_ARRAY(arena, count + 1, struct span);
    if (!out)
        return err_set(err, ERR_NO_MEMORY, "out of memory for the addresses");
    ret->addresses = out;
    for (size_t i = 0; i <= count; i++) {
        if (i && items[i - 1].kind != VALUE_STRING)
            return err_set(err, ERR_INVALID, "EmailAddresses must be a list of addresses");
        struct span a = i ? bare_address(items[i - 1].s) : ret->primary;
        bool elsewhere = ret->kind == DIRECTORY_CONTACT && span_ieq(a, ret->target);
        if (a.len > DIRECTORY_NAME_MAX)
            return err_set(err, ERR_INVALID, "an address is longer than %d octets", DIRECTORY_NAME_MAX);
        if (a.len && !elsewhere && !recipient_owns(ret, a))
            out[ret->address_count++] = a;
    }
    return ERR_NONE;
}

static enum err_code read_texts(const struct record *r, const char *property, const char *want, struct arena *arena,
                                const struct span **ret, size_t *ret_count, struct err *err)
{
    size_t count;
    const struct value *items = list_of(r, span_of(property), &count);
    struct span *out = ARENA_ARRAY(arena, count, struct span);
    if (!out)
        return err_set(err, ERR_NO_MEMORY, "out of memory for %s", property);
    for (size_t i = 0; i < count; i++) {
        if (items[i].kind != VALUE_STRING)
            return err_set(err, ERR_INVALID, "%s must be a list of %s", property, want);
        out[i] = items[i].s;
    }
    *ret = out;
    *ret_count = count;
    return ERR_NONE;
}

/* What must be there and cannot be stored or compared otherwise. */
static enum err_code check_names(const struct recipient *r, struct err *err)
{
    const struct {
        const char *property;
        struct span value;
        bool required;
    } names[] = {
        {"Guid", r->guid, true},
        {"Name", r->name, true},
        {"PrimarySmtpAddress", r->primary, r->kind != DIRECTORY_CONTACT},
        {"ExternalEmailAddress", r->target, r->kind == DIRECTORY_CONTACT},
        {"UserPrincipalName", r->user_principal_name, false},
        {"DisplayName", r->display_name, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].required && !names[i].value.len)
            return err_set(err, ERR_INVALID, "%s is missing", names[i].property);
        if (names[i].value.len > DIRECTORY_NAME_MAX)
            return err_set(err, ERR_INVALID, "%s is longer than %d octets", names[i].property, DIRECTORY_NAME_MAX);
        if (names[i].value.len && memchr(names[i].value.ptr, '\0', names[i].value.len))
            return err_set(err, ERR_INVALID, "%s must not contain NUL", names[i].property);
    }
    return ERR_NONE;
}

enum err_code recipient_read(const struct record *r, struct arena *arena, struct recipient *ret, struct err *err)
{
    struct recipient x = {
        .kind = recipient_kind(r->type),
        .guid = record_string(r, SPAN("Guid")),
        .name = record_string(r, SPAN("Name")),
        .display_name = record_string(r, SPAN("DisplayName")),
        .primary = bare_address(record_string(r, SPAN("PrimarySmtpAddress"))),
        .user_principal_name = record_string(r, SPAN("UserPrincipalName")),
        .enabled = record_bool(r, SPAN("Enabled"), true),
        .authenticated_only = record_bool(r, SPAN("RequireSenderAuthenticationEnabled"), false),
        .password = record_get(r, SPAN("Password")),
    };
    if (x.kind == DIRECTORY_NOT_FOUND)
        return err_set(err, ERR_INVALID, "%.*s is not a class of recipients", SPAN_ARG(r->type));
    if (x.kind == DIRECTORY_CONTACT)
        x.target = bare_address(record_string(r, SPAN("ExternalEmailAddress")));
    else if (x.kind == DIRECTORY_MAILBOX)
        x.target = x.primary;
    if (x.kind == DIRECTORY_CONTACT && !x.primary.len)
        x.primary = x.target;
    if (!x.display_name.len)
        x.display_name = x.name;
    if (x.password && x.password->kind == VALUE_NULL)
        x.password = NULL;
    if (x.password && (x.password->kind != VALUE_SECRET || x.kind != DIRECTORY_MAILBOX))
        return err_set(err, ERR_INVALID, "Password must be a secret, and belongs to a mailbox");
    enum err_code code = check_names(&x, err);
    if (code == ERR_NONE)
        code = read_addresses(r, arena, &x, err);
    if (code == ERR_NONE && x.kind == DIRECTORY_GROUP)
        code = read_texts(r, "Members", "GUIDs", arena, &x.members, &x.member_count, err);
    if (code == ERR_NONE)
        code = read_texts(r, "SendAs", "principals", arena, &x.send_as, &x.send_as_count, err);
    if (code == ERR_NONE)
        *ret = x;
    return code;
}
