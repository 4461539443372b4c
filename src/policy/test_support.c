/* test_support.c: see test_support.h. Any mistake in a text stops the process: the fuzz target uses this as well.
 */
#include "policy/test_support.h"

#include "base/num.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(cond)                                                                                                 \
    do {                                                                                                           \
        if (!(cond)) {                                                                                             \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #cond);                               \
            abort();                                                                                               \
        }                                                                                                          \
    } while (0)

const char test_everything[] =
    "ReceiveConnector: Guid=r1|Name=Default "
    "mail|Bindings=[0.0.0.0:25,[::]:25]|RemoteIPRanges=[10.0.0.0/8,192.0.2.1]|"
    "AuthMechanism=[Tls,basicauth,BasicAuthRequireTLS,Integrated,ExchangeServer]|Fqdn=mail.example.com|"
    "Banner=220 hello|DefaultDomain=example.com|MaxMessageSize=#1000|MaxHeaderSize=#2000|"
    "MaxRecipientsPerMessage=#300|MaxHopCount=#40|MaxLocalHopCount=#0|MaxInboundConnection=Unlimited|"
    "MaxInboundConnectionPerSource=#60|MaxInboundConnectionPercentagePerSource=#70|MaxProtocolErrors=Unlimited|"
    "MaxLogonFailures=#0|MessageRateLimit=#80|MessageRateSource=All|LongAddressesEnabled=$true|"
    "OrarEnabled=$true|BareLinefeedRejectionEnabled=$false|ConnectionTimeout=#90000|ConnectionInactivityTimeout=#"
    "9000|"
    "TarpitInterval=#0|SizeEnabled=EnabledWithoutValue|PipeliningEnabled=$false|RequireTLS=$true|ImplicitTls=$true|"
    "ProtocolLoggingLevel=Verbose|TlsMinimumVersion=Tls13|TlsCipherProfile=Modern|ProxyProtocol=[V1,v2]|"
    "ProxyProtocolSources=[10.0.0.5,10.1.0.0/16]\n"
    "ReceiveConnector: Guid=r2|Name=plain|Banner=$null\n"
    "ADPermission: Connector=R1|User=s-1-5-7|ExtendedRight=MS-exch-smtp-submit|Origin=AnonymousUsers\n"
    "ADPermission: Connector=r1|User=user:u1|UserName=Alice|ExtendedRight=ms-Exch-SMTP-Submit|Deny=$true\n"
    "ADPermission: Guid=e1|Connector=r1|User=S-1-5-7|ExtendedRight=ms-Exch-SMTP-Accept-Any-Recipient|"
    "Senders=[scan@example.com,*@Print.example.com,<>,SCAN@example.com]|Recipients=[*@far.test,*@*.far.test]|"
    "MessageRate=#3|RequireTls=$true|Expires=#1800000000000|Comment=scanner\n"
    "ADPermission: Connector=s1|User=S-1-5-7|ExtendedRight=ms-Exch-Send-Headers-Routing\n"
    "SendConnector: Guid=s1|Name=out|AddressSpaces=[SMTP:*.Example.NET;5,*,partner.test;100]|"
    "DNSRoutingEnabled=$false|DomainSecureEnabled=$true|SmartHosts=[relay.example.net,192.0.2.9]|Port=#2526|"
    "RequireTLS=$true|"
    "SmartHostAuthMechanism=BasicAuthRequireTLS|AuthenticationUserName=me|AuthenticationPassword=~" TEST_PASSWORD
    "|MaxMessageSize=Unlimited|ForceHELO=$true|ProtocolLoggingLevel=Verbose|ConnectionInactivityTimeOut=#7000|"
    "TlsAuthLevel=DomainValidation|TlsDomain=Relay.Example.net|SmtpDaneMode=None|"
    "MtaStsMode=None\n"
    "AcceptedDomain: Name=main|DomainName=Example.COM|DomainType=internalrelay|Default=$true\n"
    "AcceptedDomain: Name=below|DomainName=*.example.com\n"
    "TransportServer: Name=mail.example.com|Role=Edge|QueueGlitchRetryCount=#0|MessageExpirationTimeout=#5000|"
    "MailboxDeliveryProtocol=Lmtp|MailboxDeliveryHost=127.0.0.1:24|QueueDiskMediumThreshold=#9000|"
    "MemoryHighThreshold=#88|QueueLengthHighThreshold=Unlimited|"
    "ExternalDelayDsnEnabled=$false|InternalDsnSendHtml=$false|ExternalDsnMaxMessageAttachSize=#99\n"
    "TransportConfig: ExternalPostmasterAddress=pm@example.com|MaxReceiveSize=#77|MaxRecipientEnvelopeLimit=#66|"
    "TLSReceiveDomainSecureList=[partner.test,other.test]|TLSSendDomainSecureList=[bank.test]|"
    "HubTransportServerCertificates=[" TEST_PIN_HUB "]|"
    "EdgeTransportServerCertificates=[" TEST_PIN_EDGE "]|GenerateCopyOfDSNFor=[5.4.6,5.4.4,4.4.7]";

void test_policy_init(struct test_policy *t)
{
    *t = (struct test_policy){0};
    arena_init(&t->arena, 0);
    buf_init(&t->block, 64 << 20);
}

void test_policy_done(struct test_policy *t)
{
    policy_close(t->policy);
    buf_done(&t->block);
    arena_clear(&t->arena);
}

static struct value list_value(struct arena *a, struct span text)
{
    struct value *items = ARENA_ARRAY(a, text.len + 1, struct value);
    size_t n = 0;
    MUST(items);
    for (struct span rest = text, item; text.len && span_split(&rest, ',', &item);)
        items[n++] = value_string(item);
    return value_list(items, n);
}

