/* proposal_connection.c: what to do about connectors, certificates, TLS and logon. */
#include "explain/internal.h"

/* One change of the winning connector. */
static struct span set_connector(struct explanation *e, const char *settings)
{
    return explain_text(e, "Set-ReceiveConnector %.*s %s", SPAN_ARG(explain_connector_argument(e)), settings);
}

static void no_connector(struct explanation *e, struct proposals *p)
{
    char remote[IP_TEXT_MAX], local[IP_ENDPOINT_TEXT_MAX];
    struct span address = explain_quote(e, span_of(ip_print(e->session->remote, remote)));
    struct span endpoint = explain_quote(e, span_of(ip_print_endpoint(e->session->local, local)));
    for (size_t i = 0; i < e->selection.candidate_count; i++) {
        const struct selection_candidate *k = &e->selection.candidates[i];
        const struct receive_connector *c = policy_receive_connector(e->policy, k->connector);
        struct span name = policy_text(e->policy, c->name), argument = explain_quote(e, name);
        if (k->result == CANDIDATE_OTHER_RANGE)
            propose(p, EXPLAIN_COMMANDS, WEIGHT_ADDRESS + 1,
                    explain_text(e, "Set-ReceiveConnector %.*s -RemoteIPRanges @{Add=%.*s}", SPAN_ARG(argument),
                                 SPAN_ARG(address)),
                    explain_text(e, "%s alone gets what \"%.*s\" permits", remote, SPAN_ARG(name)));
        if (k->result == CANDIDATE_DISABLED)
            propose(
                p, EXPLAIN_COMMANDS, WEIGHT_RANGE,
                explain_text(e, "Set-ReceiveConnector %.*s -Enabled $true", SPAN_ARG(argument)),
                explain_text(e, "every client of \"%.*s\": %.*s", SPAN_ARG(name), SPAN_ARG(explain_clients(e, c))));
        if (k->result == CANDIDATE_OTHER_BINDING)
            propose(
                p, EXPLAIN_COMMANDS, WEIGHT_RANGE + 1,
                explain_text(e, "Set-ReceiveConnector %.*s -Bindings @{Add=%.*s}", SPAN_ARG(argument),
                             SPAN_ARG(endpoint)),
                explain_text(e, "every client of \"%.*s\": %.*s", SPAN_ARG(name), SPAN_ARG(explain_clients(e, c))));
    }
    if (e->session->auth)
        propose_own_connector(e, p, "ExchangeUsers", SPAN(" -AuthMechanism Tls,BasicAuth,BasicAuthRequireTLS"));
    else
        propose_own_connector(e, p, "AnonymousUsers", SPAN(""));
}

static void no_certificate(struct explanation *e, struct proposals *p)
{
    enum { SHOWN = 3 };
    for (size_t i = 0; i < e->certificate.other_count && i < SHOWN; i++) {
        struct span name = e->certificate.others[i];
        propose(p, EXPLAIN_COMMANDS, WEIGHT_USER + (uint32_t)i,
                explain_text(e, "Set-ReceiveConnector %.*s -Fqdn %.*s", SPAN_ARG(explain_connector_argument(e)),
                             SPAN_ARG(explain_quote(e, name))),
                explain_text(e, "nothing; the connector then greets as %.*s, for which there is a certificate",
                             SPAN_ARG(name)));
    }
    propose(p, EXPLAIN_ADVICE, WEIGHT_CLIENT,
            explain_text(e,
                         "Put a certificate for %.*s with its key into certs/ of the state folder (NAME.crt, "
                         "NAME.key), and let the server read it (SIGHUP).",
                         SPAN_ARG(e->fqdn)),
            SPAN(""));
}

static void no_starttls(struct explanation *e, struct proposals *p)
{
    if (e->connector->auth & AUTH_TLS)
        no_certificate(e, p);
    else
        propose(p, EXPLAIN_COMMANDS, WEIGHT_USER, set_connector(e, "-AuthMechanism @{Add='Tls'}"),
                SPAN("nothing; TLS is offered"));
    propose(p, EXPLAIN_ADVICE, WEIGHT_CLIENT + 1,
            SPAN("Let the client go on in the clear, if what it sends may be read on the way."), SPAN(""));
}

static void advise_tls(struct explanation *e, struct proposals *p)
{
    bool implicit = e->connector->flags & CONNECTOR_IMPLICIT_TLS;
    if (e->after_tls.reachable || implicit)
        propose(p, EXPLAIN_ADVICE, WEIGHT_CLIENT,
                implicit ? SPAN("Let the client begin TLS at once (implicit TLS, RFC 8314): explain it with --tls.")
                         : SPAN("Let the client start TLS (STARTTLS) first: explain it with --tls."),
                SPAN(""));
    else
        no_certificate(e, p);
}

static void gssapi_not_offered(struct explanation *e, struct proposals *p)
{
    const struct receive_connector *c = e->connector;
    if (gate_uses_gssapi(c))
        propose(
            p, EXPLAIN_ADVICE, WEIGHT_CLIENT,
            explain_text(e,
                         "Put a keytab with a key of smtp/%.*s into certs/smtp.keytab of the state folder (kadmin: "
                         "ktadd; Active Directory: ktpass with AES); the server reads it by itself.",
                         SPAN_ARG(e->fqdn)),
            SPAN(""));
    else
        propose(p, EXPLAIN_COMMANDS, WEIGHT_USERS,
                set_connector(e, c->auth & AUTH_INTEGRATED
                                     ? "-EnableAuthGSSAPI $true"
                                     : "-AuthMechanism @{Add='Integrated'} -EnableAuthGSSAPI $true"),
                explain_text(e, "every client of %.*s may log on with a Kerberos ticket",
                             SPAN_ARG(explain_clients(e, c))));
}

