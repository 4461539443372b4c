/* cmd_hello.c: EHLO and HELO (RFC 5321 4.1.1.1): who the client says it is, and what it is offered. */
#include "smtp/server/internal.h"

#include "mail/domain.h"

#include <inttypes.h>

/* Replies and gives false when the name is not one. A good one begins anew (RFC 5321 4.1.4). */
static bool take_name(struct smtp_server *s, struct span name)
{
    bool good = name.len ? domain_valid_ehlo(name) : !s->profile->require_ehlo_domain;
    if (!good) {
        respond_error(s, SMTP_REPLY(501, "5.5.4", "Invalid domain name"));
        return false;
    }
    session_reset(s);
    buf_clear(&s->helo);
    buf_add(&s->helo, name);
    if (s->helo.failed) {
        respond_no_memory(s, SPAN("name"));
        return false;
    }
    s->hello = true;
    return true;
}

static void greet(struct smtp_server *s, char separator)
{
    const struct smtp_server_profile *p = s->profile;
    buf_addf(&s->out, "250%c%.*s Hello [%.*s]\r\n", separator, SPAN_ARG(p->fqdn), SPAN_ARG(p->client_address));
}

void cmd_helo(struct smtp_server *s, struct span argument)
{
    if (!take_name(s, argument))
        return;
    s->esmtp = false;
    greet(s, ' ');
}

/* The lines of the reply to EHLO; the last one gets a blank where the others have a hyphen. */
struct ehlo {
    struct buf *out;
    size_t last; /* where the last line begins */
};

static void begin_line(struct ehlo *e, struct span keyword)
{
    e->last = e->out->len;
    buf_add(e->out, SPAN("250-"));
    buf_add(e->out, keyword);
}

static void end_line(struct ehlo *e)
{
    buf_add(e->out, SPAN("\r\n"));
}

static void keyword_if(struct ehlo *e, bool offered, struct span keyword)
{
    if (!offered)
        return;
    begin_line(e, keyword);
    end_line(e);
}

static void size_keyword(struct ehlo *e, const struct smtp_server_profile *p)
{
    if (p->size_mode == SMTP_SIZE_OFF)
        return;
    begin_line(e, SPAN("SIZE"));
    bool any = p->max_any_size && (p->max_message_size == 0 || p->max_any_size < p->max_message_size);
    uint64_t max = any ? p->max_any_size : p->max_message_size;
    if (p->size_mode == SMTP_SIZE_VALUE && max)
        buf_addf(e->out, " %" PRIu64, max);
    end_line(e);
}

static void auth_keyword(struct ehlo *e, const struct span *mechanisms, size_t count)
{
    if (count == 0)
        return;
    begin_line(e, SPAN("AUTH"));
    for (size_t i = 0; i < count; i++) {
        buf_add_char(e->out, ' ');
        buf_add(e->out, mechanisms[i]);
    }
    end_line(e);
}

void cmd_ehlo(struct smtp_server *s, struct span argument)
{
    const struct smtp_server_profile *p = s->profile;
    if (!take_name(s, argument))
        return;
    s->esmtp = true;
    struct ehlo e = {.out = &s->out, .last = s->out.len};
    greet(s, '-');
    size_keyword(&e, p);
    keyword_if(&e, p->pipelining, SPAN("PIPELINING"));
    keyword_if(&e, p->dsn, SPAN("DSN"));
    keyword_if(&e, p->enhanced_status_codes, SPAN("ENHANCEDSTATUSCODES"));
    keyword_if(&e, p->starttls_available && !s->tls, SPAN("STARTTLS"));
    if (s->tls)
        auth_keyword(&e, p->auth_after_tls, p->auth_after_tls_count);
    else
        auth_keyword(&e, p->auth_before_tls, p->auth_before_tls_count);
    keyword_if(&e, p->eight_bit_mime, SPAN("8BITMIME"));
    keyword_if(&e, p->binary_mime && p->chunking, SPAN("BINARYMIME"));
    keyword_if(&e, p->chunking, SPAN("CHUNKING"));
    keyword_if(&e, p->smtp_utf8, SPAN("SMTPUTF8"));
    keyword_if(&e, p->offers_require_tls && s->tls, SPAN("REQUIRETLS"));
    keyword_if(&e, p->orar, SPAN("XORAR"));
    keyword_if(&e, p->long_addresses, SPAN("XLONGADDR"));
    if (!s->out.failed)
        s->out.ptr[e.last + sizeof "250" - 1] = ' ';
}
