/* test_route.c: the next hop by type of domain and answer of the directory, and the choice among send connectors.
 */
#include "check.h"
#include "policy/test_support.h"

#include "routing/route.h"
#include <string.h>

static const char objects[] =
    "AcceptedDomain: DomainName=example.com|DomainType=Authoritative|Default=$true\n"
    "AcceptedDomain: DomainName=*.example.com|DomainType=Authoritative\n"
    "AcceptedDomain: DomainName=shared.test|DomainType=InternalRelay\n"
    "AcceptedDomain: DomainName=lonely.other|DomainType=InternalRelay\n"
    "AcceptedDomain: DomainName=customer.test|DomainType=ExternalRelay\n"
    "SendConnector: Guid=1|Name=tests|AddressSpaces=[*.test;5]\n"
    "SendConnector: "
    "Guid=2|Name=shared|AddressSpaces=[SMTP:Shared.test]|DNSRoutingEnabled=$false|SmartHosts=[10.0.0.1]\n"
    "SendConnector: Guid=3|Name=deep|AddressSpaces=[*.far.test;100]\n"
    "SendConnector: Guid=4|Name=cheap|AddressSpaces=[cost.test;2,twins.test]\n"
    "SendConnector: Guid=5|Name=dear|AddressSpaces=[cost.test;3]\n"
    "SendConnector: Guid=6|Name=Anton|AddressSpaces=[twins.test]\n"
    "SendConnector: Guid=7|Name=off|AddressSpaces=[shared.test,off.test]|Enabled=$false\n";

static const char everywhere[] = "SendConnector: Guid=8|Name=world|AddressSpaces=[*;100]\n";

/* What a route says, in one line. */
static void print_route(const struct policy *p, const struct route *r, char out[static 256])
{
    static const char *const kinds[] = {
        [ROUTE_ASK] = "ask",
        [ROUTE_MAILBOX] = "mailbox",
        [ROUTE_REDIRECT] = "redirect",
        [ROUTE_EXPAND] = "expand",
        [ROUTE_RELAY] = "relay",
        [ROUTE_REPORT] = "report",
        [ROUTE_UNREACHABLE] = "unreachable",
        [ROUTE_LATER] = "later",
    };
    struct span connector = r->connector ? policy_text(p, r->connector->name) : SPAN("");
    size_t n = (size_t)snprintf(out, 256, "%s", kinds[r->kind]);
    if (r->target.len)
        n += (size_t)snprintf(out + n, 256 - n, " %.*s", SPAN_ARG(r->target));
    if (r->domain.len)
        n += (size_t)snprintf(out + n, 256 - n, " %.*s", SPAN_ARG(r->domain));
    if (connector.len)
        n += (size_t)snprintf(out + n, 256 - n, " by %.*s", SPAN_ARG(connector));
    if (r->status)
        snprintf(out + n, 256 - n, " %s", r->status);
}

