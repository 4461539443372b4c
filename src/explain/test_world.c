/*
 * test_world.c: policies in which all that decides varies by a seed, and sessions that come upon all of it; the
 * world around them has one user, alice, who is in the group team and may send as bob.
 */
#include "explain/test_world.h"

#include "check.h"

#include <stdio.h>
#include <string.h>

/* ---- the world ---- */

static const char *const connectors[] = {"c0", "c1", "c2", "c3", "c4"};
static const char *const domains[] = {"example.com", "shared.test", "below.example.com", "far.test", "other.test"};
static const char *const clients[] = {"10.0.0.5", "10.0.0.6", "10.1.0.5", "192.0.2.7", "198.51.100.1"};
static const struct span alices[] = {SPAN_INIT("alice@example.com"), SPAN_INIT("a.smith@shared.test")};
static const struct span teams[] = {SPAN_INIT("team")};
const struct gate_user test_world_alice = {
    .guid = SPAN_INIT("alice"), .addresses = alices, .address_count = 2, .groups = teams, .group_count = 1};

static void certificate(void *context, struct span fqdn UNUSED, struct arena *arena UNUSED,
                        struct explain_certificate *ret)
{
    const struct test_world *w = context;
    *ret = (struct explain_certificate){.found = w->certificate, .text = SPAN("a certificate")};
}

static void user(void *context, struct span name, bool kerberos UNUSED, struct arena *arena UNUSED,
                 struct explain_user *ret)
{
    const struct test_world *w = context;
    *ret = (struct explain_user){.state = EXPLAIN_USER_FOUND, .primary = alices[0], .gate = test_world_alice};
    if (w->directory_away)
        *ret = (struct explain_user){.state = EXPLAIN_USER_UNAVAILABLE, .text = SPAN("away")};
    else if (!span_eq(name, SPAN("alice")))
        *ret = (struct explain_user){.state = EXPLAIN_USER_UNKNOWN};
}

bool test_world_is_alices(struct span address)
{
    return span_ieq(address, alices[0]) || span_ieq(address, alices[1]);
}

static void recipient(void *context, struct span address, struct arena *arena UNUSED, struct explain_recipient *ret)
{
    const struct test_world *w = context;
    *ret = (struct explain_recipient){.kind = w->directory_away               ? RESOLVED_LATER
                                              : test_world_is_alices(address) ? RESOLVED_MAILBOX
                                                                              : RESOLVED_NOT_FOUND,
                                      .target = alices[0],
                                      .text = SPAN("away"),
                                      .authenticated_only = w->guarded};
}

/* Of those whose addresses they are not, alice may send as bob. */
enum gate_send_as test_world_send_as(const struct test_world *w, struct span address)
{
    return w->directory_away                            ? GATE_SEND_AS_UNAVAILABLE
           : span_ieq(address, SPAN("bob@example.com")) ? GATE_SEND_AS_YES
                                                        : GATE_SEND_AS_NO;
}

static enum gate_send_as send_as(void *context, const struct gate_user *who, struct span address)
{
    assert_true(span_eq(who->guid, test_world_alice.guid));
    return test_world_send_as(context, address);
}

struct explain_facts test_world_facts(struct test_world *w)
{
    return (struct explain_facts){.context = w,
                                  .host = SPAN("mail.example.com"),
                                  .certificate = certificate,
                                  .user = user,
                                  .recipient = recipient,
                                  .send_as = send_as,
                                  .keytab = {.usable = w->keytab, .text = SPAN("a keytab")},
                                  .pressure = w->pressure};
}

/* ---- generated policies and sessions ---- */

static const char *pick(uint64_t *seed, const char *const *from, size_t n)
{
    return from[test_draw(seed, (uint32_t)n)];
}
#define PICK(seed, array) pick((seed), (array), ARRAY_LEN(array))

/* The first one mostly serves everybody, so that few sessions have no connector. */
static void add_connector(struct test_policy *t, uint64_t *seed, size_t i)
{
    static const char *const ranges[] = {"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.5", "192.0.2.0/24"};
    static const char *const auth[] = {"",
                                       "Tls",
                                       "Tls,BasicAuth",
                                       "Tls,BasicAuth,BasicAuthRequireTLS",
                                       "BasicAuth",
                                       "Tls,ExternalAuthoritative",
                                       "ExternalAuthoritative",
                                       "Tls,Integrated",
                                       "Tls,BasicAuth,BasicAuthRequireTLS,Integrated"};
    static const char *const sizes[] = {"Enabled", "Disabled", "EnabledWithoutValue"};
    static const char *const switches[] = {"PipeliningEnabled",
                                           "ChunkingEnabled",
                                           "DeliveryStatusNotificationEnabled",
                                           "EnhancedStatusCodesEnabled",
                                           "EightBitMimeEnabled",
                                           "SmtpUtf8Enabled",
                                           "Enabled"};
    const char *name = connectors[i], *range = i == 0 && test_draw(seed, 8) ? ranges[0] : PICK(seed, ranges);
    char more[512] = "";
    for (size_t k = 0; k < ARRAY_LEN(switches); k++)
        if (test_draw(seed, 8) == 0)
            snprintf(more + strlen(more), sizeof more - strlen(more), "|%s=$false", switches[k]);
    static const struct {
        unsigned one_in;
        const char *text;
    } extras[] = {
        {6, "|RequireTLS=$true"},       {8, "|ImplicitTls=$true"},
        {2, "|EnableAuthGSSAPI=$true"}, {3, "|DefaultDomain=example.com"},
        {5, "|MaxHeaderSize=#40"},      {12, "|ProxyProtocol=[V1,V2]|ProxyProtocolSources=[10.0.0.5,192.0.2.7]"}};
    for (size_t k = 0; k < ARRAY_LEN(extras); k++)
        if (test_draw(seed, extras[k].one_in) == 0)
            snprintf(more + strlen(more), sizeof more - strlen(more), "%s", extras[k].text);
    test_addf(t,
              "ReceiveConnector: Guid=%s|Name=%s|Bindings=[%s:25]|RemoteIPRanges=[%s]|AuthMechanism=[%s]|"
              "MaxMessageSize=#%u|SizeEnabled=%s|Fqdn=mail.example.com%s",
              name, name, i == 0 || test_draw(seed, 2) ? "0.0.0.0" : "10.9.9.9", range, PICK(seed, auth),
              500 + test_draw(seed, 3) * 100000, PICK(seed, sizes), more);
}

