/* test_compile.c: what the compiler makes of records, and what it refuses. */
#include "check.h"
#include "policy/domain.h"
#include "policy/narrow.h"
#include "policy/test_support.h"

#include <string.h>

#define NARROWED                                                                                                   \
    "ReceiveConnector: Guid=r\nADPermission: Connector=r|User=Everyone|ExtendedRight=ms-Exch-SMTP-Submit"

static void test_receive_connector(void **state UNUSED)
{
    struct test_policy t;
    test_policy_init(&t);
    test_add(&t, test_everything);
    test_open(&t);
    const struct policy *p = t.policy;
    const struct receive_connector *c = test_receive(&t, "Default mail");
    const struct {
        const char *name;
        uint64_t got, want;
    } numbers[] = {
        {"version", policy_version(p), 7},
        {"bindings", c->bindings.count, 2},
        {"ranges", c->ranges.count, 2},
        {"proxies", c->proxies.count, 2},
        {"acl", c->acl.count, 3},
        {"size", c->max_message_size, 1000},
        {"header size", c->max_header_size, 2000},
        {"recipients", c->max_recipients, 300},
        {"hops", c->max_hops, 40},
        {"local hops", c->max_local_hops, 0},
        {"connections", c->max_connections, POLICY_UNLIMITED},
        {"per source", c->max_connections_per_source, 60},
        {"percentage", c->max_percentage_per_source, 70},
        {"errors", c->max_protocol_errors, POLICY_UNLIMITED},
        {"logons", c->max_logon_failures, 0},
        {"rate", c->message_rate_limit, 80},
        {"timeout", c->connection_timeout_ms, 90000},
        {"inactivity", c->inactivity_timeout_ms, 9000},
        {"tarpit", c->tarpit_ms, 0},
        {"size mode", c->size_mode, SIZE_WITHOUT_VALUE},
        {"tls", c->tls_minimum, 3},
        {"ciphers", c->tls_profile, 1},
        {"secure domains", policy_settings(p)->secure_domains.count, 2},
        {"secure domains on the way out", policy_settings(p)->secure_send_domains.count, 1},
        {"hubs", policy_settings(p)->hub_servers.count, 1},
        {"edges", policy_settings(p)->edge_servers.count, 1},
        {"copies of reports", policy_settings(p)->dsn_copies.count, 3},
        {"reports", policy_settings(p)->dsn_flags, DSN_DELAY_INTERNAL | DSN_HTML_EXTERNAL},
        {"originals within", policy_settings(p)->dsn_attach_internal, 512 << 10},
        {"originals outside", policy_settings(p)->dsn_attach_external, 99},
        {"auth", c->auth, AUTH_TLS | AUTH_BASIC | AUTH_BASIC_REQUIRE_TLS | AUTH_INTEGRATED | AUTH_EXCHANGE_SERVER},
        {"flags", c->flags,
         CONNECTOR_ENABLED | CONNECTOR_CHUNKING | CONNECTOR_BINARY_MIME | CONNECTOR_EIGHT_BIT_MIME | CONNECTOR_DSN |
             CONNECTOR_ENHANCED_CODES | CONNECTOR_SMTP_UTF8 | CONNECTOR_REQUIRE_TLS | CONNECTOR_IMPLICIT_TLS |
             CONNECTOR_VERBOSE_LOG | CONNECTOR_PROXY_V1 | CONNECTOR_PROXY_V2 | CONNECTOR_LONG_ADDRESSES |
             CONNECTOR_ORAR | CONNECTOR_OFFERS_REQUIRE_TLS},
        {"rate source", c->rate_source, RATE_BY_ALL},
    };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        CHECK_INT(numbers[i].name, numbers[i].got, numbers[i].want);
    CHECK_SPAN("fqdn", policy_text(p, c->fqdn), SPAN("mail.example.com"));
    CHECK_SPAN("banner", policy_text(p, c->banner), SPAN("220 hello"));
    CHECK_SPAN("default domain", policy_text(p, c->default_domain), SPAN("example.com"));
    CHECK("binding", policy_bindings(p, c->bindings)[1].port == 25);
    CHECK("range", ip_cmp(policy_ranges(p, c->ranges)[1].last, test_ip("192.0.2.1")) == 0);
    const struct policy_ace *acl = policy_acl(p, c->acl); /* the Deny first, whatever was made first */
    CHECK_SPAN("deny", policy_text(p, acl[0].principal), SPAN("user:u1"));
    CHECK_SPAN("deny", policy_text(p, acl[0].guid), SPAN("u1"));
    CHECK_SPAN("deny", policy_text(p, acl[0].name), SPAN("Alice"));
    CHECK_SPAN("deny", policy_text(p, acl[0].origin), SPAN("Explicit"));
    CHECK_INT("deny", acl[0].deny, 1);
    CHECK_SPAN("allow", policy_text(p, acl[1].principal), SPAN("NT AUTHORITY\\ANONYMOUS LOGON"));
    CHECK_SPAN("allow", policy_text(p, acl[1].origin), SPAN("AnonymousUsers"));
    CHECK("not narrowed", !narrow_is_narrowed(&acl[0]) && !narrow_is_narrowed(&acl[1]));
    CHECK_SPAN("narrowed", policy_text(p, acl[2].id), SPAN("e1"));
    CHECK_INT("narrowed", acl[2].rate, 3);
    CHECK_INT("narrowed", acl[2].require_tls, 1);
    CHECK_INT("narrowed", acl[2].expires_ms, INT64_C(1800000000000));
    CHECK_INT("senders, one of which was there twice", acl[2].senders.count, 3);
    CHECK_INT("recipients", acl[2].recipients.count, 2);
    CHECK_SPAN("pattern", policy_text(p, policy_patterns(p, acl[2].recipients)[1].domain), SPAN("far.test"));
    CHECK_INT("pattern", policy_patterns(p, acl[2].recipients)[1].kind, PATTERN_SUBDOMAINS);
    test_policy_done(&t);
}

