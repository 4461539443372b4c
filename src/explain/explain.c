/* explain.c: an explanation from its beginning, the connector, to its reason. */
#include "explain/explain.h"

#include "explain/internal.h"

#include <stdarg.h>
#include <stdio.h>

struct span explain_text(struct explanation *e, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *p = n < 0 ? NULL : arena_alloc(e->arena, (size_t)n + 1);
    if (p)
        vsnprintf(p, (size_t)n + 1, format, args);
    va_end(args);
    return p ? span_make(p, (size_t)n) : (struct span){NULL, 0};
}

const char *explain_stage_name(enum explain_stage stage)
{
    static const char *const names[EXPLAIN_STAGES] = {
        [EXPLAIN_CONNECT] = "connect", [EXPLAIN_HELLO] = "EHLO", [EXPLAIN_STARTTLS] = "STARTTLS",
        [EXPLAIN_HELLO_TLS] = "EHLO",  [EXPLAIN_AUTH] = "AUTH",  [EXPLAIN_MAIL] = "MAIL",
        [EXPLAIN_RCPT] = "RCPT",       [EXPLAIN_DATA] = "DATA",  [EXPLAIN_CONTENT] = "end of data",
    };
    return names[stage];
}

const char *explain_cause_name(enum explain_cause cause)
{
    static const char *const names[EXPLAIN_CAUSES] = {
        [EXPLAIN_CAUSE_NONE] = "none",
        [EXPLAIN_CAUSE_NO_CONNECTOR] = "no-connector",
        [EXPLAIN_CAUSE_PROXY] = "proxy-header-missing",
        [EXPLAIN_CAUSE_NO_CERTIFICATE] = "no-certificate",
        [EXPLAIN_CAUSE_PLAIN_ON_TLS] = "plain-on-implicit-tls",
        [EXPLAIN_CAUSE_HELLO] = "hello",
        [EXPLAIN_CAUSE_NO_STARTTLS] = "starttls-not-offered",
        [EXPLAIN_CAUSE_TLS_REQUIRED] = "tls-required",
        [EXPLAIN_CAUSE_AUTH_NOT_OFFERED] = "auth-not-offered",
        [EXPLAIN_CAUSE_LOGON] = "logon",
        [EXPLAIN_CAUSE_RIGHT] = "right",
        [EXPLAIN_CAUSE_PRESSURE] = "resources",
        [EXPLAIN_CAUSE_SIZE] = "size",
        [EXPLAIN_CAUSE_ADDRESS] = "address",
        [EXPLAIN_CAUSE_NO_MAILBOX] = "no-mailbox",
        [EXPLAIN_CAUSE_AUTH_WANTED] = "authenticated-sender-required",
        [EXPLAIN_CAUSE_CONTENT] = "content",
        [EXPLAIN_CAUSE_UNAVAILABLE] = "unavailable",
    };
    return names[cause];
}

static void end_at_once(struct explanation *e, enum explain_verdict verdict, enum explain_cause cause)
{
    e->verdict = verdict;
    e->cause = cause;
    e->stage = EXPLAIN_CONNECT;
}

/* Whether the session gets as far as a dialogue. */
static bool can_begin(struct explanation *e)
{
    const struct receive_connector *c = e->connector;
    bool implicit = c && !gate_can_greet(c, false);
    bool needs_certificate = c && gate_uses_tls(c) && (implicit || e->session->tls);
    if (!c)
        end_at_once(e, EXPLAIN_REFUSED, EXPLAIN_CAUSE_NO_CONNECTOR);
    else if (policy_proxy_versions(e->policy, c, e->session->remote))
        end_at_once(e, EXPLAIN_REFUSED, EXPLAIN_CAUSE_PROXY);
    else if (needs_certificate && e->certificate.unknown)
        end_at_once(e, EXPLAIN_UNKNOWN, EXPLAIN_CAUSE_UNAVAILABLE);
    else if (gate_uses_gssapi(c) && explain_by_gssapi(e) && e->keytab.unknown)
        end_at_once(e, EXPLAIN_UNKNOWN, EXPLAIN_CAUSE_UNAVAILABLE);
    else if (!gate_can_greet(c, e->certificate.found))
        end_at_once(e, EXPLAIN_REFUSED, EXPLAIN_CAUSE_NO_CERTIFICATE);
    else if (implicit && !e->session->tls)
        end_at_once(e, EXPLAIN_REFUSED, EXPLAIN_CAUSE_PLAIN_ON_TLS);
    else
        return true;
    return false;
}

/* What the connector can offer by: certificate and keytab. */
static void find_keys(struct explanation *e, const struct explain_facts *facts)
{
    e->fqdn = gate_fqdn(e->policy, e->connector, facts->host);
    if (gate_uses_tls(e->connector))
        facts->certificate(facts->context, e->fqdn, e->arena, &e->certificate);
    if (gate_uses_gssapi(e->connector))
        e->keytab = facts->keytab;
}

bool explain(const struct policy *p, const struct explain_facts *facts, const struct explain_session *s,
             struct arena *arena, struct explanation *ret)
{
    struct explanation *e = ret;
    struct span clear = SPAN(""), tls = SPAN("");
    bool ok = true;
    *e = (struct explanation){.policy = p, .session = s, .arena = arena, .pressure = facts->pressure};
    policy_select_traced(p, s->local, s->remote, &e->selection);
    e->connector = e->selection.connector;
    if (e->connector)
        find_keys(e, facts);
    if (can_begin(e))
        ok = explain_dialogue(e, facts, EXPLAIN_CONTENT);
    if (ok && e->connector)
        ok = explain_probe(e, &clear, &tls) && explain_offers(e, clear, tls);
    ok = ok && explain_route(e, facts) && explain_limits(e);
    if (ok)
        e->reason = explain_reason(e);
    return ok && e->reason.ptr;
}

bool explain_verdict(const struct policy *p, const struct explain_facts *facts, const struct explain_session *s,
                     enum explain_stage last, struct arena *arena, struct explanation *ret)
{
    struct explanation *e = ret;
    *e = (struct explanation){.policy = p, .session = s, .arena = arena, .pressure = facts->pressure};
    e->connector = policy_select(p, s->local, s->remote);
    if (e->connector)
        find_keys(e, facts);
    return !can_begin(e) || explain_dialogue(e, facts, last);
}

struct span explain_refusal(struct explanation *e)
{
    ASSERT(e->cause != EXPLAIN_CAUSE_NONE); /* what is taken has its reason in its route */
    return explain_reason(e);
}
