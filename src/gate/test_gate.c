/* test_gate.c: what a connector offers and what the machine's asks are answered with, as rows. */
#include "check.h"
#include "gate/gate.h"
#include "policy/test_support.h"

#include <stdio.h>
#include <string.h>

#define ANON "NT AUTHORITY\\ANONYMOUS LOGON"

static void add_policy(struct test_policy *t)
{
    static const char *const names[] = {"internet", "client", "relay", "hardened", "external", "big"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        test_addf(t,
                  "ReceiveConnector: Guid=%s|Name=%s|Bindings=[0.0.0.0:%zu]|RemoteIPRanges=[0.0.0.0/0]|"
                  "MaxHopCount=#12|MaxHeaderSize=#2000|AuthMechanism=[Tls,BasicAuth%s]",
                  names[i], names[i], 25 + i, i == 4 ? ",ExternalAuthoritative" : "");
    test_add_group(t, "internet", GROUP_ANONYMOUS_USERS);
    test_add_group(t, "client", GROUP_EXCHANGE_USERS);
    test_add_group(t, "relay", GROUP_ANONYMOUS_USERS);
    test_add_group(t, "external", GROUP_EXCHANGE_SERVERS);
    test_add_group(t, "big", GROUP_ANONYMOUS_USERS);
    test_add(t,
             "ADPermission: Connector=relay|User=" ANON "|ExtendedRight=ms-Exch-SMTP-Accept-Any-Recipient\n"
             "ADPermission: Connector=hardened|User=" ANON "|ExtendedRight=ms-Exch-SMTP-Submit\n"
             "ADPermission: Connector=big|User=" ANON "|ExtendedRight=ms-Exch-Bypass-Message-Size-Limit\n"
             "ADPermission: Connector=big|User=" ANON "|ExtendedRight=ms-Exch-Accept-Headers-Organization\n"
             "ADPermission: Connector=big|User=" ANON "|ExtendedRight=ms-Exch-Bypass-Anti-Spam\n"
             "AcceptedDomain: Name=own|DomainName=example.com|DomainType=Authoritative|Default=$true\n"
             "AcceptedDomain: Name=shared|DomainName=shared.test|DomainType=InternalRelay\n"
             "ReceiveConnector: Guid=mutual|Name=mutual|Bindings=[0.0.0.0:98]|RemoteIPRanges=[0.0.0.0/0]|"
             "AuthMechanism=[Tls]|DomainSecureEnabled=$true\n"
             "TransportConfig: ExternalPostmasterAddress=pm@example.com|TLSReceiveDomainSecureList=[secure.test]");
    test_add_group(t, "mutual", GROUP_ANONYMOUS_USERS);
    test_open(t);
}

static const struct span alices[] = {SPAN_INIT("alice@example.com"), SPAN_INIT("a.smith@example.com")};
static const struct gate_user alice = {.guid = SPAN_INIT("alice"), .addresses = alices, .address_count = 2};

static const struct smtp_envelope nobody; /* no entry is narrowed by recipients */

/* For several gates at once, none of them for long. */
static uint8_t *fresh_marks(void)
{
    static uint8_t marks[8][POLICY_ACL_MAX];
    static unsigned next;
    return marks[next++ % ARRAY_LEN(marks)];
}

static struct gate begin(const struct test_policy *t, const char *connector)
{
    struct gate g;
    gate_begin(&g, t->policy, test_receive(t, connector), 0, fresh_marks());
    return g;
}

static void check_reply(const char *row, const struct smtp_answer *a, const char *want)
{
    char got[256] = "";
    if (a->verdict == SMTP_ANSWER_REFUSE)
        snprintf(got, sizeof got, "%d %.*s %.*s", a->reply.code, SPAN_ARG(a->reply.enhanced),
                 SPAN_ARG(a->reply.text));
    else if (a->verdict != SMTP_ANSWER_OK)
        snprintf(got, sizeof got, "later");
    CHECK_STR(row, got, want ? want : "");
}

/* ---- the profile ---- */

#define LP        "LOGIN PLAIN"
#define GSSAPI_ON "|EnableAuthGSSAPI=$true"

static const struct {
    const char *name, *properties;
    bool certificate, keytab;
    bool uses_tls, can_greet, starttls, tls_active;
    const char *before, *after; /* mechanisms in the clear, and under TLS */
} profiles[] = {
    {"TLS and password", "AuthMechanism=[Tls,BasicAuth]", true, true, true, true, true, false, LP, LP},
    {"... no certificate", "AuthMechanism=[Tls,BasicAuth]", false, true, true, true, false, false, LP, LP},
    {"password under TLS only", "AuthMechanism=[Tls,BasicAuth,BasicAuthRequireTLS]", true, true, true, true, true,
     false, "", LP},
    {"no Tls mechanism", "AuthMechanism=[BasicAuth]", true, true, false, true, false, false, LP, LP},
    {"nothing", "AuthMechanism=[]", true, true, false, true, false, false, "", ""},
    {"implicit", "AuthMechanism=[BasicAuth]|ImplicitTls=$true", true, true, true, true, false, true, LP, LP},
    {"implicit, no certificate", "ImplicitTls=$true|AuthMechanism=[]", false, true, true, false, false, true, "",
     ""},
    {"Integrated without GSSAPI", "AuthMechanism=[Tls,Integrated]", true, true, true, true, true, false, "", ""},
    {"GSSAPI without Integrated", "AuthMechanism=[Tls]" GSSAPI_ON, true, true, true, true, true, false, "", ""},
    {"GSSAPI", "AuthMechanism=[Integrated]" GSSAPI_ON, true, true, false, true, false, false, "GSSAPI", "GSSAPI"},
    {"GSSAPI, no keytab", "AuthMechanism=[Tls,Integrated]" GSSAPI_ON, true, false, true, true, true, false, "", ""},
    {"GSSAPI and password", "AuthMechanism=[Tls,BasicAuth,Integrated]" GSSAPI_ON, true, true, true, true, true,
     false, "GSSAPI " LP, "GSSAPI " LP},
    {"... under TLS only", "AuthMechanism=[Tls,BasicAuth,BasicAuthRequireTLS,Integrated]" GSSAPI_ON, true, true,
     true, true, true, false, "GSSAPI", "GSSAPI " LP},
    {"... no keytab", "AuthMechanism=[Tls,BasicAuth,BasicAuthRequireTLS,Integrated]" GSSAPI_ON, true, false, true,
     true, true, false, "", LP},
};

static void check_mechanisms(const char *row, const struct span *all, size_t count, const char *want)
{
    char got[64] = "";
    for (size_t i = 0; i < count; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.*s", i ? " " : "", SPAN_ARG(all[i]));
    CHECK_STR(row, got, want);
}

static void test_profiles(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
        const char *row = profiles[i].name;
        struct test_policy t;
        test_policy_init(&t);
        test_addf(&t, "ReceiveConnector: Guid=c|Name=c|Bindings=[0.0.0.0:25]|RemoteIPRanges=[0.0.0.0/0]|%s",
                  profiles[i].properties);
        test_open(&t);
        const struct receive_connector *c = test_receive(&t, "c");
        struct gate_place place = {.host = SPAN("host.example.com"),
                                   .client_address = SPAN("192.0.2.1"),
                                   .certificate = profiles[i].certificate,
                                   .keytab = profiles[i].keytab};
        struct smtp_server_profile p = gate_profile(t.policy, c, &place);
        CHECK_INT(row, gate_uses_tls(c), profiles[i].uses_tls);
        CHECK_INT(row, gate_can_greet(c, place.certificate), profiles[i].can_greet);
        CHECK_INT(row, p.starttls_available, profiles[i].starttls);
        CHECK_INT(row, p.tls_active, profiles[i].tls_active);
        check_mechanisms(row, p.auth_before_tls, p.auth_before_tls_count, profiles[i].before);
        check_mechanisms(row, p.auth_after_tls, p.auth_after_tls_count, profiles[i].after);
        CHECK_SPAN(row, p.fqdn, SPAN("host.example.com"));
        CHECK_SPAN(row, p.client_address, SPAN("192.0.2.1"));
        test_policy_done(&t);
    }
}

static void test_profile_of_every_property(void **state UNUSED)
{
    struct test_policy t;
    test_policy_init(&t);
    test_add(&t, test_everything);
    test_open(&t);
    struct gate_place place = {.host = SPAN("host.example.com"), .certificate = true};
    struct smtp_server_profile p = gate_profile(t.policy, test_receive(&t, "Default mail"), &place);
    CHECK_SPAN("fqdn", p.fqdn, SPAN("mail.example.com"));
    CHECK_SPAN("banner", p.banner, SPAN("220 hello"));
    CHECK_SPAN("default domain", p.default_domain, SPAN("example.com"));
    CHECK_INT("size", p.size_mode, SMTP_SIZE_NO_VALUE);
    CHECK_INT("size", p.max_message_size, 1000);
    CHECK_INT("pipelining", p.pipelining, false);
    CHECK_INT("require TLS", p.require_tls, true);
    CHECK_INT("recipients", p.max_recipients, 300);
    CHECK_INT("recipients of the organisation", p.organisation_max_recipients, 66);
    CHECK_SPAN("connector", p.connector, SPAN("Default mail"));
    CHECK_INT("long addresses", p.long_addresses, true);
    CHECK_INT("long lines", p.max_command_line, 8000);
    CHECK_INT("ORAR", p.orar, true);
    CHECK_INT("bare LF", p.repair_bare_lf, true);
    CHECK_INT("errors", p.max_protocol_errors, SMTP_UNLIMITED);
    CHECK_INT("failures", p.max_logon_failures, 0);
    CHECK_INT("connection", p.connection_timeout_ms, 90000);
    CHECK_INT("inactivity", p.inactivity_timeout_ms, 9000);
    CHECK_INT("tarpit", p.tarpit_ms, 0);
    test_policy_done(&t);
}

/* ---- AUTH, MAIL, RCPT ---- */

#define UNKNOWN   "530 5.7.1 Client was not authenticated"
#define NO_SUBMIT "550 5.7.1 Client does not have permissions to submit to this server"
#define NOT_AS    "550 5.7.1 Client does not have permissions to send as this sender"
#define ANON_AS   "550 5.7.1 Anonymous client does not have permissions to send as this sender"
#define NO_RELAY  "550 5.7.1 Unable to relay"

static void test_log_on(void **state UNUSED)
{
    struct test_policy t;
    test_policy_init(&t);
    add_policy(&t);
    struct gate g = begin(&t, "internet"), user = begin(&t, "client"), secured = begin(&t, "external");
    struct gate_verdict v = gate_log_on(&g, &alice);
    check_reply("refused", &v.answer, NO_SUBMIT);
    CHECK_INT("refused: still anonymous", token_is_anonymous(&g.token), true);
    CHECK_INT("refused: nobody", g.user.guid.len, 0);
    v = gate_log_on(&user, &alice);
    check_reply("accepted", &v.answer, NULL);
    CHECK_INT("accepted", v.decision.question, QUESTION_AUTH);
    CHECK_INT("accepted: is a user", token_is_user(&user.token), true);
    gate_begin(&user, t.policy, user.connector, 0, fresh_marks());
    CHECK_INT("forgotten", token_is_anonymous(&user.token), true);
    CHECK_INT("secured from the start", token_has(&secured.token, PRINCIPAL_EXTERNALLY_SECURED, SPAN("")), true);
    gate_begin(&user, t.policy, user.connector, PRINCIPAL_BIT(PRINCIPAL_PARTNER_SERVERS), fresh_marks());
    CHECK_INT("a server", token_has(&user.token, PRINCIPAL_PARTNER_SERVERS, SPAN("")), true);
    gate_log_on(&user, &alice);
    CHECK_INT("a server's user", token_has(&user.token, PRINCIPAL_PARTNER_SERVERS, SPAN("")), true);
    test_policy_done(&t);
}

static const struct {
    const char *name, *connector;
    bool alice;
    const char *sender, *reply;
    bool no_size_limit;
} mails[] = {
    {"anonymous", "internet", false, "x@far.test", NULL, false},
    {"anonymous where only users may", "client", false, "x@far.test", UNKNOWN, false},
    {"anonymous without a sender right", "hardened", false, "x@far.test", ANON_AS, false},
    {"the null sender", "hardened", false, "", NULL, false},
    {"a user as itself", "client", true, "A.SMITH@example.com", NULL, false},
    {"a user as another", "client", true, "bob@example.com", NOT_AS, false},
    {"no limit of size", "big", false, "x@far.test", NULL, true},
    {"no limit of size", "external", false, "x@far.test", NULL, true},
};

static const struct {
    const char *name, *connector;
    bool alice;
    const char *recipient, *reply;
    bool ask_directory;
} rcpts[] = {
    {"anonymous to our own", "internet", false, "bob@example.com", NULL, true},
    {"anonymous to a relay domain", "internet", false, "bob@shared.test", NULL, false},
    {"anonymous to the postmaster", "internet", false, "POSTMASTER@example.com", NULL, false},
    {"anonymous to the world", "internet", false, "bob@far.test", NO_RELAY, false},
    {"a relay to our own", "relay", false, "bob@example.com", NULL, false},
    {"a relay to the world", "relay", false, "bob@far.test", NULL, false},
    {"a user to our own", "client", true, "bob@example.com", NULL, false},
    {"past anti-spam, to our own", "big", false, "bob@example.com", NULL, false},
    {"past anti-spam, to the world", "big", false, "bob@far.test", NO_RELAY, false},
};

static void test_envelopes(void **state UNUSED)
{
    struct test_policy t;
    test_policy_init(&t);
    add_policy(&t);
    for (size_t i = 0; i < ARRAY_LEN(mails); i++) {
        struct gate g = begin(&t, mails[i].connector);
        if (mails[i].alice)
            gate_log_on(&g, &alice);
        struct smtp_mail mail = {.address = {.text = span_of(mails[i].sender)}};
        struct gate_verdict v = gate_mail(&g, &mail);
        check_reply(mails[i].name, &v.answer, mails[i].reply);
        CHECK_INT(mails[i].name, v.answer.no_size_limit, mails[i].no_size_limit);
        CHECK_INT(mails[i].name, v.second.step_count != 0, mails[i].reply == NULL);
        CHECK_INT(mails[i].name, decision_replay(&v.decision), v.decision.verdict);
    }
    for (size_t i = 0; i < ARRAY_LEN(rcpts); i++) {
        struct gate g = begin(&t, rcpts[i].connector);
        if (rcpts[i].alice)
            gate_log_on(&g, &alice);
        struct gate_verdict v = gate_rcpt(&g, SPAN("a@far.test"), span_of(rcpts[i].recipient));
        check_reply(rcpts[i].name, &v.answer, rcpts[i].reply);
        CHECK_INT(rcpts[i].name, v.ask_directory, rcpts[i].ask_directory);
        CHECK_INT(rcpts[i].name, decision_replay(&v.decision), v.decision.verdict);
    }
    test_policy_done(&t);
}

/* ---- submit.sock ---- */

static const struct {
    const char *name, *submission;
    bool trusted;
    const char *sender, *sender_reply, *recipient_reply; /* of bob@far.test */
} locals[] = {
    {"any sender", "AnySender", false, "anybody@far.test", NULL, NULL},
    {"any sender of our domain", "AnySender", false, "bob@example.com", NULL, NULL},
    {"as himself", "OwnSender", false, "a.smith@example.com", NULL, NULL},
    {"as another", "OwnSender", false, "bob@example.com", NOT_AS, NULL},
    {"as the world", "OwnSender", false, "anybody@far.test", NOT_AS, NULL},
    {"root as anybody", "OwnSender", true, "bob@example.com", NULL, NULL},
    {"the null sender", "OwnSender", false, "", NULL, NULL},
    {"disabled", "Disabled", false, "a.smith@example.com", NO_SUBMIT, NO_RELAY},
    {"disabled for root as well", "Disabled", true, "a.smith@example.com", NO_SUBMIT, NO_RELAY},
};

static void test_local_user(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(locals); i++) {
        struct test_policy t;
        struct gate g;
        test_policy_init(&t);
        test_add(&t, "AcceptedDomain: Name=own|DomainName=example.com|DomainType=Authoritative|Default=$true");
        test_addf(&t, "TransportServer: LocalSubmission=%s", locals[i].submission);
        test_open(&t);
        gate_begin(&g, t.policy, policy_local_connector(t.policy), 0, fresh_marks());
        gate_local_user(&g, &alice, locals[i].trusted);
        struct smtp_mail mail = {.address = {.text = span_of(locals[i].sender)}};
        struct gate_verdict v = gate_mail(&g, &mail);
        if (v.ask_send_as.len) { /* as the session has it: no mailbox is its */
            gate_know(&g, v.ask_send_as, GATE_SEND_AS_NO);
            v = gate_mail(&g, &mail);
        }
        check_reply(locals[i].name, &v.answer, locals[i].sender_reply);
        v = gate_rcpt(&g, mail.address.text, SPAN("bob@far.test"));
        check_reply(locals[i].name, &v.answer, locals[i].recipient_reply);
        v = gate_rcpt(&g, mail.address.text, SPAN("bob@example.com"));
        CHECK_INT(locals[i].name, v.ask_directory, v.decision.verdict == VERDICT_ALLOW);
        test_policy_done(&t);
    }
}