static const struct {
    const char *name, *address;
    enum resolved_kind kind;
    const char *target;
    const char *want, *queue;
} rows[] = {
    {"mailbox", "bob@example.com", RESOLVED_MAILBOX, "Bob@example.com", "mailbox Bob@example.com", "mailbox"},
    {"mailbox below", "bob@a.example.com", RESOLVED_MAILBOX, "bob@example.com", "mailbox bob@example.com",
     "mailbox"},
    {"contact", "carol@example.com", RESOLVED_CONTACT, "c@far.test", "redirect c@far.test", "submission"},
    {"contact to itself", "carol@example.com", RESOLVED_CONTACT, "Carol@Example.com", "report 5.4.6", "submission"},
    {"group", "team@example.com", RESOLVED_GROUP, "", "expand", "submission"},
    {"nobody", "nobody@example.com", RESOLVED_NOT_FOUND, "", "report 5.1.1", "submission"},
    {"nobody below", "nobody@x.example.com", RESOLVED_NOT_FOUND, "", "report 5.1.1", "submission"},
    {"not asked yet", "bob@example.com", RESOLVED_UNKNOWN, "", "ask", "submission"},
    {"directory away", "bob@example.com", RESOLVED_LATER, "", "later", "submission"},
    {"internal relay: mailbox", "bob@shared.test", RESOLVED_MAILBOX, "bob@shared.test", "mailbox bob@shared.test",
     "mailbox"},
    {"internal relay: not asked yet", "bob@shared.test", RESOLVED_UNKNOWN, "", "ask", "submission"},
    {"internal relay: directory away", "bob@shared.test", RESOLVED_LATER, "", "later", "submission"},
    {"internal relay: goes on", "x@shared.test", RESOLVED_NOT_FOUND, "", "relay shared.test by shared",
     "smtp:shared"},
    {"internal relay: contact of the same address", "x@shared.test", RESOLVED_CONTACT, "X@shared.test",
     "relay shared.test by shared", "smtp:shared"},
    {"internal relay: no connector", "x@lonely.other", RESOLVED_NOT_FOUND, "", "unreachable lonely.other 5.4.4",
     "unreachable"},
    {"external relay: not asked", "x@customer.test", RESOLVED_UNKNOWN, "", "relay customer.test by tests",
     "mx:customer.test"},
    {"external relay: not found", "x@customer.test", RESOLVED_NOT_FOUND, "", "relay customer.test by tests",
     "mx:customer.test"},
    {"external relay: contact", "x@customer.test", RESOLVED_CONTACT, "y@far.test", "redirect y@far.test",
     "submission"},
    {"external relay: directory away", "x@customer.test", RESOLVED_LATER, "", "relay customer.test by tests",
     "mx:customer.test"},
    {"elsewhere", "x@Far.TEST", RESOLVED_UNKNOWN, "", "relay Far.TEST by tests", "mx:far.test"},
    {"elsewhere, whatever the directory says", "x@far.test", RESOLVED_MAILBOX, "bob@example.com",
     "relay far.test by tests", "mx:far.test"},
    {"elsewhere, no connector", "x@far.other", RESOLVED_UNKNOWN, "", "unreachable far.other 5.4.4", "unreachable"},
    {"no domain", "postmaster", RESOLVED_UNKNOWN, "", "report 5.1.3", "submission"},
    {"empty domain", "x@", RESOLVED_MAILBOX, "bob@example.com", "report 5.1.3", "submission"},
    {"quoted @", "\"x@example.com\"@far.test", RESOLVED_UNKNOWN, "", "relay far.test by tests", "mx:far.test"},
};

static void test_routes(void **state UNUSED)
{
    struct test_policy t;
    test_policy_init(&t);
    test_add(&t, objects);
    test_open(&t);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct resolved resolved = {.kind = rows[i].kind, .target = span_of(rows[i].target)};
        struct route r = route_recipient(t.policy, span_of(rows[i].address), &resolved);
        struct buf queue;
        char got[256];
        buf_init(&queue, 512);
        print_route(t.policy, &r, got);
        route_queue_name(&queue, t.policy, &r);
        CHECK_STR(rows[i].name, got, rows[i].want);
        CHECK_SPAN(rows[i].name, buf_span(&queue), span_of(rows[i].queue));
        CHECK_INT(rows[i].name, r.status != NULL, r.kind == ROUTE_REPORT || r.kind == ROUTE_UNREACHABLE);
        CHECK_INT(rows[i].name, r.text != NULL, r.status != NULL);
        buf_done(&queue);
    }
    test_policy_done(&t);
}

/* The recipients that want an authenticated sender are those that the directory has. */
static void test_auth_required(void **state UNUSED)
{
    static const struct {
        const char *address;
        enum resolved_kind kind;
        const char *want;
    } asked[] = {
        {"bob@example.com", RESOLVED_MAILBOX, "report 5.7.1"},
        {"bob@shared.test", RESOLVED_MAILBOX, "report 5.7.1"},
        {"team@example.com", RESOLVED_GROUP, "report 5.7.1"},
        {"x@customer.test", RESOLVED_CONTACT, "report 5.7.1"},
        {"x@customer.test", RESOLVED_MAILBOX, "relay customer.test by tests"},
        {"x@far.test", RESOLVED_MAILBOX, "relay far.test by tests"},
    };
    struct test_policy t;
    test_policy_init(&t);
    test_add(&t, objects);
    test_open(&t);
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct resolved resolved = {asked[i].kind, SPAN("bob@example.com"), .auth_required = true};
        struct route r = route_recipient(t.policy, span_of(asked[i].address), &resolved);
        char got[256];
        print_route(t.policy, &r, got);
        CHECK_STR(asked[i].address, got, asked[i].want);
        if (r.kind == ROUTE_REPORT)
            CHECK_STR(asked[i].address, r.text, "RESOLVER.RST.AuthRequired; authentication required");
    }
    test_policy_done(&t);
}

