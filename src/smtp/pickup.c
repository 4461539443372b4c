/*
 * pickup.c: the envelope of a file, from its header. What is not understood is an error and never left out: a
 * recipient that is passed over would be one who silently gets nothing.
 */
#include "smtp/pickup.h"

#include "base/utf8.h"
#include "mail/header.h"

enum { FIELD_SHOWN_MAX = 200, SENDERS_MAX = 16, WORD_MAX = 4096 };

static enum err_code no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "out of memory");
}

/* With its domain, and in canonical form. */
static enum err_code complete(struct span address, struct span default_domain, struct arena *arena,
                              struct span *ret, struct err *err)
{
    struct mail_address a;
    bool bare = span_rfind(address, '@') == SIZE_MAX;
    if (bare && default_domain.len)
        address = arena_printf(arena, "%.*s@%.*s", SPAN_ARG(address), SPAN_ARG(default_domain));
    if (!address.ptr)
        return no_memory(err);
    enum address_defect d = address_parse(address, ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_LONG, arena, &a);
    if (d == ADDRESS_MEMORY)
        return no_memory(err);
    if (d)
        return err_set(err, ERR_INVALID, "the address `%.*s` is none: %s",
                       SPAN_ARG(span_head(address, FIELD_SHOWN_MAX)), address_defect_text(d));
    *ret = a.text;
    return ERR_NONE;
}

static bool needs_utf8(const struct pickup_envelope *e)
{
    bool ascii = utf8_is_ascii(e->sender);
    for (size_t i = 0; ascii && i < e->recipient_count; i++)
        ascii = utf8_is_ascii(e->recipients[i].address);
    return !ascii;
}

/* ---- pickup ---- */

struct names {
    struct span from[SENDERS_MAX], sender;
    size_t from_count, sender_fields;
    struct span *recipients; /* max + 1 of them */
    size_t recipient_count, max;
    bool to_or_cc;
};

static enum err_code not_understood(struct span name, struct err *err)
{
    return err_set(err, ERR_INVALID, "its field %.*s is no list of addresses", SPAN_ARG(span_head(name, 40)));
}

static enum err_code take_recipients(struct names *n, const struct header_field *f, struct arena *arena,
                                     struct err *err)
{
    size_t count;
    bool whole = header_addresses(arena, f->value, n->recipients + n->recipient_count, NULL,
                                  n->max + 1 - n->recipient_count, &count);
    n->recipient_count += count;
    if (n->recipient_count > n->max)
        return err_set(err, ERR_LIMIT, "it names more than %zu recipients", n->max);
    return whole ? ERR_NONE : not_understood(f->name, err);
}

static enum err_code take_field(struct names *n, const struct header_field *f, struct arena *arena, struct err *err)
{
    size_t count;
    if (span_ieq(f->name, SPAN("To")) || span_ieq(f->name, SPAN("Cc"))) {
        n->to_or_cc = true;
        return take_recipients(n, f, arena, err);
    }
    if (span_ieq(f->name, SPAN("Bcc")))
        return span_trim(f->value).len ? take_recipients(n, f, arena, err) : ERR_NONE;
    if (span_ieq(f->name, SPAN("From"))) {
        bool whole =
            header_addresses(arena, f->value, n->from + n->from_count, NULL, SENDERS_MAX - n->from_count, &count);
        n->from_count += count;
        return whole ? ERR_NONE : not_understood(f->name, err);
    }
    if (span_ieq(f->name, SPAN("Sender"))) {
        bool whole = header_addresses(arena, f->value, &n->sender, NULL, 1, &count);
        n->sender_fields++;
        return whole && count == 1 ? ERR_NONE : err_set(err, ERR_INVALID, "its field Sender is not one address");
    }
    return ERR_NONE;
}

static enum err_code choose_sender(const struct names *n, struct span *ret, struct err *err)
{
    if (n->sender_fields > 1)
        return err_set(err, ERR_INVALID, "it has more than one Sender");
    if (n->from_count > 1 && !n->sender_fields)
        return err_set(err, ERR_INVALID, "its From names several, so that a Sender is needed, and there is none");
    if (!n->from_count && !n->sender_fields)
        return err_set(err, ERR_INVALID, "it has neither From nor Sender");
    *ret = n->sender_fields ? n->sender : n->from[0];
    return ERR_NONE;
}

static enum err_code fill(const struct names *n, struct span default_domain, struct arena *arena,
                          struct pickup_envelope *ret, struct err *err)
{
    struct span sender = {0};
    enum err_code code = choose_sender(n, &sender, err);
    if (!code)
        code = complete(sender, default_domain, arena, &ret->sender, err);
    if (!code && !n->recipient_count)
        code = err_set(err, ERR_INVALID, "neither To nor Cc nor Bcc names a recipient");
    if (code)
        return code;
    ret->recipients = ARENA_ARRAY(arena, n->recipient_count, struct pickup_recipient);
    if (!ret->recipients)
        return no_memory(err);
    for (; !code && ret->recipient_count < n->recipient_count; ret->recipient_count++) {
        struct pickup_recipient *r = &ret->recipients[ret->recipient_count];
        *r = (struct pickup_recipient){0};
        code = complete(n->recipients[ret->recipient_count], default_domain, arena, &r->address, err);
    }
    return code;
}