#define AUTH_REQUIRED "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required"

static void test_resolved(void **state UNUSED)
{
    static const struct {
        const char *name;
        enum gate_recipient recipient;
        const char *connector;
        bool alice;
        const char *auth; /* AUTH= of MAIL */
        const char *reply;
    } rows[] = {
        {"found", GATE_RECIPIENT_KNOWN, "internet", .auth = "", .reply = NULL},
        {"nobody's", GATE_RECIPIENT_UNKNOWN, "internet", .auth = "", .reply = "550 5.1.1 User unknown"},
        {"directory away", GATE_RECIPIENT_UNAVAILABLE, "internet", .auth = "", .reply = "later"},
        {"nobody's, of a user", GATE_RECIPIENT_UNKNOWN, "client", true, "", "550 5.1.1 User unknown"},
        {"guarded, anonymous", GATE_RECIPIENT_GUARDED, "internet", .auth = "", .reply = AUTH_REQUIRED},
        {"guarded, a user", GATE_RECIPIENT_GUARDED, "client", true, "", NULL},
        {"guarded, externally secured", GATE_RECIPIENT_GUARDED, "external", .auth = "", .reply = NULL},
        {"guarded, AUTH= without the right", GATE_RECIPIENT_GUARDED, "internet", .auth = "a@b.test",
         .reply = AUTH_REQUIRED},
        {"guarded, vouched for", GATE_RECIPIENT_GUARDED, "vouching", .auth = "a@b.test", .reply = NULL},
        {"guarded, vouched for nobody", GATE_RECIPIENT_GUARDED, "vouching", .auth = "<>", .reply = AUTH_REQUIRED},
        {"guarded, vouched for without AUTH=", GATE_RECIPIENT_GUARDED, "vouching", .auth = "",
         .reply = AUTH_REQUIRED},
    };
    struct test_policy t;
    test_policy_init(&t);
    test_add(&t, "ReceiveConnector: Guid=vouching|Name=vouching|Bindings=[0.0.0.0:99]|RemoteIPRanges=[0.0.0.0/0]\n"
                 "ADPermission: Connector=vouching|User=" ANON
                 "|ExtendedRight=ms-Exch-SMTP-Accept-Authentication-Flag|Recipients=[b@example.com]");
    add_policy(&t);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct gate g = begin(&t, rows[i].connector);
        const struct smtp_mail mail = {.address.text = SPAN("x@far.test"), .auth = span_of(rows[i].auth)};
        if (rows[i].alice)
            gate_log_on(&g, &alice);
        struct smtp_answer a = gate_resolved(&g, &mail, SPAN("b@example.com"), rows[i].recipient);
        check_reply(rows[i].name, &a, rows[i].reply);
    }
    test_policy_done(&t);
}

