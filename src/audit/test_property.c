/*
 * test_property.c: over generated policies, sessions tried one by one find no open relay that the audit does not
 * report, and whatever the audit shows as a witness is really allowed.
 *
 * Ranges are either of at most 256 addresses or made of whole /8 networks. So whoever may relay from the one
 * address that is tried in each /8, which no small range has, may do so from more addresses than a private network
 * has.
 */
#include "audit/audit.h"
#include "check.h"
#include "policy/decide.h"
#include "policy/select.h"
#include "policy/test_support.h"

static const char *const who[] = {"Anonymous", "Everyone", "Authenticated Users", "Externally Secured Servers"};
static const char *const rights[] = {"Submit", "Accept-Any-Recipient", "Accept-Any-Sender",
                                     "Accept-Authoritative-Domain-Sender"};
static const char *const locals[] = {"0.0.0.0:25", "10.0.0.1:25", "0.0.0.0:26", "10.0.0.2:26"};
static const char *const tried[] = {"10.0.0.1:25", "10.0.0.3:25", "10.0.0.2:26", "10.0.0.4:26"};

static void add_random(struct test_policy *t, uint64_t *seed)
{
    static const char *const mechanisms[] = {"[Tls]", "[None]", "[Tls,BasicAuth]", "[ExternalAuthoritative]"};
    static const char *const domains[] = {"*.org", "*.app.test", "*.co.uk", "example.net"};
    unsigned n = 1 + test_draw(seed, 6);
    test_add(t, "AcceptedDomain: Name=main|DomainName=example.com|Default=$true");
    if (test_draw(seed, 4) == 0)
        test_addf(t, "AcceptedDomain: Name=more|DomainName=%s", domains[test_draw(seed, ARRAY_LEN(domains))]);
    for (unsigned i = 0; i < n; i++) {
        unsigned a = test_draw(seed, 256), b = a + test_draw(seed, 256 - a);
        test_addf(t,
                  "ReceiveConnector: Guid=%u|Name=n%u|Enabled=%s|Bindings=[%s]|AuthMechanism=%s|RequireTLS=%s|"
                  "RemoteIPRanges=[%u.0.0.0-%u.255.255.255,%u.1.1.0/24]",
                  i, i, test_draw(seed, 8) ? "$true" : "$false", locals[test_draw(seed, ARRAY_LEN(locals))],
                  mechanisms[test_draw(seed, ARRAY_LEN(mechanisms))], test_draw(seed, 4) ? "$false" : "$true", a, b,
                  test_draw(seed, 256));
        for (unsigned k = test_draw(seed, 10); k > 0; k--)
            test_addf(t, "ADPermission: Connector=%u|User=%s|ExtendedRight=ms-Exch-SMTP-%s|Deny=%s", i,
                      who[test_draw(seed, ARRAY_LEN(who))], rights[test_draw(seed, ARRAY_LEN(rights))],
                      test_draw(seed, 6) ? "$false" : "$true");
    }
}

/* A session as the live server decides it: no logon, no certificate. */
static bool allowed(const struct policy *p, const struct receive_connector *c, bool tls, struct span from,
                    struct span to)
{
    const struct session_facts facts = {.external_authoritative = c->auth & AUTH_EXTERNAL_AUTHORITATIVE};
    const struct token t = token_build(&facts);
    const struct owned_addresses nobody = {0};
    if (tls ? !(c->auth & AUTH_TLS) : (c->flags & CONNECTOR_REQUIRE_TLS) != 0)
        return false;
    struct conditions when = {.tls = tls};
    struct decision mail = decide_mail(p, c, &t, &when, from, nobody);
    when.sender = &from;
    when.pending = mail.pending;
    return mail.verdict == VERDICT_ALLOW && decide_rcpt(p, c, &t, &when, to, nobody).verdict == VERDICT_ALLOW;
}

static bool is_reported(const struct test_policy *t, const struct audit_report *r,
                        const struct receive_connector *c)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->findings[i].severity == AUDIT_DANGER && r->findings[i].kind <= AUDIT_EXTERNALLY_SECURED &&
            span_eq(r->findings[i].object, policy_text(t->policy, c->name)))
            return true;
    return false;
}

