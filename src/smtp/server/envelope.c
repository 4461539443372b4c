/*
 * envelope.c: paths and options of MAIL and RCPT.
 *
 * Invariants: what a command says lies in the scratch arena until it is accepted, so that a client that is refused
 * for ever takes no memory; only the accepted part of the envelope grows, up to its arena's ceiling.
 */
#include "smtp/server/internal.h"

bool envelope_keyword(struct span *argument, struct span keyword)
{
    if (!span_istarts(*argument, keyword))
        return false;
    *argument = span_from(*argument, keyword.len);
    if (argument->len && argument->ptr[0] == ' ')
        *argument = span_from(*argument, 1);
    return true;
}

enum address_defect envelope_path(struct smtp_server *s, struct span argument, unsigned flags,
                                  struct mail_address *ret, struct span *ret_options)
{
    struct span domain = s->profile->default_domain, rest;
    struct mail_address a;
    flags |= s->profile->long_addresses ? ADDRESS_ALLOW_XLONG : ADDRESS_ALLOW_LONG;
    const unsigned full_flags = flags & (ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_LONG | ADDRESS_ALLOW_XLONG);
    if (domain.len)
        flags |= ADDRESS_ALLOW_NO_DOMAIN;
    enum address_defect d = address_parse_path(argument, flags, &s->scratch, &a, &rest);
    if (d)
        return d;
    if (rest.len && rest.ptr[0] != ' ')
        return ADDRESS_SYNTAX;
    if (a.text.len && a.domain.len == 0 && domain.len) {
        struct span full = arena_printf(&s->scratch, "%.*s@%.*s", SPAN_ARG(a.text), SPAN_ARG(domain));
        if (!full.ptr)
            return ADDRESS_MEMORY;
        d = address_parse(full, full_flags, &s->scratch, &a);
        if (d)
            return d;
    }
    *ret = a;
    *ret_options = rest;
    return ADDRESS_OK;
}

void envelope_refuse_path(struct smtp_server *s, enum address_defect d, struct span enhanced)
{
    bool too_long = d == ADDRESS_LOCAL_LONG || d == ADDRESS_PATH_LONG;
    if (d == ADDRESS_MEMORY) {
        respond_no_memory(s, SPAN("address"));
        return;
    }
    struct smtp_reply r =
        too_long ? limit_exceeded(s, LIMIT_LONG_ADDRESS, &s->scratch) : SMTP_REPLY(501, "", "Invalid address");
    r.enhanced = enhanced;
    respond_error(s, r);
}

bool envelope_options(struct smtp_server *s, struct span text, const struct option *options, size_t count)
{
    struct smtp_param p;
    enum smtp_param_status st;
    unsigned seen = 0;
    while ((st = smtp_param_next(&text, &p)) == SMTP_PARAM_OK) {
        enum option_result r = OPTION_UNSUPPORTED;
        for (size_t i = 0; i < count; i++) {
            if (!span_ieq(p.name, options[i].name))
                continue;
            r = seen & 1u << i || p.has_value != options[i].has_value ? OPTION_INVALID
                                                                      : options[i].take(s, p.value);
            seen |= 1u << i;
        }
        if (r == OPTION_OK)
            continue;
        if (r == OPTION_NO_MEMORY) {
            respond_no_memory(s, SPAN("option"));
            return false;
        }
        bool known = r == OPTION_INVALID;
        respond_error_about(s, known ? 501 : 555, "5.5.4", known ? "Invalid option" : "Unsupported option", p.name);
        return false;
    }
    if (st == SMTP_PARAM_MALFORMED)
        respond_error_about(s, 501, "5.5.4", "Invalid option", p.name);
    return st == SMTP_PARAM_END;
}

enum option_result envelope_say(struct smtp_server *s, struct span value, struct span *ret)
{
    struct span copy = arena_dup(&s->scratch, value);
    if (!copy.ptr)
        return OPTION_NO_MEMORY;
    *ret = copy;
    return OPTION_OK;
}

bool envelope_keep(struct smtp_server *s, struct span *text)
{
    if (text->len == 0)
        return true;
    *text = arena_dup(&s->envelope, *text);
    return text->ptr != NULL;
}

/* Where a part of one text lies in its copy. */
static struct span moved(struct span part, struct span from, struct span to)
{
    return part.len ? span_make(to.ptr + (part.ptr - from.ptr), part.len) : SPAN("");
}

bool envelope_keep_address(struct smtp_server *s, struct mail_address *a)
{
    struct span from = a->text;
    if (!envelope_keep(s, &a->text))
        return false;
    a->local = moved(a->local, from, a->text);
    a->domain = moved(a->domain, from, a->text);
    return true;
}