static void test_defaults(void **state UNUSED)
{
    struct test_policy t;
    test_policy_init(&t);
    test_add(&t, "ReceiveConnector: Name=plain|Banner=$null\n"
                 "SendConnector: Name=out\n"
                 "AcceptedDomain: DomainName=example.com");
    test_open(&t);
    const struct receive_connector *c = test_receive(&t, "plain");
    const struct send_connector *s = policy_send_connector(t.policy, 0);
    const struct transport_settings *o = policy_settings(t.policy);
    const struct {
        const char *name;
        uint64_t got, want;
    } numbers[] = {
        {"size", c->max_message_size, 10485760},
        {"header size", c->max_header_size, 65536},
        {"recipients", c->max_recipients, 200},
        {"hops", c->max_hops, 30},
        {"local hops", c->max_local_hops, 8},
        {"connections", c->max_connections, 5000},
        {"per source", c->max_connections_per_source, 20},
        {"percentage", c->max_percentage_per_source, 2},
        {"errors", c->max_protocol_errors, 5},
        {"logons", c->max_logon_failures, 3},
        {"rate", c->message_rate_limit, POLICY_UNLIMITED},
        {"timeout", c->connection_timeout_ms, 600000},
        {"inactivity", c->inactivity_timeout_ms, 300000},
        {"tarpit", c->tarpit_ms, 5000},
        {"auth tarpit", c->auth_tarpit_ms, 5000},
        {"size mode", c->size_mode, SIZE_ENABLED},
        {"tls", c->tls_minimum, 2},
        {"ciphers", c->tls_profile, 0},
        {"secure domains", o->secure_domains.count, 0},
        {"copies of reports", o->dsn_copies.count, 0},
        {"reports", o->dsn_flags, DSN_FLAGS_ALL},
        {"originals", o->dsn_attach_external, 512 << 10},
        {"secure domains on the way out", o->secure_send_domains.count, 0},
        {"auth", c->auth, 0},
        {"acl", c->acl.count, 0},
        {"flags", c->flags,
         CONNECTOR_ENABLED | CONNECTOR_PIPELINING | CONNECTOR_CHUNKING | CONNECTOR_BINARY_MIME |
             CONNECTOR_EIGHT_BIT_MIME | CONNECTOR_DSN | CONNECTOR_ENHANCED_CODES | CONNECTOR_SMTP_UTF8 |
             CONNECTOR_BARE_LF_REJECTION | CONNECTOR_OFFERS_REQUIRE_TLS},
        {"rate source", c->rate_source, RATE_BY_ADDRESS},
        {"send flags", s->flags, SEND_ENABLED | SEND_DNS_ROUTING},
        {"send port", s->port, 25},
        {"send size", s->max_message_size, 10485760},
        {"send inactivity", s->inactivity_timeout_ms, 600000},
        {"TLS level", s->tls_level, SEND_TLS_UNSET},
        {"DANE", s->dane, SEND_DANE_OPPORTUNISTIC},
        {"MTA-STS", s->mta_sts, 1},
        {"domain type", policy_accepted_domain(t.policy, 0)->type, DOMAIN_AUTHORITATIVE},
        {"glitches", o->glitch_count, 4},
        {"glitch interval", o->glitch_interval_ms, 60000},
        {"transients", o->transient_count, 6},
        {"transient interval", o->transient_interval_ms, 300000},
        {"failure interval", o->failure_interval_ms, 600000},
        {"message interval", o->message_interval_ms, 60000},
        {"mailbox interval", o->mailbox_interval_ms, 300000},
        {"expiration", o->expiration_ms, 172800000},
        {"delay notice", o->delay_notice_ms, 14400000},
        {"outbound", o->max_outbound, 1000},
        {"per domain", o->max_per_domain, 20},
        {"poison", o->poison_threshold, 2},
        {"role", o->edge, 0},
        {"mailboxes", o->lmtp, 0},
        {"receive size", o->max_receive_size, POLICY_UNLIMITED_WIDE},
        {"envelope", o->max_recipients, POLICY_UNLIMITED},
        {"queue disk", o->pressure.of[PRESSURE_QUEUE_DISK].high, PRESSURE_AUTOMATIC},
        {"log disk", o->pressure.of[PRESSURE_LOG_DISK].medium, PRESSURE_AUTOMATIC},
        {"memory", o->pressure.of[PRESSURE_MEMORY].high, 75},
        {"queue length", o->pressure.of[PRESSURE_QUEUE_LENGTH].medium, 1500000},
    };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        CHECK_INT(numbers[i].name, numbers[i].got, numbers[i].want);
    CHECK("no default domain", policy_default_domain(t.policy) == NULL);
    test_policy_done(&t);
}

