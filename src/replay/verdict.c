/*
 * verdict.c: what one policy makes of a session: explain's verdict, and before it what explain is not asked about:
 * the version of TLS, and whether TLS begins with the first byte.
 */
#include "policy/right.h"
#include "policy/select.h"
#include "replay/internal.h"

#include <inttypes.h>

/* The property to look at, where no right decides. */
static const char *const properties[EXPLAIN_CAUSES] = {
    [EXPLAIN_CAUSE_NO_CONNECTOR] = "RemoteIPRanges, Bindings, Enabled",
    [EXPLAIN_CAUSE_PROXY] = "ProxyProtocolSources",
    [EXPLAIN_CAUSE_NO_CERTIFICATE] = "Fqdn",
    [EXPLAIN_CAUSE_PLAIN_ON_TLS] = "ImplicitTls",
    [EXPLAIN_CAUSE_HELLO] = "RequireEHLODomain",
    [EXPLAIN_CAUSE_NO_STARTTLS] = "AuthMechanism",
    [EXPLAIN_CAUSE_TLS_REQUIRED] = "RequireTLS",
    [EXPLAIN_CAUSE_AUTH_NOT_OFFERED] = "AuthMechanism",
    [EXPLAIN_CAUSE_LOGON] = "Mailbox",
    [EXPLAIN_CAUSE_RIGHT] = "ExtendedRights",
    [EXPLAIN_CAUSE_SIZE] = "MaxMessageSize",
    [EXPLAIN_CAUSE_ADDRESS] = "DefaultDomain",
    [EXPLAIN_CAUSE_NO_MAILBOX] = "EmailAddresses",
    [EXPLAIN_CAUSE_CONTENT] = "MaxHeaderSize",
};

static const char *const tls_versions[] = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}; /* by tls_minimum */

/* What happens where there is no reply. */
static struct span without_reply(enum explain_cause cause)
{
    switch ((int)cause) {
    case EXPLAIN_CAUSE_NO_CONNECTOR: return SPAN("(no connector)");
    case EXPLAIN_CAUSE_PROXY: return SPAN("(closed: no PROXY header)");
    case EXPLAIN_CAUSE_NO_CERTIFICATE:
    case EXPLAIN_CAUSE_PLAIN_ON_TLS: return SPAN("(closed: no TLS)");
    default: return SPAN("(closed)");
    }
}

struct replay_place replay_place_of(const struct replay_side *s, const struct replay_session *t)
{
    const struct receive_connector *c = policy_select(s->policy, t->session.local, t->session.remote);
    return (struct replay_place){c, c && policy_proxy_versions(s->policy, c, t->session.remote)};
}

/* The version that the client speaks is below the connector's least. A version that is not known is none. */
static bool is_too_old(const struct receive_connector *c, struct span version)
{
    for (uint32_t i = 0; i < ARRAY_LEN(tls_versions); i++)
        if (span_ieq(version, span_of(tls_versions[i])))
            return i < c->tls_minimum;
    return false;
}

static void refuse(struct replay_verdict *v, const char *reply, const char *property, struct span why)
{
    v->outcome.accepted = false;
    v->outcome.reply = span_of(reply);
    v->decided_by = span_of(property);
    v->why = why;
}

/* The handshake, before a word is said. False: it comes about. */
static bool fails_at_tls(const struct explanation *e, const struct replay_session *t, bool implicit,
                         struct replay_verdict *v)
{
    const struct receive_connector *c = e->connector;
    bool wants_implicit = c && (c->flags & CONNECTOR_IMPLICIT_TLS);
    if (!c || !t->session.tls)
        return false;
    if (implicit && !wants_implicit)
        refuse(v, "(no handshake: TLS does not begin with the connection)", "ImplicitTls",
               SPAN("the client begins with TLS, and ImplicitTls is $false"));
    else if (!implicit && wants_implicit)
        refuse(v, "(no handshake: TLS is due with the first byte)", "ImplicitTls",
               SPAN("the client begins in the clear, for STARTTLS, and ImplicitTls is $true"));
    else if (e->cause == EXPLAIN_CAUSE_NONE && is_too_old(c, t->fact->text[FACT_TLS]))
        refuse(v, "(no handshake: the version of TLS is too old)", "TlsMinimumVersion",
               arena_printf(e->arena, "the client speaks %.*s, and the least is %s",
                            SPAN_ARG(t->fact->text[FACT_TLS]),
                            tls_versions[c->tls_minimum < ARRAY_LEN(tls_versions) ? c->tls_minimum : 3]));
    else
        return false;
    return true;
}