static void test_not_found_text(void **state UNUSED)
{
    struct test_policy t;
    struct resolved none = {.kind = RESOLVED_NOT_FOUND};
    test_policy_init(&t);
    test_add(&t, objects);
    test_open(&t);
    struct route r = route_recipient(t.policy, SPAN("nobody@example.com"), &none);
    assert_string_equal(r.text, "RESOLVER.ADR.RecipNotFound; not found");
    test_policy_done(&t);
}

/* Mail to a postmaster that the directory does not know, with and without somebody who reads it. */
static void test_postmaster(void **state UNUSED)
{
    static const struct {
        const char *name, *address;
        enum resolved_kind kind;
        const char *want, *with_reader;
    } asked[] = {
        {"unknown", "Postmaster@example.com", RESOLVED_NOT_FOUND, "report 5.1.1", "redirect it@example.com"},
        {"below", "postmaster@x.example.com", RESOLVED_NOT_FOUND, "report 5.1.1", "redirect it@example.com"},
        {"known", "postmaster@example.com", RESOLVED_MAILBOX, "mailbox bob@example.com", "mailbox bob@example.com"},
        {"elsewhere", "postmaster@shared.test", RESOLVED_NOT_FOUND, "relay shared.test by shared",
         "relay shared.test by shared"},
        {"the reader is unknown", "it@example.com", RESOLVED_NOT_FOUND, "report 5.1.1", "report 5.1.1"},
        {"another name", "postmasters@example.com", RESOLVED_NOT_FOUND, "report 5.1.1", "report 5.1.1"},
    };
    for (int reader = 0; reader < 2; reader++) {
        struct test_policy t;
        test_policy_init(&t);
        test_add(&t, objects);
        if (reader)
            test_add(&t, "TransportConfig: ExternalPostmasterAddress=it@example.com\n");
        test_open(&t);
        for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
            struct resolved resolved = {asked[i].kind, SPAN("bob@example.com")};
            struct route r = route_recipient(t.policy, span_of(asked[i].address), &resolved);
            char got[256];
            print_route(t.policy, &r, got);
            CHECK_STR(asked[i].name, got, reader ? asked[i].with_reader : asked[i].want);
        }
        test_policy_done(&t);
    }
}

/* The most specific space, then the cost, then the name; in any order of the connectors. */
static void test_send_connectors(void **state UNUSED)
{
    static const struct {
        const char *domain, *alone, *with_world; /* connector names without and with one for "*"; NULL: none */
    } domains[] = {
        {"shared.test", "shared", "shared"},
        {"SHARED.TEST", "shared", "shared"},
        {"a.shared.test", "tests", "tests"},
        {"far.test", "tests", "tests"},
        {"a.far.test", "deep", "deep"},
        {"b.a.far.test", "deep", "deep"},
        {"cost.test", "cheap", "cheap"},
        {"twins.test", "Anton", "Anton"},
        {"off.test", "tests", "tests"},
        {"test", NULL, "world"},
        {"xtest", NULL, "world"},
        {"example.com", NULL, "world"},
        {"[192.0.2.1]", NULL, "world"},
    };
    uint64_t seed = 77;
    for (int round = 0; round < 20; round++) {
        struct test_policy t;
        test_policy_init(&t);
        test_add(&t, objects);
        if (round % 2)
            test_add(&t, everywhere);
        test_shuffle(&t, &seed);
        test_open(&t);
        for (size_t i = 0; i < ARRAY_LEN(domains); i++) {
            const struct send_connector *c = route_send_connector(t.policy, span_of(domains[i].domain));
            const char *want = round % 2 ? domains[i].with_world : domains[i].alone;
            CHECK_SPAN(domains[i].domain, c ? policy_text(t.policy, c->name) : SPAN("(none)"),
                       span_of(want ? want : "(none)"));
        }
        test_policy_done(&t);
    }
}

/* Against a plain search of all address spaces, over generated connectors and domains. */
static size_t specificity(const struct policy *p, const struct address_space *s, struct span domain)
{
    struct span name = policy_text(p, s->domain);
    if (s->kind == SPACE_ALL)
        return 1;
    if (s->kind == SPACE_DOMAIN)
        return span_ieq(name, domain) ? SIZE_MAX : 0;
    bool below = domain.len > name.len && span_iends(domain, name) && domain.ptr[domain.len - name.len - 1] == '.';
    return below ? 2 + name.len : 0;
}