static struct value parse_value(struct arena *a, struct span s)
{
    uint64_t number;
    if (s.len && s.ptr[0] == '[')
        return list_value(a, span_from(span_head(s, s.len - 1), 1));
    if (s.len && s.ptr[0] == '~')
        return (struct value){.kind = VALUE_SECRET, .s = span_from(s, 1)};
    if (s.len && s.ptr[0] == '#') {
        MUST(num_parse_u64(span_from(s, 1), INT64_MAX, &number));
        return value_int((int64_t)number);
    }
    if (span_eq(s, SPAN("Unlimited")))
        return value_unlimited();
    if (span_eq(s, SPAN("$null")))
        return value_null();
    if (span_eq(s, SPAN("$true")) || span_eq(s, SPAN("$false")))
        return value_bool(span_eq(s, SPAN("$true")));
    return value_string(s);
}

static const struct record *parse_object(struct arena *a, struct span line)
{
    size_t colon = span_find(line, ':');
    MUST(colon != SIZE_MAX);
    struct record *r = record_new(a, span_head(line, colon));
    MUST(r);
    for (struct span rest = span_trim(span_from(line, colon + 1)), field; span_split(&rest, '|', &field);) {
        size_t equals = span_find(field, '=');
        MUST(equals != SIZE_MAX);
        MUST(record_set(r, span_head(field, equals), parse_value(a, span_from(field, equals + 1))));
    }
    return r;
}

static void push(struct test_objects *o, const struct record *r)
{
    MUST(o->count < TEST_OBJECTS_MAX);
    o->items[o->count++] = r;
}

static void add_object(struct test_policy *t, const struct record *r)
{
    if (span_eq(r->type, SPAN("ReceiveConnector")))
        push(&t->receive, r);
    else if (span_eq(r->type, SPAN("ADPermission")))
        push(&t->permissions, r);
    else if (span_eq(r->type, SPAN("AcceptedDomain")))
        push(&t->domains, r);
    else if (span_eq(r->type, SPAN("SendConnector")))
        push(&t->send, r);
    else if (span_eq(r->type, SPAN("TransportServer")))
        t->server = r;
    else if (span_eq(r->type, SPAN("TransportConfig")))
        t->config = r;
    else {
        fprintf(stderr, "%.*s is no known class\n", SPAN_ARG(r->type));
        abort();
    }
}

void test_add(struct test_policy *t, const char *lines)
{
    for (struct span rest = arena_dup(&t->arena, span_of(lines)), line; span_split(&rest, '\n', &line);)
        if (line.len)
            add_object(t, parse_object(&t->arena, line));
}

void test_addf(struct test_policy *t, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    MUST(n >= 0 && (size_t)n < sizeof line);
    test_add(t, line);
}

void test_add_group(struct test_policy *t, const char *connector, enum permission_group g)
{
    struct acl_entry entries[GROUP_ACL_MAX];
    size_t n = group_acl(g, false, entries);
    for (size_t i = 0; i < n; i++)
        test_addf(t, "ADPermission: Connector=%s|User=%.*s|ExtendedRight=%.*s|Deny=%s|Origin=%.*s", connector,
                  SPAN_ARG(principal_name(entries[i].principal)), SPAN_ARG(right_info(entries[i].right)->name),
                  entries[i].deny ? "$true" : "$false", SPAN_ARG(group_info(g)->name));
}

void test_input(const struct test_policy *t, struct policy_input *ret)
{
    *ret = (struct policy_input){
        .receive_connectors = t->receive.items,
        .receive_count = t->receive.count,
        .permissions = t->permissions.items,
        .permission_count = t->permissions.count,
        .domains = t->domains.items,
        .domain_count = t->domains.count,
        .send_connectors = t->send.items,
        .send_count = t->send.count,
        .server = t->server,
        .config = t->config,
    };
}

void test_open(struct test_policy *t)
{
    struct policy_input in;
    struct err err = {0};
    policy_close(TAKE_PTR(t->policy));
    buf_clear(&t->block);
    test_input(t, &in);
    if (policy_compile(&in, 7, &t->block, &err) || policy_open(buf_span(&t->block), &t->policy, &err))
        fprintf(stderr, "%s\n", err.text);
    MUST(t->policy);
}

uint32_t test_draw(uint64_t *seed, uint32_t n)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (uint32_t)(*seed >> 32) % n;
}

static void shuffle(struct test_objects *o, uint64_t *seed)
{
    for (size_t i = o->count; i > 1; i--) {
        size_t k = test_draw(seed, (uint32_t)i);
        const struct record *r = o->items[k];
        o->items[k] = o->items[i - 1];
        o->items[i - 1] = r;
    }
}

void test_shuffle(struct test_policy *t, uint64_t *seed)
{
    shuffle(&t->receive, seed);
    shuffle(&t->permissions, seed);
    shuffle(&t->domains, seed);
    shuffle(&t->send, seed);
}

const struct receive_connector *test_receive(const struct test_policy *t, const char *name)
{
    for (size_t i = 0; i < policy_receive_connector_count(t->policy); i++) {
        const struct receive_connector *c = policy_receive_connector(t->policy, i);
        if (span_eq(policy_text(t->policy, c->name), span_of(name)))
            return c;
    }
    fprintf(stderr, "there is no connector %s\n", name);
    abort();
}

struct ip_addr test_ip(const char *text)
{
    struct ip_addr a = {{0}};
    MUST(ip_parse(span_of(text), &a));
    return a;
}

struct ip_endpoint test_endpoint(const char *text)
{
    struct ip_endpoint e = {{{0}}, 0};
    MUST(ip_parse_endpoint(span_of(text), &e));
    return e;
}