static void test_recipient_address(void **state UNUSED)
{
    struct test_policy t;
    struct arena a;
    test_policy_init(&t);
    add_policy(&t);
    arena_init(&a, 4096);
    struct mail_address whole = {.text = SPAN("bob@far.test"), .domain = SPAN("far.test")};
    struct mail_address local = {.text = SPAN("Postmaster")};
    CHECK_SPAN("whole", gate_recipient_address(t.policy, &whole, &a), SPAN("bob@far.test"));
    CHECK_SPAN("local", gate_recipient_address(t.policy, &local, &a), SPAN("Postmaster@example.com"));
    arena_clear(&a);
    test_policy_done(&t);
}

/* ---- client certificates ---- */

static bool names_partner(void *context, struct span domain)
{
    return span_ieq(domain, span_of(context));
}

static void test_certificates(void **state UNUSED)
{
    static const struct {
        const char *name, *connector;
        bool certificate, trusted;
        const char *fingerprint, *domain;
        unsigned servers;
        const char *partner;
        bool asks;
    } rows[] = {
        {"none", "both", false, false, "", "", 0, "", true},
        {"a partner", "both", true, true, "00", "partner.test", PRINCIPAL_BIT(PRINCIPAL_PARTNER_SERVERS),
         "partner.test", true},
        {"a partner's that is not valid", "both", true, false, "00", "partner.test", 0, "", true},
        {"of a domain that is not listed", "both", true, true, "00", "far.test", 0, "", true},
        {"a hub, self-signed", "both", true, false, TEST_PIN_HUB, "", PRINCIPAL_BIT(PRINCIPAL_HUB_SERVERS), "",
         true},
        {"an edge", "both", true, true, TEST_PIN_EDGE, "", PRINCIPAL_BIT(PRINCIPAL_EDGE_SERVERS), "", true},
        {"a partner without domain security", "servers", true, true, "00", "partner.test", 0, "", true},
        {"a hub without ExchangeServer", "mutual", true, true, TEST_PIN_HUB, "", 0, "", true},
        {"neither", "plain", true, true, TEST_PIN_HUB, "partner.test", 0, "", false},
    };
    struct test_policy t;
    struct arena a;
    test_policy_init(&t);
    test_add(&t,
             "ReceiveConnector: Guid=both|Name=both|AuthMechanism=[Tls,ExchangeServer]|DomainSecureEnabled=$true\n"
             "ReceiveConnector: Guid=servers|Name=servers|AuthMechanism=[Tls,ExchangeServer]\n"
             "ReceiveConnector: Guid=mutual|Name=mutual|AuthMechanism=[Tls]|DomainSecureEnabled=$true\n"
             "ReceiveConnector: Guid=plain|Name=plain|AuthMechanism=[Tls]\n"
             "TransportConfig: TLSReceiveDomainSecureList=[partner.test,other.test]|"
             "HubTransportServerCertificates=[" TEST_PIN_HUB "]|EdgeTransportServerCertificates=[" TEST_PIN_EDGE
             "]");
    test_open(&t);
    arena_init(&a, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct gate g = begin(&t, rows[i].connector);
        char domain[40];
        snprintf(domain, sizeof domain, "%s", rows[i].domain);
        struct gate_tls tls = {.certificate = rows[i].certificate,
                               .trusted = rows[i].trusted,
                               .fingerprint = span_of(rows[i].fingerprint),
                               .names_domain = names_partner,
                               .context = domain};
        CHECK_INT(rows[i].name, gate_asks_certificate(t.policy, g.connector), rows[i].asks);
        gate_secured(&g, &tls, &a);
        CHECK_INT(rows[i].name, g.servers, rows[i].servers);
        CHECK_INT(rows[i].name, token_is_anonymous(&g.token), rows[i].servers == 0);
        CHECK_SPAN(rows[i].name, gate_partner(&g), span_of(rows[i].partner));
        gate_begin(&g, t.policy, g.connector, 0, fresh_marks());
        CHECK_INT(rows[i].name, token_is_anonymous(&g.token), true);
    }
    /* Nobody is pinned: nobody is asked. */
    test_policy_done(&t);
    test_policy_init(&t);
    test_add(&t, "ReceiveConnector: Guid=servers|Name=servers|AuthMechanism=[Tls,ExchangeServer]");
    test_open(&t);
    CHECK_INT("no pins", gate_asks_certificate(t.policy, test_receive(&t, "servers")), false);
    test_policy_done(&t);
    arena_clear(&a);
}

