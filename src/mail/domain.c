/*
 * domain.c: names are checked label by label in one pass. An underscore is no host name character (RFC 952), but
 * devices and directory services use it in names that they say after EHLO, and nothing that we print is harmed by
 * it.
 */
#include "mail/domain.h"

#include "base/utf8.h"

/* Octets beyond ASCII: UTF-8 without the C1 controls. */
static bool is_clean_utf8(struct span s)
{
    uint32_t cp;
    for (size_t n; s.len; s = span_from(s, n)) {
        n = utf8_decode(s, &cp);
        if (n == 0 || (cp >= 0x80 && cp < 0xa0))
            return false;
    }
    return true;
}

static bool label_valid(struct span l, unsigned flags)
{
    bool ascii = true;
    if (l.len == 0 || l.len > DOMAIN_ULABEL_MAX || l.ptr[0] == '-' || l.ptr[l.len - 1] == '-')
        return false;
    for (size_t i = 0; i < l.len; i++) {
        char c = l.ptr[i];
        if (ascii_is_alnum(c) || c == '-' || (c == '_' && !(flags & DOMAIN_STRICT)))
            continue;
        if ((unsigned char)c < 0x80 || !(flags & DOMAIN_ALLOW_UTF8))
            return false;
        ascii = false;
    }
    return ascii ? l.len <= DOMAIN_LABEL_MAX : is_clean_utf8(l);
}

bool domain_valid(struct span s, unsigned flags)
{
    if (s.len == 0 || s.len > DOMAIN_MAX)
        return false;
    struct span rest = s, label;
    while (span_split(&rest, '.', &label))
        if (!label_valid(label, flags))
            return false;
    return true;
}

bool domain_literal(struct span s, struct ip_addr *ret)
{
    static const struct span tag = SPAN_INIT("IPv6:");
    if (s.len < 2 || s.ptr[0] != '[' || s.ptr[s.len - 1] != ']')
        return false;
    struct span inner = span_from(span_head(s, s.len - 1), 1);
    bool v6 = span_istarts(inner, tag);
    if (v6)
        inner = span_from(inner, tag.len);
    return (span_find(inner, ':') != SIZE_MAX) == v6 && ip_parse(inner, ret);
}

void domain_literal_print(struct buf *out, struct ip_addr a)
{
    char text[IP_TEXT_MAX];
    buf_addf(out, "[%s%s]", ip_is_v4(a) ? "" : "IPv6:", ip_print(a, text));
}

bool domain_valid_ehlo(struct span s)
{
    struct ip_addr ignored;
    return domain_valid(s, 0) || domain_literal(s, &ignored);
}

/* The domain below which a wildcard lies; the empty span for "*" and whole names. */
static struct span wildcard_base(struct span pattern)
{
    return span_starts(pattern, SPAN("*.")) ? span_from(pattern, 2) : SPAN("");
}

bool domain_pattern_valid(struct span pattern, unsigned flags)
{
    if (span_eq(pattern, SPAN("*")))
        return true;
    return domain_valid(span_starts(pattern, SPAN("*.")) ? wildcard_base(pattern) : pattern, flags);
}

bool domain_pattern_matches(struct span pattern, struct span name)
{
    if (span_eq(pattern, SPAN("*")))
        return true;
    struct span base = wildcard_base(pattern);
    if (base.len == 0)
        return span_ieq(pattern, name);
    return name.len > base.len + 1 && name.ptr[name.len - base.len - 1] == '.' && span_iends(name, base);
}

size_t domain_pattern_specificity(struct span pattern)
{
    if (span_eq(pattern, SPAN("*")))
        return 0;
    struct span base = wildcard_base(pattern);
    return base.len ? base.len : SIZE_MAX;
}
