/*
 * auth.c: AUTH PLAIN (RFC 4616) and LOGIN. The password is in `out` only until it is written, then wiped; it is in
 * no result, even where the server repeats it.
 */
#include "smtp/client/internal.h"

#include "base/base64.h"

#include <string.h>

enum { CREDENTIALS_MAX = 4096 };
#define RESPONSE "(authentication response not shown)"

static void refuse(struct smtp_client *c, const char *text)
{
    struct smtp_client_result r =
        smtp_client_from_cause(c, SMTP_CLIENT_LOCAL, SMTP_CLIENT_TEMPORARY, "4.7.0", span_of(text));
    smtp_client_refuse(c, &r);
}

/* Sends a line with a secret in it, from this octet of what waits, and leaves no copy. */
static void write_secret(struct smtp_client *c, size_t from, const char *shown)
{
    buf_add(&c->out, SPAN("\r\n"));
    smtp_client_show_sent(c, span_head(buf_span(&c->out), from));
    smtp_client_show_sent(c, span_of(shown));
    c->hidden = true;
    smtp_client_flush(c);
    c->hidden = false;
    buf_wipe(&c->out);
}

static void send_plain(struct smtp_client *c)
{
    struct buf message;
    buf_init(&message, CREDENTIALS_MAX);
    buf_add_char(&message, '\0');
    buf_add(&message, c->options.user);
    buf_add_char(&message, '\0');
    buf_add(&message, secret_reveal(c->options.password));
    bool fits = !message.failed;
    if (fits) {
        size_t from = c->out.len;
        buf_add(&c->out, SPAN("AUTH PLAIN "));
        base64_encode(&c->out, buf_span(&message));
        write_secret(c, from, "AUTH PLAIN (initial response not shown)");
    }
    buf_wipe(&message);
    if (!fits)
        refuse(c, "the credentials for the server are too long");
}

void smtp_client_auth(struct smtp_client *c)
{
    smtp_client_enter(c, PHASE_AUTH);
    c->auth_step = 0;
    if (!c->options.tls_active && !c->options.auth_without_tls) {
        refuse(c, "credentials are not sent without TLS, and there is none");
    } else if (c->capabilities & CAN_AUTH_PLAIN) {
        send_plain(c);
    } else if (c->capabilities & CAN_AUTH_LOGIN) {
        buf_add(&c->out, SPAN("AUTH LOGIN\r\n"));
        c->auth_step = 1;
    } else {
        refuse(c, "the server offers neither AUTH PLAIN nor AUTH LOGIN");
    }
}

void smtp_client_on_auth(struct smtp_client *c, const struct client_reply *r)
{
    if (r->code >= 400) {
        struct smtp_client_result result = smtp_client_from_reply(c, r, SMTP_CLIENT_AUTH);
        if (smtp_client_repeats_password(c, r->text))
            result.text = SPAN("(the reply has the password in it and is not shown)");
        smtp_client_refuse(c, &result);
    } else if (r->code == 235) {
        smtp_client_ready(c);
    } else if (r->code == 334 && c->auth_step == 1) {
        size_t from = c->out.len;
        base64_encode(&c->out, c->options.user);
        c->auth_step = 2;
        smtp_client_rearm(c);
        write_secret(c, from, RESPONSE);
    } else if (r->code == 334 && c->auth_step == 2) {
        size_t from = c->out.len;
        base64_encode(&c->out, secret_reveal(c->options.password));
        c->auth_step = 0;
        smtp_client_rearm(c);
        write_secret(c, from, RESPONSE);
    } else {
        smtp_client_break_protocol(c, "a reply that does not fit");
    }
}
