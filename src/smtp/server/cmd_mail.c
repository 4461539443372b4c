/*
 * cmd_mail.c: MAIL (RFC 5321 4.1.1.2) with the options of SIZE, 8BITMIME, BINARYMIME, SMTPUTF8, DSN, AUTH and
 * REQUIRETLS.
 *
 * An option counts as offered when its extension is. The size limit is checked after the answer, for who the client
 * is may lift it.
 */
#include "smtp/server/internal.h"

#include "base/num.h"

static enum option_result take_size(struct smtp_server *s, struct span value)
{
    enum { DIGITS_MAX = 20 }; /* RFC 1870 3: a larger number than ours is still a number, and too large */
    uint64_t n = 0;
    if (s->profile->size_mode == SMTP_SIZE_OFF)
        return OPTION_UNSUPPORTED;
    for (size_t i = 0; i < value.len; i++)
        if (!ascii_is_digit(value.ptr[i]))
            return OPTION_INVALID;
    if (value.len > DIGITS_MAX)
        return OPTION_INVALID;
    s->said.mail.size = num_parse_u64(value, UINT64_MAX, &n) ? n : UINT64_MAX;
    return OPTION_OK;
}

static enum option_result take_body(struct smtp_server *s, struct span value)
{
    const struct smtp_server_profile *p = s->profile;
    bool binary = p->binary_mime && p->chunking;
    if (span_ieq(value, SPAN("7BIT")))
        s->said.mail.body = SMTP_BODY_7BIT;
    else if (span_ieq(value, SPAN("8BITMIME")))
        s->said.mail.body = SMTP_BODY_8BIT;
    else if (span_ieq(value, SPAN("BINARYMIME")))
        s->said.mail.body = SMTP_BODY_BINARY;
    else
        return p->eight_bit_mime || binary ? OPTION_INVALID : OPTION_UNSUPPORTED;
    return (s->said.mail.body == SMTP_BODY_BINARY ? binary : p->eight_bit_mime) ? OPTION_OK : OPTION_UNSUPPORTED;
}

static enum option_result take_utf8(struct smtp_server *s, struct span value UNUSED)
{
    s->said.mail.smtp_utf8 = true;
    return s->profile->smtp_utf8 ? OPTION_OK : OPTION_UNSUPPORTED;
}

static enum option_result take_require_tls(struct smtp_server *s, struct span value UNUSED)
{
    s->said.mail.require_tls = true;
    return s->profile->offers_require_tls && s->tls ? OPTION_OK : OPTION_UNSUPPORTED;
}

static enum option_result take_ret(struct smtp_server *s, struct span value)
{
    if (!s->profile->dsn)
        return OPTION_UNSUPPORTED;
    s->said.mail.ret = span_ieq(value, SPAN("FULL"))   ? SMTP_RET_FULL
                       : span_ieq(value, SPAN("HDRS")) ? SMTP_RET_HDRS
                                                       : SMTP_RET_NONE;
    return s->said.mail.ret == SMTP_RET_NONE ? OPTION_INVALID : OPTION_OK;
}

static enum option_result take_envid(struct smtp_server *s, struct span value)
{
    if (!s->profile->dsn)
        return OPTION_UNSUPPORTED;
    return smtp_envid_valid(value) ? envelope_say(s, value, &s->said.mail.envid) : OPTION_INVALID;
}

static enum option_result parse_auth(struct smtp_server *s, struct span text)
{
    struct mail_address a;
    if (span_eq(text, SPAN("<>")))
        return envelope_say(s, text, &s->said.mail.auth);
    enum address_defect d = address_parse(text, s->profile->smtp_utf8 ? ADDRESS_ALLOW_UTF8 : 0, &s->scratch, &a);
    if (d)
        return d == ADDRESS_MEMORY ? OPTION_NO_MEMORY : OPTION_INVALID;
    s->said.mail.auth = a.text;
    return OPTION_OK;
}