static void add_permissions(struct test_policy *t, uint64_t *seed, const char *connector)
{
    static const char *const users[] = {"S-1-5-7",
                                        "Everyone",
                                        "user:alice",
                                        "group:team",
                                        "NT AUTHORITY\\Authenticated Users",
                                        "MS Exchange\\Externally Secured Servers"};
    static const char *const rights[] = {"ms-Exch-SMTP-Submit",
                                         "ms-Exch-SMTP-Accept-Any-Recipient",
                                         "ms-Exch-SMTP-Accept-Any-Sender",
                                         "ms-Exch-SMTP-Accept-Authoritative-Domain-Sender",
                                         "ms-Exch-Bypass-Message-Size-Limit",
                                         "ms-Exch-Accept-Headers-Routing"};
    static const char *const narrowings[] = {"",
                                             "",
                                             "|Senders=[*@example.com,<>]",
                                             "|Senders=[alice@example.com]",
                                             "|Recipients=[*@far.test,alice@example.com]",
                                             "|RequireTls=$true",
                                             "|Expires=#1600000000000",
                                             "|Expires=#1800000000000"};
    if (test_draw(seed, 2))
        test_add_group(t, connector, (enum permission_group)test_draw(seed, GROUP_COUNT));
    if (test_draw(seed, 3))
        test_add_group(t, connector, GROUP_ANONYMOUS_USERS);
    if (test_draw(seed, 3))
        test_add_group(t, connector, GROUP_EXCHANGE_USERS);
    for (uint32_t i = test_draw(seed, 6); i > 0; i--)
        test_addf(t, "ADPermission: Connector=%s|User=%s|ExtendedRight=%s|Deny=%s%s", connector, PICK(seed, users),
                  PICK(seed, rights), test_draw(seed, 4) ? "$false" : "$true", PICK(seed, narrowings));
}

void test_world_make(struct test_world *w, uint64_t *seed)
{
    static const char *const types[] = {"Authoritative", "InternalRelay", "ExternalRelay"};
    test_policy_init(&w->policy);
    w->pressure = NULL;
    w->certificate = test_draw(seed, 8);
    w->keytab = test_draw(seed, 4);
    w->directory_away = test_draw(seed, 8) == 0;
    w->guarded = test_draw(seed, 2);
    for (size_t i = 0; i < 1 + test_draw(seed, ARRAY_LEN(connectors)); i++) {
        add_connector(&w->policy, seed, i);
        add_permissions(&w->policy, seed, connectors[i]);
    }
    test_addf(&w->policy, "AcceptedDomain: Name=d0|DomainName=example.com|DomainType=%s|Default=$true",
              PICK(seed, types));
    for (size_t i = 1; i < test_draw(seed, 4); i++)
        test_addf(&w->policy, "AcceptedDomain: Name=d%zu|DomainName=%s|DomainType=%s", i, domains[i],
                  PICK(seed, types));
    if (test_draw(seed, 2))
        test_add(&w->policy, "SendConnector: Guid=s1|Name=out|AddressSpaces=[*]");
    test_addf(&w->policy, "TransportConfig: MaxReceiveSize=%s%s", test_draw(seed, 3) ? "Unlimited" : "#700",
              test_draw(seed, 2) ? "|ExternalPostmasterAddress=alice@example.com" : "");
    test_open(&w->policy);
}

static struct span draw_address(struct arena *a, uint64_t *seed, bool null_allowed)
{
    static const char *const locals[] = {"alice",       "a.smith",  "bob",      "Postmaster",
                                         "\"quo ted\"", "per%cent", "b\xc3\xbc"};
    switch (test_draw(seed, 12)) {
    case 0: return SPAN("alice");
    case 1: return SPAN("Postmaster");
    case 2: return null_allowed ? SPAN("") : SPAN("no address");
    default: return arena_printf(a, "%s@%s", PICK(seed, locals), PICK(seed, domains));
    }
}

struct explain_session test_world_session(struct arena *a, uint64_t *seed)
{
    static const char *const mechanisms[] = {"", "", "PLAIN", "GSSAPI"};
    struct explain_session s = {.remote = test_ip(PICK(seed, clients)),
                                .local = test_endpoint(test_draw(seed, 2) ? "10.9.9.9:25" : "10.9.9.8:25"),
                                .tls = test_draw(seed, 2),
                                .auth = test_draw(seed, 2),
                                .mechanism = span_of(PICK(seed, mechanisms)),
                                .user = test_draw(seed, 6) ? SPAN("alice") : SPAN("mallory"),
                                .helo = test_draw(seed, 20) ? SPAN("client.test") : SPAN("bad name"),
                                .now_ms = 1700000000000};
    s.sender = draw_address(a, seed, true);
    s.recipient = draw_address(a, seed, false);
    s.header_from = test_draw(seed, 3) ? s.sender : draw_address(a, seed, true);
    s.size = test_draw(seed, 3) ? 0 : 1 + test_draw(seed, 250000);
    return s;
}