/* ---- the content ---- */

static const struct {
    const char *name, *connector;
    bool alice;
    bool submission, keeps_routing, keeps_organization;
} contents[] = {
    {"the Internet relays", "internet", false, false, true, false},
    {"a printer submits", "relay", false, true, true, false},
    {"a user submits", "client", true, true, true, false},
    {"a secured server relays", "external", false, false, true, false},
    {"the firewall open for organization headers", "big", false, false, true, true},
};

static void test_intake_options(void **state UNUSED)
{
    struct test_policy t;
    test_policy_init(&t);
    add_policy(&t);
    for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
        const char *row = contents[i].name;
        struct gate g = begin(&t, contents[i].connector);
        if (contents[i].alice)
            gate_log_on(&g, &alice);
        unsigned rights = gate_rights(&g, &nobody);
        struct intake_options o = gate_intake_options(&g, rights);
        CHECK_INT(row, gate_is_submission(&g, rights), contents[i].submission);
        CHECK_INT(row, o.remove_bcc, contents[i].submission);
        CHECK_INT(row, o.add_date, contents[i].submission);
        CHECK_INT(row, o.add_message_id, true);
        CHECK_INT(row, !o.remove_routing, contents[i].keeps_routing);
        CHECK_INT(row, !o.remove_organization, contents[i].keeps_organization);
        CHECK_INT(row, o.max_hops, 12);
        CHECK_INT(row, o.max_header, 2000);
    }
    test_policy_done(&t);
}