static void auth_not_offered(struct explanation *e, struct proposals *p)
{
    struct span clients = explain_clients(e, e->connector);
    if (explain_by_gssapi(e)) {
        gssapi_not_offered(e, p);
        return;
    }
    bool tls = e->session->tls, basic = e->connector->auth & AUTH_BASIC;
    if (!tls)
        advise_tls(e, p);
    if (!basic && (e->connector->auth & AUTH_TLS))
        propose(p, EXPLAIN_COMMANDS, WEIGHT_USERS,
                set_connector(e, "-AuthMechanism @{Add='BasicAuth','BasicAuthRequireTLS'}"),
                explain_text(e, "every client of %.*s may log on, under TLS", SPAN_ARG(clients)));
    if (!basic)
        propose(p, EXPLAIN_COMMANDS, WEIGHT_CLEAR, set_connector(e, "-AuthMechanism @{Add='BasicAuth'}"),
                explain_text(e, "every client of %.*s may log on; passwords may travel in the clear",
                             SPAN_ARG(clients)));
    if (basic && !tls)
        propose(p, EXPLAIN_COMMANDS, WEIGHT_CLEAR,
                set_connector(e, "-AuthMechanism @{Remove='BasicAuthRequireTLS'}"),
                explain_text(e,
                             "passwords of every client of %.*s may travel in the clear, for anybody on the way "
                             "to read",
                             SPAN_ARG(clients)));
}

static void logon(struct explanation *e, struct proposals *p)
{
    struct span user = e->session->user, quoted = explain_quote(e, user);
    size_t at = span_rfind(user, '@');
    if (explain_by_gssapi(e) && e->user.state == EXPLAIN_USER_UNKNOWN)
        propose(
            p, EXPLAIN_ADVICE, WEIGHT_CLIENT,
            explain_text(e, "Give the principal to the mailbox it is for: Set-Mailbox NAME -UserPrincipalName %.*s",
                         SPAN_ARG(quoted)),
            explain_text(e, "whoever has a ticket for %.*s may log on as that mailbox", SPAN_ARG(user)));
    if (e->user.state == EXPLAIN_USER_DISABLED)
        propose(p, EXPLAIN_COMMANDS, WEIGHT_USER,
                explain_text(e, "Set-Mailbox %.*s -Enabled $true", SPAN_ARG(quoted)),
                explain_text(e, "%.*s may log on everywhere again", SPAN_ARG(user)));
    if (e->user.state == EXPLAIN_USER_NO_PASSWORD)
        propose(p, EXPLAIN_ADVICE, WEIGHT_USER,
                explain_text(e, "Set a password: Set-Mailbox %.*s -PasswordFile FILE", SPAN_ARG(quoted)),
                explain_text(e, "%.*s may log on everywhere", SPAN_ARG(user)));
    if (e->user.state == EXPLAIN_USER_UNKNOWN && at == SIZE_MAX)
        propose(p, EXPLAIN_COMMANDS, WEIGHT_USER, explain_text(e, "New-Mailbox -Name %.*s", SPAN_ARG(quoted)),
                explain_text(e, "a new user %.*s, who may log on everywhere (the password is asked for)",
                             SPAN_ARG(user)));
    if (e->user.state == EXPLAIN_USER_UNKNOWN && at != SIZE_MAX)
        propose(p, EXPLAIN_COMMANDS, WEIGHT_USER,
                explain_text(e, "New-Mailbox -Name %.*s -PrimarySmtpAddress %.*s",
                             SPAN_ARG(explain_quote(e, span_head(user, at))), SPAN_ARG(quoted)),
                explain_text(e, "a new user %.*s, who may log on everywhere (the password is asked for)",
                             SPAN_ARG(user)));
}

void propose_connection(struct explanation *e, struct proposals *ret)
{
    switch ((int)e->cause) {
    case EXPLAIN_CAUSE_NO_CONNECTOR: no_connector(e, ret); break;
    case EXPLAIN_CAUSE_PROXY:
        propose(ret, EXPLAIN_ADVICE, WEIGHT_CLIENT,
                SPAN("Explain the true client: give the address that the header names as --remote."), SPAN(""));
        break;
    case EXPLAIN_CAUSE_NO_CERTIFICATE: no_certificate(e, ret); break;
    case EXPLAIN_CAUSE_NO_STARTTLS: no_starttls(e, ret); break;
    case EXPLAIN_CAUSE_AUTH_NOT_OFFERED: auth_not_offered(e, ret); break;
    case EXPLAIN_CAUSE_LOGON: logon(e, ret); break;
    case EXPLAIN_CAUSE_HELLO:
        if (!e->session->helo.len)
            propose(ret, EXPLAIN_COMMANDS, WEIGHT_RANGE, set_connector(e, "-RequireEHLODomain $false"),
                    explain_text(e, "every client of %.*s may say EHLO without a name",
                                 SPAN_ARG(explain_clients(e, e->connector))));
        else
            propose(ret, EXPLAIN_ADVICE, WEIGHT_CLIENT,
                    SPAN("Let the client say its host name or its address in brackets, as in EHLO [192.0.2.1]."),
                    SPAN(""));
        break;
    case EXPLAIN_CAUSE_PLAIN_ON_TLS: advise_tls(e, ret); break;
    case EXPLAIN_CAUSE_TLS_REQUIRED:
        advise_tls(e, ret);
        propose(ret, EXPLAIN_COMMANDS, WEIGHT_CLEAR, set_connector(e, "-RequireTLS $false"),
                explain_text(e, "mail of every client of %.*s may travel in the clear",
                             SPAN_ARG(explain_clients(e, e->connector))));
        break;
    default: break;
    }
}
