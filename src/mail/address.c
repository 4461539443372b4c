/*
 * address.c: one parser for all addresses, without backtracking: each octet is looked at once or twice.
 *
 * Invariants: an accepted address has no control character and no blank outside quotes, and its canonical form
 * parses back to itself with the same flags; the only "@" outside quotes separates the parts. "%" and "!" are
 * ordinary characters of a local part: what other servers once routed by them is not ours to interpret.
 */
#include "mail/address.h"

#include "base/utf8.h"
#include "mail/domain.h"

#include <string.h>

struct scanner {
    struct span rest;
    unsigned flags;
};

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool is_8bit(char c)
{
    return (unsigned char)c >= 0x80;
}

static bool is_atext(char c)
{
    return ascii_is_alnum(c) || is_8bit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Octets beyond ASCII must be allowed, and UTF-8; C1 controls (U+0080..U+009F) are controls like any other. */
static enum address_defect check_encoding(struct span s, unsigned flags)
{
    if (utf8_is_ascii(s))
        return ADDRESS_OK;
    if (!(flags & ADDRESS_ALLOW_UTF8))
        return ADDRESS_UTF8;
    uint32_t cp;
    for (size_t n; s.len; s = span_from(s, n)) {
        n = utf8_decode(s, &cp);
        if (n == 0)
            return ADDRESS_UTF8;
        if (cp >= 0x80 && cp < 0xa0)
            return ADDRESS_CONTROL;
    }
    return ADDRESS_OK;
}

/* Dot-string: atoms joined by single dots. */
static bool is_dot_string(struct span s)
{
    char before = '.';
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '.' ? before == '.' : !is_atext(c))
            return false;
        before = c;
    }
    return before != '.';
}

/* Quoted-string at the start of rest: its length with the quotes; its content without escapes goes to out. */
static enum address_defect scan_quoted(struct span s, struct buf *out, size_t *ret_len)
{
    for (size_t i = 1; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '"') {
            *ret_len = i + 1;
            return ADDRESS_OK;
        }
        if (c == '\\' && ++i < s.len)
            c = s.ptr[i];
        if (is_control(c))
            return ADDRESS_CONTROL;
        buf_add_char(out, c);
    }
    return ADDRESS_QUOTE;
}

static size_t local_max(unsigned flags)
{
    return flags & ADDRESS_ALLOW_XLONG  ? ADDRESS_XLONG_MAX
           : flags & ADDRESS_ALLOW_LONG ? ADDRESS_LONG_LOCAL_MAX
                                        : ADDRESS_LOCAL_MAX;
}

static size_t mailbox_max(unsigned flags)
{
    return flags & ADDRESS_ALLOW_XLONG  ? ADDRESS_XLONG_MAX
           : flags & ADDRESS_ALLOW_LONG ? ADDRESS_LONG_MAX
                                        : ADDRESS_MAX;
}

/* Takes the local part; content is what it says, unquoted into scratch where it was quoted. */
static enum address_defect take_local(struct scanner *s, struct buf *scratch, struct span *ret_content)
{
    const size_t max = local_max(s->flags);
    size_t len = 0;
    if (s->rest.len && s->rest.ptr[0] == '"') {
        enum address_defect d = scan_quoted(s->rest, scratch, &len);
        if (d)
            return scratch->failed ? ADDRESS_LOCAL_LONG : d;
        if (scratch->failed || len > max)
            return ADDRESS_LOCAL_LONG;
        *ret_content = buf_span(scratch);
    } else {
        while (len < s->rest.len && (s->rest.ptr[len] == '.' || is_atext(s->rest.ptr[len])))
            len++;
        *ret_content = span_head(s->rest, len);
        if (len > max)
            return ADDRESS_LOCAL_LONG;
        if (!is_dot_string(*ret_content))
            return len < s->rest.len && is_control(s->rest.ptr[len]) ? ADDRESS_CONTROL : ADDRESS_LOCAL;
    }
    s->rest = span_from(s->rest, len);
    return check_encoding(*ret_content, s->flags);
}

static enum address_defect take_literal(struct scanner *s, struct span *ret, struct ip_addr *ret_ip)
{
    size_t close = span_find(span_head(s->rest, ADDRESS_DOMAIN_MAX), ']');
    if (close == SIZE_MAX || !domain_literal(span_head(s->rest, close + 1), ret_ip))
        return ADDRESS_LITERAL;
    *ret = span_head(s->rest, close + 1);
    s->rest = span_from(s->rest, close + 1);
    return ADDRESS_OK;
}

