/*
 * parse.c: one value against its property: from the shell into its kind, and to and from the stored text.
 *
 * Invariants: what comes out is in canonical spelling (words as in the table, addresses and ranges as they are
 * printed), so equal values are equal texts. An error shows the value as it was typed, but never a secret.
 */
#include "schema/internal.h"

#include "base/ip.h"
#include "base/num.h"
#include "base/utf8.h"
#include "mail/address.h"
#include "mail/address_pattern.h"
#include "mail/domain.h"

#include <inttypes.h>

enum { SHOWN_MAX = 100 };

static const char *const forms[SCHEMA_TYPES] = {
    [SCHEMA_STRING] = "text",
    [SCHEMA_BOOL] = "$true or $false",
    [SCHEMA_INT] = "a whole number",
    [SCHEMA_SIZE] = "a size such as 10MB, 64KB or 1048576",
    [SCHEMA_TIMESPAN] = "a time span such as 00:05:00 (hours:minutes:seconds) or 2.00:00:00 (two days)",
    [SCHEMA_TIME] = "a date such as 2026-12-31, or a time such as 2026-12-31T18:00 (UTC) or 2026-12-31T18:00+02:00",
    [SCHEMA_ENUM] = "one word",
    [SCHEMA_FLAGS] = "words",
    [SCHEMA_FQDN] = "a host name such as mail.example.com",
    [SCHEMA_DOMAIN] = "a domain such as example.com or *.example.com",
    [SCHEMA_ADDRESS] = "an address such as alice@example.com",
    [SCHEMA_PATTERN] =
        "an address such as alice@example.com, *@example.com for a domain's addresses, *@*.example.com "
        "for those of the domains below it, or <> for the null sender",
    [SCHEMA_BINDING] = "an address with its port such as 0.0.0.0:25 or [::]:25",
    [SCHEMA_RANGE] = "an address, range or network such as 192.0.2.1, 192.0.2.1-192.0.2.9 or 192.0.2.0/24",
    [SCHEMA_ADDRESS_SPACE] =
        ("a domain such as example.com, *.example.com or *, with a cost from 1 to 100 behind a "
         "semicolon where it matters"),
    [SCHEMA_HOST] = "a host name or an IP address",
    [SCHEMA_SECRET] = "a password",
};

/* The value as it was typed, short enough for an error. */
static struct span shown(const struct schema_property *p, struct value v, struct arena *arena)
{
    struct buf b;
    if (p->type == SCHEMA_SECRET)
        return SPAN("***");
    buf_init(&b, 64 * 1024);
    value_print(&b, v);
    struct span s = b.failed ? SPAN("...") : arena_dup(arena, span_head(buf_span(&b), SHOWN_MAX));
    buf_done(&b);
    return s;
}

static enum err_code wrong(const struct schema_property *p, struct value in, struct arena *arena, struct err *err)
{
    struct span text = shown(p, in, arena);
    const char *unlimited = p->flags & SCHEMA_UNLIMITED ? ", or Unlimited" : "";
    if (!p->words)
        return err_set(err, ERR_INVALID, "%s: \"%.*s\" is not %s%s", p->name, SPAN_ARG(text), forms[p->type],
                       unlimited);
    struct buf words;
    buf_init(&words, 1024);
    for (const char *const *w = p->words; *w; w++)
        buf_addf(&words, "%s%s", w == p->words ? "" : ", ", *w);
    struct span list = buf_span(&words);
    err_set(err, ERR_INVALID, "%s: \"%.*s\" is not one of %.*s", p->name, SPAN_ARG(text), SPAN_ARG(list));
    buf_done(&words);
    return ERR_INVALID;
}

static enum err_code no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "out of memory");
}

/* ---- numbers ---- */

static struct value number(const struct schema_property *p, int64_t n)
{
    return p->type == SCHEMA_SIZE ? value_size(n) : p->type == SCHEMA_TIMESPAN ? value_timespan(n) : value_int(n);
}

