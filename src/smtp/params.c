/*
 * params.c: parameters and their values. Invariants: a name is letters, digits and hyphens, so it can be shown;
 * nothing is decoded into a control character; each octet is looked at once.
 */
#include "smtp/params.h"

#include "base/num.h"
#include "base/utf8.h"

static bool is_keyword(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alnum(s.ptr[i]) && (i == 0 || s.ptr[i] != '-'))
            return false;
    return s.len > 0;
}

/* esmtp-value: no control, no blank, no "="; octets beyond ASCII as RFC 6531 3.3 adds them. */
static bool is_value(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == 0x7f || s.ptr[i] == '=')
            return false;
    return s.len > 0 && utf8_valid(s);
}

enum smtp_param_status smtp_param_next(struct span *rest, struct smtp_param *ret)
{
    while (rest->len && rest->ptr[0] == ' ')
        *rest = span_from(*rest, 1);
    if (rest->len == 0)
        return SMTP_PARAM_END;
    struct span word = span_head(*rest, span_find(*rest, ' '));
    *rest = span_from(*rest, word.len);
    size_t equals = span_find(word, '=');
    struct smtp_param p = {.name = span_head(word, equals), .has_value = equals != SIZE_MAX};
    if (p.has_value)
        p.value = span_from(word, equals + 1);
    if (!is_keyword(p.name) || (p.has_value && !is_value(p.value))) {
        *ret = (struct smtp_param){.name = word};
        return SMTP_PARAM_MALFORMED;
    }
    *ret = p;
    return SMTP_PARAM_OK;
}

/* One character of xtext at the start of *s, or -1. */
static int xtext_next(struct span *s)
{
    unsigned char c = (unsigned char)s->ptr[0];
    size_t n = 1;
    if (c == '+') {
        int high = s->len > 2 ? num_hex_digit(s->ptr[1]) : -1, low = s->len > 2 ? num_hex_digit(s->ptr[2]) : -1;
        if (high < 0 || low < 0)
            return -1;
        c = (unsigned char)(high << 4 | low);
        n = 3;
    } else if (c <= ' ' || c >= 0x7f || c == '=') {
        return -1;
    }
    *s = span_from(*s, n);
    return c < 0x20 || c == 0x7f ? -1 : c;
}

bool smtp_xtext_decode(struct buf *out, struct span s)
{
    while (s.len) {
        int c = xtext_next(&s);
        if (c < 0)
            return false;
        buf_add_char(out, (char)c);
    }
    return !out->failed;
}

static bool is_ascii_xtext(struct span s)
{
    bool some = s.len > 0;
    while (s.len) {
        int c = xtext_next(&s);
        if (c < 0 || c >= 0x80)
            return false;
    }
    return some;
}

bool smtp_envid_valid(struct span s)
{
    return s.len <= SMTP_ENVID_MAX && is_ascii_xtext(s);
}

/* utf-8-addr-xtext and utf-8-addr-unitext: characters as they are, others as "\x{...}", which needs no reading
 * here. */
static bool is_utf8_address(struct span s, bool allow_utf8)
{
    return is_value(s) && (allow_utf8 || utf8_is_ascii(s));
}

bool smtp_orcpt_valid(struct span s, bool allow_utf8)
{
    struct span rest = s, type;
    if (s.len > SMTP_ORCPT_MAX || !span_split(&rest, ';', &type) || !is_keyword(type))
        return false;
    return span_ieq(type, SPAN("utf-8")) ? is_utf8_address(rest, allow_utf8) : is_ascii_xtext(rest);
}

bool smtp_notify_parse(struct span s, unsigned *ret)
{
    static const struct {
        struct span name;
        unsigned flag;
    } words[] = {
        {SPAN_INIT("NEVER"), SMTP_NOTIFY_NEVER},
        {SPAN_INIT("SUCCESS"), SMTP_NOTIFY_SUCCESS},
        {SPAN_INIT("FAILURE"), SMTP_NOTIFY_FAILURE},
        {SPAN_INIT("DELAY"), SMTP_NOTIFY_DELAY},
    };
    unsigned flags = 0;
    struct span rest = s, word;
    while (span_split(&rest, ',', &word)) {
        size_t i = 0;
        while (i < ARRAY_LEN(words) && !span_ieq(word, words[i].name))
            i++;
        if (i == ARRAY_LEN(words) || flags & (words[i].flag | SMTP_NOTIFY_NEVER) || (flags && i == 0))
            return false;
        flags |= words[i].flag;
    }
    if (!flags)
        return false;
    *ret = flags;
    return true;
}
