/* narrowing.c: see narrowing.h. The table names each property once; its type and help are the schema's. */
#include "cmdlet/narrowing.h"

#include "cmdlet/internal.h"
#include "policy/policy.h"

static const char *const names[NARROWING_COUNT] = {
    [NARROWING_SENDERS] = "Senders", [NARROWING_RECIPIENTS] = "Recipients", [NARROWING_RATE] = "MessageRate",
    [NARROWING_TLS] = "RequireTls",  [NARROWING_EXPIRES] = "Expires",       [NARROWING_COMMENT] = "Comment",
};

const struct narrowing narrowing_none = {.values = {
                                             [NARROWING_SENDERS] = {.kind = VALUE_LIST},
                                             [NARROWING_RECIPIENTS] = {.kind = VALUE_LIST},
                                             [NARROWING_RATE] = {.kind = VALUE_UNLIMITED},
                                             [NARROWING_TLS] = {.kind = VALUE_BOOL},
                                             [NARROWING_EXPIRES] = {.kind = VALUE_NULL},
                                             [NARROWING_COMMENT] = {.kind = VALUE_NULL},
                                         }};

/* ---- parameters ---- */

static enum err_code check_list(struct shell_call *call, const char *name, const struct value *v, struct err *err)
{
    if (v->list.count == 0)
        return err_set(err, ERR_INVALID, "%s -%s: it is empty; name at least one, or leave -%s out for all",
                       call->command->name, name, name);
    if (v->list.count > POLICY_PATTERNS_MAX)
        return err_set(err, ERR_LIMIT, "%s -%s: it has %zu entries; at most %d are allowed: use *@DOMAIN",
                       call->command->name, name, v->list.count, POLICY_PATTERNS_MAX);
    return ERR_NONE;
}

enum err_code narrowing_read(struct shell_call *call, struct narrowing *ret, struct err *err)
{
    *ret = narrowing_none;
    for (size_t i = 0; i < NARROWING_COUNT; i++) {
        const struct value *given = cmdlet_argument(call, names[i]);
        const struct schema_property *p = schema_property(&schema_ad_permission, span_of(names[i]));
        if (!given)
            continue;
        enum err_code code = cmdlet_parse(call, p, *given, NULL, &ret->values[i], err);
        if (code == ERR_NONE && ret->values[i].kind == VALUE_LIST)
            code = check_list(call, names[i], &ret->values[i], err);
        if (code)
            return code;
        ret->given[i] = true;
    }
    return ERR_NONE;
}

static enum err_code check_recipients(struct shell_call *call, const struct narrowing *n, unsigned rights,
                                      struct err *err)
{
    const struct value *list = &n->values[NARROWING_RECIPIENTS];
    for (size_t i = 0; i < list->list.count; i++)
        if (span_eq(list->list.items[i].s, SPAN("<>")))
            return err_set(err, ERR_INVALID, "%s -Recipients: <> is the null sender, and no recipient",
                           call->command->name);
    if (list->list.count && (rights & RIGHT_BIT(RIGHT_BYPASS_MESSAGE_SIZE_LIMIT)))
        return err_set(
            err, ERR_INVALID,
            "%s -Recipients: %.*s is asked for at MAIL, when there are no recipients yet; leave -Recipients "
            "out for it, or narrow it with -Senders",
            call->command->name, SPAN_ARG(right_info(RIGHT_BYPASS_MESSAGE_SIZE_LIMIT)->name));
    return ERR_NONE;
}

static enum err_code check_expires(struct shell_call *call, const struct narrowing *n, struct err *err)
{
    int64_t now = cmdlet_context(call)->now_ms();
    struct buf then, present;
    if (!narrowing_has_expired(n, now))
        return ERR_NONE;
    buf_init(&then, 64);
    buf_init(&present, 64);
    value_print(&then, n->values[NARROWING_EXPIRES]);
    value_print(&present, value_time(now));
    struct span a = buf_span(&then), b = buf_span(&present);
    err_set(err, ERR_INVALID,
            "%s -Expires: %.*s is past, so the entry would never apply; give a time after now, which is %.*s",
            call->command->name, SPAN_ARG(a), SPAN_ARG(b));
    buf_done(&then);
    buf_done(&present);
    return ERR_INVALID;
}

enum err_code narrowing_check(struct shell_call *call, const struct narrowing *n, unsigned rights, bool send_side,
                              bool deny, struct err *err)
{
    if (send_side && narrowing_is_narrowed(n))
        return err_set(
            err, ERR_INVALID,
            "%s: -Senders, -Recipients, -MessageRate, -RequireTls and -Expires narrow entries of receive "
            "connectors; leave them out for a send connector",
            call->command->name);
    if (deny && n->values[NARROWING_RATE].kind == VALUE_INT)
        return err_set(
            err, ERR_INVALID,
            "%s -MessageRate: an entry that denies lets no message pass; leave out -MessageRate or -Deny",
            call->command->name);
    enum err_code code = check_recipients(call, n, rights, err);
    return code ? code : check_expires(call, n, err);
}

/* ---- comparing ---- */

struct narrowing narrowing_of(const struct record *entry)
{
    struct narrowing n = narrowing_none;
    for (size_t i = 0; i < NARROWING_COUNT; i++) {
        const struct value *v = record_get(entry, span_of(names[i]));
        if (v && (v->kind != VALUE_NULL || narrowing_none.values[i].kind == VALUE_NULL))
            n.values[i] = *v;
        n.given[i] = true;
    }
    return n;
}

static bool contains(struct value list, struct value item)
{
    for (size_t i = 0; i < list.list.count; i++)
        if (value_eq(list.list.items[i], item, true))
            return true;
    return false;
}

/* Lists have no item twice. */
static bool same(struct value a, struct value b)
{
    if (a.kind != VALUE_LIST || b.kind != VALUE_LIST)
        return value_eq(a, b, true);
    for (size_t i = 0; i < a.list.count; i++)
        if (!contains(b, a.list.items[i]))
            return false;
    return a.list.count == b.list.count;
}

bool narrowing_equal(const struct narrowing *a, const struct narrowing *b)
{
    for (size_t i = 0; i < NARROWING_COMMENT; i++)
        if (!same(a->values[i], b->values[i]))
            return false;
    return true;
}

bool narrowing_is_narrowed(const struct narrowing *n)
{
    return !narrowing_equal(n, &narrowing_none);
}

bool narrowing_has_expired(const struct narrowing *n, int64_t now_ms)
{
    return n->values[NARROWING_EXPIRES].kind == VALUE_TIME && n->values[NARROWING_EXPIRES].i <= now_ms;
}

bool narrowing_fits(const struct narrowing *n, const struct narrowing *entry)
{
    bool any = false;
    for (size_t i = 0; i < NARROWING_COMMENT; i++) {
        any = any || n->given[i];
        if (n->given[i] && !same(n->values[i], entry->values[i]))
            return false;
    }
    return any || !narrowing_is_narrowed(entry);
}

/* ---- records ---- */

bool narrowing_store(struct record *r, const struct narrowing *n)
{
    bool ok = true;
    for (size_t i = 0; i < NARROWING_COUNT; i++)
        if (!same(n->values[i], narrowing_none.values[i]))
            ok = ok && record_set(r, span_of(names[i]), n->values[i]);
    return ok;
}

bool narrowing_show(struct record *r, const struct narrowing *n)
{
    bool ok = true;
    for (size_t i = 0; i < NARROWING_COUNT; i++)
        ok = ok && record_set(r, span_of(names[i]), n->values[i]);
    return ok;
}
