/*
 * hello.c: from the greeting to a session that is ready: EHLO or HELO or LHLO, what the server offers, STARTTLS.
 *
 * Invariant: what is known about the server comes from its last EHLO, and from none in the clear once TLS is on.
 */
#include "smtp/client/internal.h"

#include "base/num.h"

void smtp_client_refuse(struct smtp_client *c, const struct smtp_client_result *result)
{
    if (result->code != 421) /* who says 421 has closed already */
        buf_add(&c->out, SPAN("QUIT\r\n"));
    smtp_client_break(c, result);
}

static void refuse_reply(struct smtp_client *c, const struct client_reply *r)
{
    struct smtp_client_result result = smtp_client_from_reply(c, r, smtp_client_stage_now(c));
    smtp_client_refuse(c, &result);
}

void smtp_client_say_hello(struct smtp_client *c)
{
    c->helo = c->options.force_helo && !c->options.lmtp;
    buf_addf(&c->out, "%s %.*s\r\n",
             c->options.lmtp ? "LHLO"
             : c->helo       ? "HELO"
                             : "EHLO",
             SPAN_ARG(c->options.helo_name));
    smtp_client_enter(c, PHASE_HELLO);
}

void smtp_client_on_greeting(struct smtp_client *c, const struct client_reply *r)
{
    if (r->code >= 400)
        refuse_reply(c, r);
    else if (r->code >= 300)
        smtp_client_break_protocol(c, "a greeting that is none");
    else
        smtp_client_say_hello(c);
}

/* ---- what EHLO offers ---- */

static void learn_auth(struct smtp_client *c, struct span mechanisms)
{
    struct span name;
    while (span_split(&mechanisms, ' ', &name)) {
        if (span_ieq(name, SPAN("PLAIN")))
            c->capabilities |= CAN_AUTH_PLAIN;
        else if (span_ieq(name, SPAN("LOGIN")))
            c->capabilities |= CAN_AUTH_LOGIN;
    }
}

static void learn_line(struct smtp_client *c, struct span line)
{
    static const struct {
        struct span keyword;
        unsigned capability;
    } keywords[] = {
        {SPAN_INIT("PIPELINING"), CAN_PIPELINING},
        {SPAN_INIT("SIZE"), CAN_SIZE},
        {SPAN_INIT("8BITMIME"), CAN_8BITMIME},
        {SPAN_INIT("BINARYMIME"), CAN_BINARYMIME},
        {SPAN_INIT("CHUNKING"), CAN_CHUNKING},
        {SPAN_INIT("SMTPUTF8"), CAN_SMTPUTF8},
        {SPAN_INIT("DSN"), CAN_DSN},
        {SPAN_INIT("STARTTLS"), CAN_STARTTLS},
        {SPAN_INIT("REQUIRETLS"), CAN_REQUIRETLS},
    };
    struct span rest = span_trim(line), keyword;
    if (span_istarts(rest, SPAN("AUTH="))) { /* the form before RFC 2554 */
        learn_auth(c, span_from(rest, 5));
        return;
    }
    if (!span_split(&rest, ' ', &keyword))
        return;
    if (span_ieq(keyword, SPAN("AUTH")))
        learn_auth(c, rest);
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
        if (span_ieq(keyword, keywords[i].keyword))
            c->capabilities |= keywords[i].capability;
    uint64_t limit;
    if (span_ieq(keyword, SPAN("SIZE")) && num_parse_u64(span_trim(rest), UINT64_MAX, &limit))
        c->size_limit = limit;
}

static void learn(struct smtp_client *c, const struct client_reply *r)
{
    c->capabilities = 0;
    c->size_limit = 0;
    struct span rest = r->text, line;
    if (c->helo || !span_split(&rest, '\n', &line)) /* the first line is the server's name */
        return;
    while (span_split(&rest, '\n', &line))
        learn_line(c, line);
}