static void test_others(void **state UNUSED)
{
    struct test_policy t;
    test_policy_init(&t);
    test_add(&t, test_everything);
    test_open(&t);
    const struct policy *p = t.policy;
    const struct send_connector *s = policy_send_connector(p, 0);
    const struct address_space *spaces = policy_spaces(p, s->spaces);
    const struct transport_settings *o = policy_settings(p);
    const struct accepted_domain *d = policy_default_domain(p);
    CHECK_INT("spaces", s->spaces.count, 3);
    CHECK_SPAN("space", policy_text(p, spaces[0].domain), SPAN("example.net"));
    CHECK_INT("space", spaces[0].kind, SPACE_SUBDOMAINS);
    CHECK_INT("space", spaces[0].cost, 5);
    CHECK_INT("all", spaces[1].kind, SPACE_ALL);
    CHECK_INT("all", spaces[1].cost, 1);
    CHECK_INT("exact", spaces[2].cost, 100);
    CHECK_SPAN("host", policy_text(p, policy_hosts(p, s->hosts)[1]), SPAN("192.0.2.9"));
    CHECK_SPAN("password", policy_text(p, s->password), SPAN(TEST_PASSWORD));
    CHECK_INT("flags", s->flags,
              SEND_ENABLED | SEND_REQUIRE_TLS | SEND_FORCE_HELO | SEND_BASIC_AUTH | SEND_BASIC_AUTH_REQUIRE_TLS |
                  SEND_VERBOSE_LOG | SEND_DOMAIN_SECURE);
    CHECK_INT("inactivity", s->inactivity_timeout_ms, 7000);
    CHECK_INT("TLS level", s->tls_level, SEND_TLS_DOMAIN);
    CHECK_SPAN("TLS domain", policy_text(t.policy, s->tls_domain), SPAN("relay.example.net"));
    CHECK_INT("DANE", s->dane, SEND_DANE_NONE);
    CHECK_INT("MTA-STS", s->mta_sts, 0);
    CHECK_INT("size", s->max_message_size == POLICY_UNLIMITED_WIDE, 1);
    CHECK_INT("port", s->port, 2526);
    CHECK_SPAN("domain", policy_text(p, d->domain), SPAN("example.com"));
    CHECK_INT("type", d->type, DOMAIN_INTERNAL_RELAY);
    CHECK_INT("edge", o->edge, 1);
    CHECK_INT("lmtp", o->lmtp, 1);
    CHECK_INT("glitches", o->glitch_count, 0);
    CHECK_INT("expiry", o->expiration_ms, 5000);
    CHECK_INT("receive size", o->max_receive_size, 77);
    CHECK_INT("envelope", o->max_recipients, 66);
    CHECK_INT("queue disk", o->pressure.of[PRESSURE_QUEUE_DISK].medium, 9000);
    CHECK_INT("memory", o->pressure.of[PRESSURE_MEMORY].high, 88);
    CHECK_INT("queue length", o->pressure.of[PRESSURE_QUEUE_LENGTH].high == UINT64_MAX, 1);
    CHECK_SPAN("host", policy_text(p, o->host), SPAN("mail.example.com"));
    CHECK_SPAN("postmaster", policy_text(p, o->postmaster), SPAN("pm@example.com"));
    CHECK_SPAN("mailbox host", policy_text(p, o->mailbox_host), SPAN("127.0.0.1:24"));
    test_policy_done(&t);
}

