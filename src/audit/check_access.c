/* check_access.c: passwords in the clear, senders that are not checked, and TLS that is weak or missing. */
#include "audit/internal.h"

#define DAY_MS INT64_C(86400000)
enum { EXPIRING_DAYS = 14 };

static struct audit_session session_of(const struct audit_reach *r, bool tls)
{
    return (struct audit_session){.local = r->example->local, .remote = r->remote, .tls = tls};
}

static bool only_tls(const struct receive_connector *c)
{
    return !session_starts_plain(c) || (c->flags & CONNECTOR_REQUIRE_TLS);
}

/* ---- passwords ---- */

static void check_password(struct audit *a, size_t i, const struct receive_connector *c)
{
    const struct audit_reach *r = &a->reach[i];
    if (!session_password_in_clear(c))
        return;
    struct span user = a->probes.own.len ? a->probes.own : a->probes.foreign;
    struct audit_session s = session_of(r, false);
    s.user = s.from = user;
    s.to = a->probes.foreign;
    audit_add_connector(
        a, AUDIT_PASSWORD_IN_CLEAR,
        r->wide       ? AUDIT_DANGER
        : r->loopback ? AUDIT_NOTE
                      : AUDIT_WARNING,
        i,
        (struct audit_text){
            SPAN("AUTH is offered before TLS: passwords may be sent in the clear"), audit_witness(a, &s),
            audit_format(a, "Set-ReceiveConnector %.*s -AuthMechanism @{Add=%s'BasicAuthRequireTLS'}",
                         SPAN_ARG(audit_quoted_name(a, c)), c->auth & AUTH_TLS ? "" : "'Tls',")});
}

/* ---- senders ---- */

static void check_own_domain(struct audit *a, size_t i, const struct receive_connector *c)
{
    const struct session_kind k = session_unproved(c);
    if (k.kind != PRINCIPAL_ANONYMOUS || !(session_rights_ever(a->policy, c, &k, &a->probes) & SESSION_OWN_SENDER))
        return;
    struct audit_session s = session_of(&a->reach[i], !session_exists(c, k.kind, false));
    s.from = s.to = a->probes.own;
    audit_add_connector(
        a, AUDIT_OWN_DOMAIN_SENDER, a->reach[i].wide ? AUDIT_WARNING : AUDIT_NOTE, i,
        (struct audit_text){SPAN("clients that do not log on may use addresses of your own domains as sender"),
                            audit_witness(a, &s),
                            audit_take_right(a, c, &k, RIGHT_ACCEPT_AUTHORITATIVE_DOMAIN_SENDER)});
}

static void check_any_sender(struct audit *a, size_t i, const struct receive_connector *c)
{
    const struct session_kind k = session_any_user();
    bool external = c->auth & AUTH_EXTERNAL_AUTHORITATIVE; /* trusted without a logon: another finding */
    if (!session_can_log_on(c) || external)
        return;
    unsigned rights = session_rights_ever(a->policy, c, &k, &a->probes);
    bool foreign = rights & SESSION_OTHER_SENDER, own = rights & SESSION_OWN_SENDER;
    if (!foreign && !own)
        return;
    struct audit_session s = session_of(&a->reach[i], true);
    s.user = a->probes.own.len ? a->probes.own : a->probes.foreign;
    s.from = own ? a->probes.own : a->probes.foreign;
    s.to = a->probes.foreign;
    audit_add_connector(
        a, AUDIT_ANY_SENDER, AUDIT_WARNING, i,
        (struct audit_text){
            own ? SPAN("every user may use every address of your own domains as sender")
                : SPAN("every user may use any address of foreign domains as sender"),
            audit_witness(a, &s),
            audit_take_right(a, c, &k, own ? RIGHT_ACCEPT_AUTHORITATIVE_DOMAIN_SENDER : RIGHT_ACCEPT_ANY_SENDER)});
}

void audit_check_access(struct audit *a)
{
    for (size_t i = 0; i < policy_receive_connector_count(a->policy); i++) {
        const struct receive_connector *c = policy_receive_connector(a->policy, i);
        if (!a->reach[i].example)
            continue;
        check_password(a, i, c);
        check_own_domain(a, i, c);
        check_any_sender(a, i, c);
    }
}

/* ---- TLS ---- */

static void check_version(struct audit *a, size_t i, const struct receive_connector *c)
{
    enum { TLS_1_2 = 2 };
    static const char *const versions[] = {"1.0", "1.1"};
    const struct audit_session s = session_of(&a->reach[i], true);
    if (c->tls_minimum >= TLS_1_2)
        return;
    audit_add_connector(a, AUDIT_WEAK_TLS, a->reach[i].wide ? AUDIT_WARNING : AUDIT_NOTE, i,
                        (struct audit_text){audit_format(a, "TLS %s is spoken", versions[c->tls_minimum]),
                                            audit_witness(a, &s),
                                            audit_format(a, "Set-ReceiveConnector %.*s -TlsMinimumVersion Tls12",
                                                         SPAN_ARG(audit_quoted_name(a, c)))});
}