/* The reply to EHLO begins with the server's name (RFC 5321, 4.1.1.1): it is one of ours. */
static bool is_ourselves(const struct smtp_client *c, const struct client_reply *r)
{
    const struct smtp_client_options *o = &c->options;
    struct span name = span_head(r->text, span_find(r->text, '\n'));
    name = span_head(name, span_find(name, ' '));
    return o->own_name.len && (span_ieq(name, o->own_name) || span_ieq(name, o->helo_name));
}

/* ---- what comes next ---- */

void smtp_client_ready(struct smtp_client *c)
{
    smtp_client_enter(c, PHASE_IDLE);
    if (c->message_given)
        smtp_client_begin(c);
}

bool smtp_client_can_require_tls(const struct smtp_client *c)
{
    return c->options.tls_active && (c->capabilities & CAN_REQUIRETLS);
}

static void go_on(struct smtp_client *c)
{
    bool wants_tls = c->options.tls != SMTP_CLIENT_TLS_NONE && !c->options.tls_active;
    if (wants_tls && (c->capabilities & CAN_STARTTLS)) {
        buf_add(&c->out, SPAN("STARTTLS\r\n"));
        smtp_client_enter(c, PHASE_STARTTLS);
    } else if (wants_tls && c->options.tls == SMTP_CLIENT_TLS_REQUIRED) {
        smtp_client_enter(c, PHASE_STARTTLS);
        struct smtp_client_result result =
            smtp_client_from_cause(c, SMTP_CLIENT_LOCAL, SMTP_CLIENT_TEMPORARY, "4.7.4",
                                   SPAN("TLS is required, but the server does not offer STARTTLS"));
        smtp_client_refuse(c, &result);
    } else if (c->options.require_tls && !smtp_client_can_require_tls(c)) {
        struct smtp_client_result result = smtp_client_from_cause(
            c, SMTP_CLIENT_LOCAL, SMTP_CLIENT_PERMANENT, "5.7.30",
            SPAN("the sender requires TLS on the whole way (REQUIRETLS), which the server does not "
                 "offer to promise"));
        smtp_client_refuse(c, &result);
    } else if (c->options.user.len) {
        smtp_client_auth(c);
    } else {
        smtp_client_ready(c);
    }
}

void smtp_client_on_hello(struct smtp_client *c, const struct client_reply *r)
{
    if (r->code >= 500 && !c->helo && !c->options.lmtp) {
        c->helo = true;
        buf_addf(&c->out, "HELO %.*s\r\n", SPAN_ARG(c->options.helo_name));
        smtp_client_enter(c, PHASE_HELLO);
    } else if (r->code >= 400) {
        refuse_reply(c, r);
    } else if (r->code >= 300) {
        smtp_client_break_protocol(c, "a reply that does not fit");
    } else if (is_ourselves(c, r)) {
        struct smtp_client_result result =
            smtp_client_from_cause(c, SMTP_CLIENT_LOCAL, SMTP_CLIENT_PERMANENT, "5.4.6",
                                   SPAN("the host is this server, which does not know the domain: a loop"));
        smtp_client_refuse(c, &result);
    } else {
        learn(c, r);
        go_on(c);
    }
}

void smtp_client_on_starttls(struct smtp_client *c, const struct client_reply *r)
{
    if (r->code >= 200 && r->code < 300) {
        smtp_client_enter(c, PHASE_TLS);
        smtp_client_write_out(c);
        c->output->start_tls(c->context);
        return;
    }
    if (r->code < 400) {
        smtp_client_break_protocol(c, "a reply that does not fit");
    } else if (c->options.tls == SMTP_CLIENT_TLS_REQUIRED || r->code == 421) {
        struct smtp_client_result result = smtp_client_from_reply(c, r, SMTP_CLIENT_STARTTLS);
        result.outcome = SMTP_CLIENT_TEMPORARY;
        c->enhanced[0] = '4'; /* result.enhanced is there */
        smtp_client_refuse(c, &result);
    } else {
        c->capabilities &= ~(unsigned)CAN_STARTTLS;
        go_on(c);
    }
}