/* What is wrong with what stands behind a mailbox, which in a path must be ">" and elsewhere nothing. */
static enum address_defect check_end(struct span rest, bool in_path, bool literal)
{
    if (rest.len == 0)
        return in_path ? ADDRESS_BRACKETS : ADDRESS_OK;
    if (rest.ptr[0] == '>')
        return in_path ? ADDRESS_OK : ADDRESS_SYNTAX;
    return is_control(rest.ptr[0]) ? ADDRESS_CONTROL : literal ? ADDRESS_SYNTAX : ADDRESS_DOMAIN;
}

static bool is_domain_char(char c)
{
    return ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || is_8bit(c);
}

static enum address_defect take_domain(struct scanner *s, struct span *ret)
{
    size_t len = 0;
    while (len < s->rest.len && is_domain_char(s->rest.ptr[len]))
        len++;
    struct span d = span_head(s->rest, len);
    if (len == 0)
        return s->rest.len == 0 || s->rest.ptr[0] == '>' ? ADDRESS_EMPTY_DOMAIN : check_end(s->rest, true, false);
    if (len > ADDRESS_DOMAIN_MAX)
        return ADDRESS_DOMAIN_LONG;
    enum address_defect defect = check_encoding(d, s->flags);
    if (defect)
        return defect;
    if (!domain_valid(d, s->flags & ADDRESS_ALLOW_UTF8 ? DOMAIN_ALLOW_UTF8 : 0))
        return ADDRESS_DOMAIN;
    *ret = d;
    s->rest = span_from(s->rest, len);
    return ADDRESS_OK;
}

static void print_local(struct buf *out, struct span content)
{
    if (is_dot_string(content)) {
        buf_add(out, content);
        return;
    }
    buf_add_char(out, '"');
    for (size_t i = 0; i < content.len; i++) {
        if (content.ptr[i] == '"' || content.ptr[i] == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, content.ptr[i]);
    }
    buf_add_char(out, '"');
}

struct parts {
    struct span local; /* content, without quotes */
    struct span domain;
    bool literal;
    struct ip_addr ip;
};

/* "@" and the domain. */
static enum address_defect print_domain(struct buf *out, const struct parts *p)
{
    buf_add_char(out, '@');
    if (!p->literal)
        return domain_ascii(out, p->domain) ? ADDRESS_OK : ADDRESS_DOMAIN;
    domain_literal_print(out, p->ip);
    return ADDRESS_OK;
}

/* Makes the canonical form in the arena and points into it. */
static enum address_defect build(const struct parts *p, size_t max, struct arena *arena, struct mail_address *ret)
{
    enum address_defect d = ADDRESS_OK;
    struct span text = {NULL, 0};
    struct buf b;
    buf_init(&b, ADDRESS_XLONG_MAX + DOMAIN_MAX);
    print_local(&b, p->local);
    size_t local_len = b.len, domain_at = b.len + (p->domain.len > 0);
    if (p->domain.len)
        d = print_domain(&b, p);
    if (!d && b.len > max) /* A-labels may be longer than what they stand for */
        d = ADDRESS_PATH_LONG;
    if (b.failed || (!d && !(text = arena_dup(arena, buf_span(&b))).ptr))
        d = ADDRESS_MEMORY;
    buf_done(&b);
    if (d)
        return d;
    *ret = (struct mail_address){
        .text = text,
        .local = span_head(text, local_len),
        .domain = span_from(text, domain_at),
        .quoted = text.ptr[0] == '"',
        .literal = p->literal,
        .utf8 = !utf8_is_ascii(p->local) || !utf8_is_ascii(p->domain),
    };
    return ADDRESS_OK;
}

static bool may_lack_domain(struct span local, unsigned flags)
{
    return (flags & ADDRESS_ALLOW_NO_DOMAIN) ||
           ((flags & ADDRESS_ALLOW_POSTMASTER) && span_ieq(local, SPAN("postmaster")));
}

static enum address_defect take_parts(struct scanner *s, struct buf *scratch, struct parts *p)
{
    enum address_defect d = take_local(s, scratch, &p->local);
    if (d)
        return d;
    if (s->rest.len && s->rest.ptr[0] == '@') {
        s->rest = span_from(s->rest, 1);
        p->literal = s->rest.len && s->rest.ptr[0] == '[';
        return p->literal ? take_literal(s, &p->domain, &p->ip) : take_domain(s, &p->domain);
    }
    if (s->rest.len && s->rest.ptr[0] != '>')
        return is_control(s->rest.ptr[0]) ? ADDRESS_CONTROL : ADDRESS_LOCAL;
    return may_lack_domain(p->local, s->flags) ? ADDRESS_OK : ADDRESS_NO_DOMAIN;
}