/* What LocalSubmission gives at submit.sock: to the users of this machine, and to root besides. */
static void test_local_connector(void **state UNUSED)
{
    static const struct {
        const char *name, *objects, *domain;
        enum local_submission mode;
        uint32_t users, trusted; /* entries */
    } rows[] = {
        {"no server at all", "AcceptedDomain: Name=a|DomainName=Example.COM|Default=$true", "example.com",
         LOCAL_ANY_SENDER, 6, 0},
        {"any sender", "TransportServer: LocalSubmission=AnySender", "", LOCAL_ANY_SENDER, 6, 0},
        {"own sender",
         "TransportServer: LocalSubmission=OwnSender\nAcceptedDomain: Name=a|DomainName=*.x.test|Default=$true",
         "x.test", LOCAL_OWN_SENDER, 4, 2},
        {"disabled", "TransportServer: LocalSubmission=Disabled\nAcceptedDomain: Name=a|DomainName=x.test", "",
         LOCAL_DISABLED, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct test_policy t;
        uint32_t users = 0, trusted = 0;
        test_policy_init(&t);
        test_add(&t, rows[i].objects);
        test_open(&t);
        const struct receive_connector *c = policy_local_connector(t.policy);
        const struct policy_ace *e = policy_acl(t.policy, c->acl);
        for (uint32_t k = 0; k < c->acl.count; k++) {
            users += e[k].kind == PRINCIPAL_AUTHENTICATED_USERS;
            trusted += e[k].kind == PRINCIPAL_EXTERNALLY_SECURED;
            CHECK(rows[i].name, !e[k].deny && e[k].right != RIGHT_ACCEPT_HEADERS_ORGANIZATION);
        }
        CHECK_INT(rows[i].name, policy_settings(t.policy)->local_submission, rows[i].mode);
        CHECK_INT(rows[i].name, users, rows[i].users);
        CHECK_INT(rows[i].name, trusted, rows[i].trusted);
        CHECK_INT(rows[i].name, c->acl.count, users + trusted);
        CHECK_SPAN(rows[i].name, policy_text(t.policy, c->default_domain), span_of(rows[i].domain));
        CHECK_INT(rows[i].name, policy_receive_connector_count(t.policy), 0);
        test_policy_done(&t);
    }
}

static void test_pickup_folders(void **state UNUSED)
{
    static const struct {
        const char *objects, *pickup, *replay;
        uint32_t rate, header, recipients;
    } rows[] = {
        {"AcceptedDomain: Name=a|DomainName=x.test", "pickup", "replay", 100, 65536, 100},
        {"TransportServer: PickupDirectoryPath=$null|ReplayDirectoryPath=replay/b|"
         "PickupDirectoryMaxMessagesPerMinute=#7|PickupDirectoryMaxHeaderSize=#40000|"
         "PickupDirectoryMaxRecipientsPerMessage=#9",
         "", "replay/b", 7, 40000, 9},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct test_policy t;
        test_policy_init(&t);
        test_add(&t, rows[i].objects);
        test_open(&t);
        const struct transport_settings *o = policy_settings(t.policy);
        CHECK_SPAN(rows[i].objects, policy_text(t.policy, o->pickup_folder), span_of(rows[i].pickup));
        CHECK_SPAN(rows[i].objects, policy_text(t.policy, o->replay_folder), span_of(rows[i].replay));
        CHECK_INT(rows[i].objects, o->pickup_rate, rows[i].rate);
        CHECK_INT(rows[i].objects, o->pickup_max_header, rows[i].header);
        CHECK_INT(rows[i].objects, o->pickup_max_recipients, rows[i].recipients);
        test_policy_done(&t);
    }
}

static void test_refused_records(void **state UNUSED)
{
    static const struct {
        const char *name, *objects;
        enum err_code code;
        const char *says;
    } rows[] = {
        {"binding", "ReceiveConnector: Name=x|Bindings=[0.0.0.0]", ERR_INVALID, "Bindings"},
        {"port 0", "ReceiveConnector: Name=x|Bindings=[0.0.0.0:0]", ERR_INVALID, "Bindings"},
        {"range", "ReceiveConnector: Name=x|RemoteIPRanges=[10.0.0.9-10.0.0.1]", ERR_INVALID, "RemoteIPRanges"},
        {"PROXY version", "ReceiveConnector: Name=x|ProxyProtocol=[V3]", ERR_INVALID, "ProxyProtocol"},
        {"proxy", "ReceiveConnector: Name=x|ProxyProtocolSources=[10.0.0]", ERR_INVALID, "ProxyProtocolSources"},
        {"mechanism", "ReceiveConnector: Name=x|AuthMechanism=[Tls,Ntlm]", ERR_INVALID, "AuthMechanism"},
        {"enum", "ReceiveConnector: Name=x|SizeEnabled=Maybe", ERR_INVALID,
         "Disabled, Enabled, EnabledWithoutValue"},
        {"bool", "ReceiveConnector: Name=x|RequireTLS=yes", ERR_INVALID, "RequireTLS"},
        {"number", "ReceiveConnector: Name=x|MaxHopCount=many", ERR_INVALID, "MaxHopCount"},
        {"too large", "ReceiveConnector: Name=x|MaxHopCount=#4294967295", ERR_INVALID, "4294967294"},
        {"string", "ReceiveConnector: Name=x|Banner=#220", ERR_INVALID, "Banner"},
        {"list item", "ReceiveConnector: Name=x|Bindings=$true", ERR_INVALID, "Bindings"},
        {"principal",
         "ReceiveConnector: Guid=r\nADPermission: Connector=r|User=nobody|ExtendedRight=ms-Exch-SMTP-Submit",
         ERR_INVALID, "User"},
        {"right", "ReceiveConnector: Guid=r\nADPermission: Connector=r|User=Everyone|ExtendedRight=Submit",
         ERR_INVALID, "ExtendedRight"},
        {"sender pattern", NARROWED "|Senders=[a*@example.com]", ERR_INVALID, "Senders"},
        {"recipient pattern", NARROWED "|Recipients=[example.com]", ERR_INVALID, "Recipients"},
        {"patterns that are a number", NARROWED "|Recipients=#5", ERR_INVALID, "Recipients"},
        {"no rate", NARROWED "|MessageRate=#0", ERR_INVALID, "MessageRate"},
        {"a rate of what is denied", NARROWED "|Deny=$true|MessageRate=#3", ERR_INVALID, "MessageRate"},
        {"expires some day", NARROWED "|Expires=tomorrow", ERR_INVALID, "Expires"},
        {"TLS perhaps", NARROWED "|RequireTls=maybe", ERR_INVALID, "RequireTls"},
        {"narrowed send right",
         "SendConnector: Guid=s\nADPermission: Connector=s|User=Everyone|ExtendedRight=ms-Exch-Send-Headers-Routing"
         "|RequireTls=$true",
         ERR_INVALID, "Connector"},
        {"space", "SendConnector: Name=x|AddressSpaces=[*contoso.com]", ERR_INVALID, "AddressSpaces"},
        {"cost 0", "SendConnector: Name=x|AddressSpaces=[*;0]", ERR_INVALID, "AddressSpaces"},
        {"cost 101", "SendConnector: Name=x|AddressSpaces=[*;101]", ERR_INVALID, "AddressSpaces"},
        {"another type", "SendConnector: Name=x|AddressSpaces=[X400:c=us]", ERR_INVALID, "AddressSpaces"},
        {"port", "SendConnector: Name=x|Port=#65536", ERR_INVALID, "Port"},
        {"TLS level", "SendConnector: Name=x|TlsAuthLevel=Some", ERR_INVALID, "EncryptionOnly, Certif"},
        {"DANE mode", "SendConnector: Name=x|SmtpDaneMode=Some", ERR_INVALID, "Mandatory"},
        {"STS mode", "SendConnector: Name=x|MtaStsMode=Enforce", ERR_INVALID, "MtaStsMode"},
        {"plain password", "SendConnector: Name=x|AuthenticationPassword=" TEST_PASSWORD, ERR_INVALID,
         "AuthenticationPassword"},
        {"everything accepted", "AcceptedDomain: Name=x|DomainName=*", ERR_INVALID, "DomainName"},
        {"wildcard inside", "AcceptedDomain: Name=x|DomainName=a.*.example.com", ERR_INVALID, "DomainName"},
        {"no domain", "AcceptedDomain: Name=x", ERR_INVALID, "DomainName"},
        {"domain type", "AcceptedDomain: Name=x|DomainName=a.b|DomainType=Relay", ERR_INVALID,
         "Authoritative, InternalRelay, ExternalRelay"},
        {"a domain twice", "AcceptedDomain: Name=x|DomainName=a.b\nAcceptedDomain: Name=y|DomainName=A.B",
         ERR_CONFLICT, "DomainName"},
        {"role", "TransportServer: Name=x|Role=Mailbox", ERR_INVALID, "Hub, Edge"},
        {"percentage", "TransportServer: Name=x|MemoryMediumThreshold=#101", ERR_INVALID, "MemoryMediumThreshold"},
        {"threshold", "TransportServer: Name=x|QueueDiskHighThreshold=much", ERR_INVALID, "QueueDiskHighThreshold"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct test_policy t;
        struct policy_input in;
        struct err err = {0};
        test_policy_init(&t);
        test_add(&t, rows[i].objects);
        test_input(&t, &in);
        CHECK_INT(rows[i].name, policy_compile(&in, 1, &t.block, &err), rows[i].code);
        CHECK(rows[i].name, strstr(err.text, rows[i].says) != NULL);
        CHECK(rows[i].name, strstr(err.text, TEST_PASSWORD) == NULL);
        CHECK_INT(rows[i].name, t.block.len, 0);
        test_policy_done(&t);
    }
}

static void test_too_large(void **state UNUSED)
{
    struct test_policy t;
    struct policy_input in;
    struct buf small;
    struct err err;
    test_policy_init(&t);
    test_add(&t, test_everything);
    test_input(&t, &in);
    buf_init(&small, 256);
    assert_int_equal(policy_compile(&in, 1, &small, &err), ERR_LIMIT);
    assert_int_equal(small.len, 0);
    buf_done(&small);
    test_policy_done(&t);
}

/* The same objects give the same bytes. */
static void test_deterministic(void **state UNUSED)
{
    struct test_policy a, b;
    test_policy_init(&a);
    test_policy_init(&b);
    test_add(&a, test_everything);
    test_add(&b, test_everything);
    test_open(&a);
    test_open(&b);
    CHECK_SPAN("bytes", buf_span(&a.block), buf_span(&b.block));
    test_policy_done(&a);
    test_policy_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receive_connector),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_local_connector),
        cmocka_unit_test(test_pickup_folders),
        cmocka_unit_test(test_refused_records),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_deterministic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