/* In one line. */
static struct span reply_of(const struct explanation *e)
{
    struct span reply = e->step_count ? e->steps[e->step_count - 1].reply : SPAN("");
    struct span rest = reply, line = SPAN("");
    while (rest.len && span_split(&rest, '\n', &line)) /* of several lines the last says it */
        ;
    return line.len ? line : without_reply(e->cause);
}

static struct span lacks_for_gssapi(const struct receive_connector *c)
{
    return !(c->auth & AUTH_INTEGRATED)          ? SPAN("AuthMechanism")
           : !(c->flags & CONNECTOR_AUTH_GSSAPI) ? SPAN("EnableAuthGSSAPI")
                                                 : SPAN("GssapiKeytab");
}

static struct span decided_by(const struct explanation *e)
{
    if (e->cause == EXPLAIN_CAUSE_RIGHT && e->blame && e->blame->right < RIGHT_COUNT)
        return right_info(e->blame->right)->name;
    if (e->cause == EXPLAIN_CAUSE_NO_STARTTLS && e->connector && (e->connector->auth & AUTH_TLS))
        return SPAN("Fqdn"); /* there is no certificate for it */
    if (e->cause == EXPLAIN_CAUSE_AUTH_NOT_OFFERED && e->connector &&
        span_ieq(e->session->mechanism, SPAN("GSSAPI")))
        return lacks_for_gssapi(e->connector);
    return span_of(properties[e->cause] ? properties[e->cause] : "");
}

bool replay_verdict_of(const struct replay_side *s, const struct replay_session *t, bool implicit,
                       struct explanation *e, struct arena *arena, struct replay_verdict *ret)
{
    struct replay_verdict v = {.outcome = {.accepted = true}};
    if (!explain_verdict(s->policy, s->facts, &t->session, t->last, arena, e))
        return false;
    v.outcome.connector = e->connector ? policy_text(s->policy, e->connector->name) : SPAN("");
    v.max_size = t->last >= EXPLAIN_MAIL ? e->max_size : 0;
    if (!fails_at_tls(e, t, implicit, &v)) {
        v.unknown = e->verdict == EXPLAIN_UNKNOWN;
        v.outcome.accepted = e->verdict == EXPLAIN_ALLOWED;
        if (e->verdict == EXPLAIN_REFUSED) {
            v.outcome.reply = reply_of(e);
            v.decided_by = decided_by(e);
            v.why = explain_refusal(e);
        }
    }
    *ret = v;
    return v.outcome.accepted || v.unknown || v.why.ptr;
}

bool replay_verdict_sized(const struct replay_side *s, const struct replay_session *t, bool implicit,
                          struct explanation *e, struct arena *arena, struct replay_verdict *v)
{
    struct replay_session sized = *t;
    uint64_t size = t->fact->size, max = v->max_size;
    if (!v->outcome.accepted || v->unknown || !max || size <= max)
        return true;
    sized.session.size = size; /* the machine's own words, where the client can declare it */
    if (!replay_verdict_of(s, &sized, implicit, e, arena, v))
        return false;
    if (v->outcome.accepted)
        refuse(v, "(552 at the end of the data: too large)", "MaxMessageSize", SPAN(""));
    v->why = arena_printf(arena, "the largest message had %" PRIu64 " bytes, and the limit is %" PRIu64, size, max);
    return v->why.ptr;
}
