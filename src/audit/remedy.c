/* remedy.c: the cmdlets that mend. That they do is tested with the cmdlets themselves (cmdlet/test_remedy.c). */
#include "audit/internal.h"

struct span audit_remove_entry(struct audit *a, const struct receive_connector *c, const struct policy_ace *e)
{
    if (narrow_is_narrowed(e)) /* there may be others that are narrowed otherwise */
        return audit_format(
            a, "Get-ADPermission %.*s | where {$_.Guid -eq %.*s} | Remove-ADPermission -Confirm:$false",
            SPAN_ARG(audit_quoted_name(a, c)), SPAN_ARG(audit_quote(a, policy_text(a->policy, e->id))));
    return audit_format(a, "Remove-ADPermission %.*s -User %.*s -ExtendedRights %.*s%s -Confirm:$false",
                        SPAN_ARG(audit_quoted_name(a, c)),
                        SPAN_ARG(audit_quote(a, policy_text(a->policy, e->principal))),
                        SPAN_ARG(right_info((enum right)e->right)->name), e->deny ? " -Deny" : "");
}

struct span audit_take_right(struct audit *a, const struct receive_connector *c, const struct session_kind *k,
                             enum right right)
{
    const struct policy_ace *acl = policy_acl(a->policy, c->acl), *only = NULL;
    size_t granting = 0;
    for (uint32_t i = 0; i < c->acl.count; i++)
        if (acl[i].right == right && !acl[i].deny &&
            token_has(&k->token, (enum principal)acl[i].kind, policy_text(a->policy, acl[i].guid))) {
            granting++;
            only = &acl[i];
        }
    if (granting == 1 && only->kind == k->kind)
        return audit_remove_entry(a, c, only);
    return audit_format(a, "Add-ADPermission %.*s -User %.*s -ExtendedRights %.*s -Deny",
                        SPAN_ARG(audit_quoted_name(a, c)), SPAN_ARG(audit_quote(a, k->who)),
                        SPAN_ARG(right_info(right)->name));
}

struct span audit_distrust(struct audit *a, const struct receive_connector *c)
{
    return audit_format(a, "Set-ReceiveConnector %.*s -AuthMechanism %s", SPAN_ARG(audit_quoted_name(a, c)),
                        c->auth & AUTH_TLS ? "Tls" : "None");
}

/* ---- taking addresses out of ranges ---- */

/* What is left of some ranges. */
struct rest {
    struct ip_range *items;
    size_t count;
};

static void take_out(struct rest *r, struct ip_addr address)
{
    for (size_t i = 0; i < r->count; i++) {
        struct ip_range whole = r->items[i];
        if (!ip_range_contains(whole, address))
            continue;
        r->items[i] = r->items[--r->count];
        if (ip_cmp(whole.first, address) < 0) {
            struct ip_range below = {whole.first, address};
            IGNORE_RESULT(audit_previous_address(address, &below.last));
            r->items[r->count++] = below;
        }
        if (ip_cmp(address, whole.last) < 0) {
            struct ip_range above = {address, whole.last};
            IGNORE_RESULT(audit_next_address(address, &above.first));
            r->items[r->count++] = above;
        }
        return; /* the parts do not have it any more */
    }
}

static bool is_range_of_another(const struct audit *a, const struct receive_connector *c, struct ip_range r)
{
    for (size_t i = 0; i < policy_receive_connector_count(a->policy); i++) {
        const struct receive_connector *other = policy_receive_connector(a->policy, i);
        const struct ip_range *ranges = policy_ranges(a->policy, other->ranges);
        for (uint32_t k = 0; other != c && k < other->ranges.count; k++)
            if (ip_range_eq(ranges[k], r))
                return true;
    }
    return false;
}

static bool has_any(struct ip_range r, const struct ip_addr *addresses, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ip_range_contains(r, addresses[i]))
            return true;
    return false;
}

static void add_range(struct buf *out, struct ip_range r)
{
    char text[IP_RANGE_TEXT_MAX];
    buf_addf(out, "%s'%s'", out->len ? "," : "", ip_print_range(r, text));
}

struct span audit_exclude(struct audit *a, const struct receive_connector *c, const struct ip_addr *addresses,
                          size_t count)
{
    enum { TEXT_MAX = 64 * 1024 };
    const struct ip_range *ranges = policy_ranges(a->policy, c->ranges);
    struct rest rest = {ARENA_ARRAY(a->arena, 2 * (size_t)c->ranges.count + count + 2, struct ip_range), 0};
    struct buf removed, added;
    struct span line = SPAN("");
    size_t kept = 0;
    a->failed = a->failed || !rest.items;
    if (!rest.items)
        return line;
    buf_init(&removed, TEXT_MAX);
    buf_init(&added, TEXT_MAX);
    for (uint32_t i = 0; i < c->ranges.count; i++) {
        bool hit = has_any(ranges[i], addresses, count);
        kept += !hit;
        if (!hit)
            continue;
        add_range(&removed, ranges[i]);
        rest.count = 0;
        rest.items[rest.count++] = ranges[i];
        for (size_t k = 0; k < count; k++)
            take_out(&rest, addresses[k]);
        for (size_t k = 0; k < rest.count; k++)
            if (!is_range_of_another(a, c, rest.items[k]))
                add_range(&added, rest.items[k]);
    }
    if (removed.len && (kept || added.len) && !removed.failed && !added.failed)
        line = audit_format(a, "Set-ReceiveConnector %.*s -RemoteIPRanges @{Remove=%.*s%s%.*s}",
                            SPAN_ARG(audit_quoted_name(a, c)), SPAN_ARG(buf_span(&removed)),
                            added.len ? ";Add=" : "", SPAN_ARG(buf_span(&added)));
    buf_done(&removed);
    buf_done(&added);
    return line;
}