static enum err_code out_of_range(const struct schema_property *p, struct value in, struct arena *arena,
                                  struct err *err)
{
    struct span text = shown(p, in, arena), low = shown(p, number(p, p->min), arena);
    struct span high = shown(p, number(p, p->max), arena);
    return err_set(err, ERR_INVALID, "%s: \"%.*s\" is out of range; %.*s to %.*s is allowed%s", p->name,
                   SPAN_ARG(text), SPAN_ARG(low), SPAN_ARG(high),
                   p->flags & SCHEMA_UNLIMITED ? ", or Unlimited" : "");
}

static bool read_number(const struct schema_property *p, struct value in, int64_t *ret)
{
    if (in.kind == VALUE_STRING)
        return p->type == SCHEMA_SIZE       ? value_parse_size(in.s, ret)
               : p->type == SCHEMA_TIMESPAN ? value_parse_timespan(in.s, ret)
                                            : num_parse_i64(in.s, INT64_MIN, INT64_MAX, ret);
    bool same = in.kind == (p->type == SCHEMA_SIZE       ? VALUE_SIZE
                            : p->type == SCHEMA_TIMESPAN ? VALUE_TIMESPAN
                                                         : VALUE_INT);
    /* A bare number is bytes; of a time span only 0 says what it means. */
    bool plain = in.kind == VALUE_INT && (p->type == SCHEMA_SIZE || in.i == 0);
    *ret = in.i;
    return same || plain;
}

static enum err_code parse_number(const struct schema_property *p, struct value in, struct arena *arena,
                                  struct value *ret, struct err *err)
{
    int64_t n = 0;
    bool unlimited = in.kind == VALUE_UNLIMITED || (in.kind == VALUE_STRING && span_ieq(in.s, SPAN("Unlimited")));
    if (unlimited && (p->flags & SCHEMA_UNLIMITED)) {
        *ret = value_unlimited();
        return ERR_NONE;
    }
    if (unlimited || !read_number(p, in, &n))
        return wrong(p, in, arena, err);
    if (n < p->min || (p->max && n > p->max))
        return out_of_range(p, in, arena, err);
    *ret = number(p, n);
    return ERR_NONE;
}

/* ---- text ---- */

static bool canonical_address(struct span s, struct arena *arena, struct span *ret)
{
    struct mail_address a;
    s = span_istarts(s, SPAN("smtp:")) ? span_from(s, 5) : s;
    if (address_parse(s, ADDRESS_ALLOW_UTF8, arena, &a) != ADDRESS_OK)
        return false;
    *ret = a.text;
    return true;
}

static bool canonical_pattern(struct span s, struct arena *arena, struct span *ret)
{
    struct address_pattern p;
    if (!address_pattern_parse(s, arena, &p))
        return false;
    *ret = p.text;
    return true;
}

static bool canonical_host(struct span s, struct arena *arena, struct span *ret)
{
    struct ip_addr a;
    char text[IP_TEXT_MAX];
    bool bracketed = s.len > 2 && s.ptr[0] == '[' && s.ptr[s.len - 1] == ']';
    if (ip_parse(bracketed ? span_make(s.ptr + 1, s.len - 2) : s, &a)) {
        *ret = arena_dup(arena, span_of(ip_print(a, text)));
        return true;
    }
    *ret = s;
    return s.len <= DOMAIN_MAX && domain_valid(s, 0) && !ascii_is_digit(s.ptr[s.len - 1]);
}

/* A domain, *. and a domain, or *; U-labels become A-labels. */
static bool canonical_domain(struct span s, struct arena *arena, struct span *ret)
{
    struct buf b;
    if (!domain_pattern_valid(s, DOMAIN_ALLOW_UTF8))
        return false;
    if (utf8_is_ascii(s)) {
        *ret = s; /* in the letters in which it was given */
        return true;
    }
    buf_init(&b, 2 * DOMAIN_MAX);
    bool ok = domain_ascii(&b, s);
    *ret = b.failed ? (struct span){NULL, 0} : arena_dup(arena, buf_span(&b));
    buf_done(&b);
    return ok;
}