/* As whom a sender is stamped. */
static void test_auth_as(void **state UNUSED)
{
    static const struct {
        const char *name, *connector;
        bool alice;
        unsigned servers;
        const char *auth; /* AUTH= */
        enum gate_auth_as want;
    } rows[] = {
        {"the Internet", "internet", false, 0, "", GATE_ANONYMOUS},
        {"whom nobody may vouch for", "internet", false, 0, "a@example.com", GATE_ANONYMOUS},
        {"a user", "client", true, 0, "", GATE_INTERNAL},
        {"a secured server", "external", false, 0, "", GATE_INTERNAL},
        {"a server of ours", "internet", false, PRINCIPAL_BIT(PRINCIPAL_HUB_SERVERS), "", GATE_INTERNAL},
        {"a partner", "internet", false, PRINCIPAL_BIT(PRINCIPAL_PARTNER_SERVERS), "", GATE_PARTNER},
    };
    struct test_policy t;
    test_policy_init(&t);
    add_policy(&t);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct gate g;
        const struct smtp_mail mail = {.auth = span_of(rows[i].auth)};
        gate_begin(&g, t.policy, test_receive(&t, rows[i].connector), rows[i].servers, fresh_marks());
        if (rows[i].alice)
            gate_log_on(&g, &alice);
        CHECK_INT(rows[i].name, gate_auth_as(&g, gate_rights(&g, &nobody), &mail), rows[i].want);
    }
    struct gate g;
    const unsigned may = RIGHT_BIT(RIGHT_ACCEPT_AUTHENTICATION_FLAG);
    gate_begin(&g, t.policy, test_receive(&t, "internet"), 0, fresh_marks());
    const struct smtp_mail vouched = {.auth = SPAN("a@example.com")}, for_nobody = {.auth = SPAN("<>")};
    assert_int_equal(gate_auth_as(&g, may, &vouched), GATE_INTERNAL);
    assert_int_equal(gate_auth_as(&g, may, &for_nobody), GATE_ANONYMOUS);
    test_policy_done(&t);
}