static enum option_result take_auth(struct smtp_server *s, struct span value)
{
    const struct smtp_server_profile *p = s->profile;
    if (p->auth_before_tls_count == 0 && p->auth_after_tls_count == 0)
        return OPTION_UNSUPPORTED;
    struct buf decoded;
    buf_init(&decoded, value.len);
    enum option_result r = OPTION_INVALID;
    if (smtp_xtext_decode(&decoded, value))
        r = parse_auth(s, buf_span(&decoded));
    else if (decoded.failed)
        r = OPTION_NO_MEMORY;
    buf_done(&decoded);
    return r;
}

static const struct option options[] = {
    {SPAN_INIT("SIZE"), true, take_size},
    {SPAN_INIT("BODY"), true, take_body},
    {SPAN_INIT("SMTPUTF8"), false, take_utf8},
    {SPAN_INIT("RET"), true, take_ret},
    {SPAN_INIT("ENVID"), true, take_envid},
    {SPAN_INIT("AUTH"), true, take_auth},
    {SPAN_INIT("REQUIRETLS"), false, take_require_tls},
};

/* Replies unless the line is a good one. */
static bool parse_mail(struct smtp_server *s, struct span argument)
{
    struct smtp_mail *m = &s->said.mail;
    struct span rest;
    *m = (struct smtp_mail){0};
    if (!envelope_keyword(&argument, SPAN("FROM:"))) {
        respond_error(s, SMTP_REPLY(501, "5.5.4", "Syntax: MAIL FROM:<address>"));
        return false;
    }
    unsigned flags = ADDRESS_ALLOW_NULL | (s->profile->smtp_utf8 ? ADDRESS_ALLOW_UTF8 : 0);
    enum address_defect d = envelope_path(s, argument, flags, &m->address, &rest);
    if (d) {
        envelope_refuse_path(s, d, SPAN("5.1.7"));
        return false;
    }
    if (!envelope_options(s, rest, options, ARRAY_LEN(options)))
        return false;
    if (m->address.utf8 && !m->smtp_utf8) {
        respond_error(s, SMTP_REPLY(553, "5.6.7", "The address needs the option SMTPUTF8"));
        return false;
    }
    return true;
}

void cmd_mail(struct smtp_server *s, struct span argument)
{
    if (parse_mail(s, argument))
        session_ask(s, &(struct smtp_ask){.kind = SMTP_ASK_MAIL, .mail = &s->said.mail});
    else
        s->tx.excused = true;
}

static bool keep_mail(struct smtp_server *s)
{
    struct smtp_mail *m = &s->said.mail;
    if (!envelope_keep_address(s, &m->address) || !envelope_keep(s, &m->envid) || !envelope_keep(s, &m->auth)) {
        arena_reset(&s->envelope);
        return false;
    }
    s->tx = (struct transaction){.mail = true, .envelope.mail = *m};
    s->tx.tail = &s->tx.envelope.recipients;
    return true;
}

/* The limits on the size of a message by this sender; kept only if it may send. */
static void take_size_limits(struct smtp_server *s, const struct smtp_answer *a)
{
    s->tx.no_size_limit = a->no_size_limit;
    s->tx.max_receive_size = a->max_receive_size;
}

void mail_answer(struct smtp_server *s, const struct smtp_answer *a)
{
    session_enter(s, PHASE_COMMAND);
    s->tx.excused = true;
    take_size_limits(s, a);
    if (a->verdict != SMTP_ANSWER_OK) {
        respond_answer(s, a);
    } else if (s->said.mail.size > limit_message_size(s)) {
        respond_refusal(s, limit_exceeded(s, LIMIT_MESSAGE_SIZE, &s->scratch), s->profile->tarpit_ms);
    } else if (!keep_mail(s)) {
        respond_no_memory(s, SPAN("envelope"));
    } else {
        take_size_limits(s, a);
        respond(s, SMTP_REPLY(250, "2.1.0", "Sender OK"));
    }
}