static void check_domain(const struct policy *p, struct span domain)
{
    const struct send_connector *best = NULL, *got = route_send_connector(p, domain);
    size_t best_fit = 0;
    uint32_t best_cost = 0;
    for (size_t i = 0; i < policy_send_connector_count(p); i++) {
        const struct send_connector *c = policy_send_connector(p, i);
        for (uint32_t k = 0; (c->flags & SEND_ENABLED) && k < c->spaces.count; k++) {
            const struct address_space *s = &policy_spaces(p, c->spaces)[k];
            size_t fit = specificity(p, s, domain);
            bool better = fit > best_fit || (fit && fit == best_fit && s->cost < best_cost);
            if (fit && fit == best_fit && s->cost == best_cost)
                better = span_icmp(policy_text(p, c->name), policy_text(p, best->name)) < 0;
            if (better) {
                best = c;
                best_fit = fit;
                best_cost = s->cost;
            }
        }
    }
    CHECK("as a plain search", got == best);
}

static void test_send_connector_property(void **state UNUSED)
{
    static const char *const names[] = {"a.test",  "b.a.test",     "c.b.a.test", "test",
                                        "ab.test", "z.c.b.a.test", "other"};
    uint64_t seed = 0xd0;
    for (int round = 0; round < 300; round++) {
        struct test_policy t;
        test_policy_init(&t);
        for (unsigned n = test_draw(&seed, 12), i = 0; i < n; i++) {
            const char *kind = test_draw(&seed, 3) ? test_draw(&seed, 2) ? "*." : "" : "*";
            const char *name = kind[0] == '*' && !kind[1] ? "" : names[test_draw(&seed, ARRAY_LEN(names))];
            test_addf(&t, "SendConnector: Guid=%u|Name=n%u|Enabled=%s|AddressSpaces=[%s%s;%u,%s;%u]", i, 100 - i,
                      test_draw(&seed, 4) ? "$true" : "$false", kind, name, 1 + test_draw(&seed, 2),
                      names[test_draw(&seed, ARRAY_LEN(names))], 1 + test_draw(&seed, 2));
        }
        test_open(&t);
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            check_domain(t.policy, span_of(names[i]));
        test_policy_done(&t);
    }
}

static void test_size_limits(void **state UNUSED)
{
    static const struct {
        const char *name, *config;
        enum route_kind kind;
        bool internal;
        uint64_t want;
        const char *status, *text;
    } cases[] = {
        {"to a mailbox", "MaxReceiveSize=#500|MaxSendSize=#400", ROUTE_MAILBOX, false, 500, "5.2.3",
         "RecipSizeLimit"},
        {"of our own to a mailbox", "MaxReceiveSize=#500|MaxSendSize=#400", ROUTE_MAILBOX, true, 400, "5.2.3",
         "SendSizeLimit"},
        {"by a connector", "MaxReceiveSize=#100|MaxSendSize=#100", ROUTE_RELAY, false, 300, "5.3.4",
         "ROUTING.SizeLimit"},
        {"of our own by a connector", "MaxSendSize=#400", ROUTE_RELAY, true, 300, "5.3.4", "ROUTING.SizeLimit"},
        {"no limit", "MaxReceiveSize=Unlimited", ROUTE_MAILBOX, false, POLICY_UNLIMITED_WIDE, "5.2.3", ""},
        {"elsewhere", "MaxReceiveSize=#100", ROUTE_REPORT, false, POLICY_UNLIMITED_WIDE, "5.2.3", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct test_policy t;
        test_policy_init(&t);
        test_addf(&t, "TransportConfig: %s", cases[i].config);
        test_add(&t, "SendConnector: Guid=s|Name=out|AddressSpaces=[*]|MaxMessageSize=#300");
        test_open(&t);
        struct route r = {.kind = cases[i].kind, .connector = policy_send_connector(t.policy, 0)};
        struct route_limit got = route_size_limit(t.policy, &r, cases[i].internal);
        CHECK(cases[i].name, got.bytes == cases[i].want);
        CHECK_STR(cases[i].name, got.status, cases[i].status);
        CHECK(cases[i].name, strstr(got.text, cases[i].text));
        test_policy_done(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),          cmocka_unit_test(test_not_found_text),
        cmocka_unit_test(test_auth_required),   cmocka_unit_test(test_postmaster),
        cmocka_unit_test(test_send_connectors), cmocka_unit_test(test_send_connector_property),
        cmocka_unit_test(test_size_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
