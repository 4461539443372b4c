/* test_domain.c: which accepted domain covers a name; against a plain search over many. */
#include "check.h"
#include "policy/domain.h"
#include "policy/test_support.h"

static void test_domains(void **state UNUSED)
{
    static const struct {
        const char *domain, *want; /* the accepted domain's Name, or NULL */
    } domains[] = {
        {"example.com", "own"},
        {"EXAMPLE.com", "own"},
        {"a.example.com", "sub"},
        {"a.b.example.com", "sub"},
        {"lab.example.com", "sub"},
        {"pc.lab.example.com", "deep"},
        {"a.pc.LAB.example.com", "deep"},
        {"com", NULL},
        {"xexample.com", NULL},
        {"example.com.", NULL},
        {"", NULL},
        {".", NULL},
        {"customer.test", "customer"},
        {"x.customer.test", NULL},
        {"shared.example.net", "shared"},
        {"[192.0.2.1]", NULL},
    };
    struct test_policy t;
    test_policy_init(&t);
    test_add(&t, "AcceptedDomain: Name=own|DomainName=Example.com|DomainType=Authoritative|Default=$true\n"
                 "AcceptedDomain: Name=sub|DomainName=*.example.com|DomainType=Authoritative\n"
                 "AcceptedDomain: Name=deep|DomainName=*.lab.example.com|DomainType=InternalRelay\n"
                 "AcceptedDomain: Name=shared|DomainName=shared.example.net|DomainType=InternalRelay\n"
                 "AcceptedDomain: Name=customer|DomainName=customer.test|DomainType=ExternalRelay");
    test_open(&t);
    for (size_t i = 0; i < ARRAY_LEN(domains); i++) {
        const struct accepted_domain *d = policy_find_domain(t.policy, span_of(domains[i].domain));
        CHECK_SPAN(domains[i].domain, d ? policy_text(t.policy, d->name) : SPAN("(none)"),
                   span_of(domains[i].want ? domains[i].want : "(none)"));
    }
    CHECK_SPAN("default", policy_text(t.policy, policy_default_domain(t.policy)->domain), SPAN("example.com"));
    CHECK_SPAN("address", policy_address_domain(SPAN("\"a@b\"@c.d")), SPAN("c.d"));
    CHECK_SPAN("address", policy_address_domain(SPAN("postmaster")), SPAN(""));
    test_policy_done(&t);
}

/* Against a plain search, over every subset of a family of names. */
static void test_domains_property(void **state UNUSED)
{
    static const char *const names[] = {"test",     "*.test",     "a.test", "*.a.test",
                                        "b.a.test", "*.b.a.test", "ab.test"};
    static const char *const asked[] = {"test",   "a.test",  "b.a.test", "c.b.a.test", "d.c.b.a.test",
                                        "x.test", "ab.test", "xa.test",  "TEST",       "B.A.test"};
    for (unsigned set = 0; set < 1u << ARRAY_LEN(names); set++) {
        struct test_policy t;
        test_policy_init(&t);
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            if (set & 1u << i)
                test_addf(&t, "AcceptedDomain: Name=%s|DomainName=%s", names[i], names[i]);
        test_open(&t);
        for (size_t k = 0; k < ARRAY_LEN(asked); k++) {
            struct span domain = span_of(asked[k]), want = SPAN("(none)");
            size_t best = 0;
            for (size_t i = 0; i < ARRAY_LEN(names); i++) {
                struct span name = span_of(names[i]);
                bool wildcard = name.ptr[0] == '*';
                bool covers = wildcard ? domain.len >= name.len && span_iends(domain, span_from(name, 1))
                                       : span_ieq(domain, name);
                size_t fit = covers ? name.len + (wildcard ? 0 : 1000) : 0;
                if ((set & 1u << i) && fit > best) {
                    best = fit;
                    want = name;
                }
            }
            const struct accepted_domain *d = policy_find_domain(t.policy, domain);
            CHECK_SPAN(asked[k], d ? policy_text(t.policy, d->name) : SPAN("(none)"), want);
        }
        test_policy_done(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_domains),
        cmocka_unit_test(test_domains_property),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