static bool canonical_space(struct span s, struct arena *arena, struct span *ret)
{
    struct span given = s, domain;
    size_t semicolon = span_rfind(s, ';');
    uint32_t cost = 1;
    if (semicolon != SIZE_MAX && (!num_parse_u32(span_from(s, semicolon + 1), 100, &cost) || cost == 0))
        return false;
    s = span_head(s, semicolon);
    s = span_from(s, span_istarts(s, SPAN("SMTP:")) ? 5 : 0);
    if (!canonical_domain(s, arena, &domain))
        return false;
    *ret = given;
    if (!utf8_is_ascii(s))
        *ret = arena_printf(arena, "%.*s%.*s%.*s", SPAN_ARG(span_head(given, (size_t)(s.ptr - given.ptr))),
                            SPAN_ARG(domain), SPAN_ARG(span_from(given, semicolon)));
    return true;
}

/* Brings s into the form of the property's type; false when it is none. ret->ptr is NULL when memory is out. */
static bool canonical(const struct schema_property *p, struct span s, struct arena *arena, struct span *ret)
{
    struct ip_endpoint e;
    struct ip_range r;
    char text[IP_RANGE_TEXT_MAX];
    *ret = s;
    if (p->type == SCHEMA_FQDN)
        return domain_valid(s, 0);
    if (p->type == SCHEMA_DOMAIN)
        return canonical_domain(s, arena, ret);
    if (p->type == SCHEMA_ADDRESS)
        return canonical_address(s, arena, ret);
    if (p->type == SCHEMA_PATTERN)
        return canonical_pattern(s, arena, ret);
    if (p->type == SCHEMA_HOST)
        return canonical_host(s, arena, ret);
    if (p->type == SCHEMA_ADDRESS_SPACE)
        return canonical_space(s, arena, ret);
    if (p->type == SCHEMA_BINDING) {
        if (!ip_parse_endpoint(s, &e))
            return false;
        *ret = arena_dup(arena, span_of(ip_print_endpoint(e, text)));
    } else if (p->type == SCHEMA_RANGE) {
        if (!ip_parse_range(s, &r))
            return false;
        *ret = arena_dup(arena, span_of(ip_print_range(r, text)));
    }
    return true;
}

/* Text that can be stored, shown and sent anywhere: UTF-8 without control characters. */
static bool clean(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
            return false;
    return utf8_valid(s);
}

static enum err_code check_text(const struct schema_property *p, struct span s, struct err *err)
{
    if (p->type != SCHEMA_SECRET && !clean(s))
        return err_set(err, ERR_INVALID, "%s: control characters and broken UTF-8 are not allowed", p->name);
    if (p->type == SCHEMA_SECRET && s.len && span_find(s, '\0') != SIZE_MAX)
        return err_set(err, ERR_INVALID, "%s: a NUL is not allowed", p->name);
    if (p->max && ((int64_t)s.len > p->max || (int64_t)s.len < p->min))
        return err_set(err, ERR_INVALID, "%s: it has %zu characters; %" PRId64 " to %" PRId64 " are allowed",
                       p->name, s.len, p->min, p->max);
    return ERR_NONE;
}

static enum err_code parse_text(const struct schema_property *p, struct value in, struct arena *arena,
                                struct value *ret, struct err *err)
{
    bool secret = p->type == SCHEMA_SECRET;
    struct span given, s;
    if (in.kind == VALUE_INT) /* a text of digits, as the shell reads it */
        given = arena_printf(arena, "%" PRId64, in.i);
    else if (in.kind == VALUE_STRING || (in.kind == VALUE_SECRET && secret))
        given = in.s;
    else
        return wrong(p, in, arena, err);
    if (in.kind == VALUE_INT && !given.ptr)
        return no_memory(err);
    enum err_code code = check_text(p, given, err);
    if (code)
        return code;
    if (!canonical(p, given, arena, &s))
        return wrong(p, in, arena, err);
    if (given.len && !s.ptr)
        return no_memory(err);
    *ret = secret ? (struct value){.kind = VALUE_SECRET, .s = s} : value_string(s);
    return ERR_NONE;
}

/* ---- one value ---- */