/* The first octet is that of a network whose addresses are public, but for parts that no try hits. */
static bool is_public(unsigned octet)
{
    return octet != 0 && octet != 10 && octet != 127 && octet < 224;
}

static size_t check_tries(const struct test_policy *t, const struct audit_report *r)
{
    static const char *const senders[] = {"", "a@example.com", "a@elsewhere.test"};
    size_t relays = 0;
    for (unsigned octet = 0; octet < 256; octet++)
        for (size_t l = 0; l < ARRAY_LEN(tried); l++) {
            const struct receive_connector *c =
                policy_select(t->policy, test_endpoint(tried[l]), ip_v4((uint8_t)octet, 77, 7, 7));
            bool relay = false;
            for (size_t s = 0; c && s < 2 * ARRAY_LEN(senders); s++)
                relay = relay || allowed(t->policy, c, s % 2, span_of(senders[s / 2]), SPAN("b@elsewhere.test"));
            if (!relay || !is_public(octet))
                continue;
            relays++;
            CHECK("reported", is_reported(t, r, c));
        }
    return relays;
}

/* The value behind an option of a witness; quotes are only about nothing here. */
static struct span option(struct span witness, const char *name, bool *ret_given)
{
    bool next = false;
    *ret_given = false;
    for (struct span rest = witness, part; span_split(&rest, ' ', &part); next = span_eq(part, span_of(name))) {
        *ret_given = *ret_given || span_eq(part, span_of(name));
        if (next)
            return span_eq(part, SPAN("'<>'")) ? SPAN("") : part;
    }
    return SPAN("");
}

static void check_witness(const struct test_policy *t, const struct audit_finding *f)
{
    bool given, tls;
    struct ip_addr remote;
    struct ip_endpoint local;
    CHECK("remote", ip_parse(option(f->witness, "--remote", &given), &remote));
    CHECK("local", ip_parse_endpoint(option(f->witness, "--local", &given), &local));
    option(f->witness, "--tls", &tls);
    struct span from = option(f->witness, "--from", &given), to = option(f->witness, "--to", &given);
    const struct receive_connector *c = policy_select(t->policy, local, remote);
    CHECK("selected", c);
    if (f->class_name[0] == 'R')
        CHECK_SPAN("selected", policy_text(t->policy, c->name), f->object);
    CHECK("allowed", allowed(t->policy, c, tls, from, to));
}

static void test_relays(void **state UNUSED)
{
    uint64_t seed = 0xaced;
    size_t relays = 0, witnesses = 0, quiet = 0;
    const struct audit_facts facts = {0};
    for (int round = 0; round < 400; round++) {
        struct test_policy t;
        struct arena arena;
        struct audit_report all, only;
        struct err err = {0};
        test_policy_init(&t);
        arena_init(&arena, 0);
        add_random(&t, &seed);
        test_open(&t);
        if (audit_run(t.policy, &facts, AUDIT_ALL, &arena, &all, &err) ||
            audit_run(t.policy, &facts, AUDIT_RELAYS, &arena, &only, &err))
            fail_msg("%s", err.text);
        size_t found = check_tries(&t, &all), dangers = 0;
        relays += found;
        quiet += found == 0;
        for (size_t i = 0; i < all.count; i++) {
            const struct audit_finding *f = &all.findings[i];
            if (f->kind > AUDIT_EXTERNALLY_SECURED)
                continue;
            witnesses++;
            check_witness(&t, f);
            if (f->severity < AUDIT_DANGER)
                continue;
            CHECK("the same alone", dangers < only.count && only.findings[dangers].key == f->key);
            dangers++;
        }
        CHECK_INT("the same alone", only.count, dangers);
        arena_clear(&arena);
        test_policy_done(&t);
    }
    /* The policies are worth the name: many relays, and many without. */
    CHECK("relays", relays > 1000 && witnesses > 50 && quiet > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_relays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