enum err_code pickup_parse(struct span section, struct span default_domain, size_t max_recipients,
                           struct arena *arena, struct pickup_envelope *ret, struct err *err)
{
    struct names n = {.max = max_recipients, .recipients = ARENA_ARRAY(arena, max_recipients + 1, struct span)};
    struct header_field f;
    struct pickup_envelope e = {.body = SMTP_BODY_8BIT, .header = section};
    enum err_code code = n.recipients ? ERR_NONE : no_memory(err);
    for (struct span rest = section; !code && header_next(&rest, &f);)
        code = take_field(&n, &f, arena, err);
    if (!code)
        code = fill(&n, default_domain, arena, &e, err);
    if (code)
        return code;
    e.undisclosed = !n.to_or_cc;
    e.smtp_utf8 = needs_utf8(&e);
    *ret = e;
    return ERR_NONE;
}

/* ---- replay ---- */

/* The path at the start of a field's value, completed, and the parameters behind it. */
static enum err_code parse_path(struct span value, unsigned flags, struct span default_domain, struct arena *arena,
                                struct span *ret, struct span *ret_params, struct err *err)
{
    struct mail_address a;
    enum address_defect d = address_parse_path(
        value, flags | ADDRESS_ALLOW_NO_DOMAIN | ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_LONG, arena, &a, ret_params);
    if (d == ADDRESS_MEMORY)
        return no_memory(err);
    if (!d && ret_params->len && ret_params->ptr[0] != ' ')
        d = ADDRESS_SYNTAX;
    if (d)
        return err_set(err, ERR_INVALID, "`%.*s` does not begin with an address in brackets: %s",
                       SPAN_ARG(span_head(value, FIELD_SHOWN_MAX)), address_defect_text(d));
    *ret = a.text;
    return a.text.len ? complete(a.text, default_domain, arena, ret, err) : ERR_NONE;
}

static bool take_body(struct pickup_envelope *e, struct span value)
{
    static const struct {
        struct span name;
        enum smtp_body body;
    } bodies[] = {{SPAN_INIT("7BIT"), SMTP_BODY_7BIT},
                  {SPAN_INIT("8BITMIME"), SMTP_BODY_8BIT},
                  {SPAN_INIT("BINARYMIME"), SMTP_BODY_BINARY}};
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        if (span_ieq(value, bodies[i].name)) {
            e->body = bodies[i].body;
            return true;
        }
    return false;
}

static bool take_ret(struct pickup_envelope *e, struct span value)
{
    e->ret = span_ieq(value, SPAN("FULL"))   ? SMTP_RET_FULL
             : span_ieq(value, SPAN("HDRS")) ? SMTP_RET_HDRS
                                             : SMTP_RET_NONE;
    return e->ret != SMTP_RET_NONE;
}

static bool take_sender_param(struct pickup_envelope *e, const struct smtp_param *p)
{
    if (span_ieq(p->name, SPAN("SMTPUTF8")))
        return !p->has_value && (e->smtp_utf8 = true);
    if (!p->has_value)
        return false;
    if (span_ieq(p->name, SPAN("BODY")))
        return take_body(e, p->value);
    if (span_ieq(p->name, SPAN("RET")))
        return take_ret(e, p->value);
    if (span_ieq(p->name, SPAN("ENVID"))) {
        e->envid = p->value;
        return smtp_envid_valid(p->value);
    }
    return span_ieq(p->name, SPAN("AUTH")); /* who it was for the server before: nothing here depends on it */
}

/* ORcpt: as RFC 3461 has it, or an address alone. */
static bool take_orcpt(struct pickup_recipient *r, struct span value, struct arena *arena)
{
    r->orcpt = span_find(value, ';') == SIZE_MAX ? arena_printf(arena, "rfc822;%.*s", SPAN_ARG(value)) : value;
    return r->orcpt.ptr && smtp_orcpt_valid(r->orcpt, true);
}

static enum err_code bad_param(const struct smtp_param *p, struct span field, struct err *err)
{
    return err_set(err, ERR_INVALID, "`%.*s` of its field %.*s is not understood",
                   SPAN_ARG(span_head(p->name, FIELD_SHOWN_MAX)), SPAN_ARG(field));
}

static enum err_code take_sender(struct pickup_envelope *e, struct span value, struct span default_domain,
                                 struct arena *arena, struct err *err)
{
    struct span params;
    struct smtp_param p;
    enum smtp_param_status st;
    enum err_code code = parse_path(value, ADDRESS_ALLOW_NULL, default_domain, arena, &e->sender, &params, err);
    while (!code && (st = smtp_param_next(&params, &p)) != SMTP_PARAM_END)
        if (st == SMTP_PARAM_MALFORMED || !take_sender_param(e, &p))
            code = bad_param(&p, SPAN("X-Sender"), err);
    return code;
}