static enum address_defect take_mailbox(struct scanner *s, bool in_path, struct arena *arena,
                                        struct mail_address *ret)
{
    const size_t max = mailbox_max(s->flags);
    const size_t before = s->rest.len;
    struct parts p = {.literal = false};
    struct buf scratch;
    buf_init(&scratch, ADDRESS_XLONG_MAX);
    enum address_defect d = take_parts(s, &scratch, &p);
    if (!d)
        d = check_end(s->rest, in_path, p.literal);
    if (!d && before - s->rest.len > max)
        d = ADDRESS_PATH_LONG;
    if (!d)
        d = build(&p, max, arena, ret);
    buf_done(&scratch);
    return d;
}

enum address_defect address_parse(struct span s, unsigned flags, struct arena *arena, struct mail_address *ret)
{
    struct scanner scanner = {s, flags};
    return take_mailbox(&scanner, false, arena, ret);
}

/* "@a,@b:" in front of the mailbox: each must be a domain; all is ignored. */
static enum address_defect skip_route(struct scanner *s)
{
    if (s->rest.len == 0 || s->rest.ptr[0] != '@')
        return ADDRESS_OK;
    size_t colon = span_find(span_head(s->rest, ADDRESS_ROUTE_MAX), ':');
    if (colon == SIZE_MAX)
        return ADDRESS_ROUTE;
    struct span route = span_head(s->rest, colon), hop;
    while (span_split(&route, ',', &hop))
        if (hop.len < 2 || hop.ptr[0] != '@' ||
            !domain_valid(span_from(hop, 1), s->flags & ADDRESS_ALLOW_UTF8 ? DOMAIN_ALLOW_UTF8 : 0))
            return ADDRESS_ROUTE;
    s->rest = span_from(s->rest, colon + 1);
    return ADDRESS_OK;
}

enum address_defect address_parse_path(struct span s, unsigned flags, struct arena *arena, struct mail_address *ret,
                                       struct span *ret_rest)
{
    if (s.len < 2 || s.ptr[0] != '<')
        return ADDRESS_BRACKETS;
    if (s.ptr[1] == '>') {
        if (!(flags & ADDRESS_ALLOW_NULL))
            return ADDRESS_NULL;
        *ret = (struct mail_address){.text = SPAN("")};
        *ret_rest = span_from(s, 2);
        return ADDRESS_OK;
    }
    struct scanner scanner = {span_from(s, 1), flags};
    struct mail_address address;
    enum address_defect d = skip_route(&scanner);
    if (!d)
        d = take_mailbox(&scanner, true, arena, &address);
    if (d)
        return d;
    struct span rest = span_from(scanner.rest, 1);
    if (!(flags & (ADDRESS_ALLOW_LONG | ADDRESS_ALLOW_XLONG)) && s.len - rest.len > ADDRESS_PATH_MAX)
        return ADDRESS_PATH_LONG;
    *ret = address;
    *ret_rest = rest;
    return ADDRESS_OK;
}

const char *address_defect_text(enum address_defect d)
{
    static const char *const texts[ADDRESS_DEFECT_MAX] = {
        [ADDRESS_OK] = "fine",
        [ADDRESS_SYNTAX] = "something stands behind the address",
        [ADDRESS_BRACKETS] = "the address must stand in angle brackets",
        [ADDRESS_ROUTE] = "the source route is not a list of domains",
        [ADDRESS_LOCAL] = "the part before the @ is missing or has a character that needs quotes",
        [ADDRESS_QUOTE] = "the quoted part before the @ does not end",
        [ADDRESS_CONTROL] = "control characters are not allowed in an address",
        [ADDRESS_NO_DOMAIN] = "the domain is missing",
        [ADDRESS_EMPTY_DOMAIN] = "nothing stands behind the @",
        [ADDRESS_DOMAIN] = "what stands behind the @ is not a domain name",
        [ADDRESS_LITERAL] = "what stands in square brackets is not an IP address",
        [ADDRESS_LOCAL_LONG] = "the part before the @ is too long",
        [ADDRESS_DOMAIN_LONG] = "the domain is longer than 255 octets",
        [ADDRESS_PATH_LONG] = "the address is too long",
        [ADDRESS_NULL] = "the null address is not allowed here",
        [ADDRESS_UTF8] = "characters beyond ASCII need SMTPUTF8, and must be UTF-8",
        [ADDRESS_MEMORY] = "out of memory",
    };
    ASSERT((unsigned)d < ADDRESS_DEFECT_MAX);
    return texts[d];
}

bool address_eq(struct span a, struct span b)
{
    return span_ieq(a, b);
}