/* What there is for a name. */
struct fitting {
    size_t count;
    bool valid;
    int64_t until; /* the latest end: of those that are valid, or of all where none is */
    bool future;   /* one begins only later */
};

static struct fitting certificates_for(const struct audit *a, struct span host)
{
    struct fitting f = {.until = INT64_MIN};
    for (size_t i = 0; i < a->facts->certificate_count; i++) {
        const struct audit_certificate *k = &a->facts->certificates[i];
        if (!span_ieq(k->host, host))
            continue;
        bool valid = k->not_before <= a->facts->now_ms && a->facts->now_ms <= k->not_after;
        f.count++;
        f.future = f.future || k->not_before > a->facts->now_ms;
        if (valid && !f.valid)
            f.until = INT64_MIN;
        if ((valid || !f.valid) && k->not_after > f.until)
            f.until = k->not_after;
        f.valid = f.valid || valid;
    }
    return f;
}

/* The server's own name where there is a certificate for it, otherwise a new one. */
static struct span certificate_remedy(struct audit *a, const struct receive_connector *c, struct span host)
{
    struct span own = a->facts->host;
    if (own.len && !span_ieq(own, host) && certificates_for(a, own).valid)
        return audit_format(a, "Set-ReceiveConnector %.*s -Fqdn %.*s", SPAN_ARG(audit_quoted_name(a, c)),
                            SPAN_ARG(own));
    return audit_format(a, "New-ExchangeCertificate -DomainName %.*s -Services SMTP", SPAN_ARG(host));
}

static int64_t whole_days(int64_t ms)
{
    return ms / DAY_MS;
}

static void check_certificate(struct audit *a, size_t i, const struct receive_connector *c)
{
    struct span host = policy_text(a->policy, c->fqdn);
    host = host.len ? host : a->facts->host;
    const struct fitting f = certificates_for(a, host);
    const struct audit_session s = session_of(&a->reach[i], only_tls(c));
    enum audit_kind kind = AUDIT_NO_CERTIFICATE;
    struct span text;
    if (f.valid && f.until - a->facts->now_ms > EXPIRING_DAYS * DAY_MS)
        return;
    if (f.valid) {
        kind = AUDIT_CERTIFICATE_EXPIRING;
        text = audit_format(a, "the certificate for %.*s expires in %lld days", SPAN_ARG(host),
                            (long long)whole_days(f.until - a->facts->now_ms));
    } else if (f.count && !f.future) {
        kind = AUDIT_CERTIFICATE_EXPIRED;
        text = audit_format(a, "the certificate for %.*s expired %lld days ago", SPAN_ARG(host),
                            (long long)whole_days(a->facts->now_ms - f.until));
    } else {
        text = audit_format(a, "no certificate %s %.*s, the connector's Fqdn%s",
                            f.count ? "is valid yet for" : "is for", SPAN_ARG(host),
                            only_tls(c) ? "; as it insists on TLS, nobody can send through it" : "");
    }
    audit_add_connector(a, kind, AUDIT_WARNING, i,
                        (struct audit_text){text, audit_witness(a, &s), certificate_remedy(a, c, host)});
}

/* ---- Kerberos ---- */

static void check_keytab(struct audit *a, size_t i, const struct receive_connector *c)
{
    const struct audit_session s = session_of(&a->reach[i], only_tls(c));
    if (!session_uses_gssapi(c) || a->facts->keytab_usable)
        return;
    audit_add_connector(
        a, AUDIT_NO_KEYTAB, AUDIT_WARNING, i,
        (struct audit_text){audit_format(a, "GSSAPI is not offered: %.*s", SPAN_ARG(a->facts->keytab_text)),
                            audit_witness(a, &s),
                            audit_format(a, "Set-ReceiveConnector %.*s -EnableAuthGSSAPI $false",
                                         SPAN_ARG(audit_quoted_name(a, c)))});
}

void audit_check_keytab(struct audit *a)
{
    for (size_t i = 0; i < policy_receive_connector_count(a->policy); i++)
        if (a->reach[i].example && a->facts->keytab_known)
            check_keytab(a, i, policy_receive_connector(a->policy, i));
}

void audit_check_tls(struct audit *a)
{
    for (size_t i = 0; i < policy_receive_connector_count(a->policy); i++) {
        const struct receive_connector *c = policy_receive_connector(a->policy, i);
        if (!a->reach[i].example || !session_can_use_tls(c))
            continue;
        check_version(a, i, c);
        if (a->facts->certificates_known)
            check_certificate(a, i, c);
    }
}
