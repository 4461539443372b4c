/* sts_policy.c: see sts_policy.h. Fields that are not known are passed over; of one that comes twice the first
 * counts. */
#include "delivery/sts_policy.h"

#include "base/num.h"
#include "delivery/resolver.h"

/* ---- the record ---- */

bool sts_record_claims(struct span text)
{
    struct span first;
    return span_split(&text, ';', &first) && span_eq(span_trim(first), SPAN("v=STSv1"));
}

static bool valid_id(struct span id)
{
    for (size_t i = 0; i < id.len; i++)
        if (!ascii_is_alnum(id.ptr[i]))
            return false;
    return id.len >= 1 && id.len <= STS_ID_MAX;
}

bool sts_record_id(struct span text, struct span *ret_id)
{
    struct span field;
    if (!sts_record_claims(text))
        return false;
    while (span_split(&text, ';', &field)) {
        field = span_trim(field);
        if (!span_starts(field, SPAN("id=")))
            continue;
        *ret_id = span_from(field, 3);
        return valid_id(*ret_id);
    }
    return false;
}

/* ---- the policy ---- */

static bool valid_pattern(struct span mx)
{
    if (span_starts(mx, SPAN("*.")))
        mx = span_from(mx, 2);
    return resolver_name_valid(mx);
}

enum field { FIELD_VERSION, FIELD_MODE, FIELD_MAX_AGE, FIELD_MX, FIELDS };

static const char *const field_names[FIELDS] = {
    [FIELD_VERSION] = "version", [FIELD_MODE] = "mode", [FIELD_MAX_AGE] = "max_age", [FIELD_MX] = "mx"};

static bool take_mode(struct sts_policy *p, struct span value)
{
    static const char *const modes[] = {
        [HOP_STS_NONE] = "none", [HOP_STS_TESTING] = "testing", [HOP_STS_ENFORCE] = "enforce"};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (!span_eq(value, span_of(modes[i])))
            continue;
        p->mode = (enum hop_sts)i;
        return true;
    }
    return false;
}

static bool take_field(struct sts_policy *p, enum field f, struct span value)
{
    uint64_t age;
    switch (f) {
    case FIELD_VERSION: return span_eq(value, SPAN("STSv1"));
    case FIELD_MODE: return take_mode(p, value);
    case FIELD_MAX_AGE:
        if (!num_parse_u64(value, UINT64_C(9999999999), &age))
            return false;
        p->max_age = age < STS_AGE_MAX ? (uint32_t)age : STS_AGE_MAX;
        return true;
    case FIELD_MX:
        if (p->mx_count == STS_MX_MAX || !valid_pattern(value))
            return false;
        value.len -= span_ends(value, SPAN(".")); /* as hosts are compared */
        p->mx[p->mx_count++] = value;
        return true;
    case FIELDS: break;
    }
    return false;
}

static enum err_code take_line(struct sts_policy *p, struct span line, bool seen[static FIELDS], struct err *err)
{
    size_t colon = span_find(line, ':');
    struct span key = span_trim(span_head(line, colon == SIZE_MAX ? 0 : colon));
    for (enum field f = 0; f < FIELDS; f++) {
        if (!span_eq(key, span_of(field_names[f])) || (seen[f] && f != FIELD_MX))
            continue;
        seen[f] = true;
        struct span value = span_trim(span_from(line, colon + 1));
        if (!take_field(p, f, value))
            return err_set(err, ERR_INVALID, "the policy's %s \"%.*s\" is not valid", field_names[f],
                           (int)span_head(value, 100).len, value.ptr);
    }
    return ERR_NONE;
}

enum err_code sts_policy_parse(struct span text, struct sts_policy *ret, struct err *err)
{
    struct sts_policy p = {0};
    bool seen[FIELDS] = {0};
    struct span line;
    if (text.len > STS_POLICY_MAX)
        return err_set(err, ERR_LIMIT, "the policy is longer than %d octets", STS_POLICY_MAX);
    while (span_split(&text, '\n', &line)) {
        enum err_code code = take_line(&p, line, seen, err);
        if (code)
            return code;
    }
    for (enum field f = 0; f < FIELDS; f++)
        if (!seen[f] && !(f == FIELD_MX && p.mode == HOP_STS_NONE))
            return err_set(err, ERR_INVALID, "the policy has no %s", field_names[f]);
    *ret = p;
    return ERR_NONE;
}

bool sts_policy_copy(const struct sts_policy *p, struct arena *arena, struct sts_policy *ret)
{
    struct sts_policy copy = *p;
    for (size_t i = 0; i < p->mx_count; i++) {
        copy.mx[i] = arena_dup(arena, p->mx[i]);
        if (!copy.mx[i].ptr)
            return false;
    }
    *ret = copy;
    return true;
}

static bool matches(struct span pattern, struct span host)
{
    if (!span_starts(pattern, SPAN("*.")))
        return span_ieq(pattern, host);
    size_t dot = span_find(host, '.');
    return dot != SIZE_MAX && dot > 0 && span_ieq(span_from(host, dot + 1), span_from(pattern, 2));
}

bool sts_policy_lists(const struct sts_policy *p, struct span host)
{
    host.len -= span_ends(host, SPAN("."));
    for (size_t i = 0; i < p->mx_count; i++)
        if (matches(p->mx[i], host))
            return true;
    return false;
}
