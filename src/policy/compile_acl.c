/* compile_acl.c: the ACLs of connectors of both kinds, and what their entries are narrowed by. */
#include "policy/compile_internal.h"

#include <stdlib.h>

static int by_pattern(const void *a, const void *b)
{
    return address_pattern_compare(a, b);
}

/* The distinct patterns among n texts, sorted; their number. A malformed one is noted. */
static size_t read_patterns(struct compiler *c, const struct record *r, const char *property,
                            const struct value *texts, size_t n, struct arena *arena, struct address_pattern *ret)
{
    size_t distinct = 0;
    for (size_t i = 0; i < n; i++)
        if (!address_pattern_parse(texts[i].s, arena, &ret[i])) {
            compile_bad(c, r, property, "a list of address patterns, such as *@example.com");
            return 0;
        }
    qsort(ret, n, sizeof *ret, by_pattern);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || address_pattern_compare(&ret[distinct - 1], &ret[i]) != 0)
            ret[distinct++] = ret[i];
    return distinct;
}

static struct policy_list patterns_of(struct compiler *c, const struct record *r, const char *property)
{
    const struct value *texts = NULL;
    struct address_pattern patterns[POLICY_PATTERNS_MAX];
    struct arena arena;
    uint32_t first = compile_count(c, SECTION_PATTERNS);
    size_t n = compile_list(c, r, property, &texts);
    if (n > POLICY_PATTERNS_MAX) {
        compile_bad(c, r, property, "a list of at most 256 patterns");
        n = 0;
    }
    arena_init(&arena, 0);
    n = read_patterns(c, r, property, texts, n, &arena, patterns);
    for (size_t i = 0; i < n; i++) {
        struct policy_pattern t = {compile_text(c, patterns[i].domain), compile_text(c, patterns[i].local),
                                   patterns[i].kind, 0};
        compile_add(c, SECTION_PATTERNS, &t);
    }
    arena_clear(&arena);
    return (struct policy_list){n ? first : 0, (uint32_t)n};
}

static int64_t expiry_of(struct compiler *c, const struct record *r)
{
    const struct value *v = record_get(r, SPAN("Expires"));
    if (!v || v->kind == VALUE_NULL)
        return POLICY_NEVER;
    if (v->kind != VALUE_TIME && v->kind != VALUE_INT)
        compile_bad(c, r, "Expires", "a time");
    return v->i;
}

static void narrow(struct compiler *c, const struct record *r, bool receive, struct policy_ace *e)
{
    static const struct compile_flag tls[] = {{"RequireTls", 1, false}};
    static const struct compile_number rate[] = {
        {"MessageRate", offsetof(struct policy_ace, rate), false, POLICY_UNLIMITED}};
    e->senders = patterns_of(c, r, "Senders");
    e->recipients = patterns_of(c, r, "Recipients");
    e->expires_ms = expiry_of(c, r);
    e->require_tls = compile_flags(c, r, tls, ARRAY_LEN(tls));
    compile_numbers(c, r, rate, ARRAY_LEN(rate), e);
    if (e->rate == 0 || (e->deny && e->rate != POLICY_UNLIMITED))
        compile_bad(c, r, "MessageRate", "1 or more, of an entry that allows");
    if (!receive && (e->senders.count || e->recipients.count || e->require_tls || e->rate != POLICY_UNLIMITED ||
                     e->expires_ms != POLICY_NEVER))
        compile_bad(c, r, "Connector", "a receive connector: entries of send connectors cannot be narrowed");
}

static void add_permission(struct compiler *c, const struct record *r, bool receive)
{
    struct span user = compile_string(c, r, "User"), name = compile_string(c, r, "UserName"), guid = SPAN("");
    struct span origin = compile_string(c, r, "Origin");
    enum principal kind = principal_parse(user, &guid);
    enum right right = right_from_name(compile_string(c, r, "ExtendedRight"));
    if (kind == PRINCIPAL_KINDS)
        compile_bad(c, r, "User", "a known principal");
    if (right == RIGHT_COUNT)
        compile_bad(c, r, "ExtendedRight", "a known right");
    if (c->code)
        return;
    struct span principal = kind < PRINCIPAL_WELL_KNOWN ? principal_name(kind) : user;
    static const struct compile_flag deny[] = {{"Deny", 1, false}};
    struct policy_ace e = {
        .id = compile_text_of(c, r, "Guid"),
        .principal = compile_text(c, principal),
        .guid = compile_text(c, guid),
        .name = compile_text(c, kind < PRINCIPAL_WELL_KNOWN || name.len == 0 ? principal : name),
        .origin = compile_text(c, origin.len ? origin : SPAN("Explicit")),
        .kind = kind,
        .right = right,
        .deny = compile_flags(c, r, deny, ARRAY_LEN(deny)),
    };
    narrow(c, r, receive, &e);
    compile_add(c, SECTION_ACL, &e);
}

struct policy_list compile_acl(struct compiler *c, struct span guid, bool receive)
{
    uint32_t first = compile_count(c, SECTION_ACL);
    size_t low = 0, high = c->permission_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (span_icmp(c->permissions[middle].connector, guid) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < c->permission_count && span_ieq(c->permissions[low].connector, guid); low++)
        add_permission(c, c->permissions[low].record, receive);
    uint32_t count = compile_count(c, SECTION_ACL) - first;
    if (count > POLICY_ACL_MAX && !c->code)
        c->code =
            err_set(c->err, ERR_LIMIT,
                    "a connector has %u permissions; %d are allowed: grant to groups instead of their members",
                    count, POLICY_ACL_MAX);
    return (struct policy_list){first, count};
}
