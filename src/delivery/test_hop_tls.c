/* test_hop_tls.c: which rule decides the TLS of a hop, and what it then asks for. */
#include "check.h"
#include "delivery/hop_tls.h"

static const struct {
    const char *name;
    struct delivery_destination to;
    enum hop_level level;
    enum hop_proof proof;
    enum tls_verified verified;
    bool present, partner;
    const char *says;
} rows[] = {
    {"nothing asked", {.tls = DELIVERY_TLS_OPPORTUNISTIC}, HOP_ENCRYPT, .says = "opportunistic TLS asks for TLS"},
    {"never", {.tls = DELIVERY_TLS_NONE}, HOP_CLEAR, .says = "IgnoreSTARTTLS asks for TLS"},
    {"encrypted", {.tls = DELIVERY_TLS_REQUIRED}, HOP_MUST, .says = "RequireTLS asks for TLS"},
    {"trusted",
     {.tls = DELIVERY_TLS_TRUSTED, .mx_domain = SPAN_INIT("far.test")},
     HOP_MUST,
     HOP_PROOF_TRUSTED,
     TLS_VERIFIED_CA,
     .says = "TlsAuthLevel CertificateValidation asks for TLS with a trusted certificate"},
    {"the recipients' domain",
     {.tls = DELIVERY_TLS_DOMAIN, .mx_domain = SPAN_INIT("far.test")},
     HOP_MUST,
     HOP_PROOF_DOMAIN,
     TLS_VERIFIED_CA,
     .says = "TlsAuthLevel DomainValidation asks for TLS with a trusted certificate of far.test"},
    {"another domain",
     {.tls = DELIVERY_TLS_DOMAIN, .mx_domain = SPAN_INIT("far.test"), .tls_domain = SPAN_INIT("host.test")},
     HOP_MUST,
     HOP_PROOF_DOMAIN,
     TLS_VERIFIED_CA,
     .says = "TlsAuthLevel DomainValidation asks for TLS with a trusted certificate of host.test"},
    {"domain security",
     {.tls = DELIVERY_TLS_OPPORTUNISTIC, .domain_secure = true, .mx_domain = SPAN_INIT("far.test")},
     HOP_MUST,
     HOP_PROOF_DOMAIN,
     TLS_VERIFIED_DOMAIN_SECURE,
     .present = true,
     .partner = true,
     .says =
         "domain security (DomainSecureEnabled, TLSSendDomainSecureList) asks for TLS with a trusted certificate "
         "of far.test"},
    {"domain security, whatever TlsDomain says",
     {.tls = DELIVERY_TLS_DOMAIN,
      .domain_secure = true,
      .mx_domain = SPAN_INIT("far.test"),
      .tls_domain = SPAN_INIT("host.test")},
     HOP_MUST,
     HOP_PROOF_DOMAIN,
     TLS_VERIFIED_DOMAIN_SECURE,
     .present = true,
     .partner = true,
     .says =
         "domain security (DomainSecureEnabled, TLSSendDomainSecureList) asks for TLS with a trusted certificate "
         "of far.test"},
    {"a server of ours",
     {.tls = DELIVERY_TLS_REQUIRED, .exchange_server = true},
     HOP_MUST,
     HOP_PROOF_PINNED,
     TLS_VERIFIED_PINNED,
     .present = true,
     .says = "Exchange Server authentication (SmartHostAuthMechanism) asks for TLS with a certificate among "
             "HubTransportServerCertificates and EdgeTransportServerCertificates"},
};

static void test_rows(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct hop_tls h = hop_tls_decide(&rows[i].to);
        struct buf text;
        buf_init(&text, 1024);
        hop_tls_explain(&h, &text);
        CHECK_INT(rows[i].name, h.level, rows[i].level);
        CHECK_INT(rows[i].name, h.proof, rows[i].proof);
        CHECK_INT(rows[i].name, h.verified, rows[i].verified);
        CHECK_INT(rows[i].name, h.present, rows[i].present);
        CHECK_INT(rows[i].name, h.partner, rows[i].partner);
        CHECK_SPAN(rows[i].name, buf_span(&text), span_of(rows[i].says));
        buf_done(&text);
    }
}

/* Every combination: a proof is asked for under HOP_MUST only, has a name in the outcome, and is never weakened. */
static void test_all(void **state UNUSED)
{
    for (unsigned n = 0; n < 5 * 4; n++) {
        const struct delivery_destination to = {.tls = (enum delivery_tls)(n % 5),
                                                .domain_secure = n / 5 & 1,
                                                .exchange_server = n / 10 & 1,
                                                .mx_domain = SPAN("far.test")};
        struct hop_tls h = hop_tls_decide(&to);
        assert_int_equal(h.proof != HOP_PROOF_NONE, h.verified != TLS_VERIFIED_NONE);
        assert_true(h.proof == HOP_PROOF_NONE || h.level == HOP_MUST);
        assert_true(to.tls < DELIVERY_TLS_REQUIRED || h.level == HOP_MUST);
        assert_true(to.tls < DELIVERY_TLS_TRUSTED || h.proof != HOP_PROOF_NONE);
        assert_true(!(to.domain_secure || to.exchange_server) || (h.present && h.level == HOP_MUST));
        assert_int_equal(h.domain.len != 0, h.proof == HOP_PROOF_DOMAIN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