#define UNPROVEN "550 5.7.1 Mail from this domain must come by mutual TLS, and TLS was not started"

static const struct {
    const char *name, *connector;
    bool alice;
    struct intake_result result;
    const char *reply;
} messages[] = {
    {"a user's own From",
     "client",
     true,
     {.from = {SPAN_INIT("alice@example.com")}, .from_count = 1, .authors_complete = true},
     NULL},
    {"somebody else's From",
     "client",
     true,
     {.from = {SPAN_INIT("bob@example.com")}, .from_count = 1, .authors_complete = true},
     NOT_AS},
    {"... behind its own",
     "client",
     true,
     {.from = {SPAN_INIT("alice@example.com"), SPAN_INIT("bob@example.com")},
      .from_count = 2,
      .authors_complete = true},
     NOT_AS},
    {"somebody else's Sender",
     "client",
     true,
     {.from = {SPAN_INIT("alice@example.com")},
      .from_count = 1,
      .sender = SPAN_INIT("bob@example.com"),
      .authors_complete = true},
     NOT_AS},
    {"no author at all", "client", true, {.authors_complete = true}, NULL},
    {"an author that cannot be read", "client", true, {.authors_complete = false}, NOT_AS},
    {"... where anybody may be", "internet", false, {.authors_complete = false}, NULL},
    {"an author of a domain that must prove itself",
     "mutual",
     false,
     {.from = {SPAN_INIT("x@secure.test")}, .from_count = 1, .authors_complete = true},
     UNPROVEN},
    {"... behind another",
     "mutual",
     false,
     {.from = {SPAN_INIT("x@far.test"), SPAN_INIT("x@Secure.test")}, .from_count = 2, .authors_complete = true},
     UNPROVEN},
    {"... as Sender",
     "mutual",
     false,
     {.from = {SPAN_INIT("x@far.test")},
      .from_count = 1,
      .sender = SPAN_INIT("x@secure.test"),
      .authors_complete = true},
     UNPROVEN},
    {"... and others need none",
     "mutual",
     false,
     {.from = {SPAN_INIT("x@far.test")}, .from_count = 1, .authors_complete = true},
     NULL},
    {"an author that cannot be read where some must prove themselves",
     "mutual",
     false,
     {.authors_complete = false},
     "550 5.7.1 Anonymous client does not have permissions to send as this sender"},
    {"hops",
     "internet",
     false,
     {.problem = INTAKE_TOO_MANY_HOPS},
     "554 5.4.6 Hop count exceeded - possible mail loop"},
    {"header",
     "internet",
     false,
     {.problem = INTAKE_HEADER_TOO_LARGE},
     "552 5.3.4 Header size exceeds fixed maximum size"},
    {"line ends",
     "internet",
     false,
     {.problem = INTAKE_BAD_LINE_END},
     "550 5.6.0 Message refused: its header has a bare CR, a bare LF or a NUL"},
    {"memory", "internet", false, {.problem = INTAKE_NO_MEMORY}, "452 4.3.1 Insufficient system resources"},
};