static enum err_code take_receiver(struct pickup_envelope *e, struct span value, struct span default_domain,
                                   struct arena *arena, struct err *err)
{
    struct span params;
    struct smtp_param p;
    enum smtp_param_status st;
    struct pickup_recipient *r = &e->recipients[e->recipient_count];
    *r = (struct pickup_recipient){0};
    enum err_code code = parse_path(value, 0, default_domain, arena, &r->address, &params, err);
    while (!code && (st = smtp_param_next(&params, &p)) != SMTP_PARAM_END) {
        bool good = st == SMTP_PARAM_OK && p.has_value &&
                    ((span_ieq(p.name, SPAN("NOTIFY")) && smtp_notify_parse(p.value, &r->notify)) ||
                     (span_ieq(p.name, SPAN("ORCPT")) && take_orcpt(r, p.value, arena)));
        if (!good)
            code = bad_param(&p, SPAN("X-Receiver"), err);
    }
    e->recipient_count++;
    return code;
}

enum injected {
    INJECTED_NONE,
    INJECTED_SENDER,
    INJECTED_RECEIVER,
    INJECTED_CREATED_BY,
    INJECTED_SOURCE_IP,
    INJECTED_OTHER,
    INJECTED_END,
};

static enum injected injected(struct span name)
{
    static const struct {
        struct span name;
        enum injected what;
    } fields[] = {
        {SPAN_INIT("X-Sender"), INJECTED_SENDER},
        {SPAN_INIT("X-Receiver"), INJECTED_RECEIVER},
        {SPAN_INIT("X-CreatedBy"), INJECTED_CREATED_BY},
        {SPAN_INIT("X-SourceIPAddress"), INJECTED_SOURCE_IP},
        {SPAN_INIT("X-ExtendedMessageProps"), INJECTED_OTHER},
        {SPAN_INIT("X-HeloDomain"), INJECTED_OTHER},
        {SPAN_INIT("X-Source"), INJECTED_OTHER},
        {SPAN_INIT("X-EndOfInjectedXHeaders"), INJECTED_END},
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (span_ieq(name, fields[i].name))
            return fields[i].what;
    return INJECTED_NONE;
}

/* MSExchange and its version, or this program's name: whoever may write to the folder says so of himself. */
static bool is_server(struct span value)
{
    return span_istarts(value, SPAN("MSExchange")) || span_ieq(value, SPAN("Mailreeve"));
}

static size_t count_receivers(struct span section)
{
    struct header_field f;
    size_t n = 0;
    enum injected what;
    while (header_next(&section, &f) && (what = injected(f.name)) != INJECTED_NONE && what != INJECTED_END)
        n += what == INJECTED_RECEIVER;
    return n;
}

static enum err_code take_injected(struct pickup_envelope *e, enum injected what, struct span value,
                                   struct span default_domain, struct arena *arena, struct err *err)
{
    if (what == INJECTED_SENDER)
        return take_sender(e, value, default_domain, arena, err);
    if (what == INJECTED_RECEIVER)
        return take_receiver(e, value, default_domain, arena, err);
    if (what == INJECTED_CREATED_BY)
        e->created_by_server = is_server(value);
    else if (what == INJECTED_SOURCE_IP)
        e->source_ip = span_head(value, FIELD_SHOWN_MAX);
    return ERR_NONE;
}

enum err_code pickup_parse_replay(struct span section, struct span default_domain, struct arena *arena,
                                  struct pickup_envelope *ret, struct err *err)
{
    size_t receivers = count_receivers(section), senders = 0;
    struct pickup_envelope e = {.header = section};
    struct header_field f;
    enum injected what = INJECTED_NONE;
    enum err_code code = ERR_NONE;
    if (!receivers)
        return err_set(err, ERR_INVALID, "it does not begin with X-Sender and X-Receiver");
    if (receivers > PICKUP_REPLAY_RECIPIENTS_MAX)
        return err_set(err, ERR_LIMIT, "it names more than %d recipients", PICKUP_REPLAY_RECIPIENTS_MAX);
    e.recipients = ARENA_ARRAY(arena, receivers, struct pickup_recipient);
    if (!e.recipients)
        return no_memory(err);
    for (struct span rest = section; !code && what != INJECTED_END && header_next(&rest, &f);) {
        if ((what = injected(f.name)) == INJECTED_NONE)
            break;
        struct span value = header_unfold(arena, f.value, WORD_MAX);
        code = value.ptr ? take_injected(&e, what, value, default_domain, arena, err) : no_memory(err);
        senders += what == INJECTED_SENDER;
        e.header = rest;
    }
    if (!code && senders != 1)
        code = err_set(err, ERR_INVALID, "it has %zu fields X-Sender; one is needed", senders);
    if (code)
        return code;
    e.smtp_utf8 = e.smtp_utf8 || needs_utf8(&e);
    *ret = e;
    return ERR_NONE;
}