static enum err_code parse_bool(const struct schema_property *p, struct value in, struct arena *arena,
                                struct value *ret, struct err *err)
{
    bool text = in.kind == VALUE_STRING;
    bool yes = (text && span_ieq(in.s, SPAN("true"))) || (in.kind == VALUE_INT && in.i == 1);
    bool no = (text && span_ieq(in.s, SPAN("false"))) || (in.kind == VALUE_INT && in.i == 0);
    if (in.kind != VALUE_BOOL && !yes && !no)
        return wrong(p, in, arena, err);
    *ret = in.kind == VALUE_BOOL ? in : value_bool(yes);
    return ERR_NONE;
}

static enum err_code parse_word(const struct schema_property *p, struct value in, struct arena *arena,
                                struct value *ret, struct err *err)
{
    for (const char *const *w = p->words; in.kind == VALUE_STRING && *w; w++)
        if (span_ieq(in.s, span_of(*w))) {
            *ret = value_of(*w);
            return ERR_NONE;
        }
    return wrong(p, in, arena, err);
}

static enum err_code parse_time(const struct schema_property *p, struct value in, struct arena *arena,
                                struct value *ret, struct err *err)
{
    int64_t ms = in.i;
    bool text = in.kind == VALUE_STRING;
    if (in.kind != VALUE_TIME &&
        !(text && (num_parse_i64(in.s, 0, INT64_MAX, &ms) || value_parse_time(span_trim(in.s), &ms))))
        return wrong(p, in, arena, err);
    *ret = value_time(ms);
    return ERR_NONE;
}

enum err_code schema_parse_one(const struct schema_property *p, struct value in, struct arena *arena,
                               struct value *ret, struct err *err)
{
    static enum err_code (*const parsers[SCHEMA_TYPES])(const struct schema_property *, struct value,
                                                        struct arena *, struct value *, struct err *) = {
        [SCHEMA_STRING] = parse_text,  [SCHEMA_BOOL] = parse_bool,          [SCHEMA_INT] = parse_number,
        [SCHEMA_SIZE] = parse_number,  [SCHEMA_TIMESPAN] = parse_number,    [SCHEMA_TIME] = parse_time,
        [SCHEMA_ENUM] = parse_word,    [SCHEMA_FLAGS] = parse_word,         [SCHEMA_FQDN] = parse_text,
        [SCHEMA_DOMAIN] = parse_text,  [SCHEMA_ADDRESS] = parse_text,       [SCHEMA_BINDING] = parse_text,
        [SCHEMA_RANGE] = parse_text,   [SCHEMA_ADDRESS_SPACE] = parse_text, [SCHEMA_HOST] = parse_text,
        [SCHEMA_PATTERN] = parse_text, [SCHEMA_SECRET] = parse_text,
    };
    return parsers[p->type](p, in, arena, ret, err);
}

enum err_code schema_parse_property(const struct schema_property *p, struct value in, const struct value *current,
                                    struct arena *arena, struct value *ret, struct err *err)
{
    if (schema_is_list(p))
        return schema_parse_list(p, in, current, arena, ret, err);
    if (in.kind == VALUE_NULL && (p->flags & SCHEMA_NULLABLE)) {
        *ret = value_null();
        return ERR_NONE;
    }
    if (in.kind == VALUE_LIST && in.list.count == 1)
        in = in.list.items[0];
    if (in.kind == VALUE_LIST || in.kind == VALUE_RECORD || in.kind == VALUE_NULL)
        return err_set(err, ERR_INVALID, "%s: it takes one value, %s", p->name,
                       p->words ? "a word" : forms[p->type]);
    return schema_parse_one(p, in, arena, ret, err);
}

void schema_print_text(struct buf *out, struct value v)
{
    if (v.kind == VALUE_TIME)
        buf_addf(out, "%" PRId64, v.i);
    else if (v.kind == VALUE_SECRET)
        buf_add(out, v.s);
    else
        value_print(out, v);
}

enum err_code schema_parse_text(const struct schema_property *p, struct span text, struct arena *arena,
                                struct value *ret, struct err *err)
{
    return schema_parse_one(p, value_string(text), arena, ret, err);
}