static void test_messages(void **state UNUSED)
{
    struct test_policy t;
    test_policy_init(&t);
    add_policy(&t);
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        struct gate g = begin(&t, messages[i].connector);
        if (messages[i].alice)
            gate_log_on(&g, &alice);
        gate_rights(&g, &nobody);
        struct gate_verdict v = gate_message(&g, &messages[i].result);
        check_reply(messages[i].name, &v.answer, messages[i].reply);
    }
    test_policy_done(&t);
}

/* MaxReceiveSize holds at once for those who may send to our recipients only. */
static void test_receive_size(void **state UNUSED)
{
    static const struct {
        const char *name, *connector;
        bool alice;
        uint64_t max;
    } rows[] = {
        {"the Internet", "internet", false, 5000},
        {"a user", "client", true, 0},
        {"a relaying client", "relay", false, 0},
        {"a server of ours", "external", false, 0},
    };
    struct test_policy t;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        test_policy_init(&t);
        test_add(&t, "ReceiveConnector: Guid=internet|Name=internet\n"
                     "ReceiveConnector: Guid=client|Name=client\n"
                     "ReceiveConnector: Guid=relay|Name=relay\n"
                     "ReceiveConnector: Guid=external|Name=external|AuthMechanism=[ExternalAuthoritative]\n"
                     "ADPermission: Connector=relay|User=" ANON "|ExtendedRight=ms-Exch-SMTP-Accept-Any-Recipient\n"
                     "TransportConfig: MaxReceiveSize=#5000|MaxSendSize=#7000");
        test_add_group(&t, "internet", GROUP_ANONYMOUS_USERS);
        test_add_group(&t, "client", GROUP_EXCHANGE_USERS);
        test_add_group(&t, "relay", GROUP_ANONYMOUS_USERS);
        test_add_group(&t, "external", GROUP_EXCHANGE_SERVERS);
        test_open(&t);
        struct gate g = begin(&t, rows[i].connector);
        if (rows[i].alice)
            gate_log_on(&g, &alice);
        struct smtp_mail mail = {.address.text = rows[i].alice ? alices[0] : SPAN("a@far.test")};
        struct gate_verdict v = gate_mail(&g, &mail);
        check_reply(rows[i].name, &v.answer, NULL);
        CHECK_INT(rows[i].name, v.answer.max_receive_size, rows[i].max);
        struct gate_place place = {.host = SPAN("h")};
        CHECK_INT(rows[i].name, gate_profile(t.policy, g.connector, &place).max_any_size, 7000);
        test_policy_done(&t);
    }
}

