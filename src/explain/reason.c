/* reason.c: the one sentence that says why. */
#include "explain/internal.h"

#include <inttypes.h>

struct span explain_step_text(struct explanation *e, const struct decision_step *s)
{
    struct buf b;
    buf_init(&b, 4096);
    decision_step_print(&b, e->policy, s);
    struct span text = arena_dup(e->arena, span_trim(buf_span(&b)));
    buf_done(&b);
    return text;
}

static struct span of_decision(struct explanation *e)
{
    const struct decision *d = e->blame;
    struct span last = explain_step_text(e, &d->steps[d->step_count - 1]);
    if (d->step_count < 2)
        return last;
    return explain_text(e, "%.*s; %.*s", SPAN_ARG(explain_step_text(e, &d->steps[d->step_count - 2])),
                        SPAN_ARG(last));
}

static struct span of_logon(struct explanation *e)
{
    struct span user = e->session->user;
    switch (e->user.state) {
    case EXPLAIN_USER_UNKNOWN:
        if (explain_by_gssapi(e))
            return explain_text(
                e, "no mailbox has the UserPrincipalName %.*s, nor, without one, such a PrimarySmtpAddress",
                SPAN_ARG(user));
        return explain_text(e, "no mailbox has the name or address %.*s", SPAN_ARG(user));
    case EXPLAIN_USER_DISABLED: return explain_text(e, "the mailbox of %.*s is disabled", SPAN_ARG(user));
    case EXPLAIN_USER_NO_PASSWORD: return explain_text(e, "the mailbox of %.*s has no password", SPAN_ARG(user));
    case EXPLAIN_USER_FOUND:
    case EXPLAIN_USER_UNAVAILABLE: break;
    }
    return SPAN("the logon failed");
}

static struct span of_address(struct explanation *e)
{
    bool mail = e->stage == EXPLAIN_MAIL;
    struct span a = mail ? e->session->sender : e->session->recipient;
    struct mail_address parsed;
    enum address_defect defect =
        address_parse(a, ADDRESS_ALLOW_UTF8 | (mail ? 0 : ADDRESS_ALLOW_POSTMASTER), e->arena, &parsed);
    if (defect == ADDRESS_NO_DOMAIN)
        return explain_text(e, "%.*s has no domain, and the connector has no DefaultDomain to complete it",
                            SPAN_ARG(a));
    if (defect)
        return explain_text(e, "\"%.*s\" is no address: %s", SPAN_ARG(a), address_defect_text(defect));
    return explain_text(e, "the connector cannot take %.*s as it is", SPAN_ARG(a));
}

static struct span of_pressure(struct explanation *e)
{
    struct buf b;
    const struct pressure_state *s = &e->pressure->of[e->short_of];
    buf_init(&b, 1024);
    buf_addf(&b, "the policy allows it, but the server is short of a resource, whose level is %s (%s): ",
             pressure_level_name(s->level), pressure_property(e->short_of, s->level));
    pressure_print(&b, e->short_of, s);
    struct span text = arena_dup(e->arena, buf_span(&b));
    buf_done(&b);
    return text;
}

static struct span of_connection(struct explanation *e)
{
    char local[IP_ENDPOINT_TEXT_MAX], remote[IP_TEXT_MAX];
    return explain_text(e, "no enabled receive connector serves %s on %s", ip_print(e->session->remote, remote),
                        ip_print_endpoint(e->session->local, local));
}

static struct span of_unknown(struct explanation *e)
{
    const struct explain_step *last = e->step_count ? &e->steps[e->step_count - 1] : NULL;
    if (last && last->note.len)
        return last->note;
    if (last)
        return SPAN("whose address the sender is cannot be found out now");
    return e->certificate.unknown ? e->certificate.text : e->keytab.text;
}

static struct span of_delivery(struct explanation *e)
{
    const struct route *r = &e->hops[e->hop_count - 1].route;
    if (!e->undeliverable)
        return SPAN("every right that was asked for is granted");
    if (e->returned_by)
        return explain_text(e,
                            "it is taken, but larger than %s (%" PRIu64 " bytes) of %.*s: the sender gets a report",
                            e->returned_by->name, e->returned_by->value, SPAN_ARG(e->returned_by->of));
    if (r->kind == ROUTE_REDIRECT)
        return SPAN("it is taken, but its redirections lead in a circle: the sender gets a report");
    if (r->kind == ROUTE_UNREACHABLE)
        return explain_text(e,
                            "it is taken, but no send connector covers %.*s: it waits until one does, or expires",
                            SPAN_ARG(r->domain));
    return explain_text(e, "it is taken, but the sender gets a report: 550 %s %s", r->status, r->text);
}

struct span explain_reason(struct explanation *e)
{
    switch (e->cause) {
    case EXPLAIN_CAUSE_NO_CONNECTOR: return of_connection(e);
    case EXPLAIN_CAUSE_PROXY:
        return SPAN(
            "the address is in ProxyProtocolSources: a connection from it must begin with a PROXY header that "
            "names the client");
    case EXPLAIN_CAUSE_NO_CERTIFICATE:
        return explain_text(e, "ImplicitTls needs a certificate at once, and %.*s", SPAN_ARG(e->certificate.text));
    case EXPLAIN_CAUSE_PLAIN_ON_TLS:
        return SPAN("ImplicitTls: TLS must begin with the first byte, and this client speaks in the clear");
    case EXPLAIN_CAUSE_HELLO: return SPAN("the name that EHLO gives is not accepted");
    case EXPLAIN_CAUSE_NO_STARTTLS:
        return explain_text(e, "STARTTLS is not offered: %.*s", SPAN_ARG(explain_why_no_starttls(e)));
    case EXPLAIN_CAUSE_TLS_REQUIRED: return SPAN("RequireTLS is $true, and the client has not started TLS");
    case EXPLAIN_CAUSE_AUTH_NOT_OFFERED:
        return explain_text(e, "AUTH %.*s%sis not offered %s: %.*s", SPAN_ARG(e->session->mechanism),
                            e->session->mechanism.len ? " " : "", e->session->tls ? "under TLS" : "in the clear",
                            SPAN_ARG(explain_why_no_auth(e, e->session->tls)));
    case EXPLAIN_CAUSE_LOGON: return of_logon(e);
    case EXPLAIN_CAUSE_RIGHT: return e->blame ? of_decision(e) : SPAN("a right is missing");
    case EXPLAIN_CAUSE_PRESSURE: return of_pressure(e);
    case EXPLAIN_CAUSE_SIZE: return SPAN("the message is larger than the limit that the reply names");
    case EXPLAIN_CAUSE_ADDRESS: return of_address(e);
    case EXPLAIN_CAUSE_NO_MAILBOX:
        return explain_text(e, "nobody has the address %.*s, and its domain is authoritative",
                            SPAN_ARG(e->session->recipient));
    case EXPLAIN_CAUSE_AUTH_WANTED:
        return explain_text(
            e, "RequireSenderAuthenticationEnabled of %.*s is $true, and the sender is not authenticated",
            SPAN_ARG(e->session->recipient));
    case EXPLAIN_CAUSE_CONTENT: return SPAN("the content itself is refused");
    case EXPLAIN_CAUSE_UNAVAILABLE: return of_unknown(e);
    case EXPLAIN_CAUSE_NONE:
    case EXPLAIN_CAUSES: break;
    }
    return of_delivery(e);
}