static void test_message_limits(void **state UNUSED)
{
    static const struct {
        enum intake_problem problem;
        const char *limit; /* NULL: none is behind it */
    } rows[] = {
        {INTAKE_OK, NULL},
        {INTAKE_TOO_MANY_HOPS, "MaxHopCount 12 of \"internet\""},
        {INTAKE_TOO_MANY_LOCAL_HOPS, "MaxLocalHopCount 8 of \"internet\""},
        {INTAKE_HEADER_TOO_LARGE, "MaxHeaderSize 2000B of \"internet\""},
        {INTAKE_BAD_LINE_END, NULL},
        {INTAKE_NO_MEMORY, NULL},
    };
    struct test_policy t;
    test_policy_init(&t);
    add_policy(&t);
    struct gate g = begin(&t, "internet");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct smtp_limit limit;
        struct buf b;
        buf_init(&b, 200);
        bool some = gate_message_limit(&g, rows[i].problem, &limit);
        CHECK_INT(intake_problem_text(rows[i].problem), some, rows[i].limit != NULL);
        if (some)
            smtp_limit_print(&b, &limit);
        CHECK_SPAN(intake_problem_text(rows[i].problem), buf_span(&b), span_of(rows[i].limit));
        buf_done(&b);
    }
    test_policy_done(&t);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_profile_of_every_property),
        cmocka_unit_test(test_log_on),
        cmocka_unit_test(test_envelopes),
        cmocka_unit_test(test_local_user),
        cmocka_unit_test(test_resolved),
        cmocka_unit_test(test_recipient_address),
        cmocka_unit_test(test_intake_options),
        cmocka_unit_test(test_auth_as),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_receive_size),
        cmocka_unit_test(test_message_limits),
        cmocka_unit_test(test_certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
