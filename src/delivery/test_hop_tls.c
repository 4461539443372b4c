/* test_hop_tls.c: which rule decides the TLS of a hop, and what it then asks for. */
#include "check.h"
#include "delivery/hop_tls.h"

#define TO(level_, ...)                                                                                            \
    {                                                                                                              \
        .kind = DELIVERY_SMTP, .tls = DELIVERY_TLS_##level_, .mx_domain = SPAN_INIT("far.test"), __VA_ARGS__       \
    }
#define HOST      .host = SPAN_INIT("mx.far.test")
#define DANE_CERT " asks for TLS with a certificate that a TLSA record of the host matches"
/* What follows in a row. */
#define DANE .level = HOP_MUST, .proof = HOP_PROOF_DANE, .verified = TLS_VERIFIED_DANE, .says = "DANE" DANE_CERT
#define STS                                                                                                        \
    .level = HOP_MUST, .proof = HOP_PROOF_HOST, .verified = TLS_VERIFIED_MTA_STS,                                  \
    .says = "the domain's MTA-STS policy asks for TLS with a trusted certificate of mx.far.test"
#define REQUIRED                                                                                                   \
    .level = HOP_MUST, .proof = HOP_PROOF_HOST, .verified = TLS_VERIFIED_CA, .require_tls = true,                  \
    .says = "the sender (REQUIRETLS) asks for TLS with a trusted certificate of mx.far.test"

static const struct {
    const char *name;
    struct delivery_destination to;
    struct hop_facts facts;
    enum hop_level level;
    enum hop_proof proof;
    enum tls_verified verified;
    bool present, partner;
    const char *says;
    const char *refusal; /* how it begins */
    bool require_tls;
} rows[] = {
    {"nothing asked",
     {.tls = DELIVERY_TLS_OPPORTUNISTIC},
     .level = HOP_ENCRYPT,
     .says = "opportunistic TLS asks for TLS"},
    {"never", {.tls = DELIVERY_TLS_NONE}, .level = HOP_CLEAR, .says = "IgnoreSTARTTLS asks for TLS"},
    {"encrypted", {.tls = DELIVERY_TLS_REQUIRED}, .level = HOP_MUST, .says = "RequireTLS asks for TLS"},
    {"trusted",
     {.tls = DELIVERY_TLS_TRUSTED, .mx_domain = SPAN_INIT("far.test")},
     .level = HOP_MUST,
     .proof = HOP_PROOF_TRUSTED,
     .verified = TLS_VERIFIED_CA,
     .says = "TlsAuthLevel CertificateValidation asks for TLS with a trusted certificate"},
    {"the recipients' domain",
     {.tls = DELIVERY_TLS_DOMAIN, .mx_domain = SPAN_INIT("far.test")},
     .level = HOP_MUST,
     .proof = HOP_PROOF_DOMAIN,
     .verified = TLS_VERIFIED_CA,
     .says = "TlsAuthLevel DomainValidation asks for TLS with a trusted certificate of far.test"},
    {"another domain",
     {.tls = DELIVERY_TLS_DOMAIN, .mx_domain = SPAN_INIT("far.test"), .tls_domain = SPAN_INIT("host.test")},
     .level = HOP_MUST,
     .proof = HOP_PROOF_DOMAIN,
     .verified = TLS_VERIFIED_CA,
     .says = "TlsAuthLevel DomainValidation asks for TLS with a trusted certificate of host.test"},
    {"domain security",
     {.tls = DELIVERY_TLS_OPPORTUNISTIC, .domain_secure = true, .mx_domain = SPAN_INIT("far.test")},
     .level = HOP_MUST,
     .proof = HOP_PROOF_DOMAIN,
     .verified = TLS_VERIFIED_DOMAIN_SECURE,
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
     .level = HOP_MUST,
     .proof = HOP_PROOF_DOMAIN,
     .verified = TLS_VERIFIED_DOMAIN_SECURE,
     .present = true,
     .partner = true,
     .says =
         "domain security (DomainSecureEnabled, TLSSendDomainSecureList) asks for TLS with a trusted certificate "
         "of far.test"},
    {"a server of ours",
     {.tls = DELIVERY_TLS_REQUIRED, .exchange_server = true},
     .level = HOP_MUST,
     .proof = HOP_PROOF_PINNED,
     .verified = TLS_VERIFIED_PINNED,
     .present = true,
     .says =
         "Cannot achieve Exchange Server authentication: SmartHostAuthMechanism ExchangeServer asks for TLS with a "
         "certificate among HubTransportServerCertificates and EdgeTransportServerCertificates"},
    {"TLSA records", TO(OPPORTUNISTIC, .dane = DELIVERY_DANE_OPPORTUNISTIC), {.dane = HOP_DANE_RECORDS}, DANE},
    {"TLSA records and RequireTLS",
     TO(REQUIRED, .dane = DELIVERY_DANE_OPPORTUNISTIC),
     {.dane = HOP_DANE_RECORDS},
     DANE},
    {"TLSA records, which the connector does not care for",
     TO(OPPORTUNISTIC, .mx_port = 0),
     {.dane = HOP_DANE_RECORDS},
     HOP_ENCRYPT,
     .says = "opportunistic TLS asks for TLS"},
    {"TLSA records, but never TLS",
     {.tls = DELIVERY_TLS_NONE, .dane = DELIVERY_DANE_OPPORTUNISTIC},
     {.dane = HOP_DANE_RECORDS},
     HOP_CLEAR,
     .says = "IgnoreSTARTTLS asks for TLS"},
    {"TLSA records, but a CA is asked for",
     TO(TRUSTED, .dane = DELIVERY_DANE_OPPORTUNISTIC),
     {.dane = HOP_DANE_RECORDS},
     HOP_MUST,
     HOP_PROOF_TRUSTED,
     TLS_VERIFIED_CA,
     .says = "TlsAuthLevel CertificateValidation asks for TLS with a trusted certificate"},
    {"unusable TLSA records",
     TO(OPPORTUNISTIC, .dane = DELIVERY_DANE_OPPORTUNISTIC),
     {.dane = HOP_DANE_UNUSABLE},
     HOP_MUST,
     .says = "DANE (with no TLSA record that can be used) asks for TLS"},
    {"no TLSA records",
     TO(OPPORTUNISTIC, .dane = DELIVERY_DANE_OPPORTUNISTIC),
     {.dane = HOP_DANE_NONE},
     HOP_ENCRYPT,
     .says = "opportunistic TLS asks for TLS"},
    {"DANE or nothing", TO(OPPORTUNISTIC, .dane = DELIVERY_DANE_MANDATORY), {.dane = HOP_DANE_RECORDS}, DANE},
    {"DANE or nothing, and nothing",
     TO(OPPORTUNISTIC, .dane = DELIVERY_DANE_MANDATORY),
     {HOST},
     HOP_MUST,
     HOP_PROOF_DANE,
     TLS_VERIFIED_DANE,
     .says = "SmtpDaneMode Mandatory" DANE_CERT,
     .refusal = "the host has no TLSA"},
    {"DANE or nothing, and nothing usable",
     TO(OPPORTUNISTIC, .dane = DELIVERY_DANE_MANDATORY),
     {.dane = HOP_DANE_UNUSABLE},
     HOP_MUST,
     HOP_PROOF_DANE,
     TLS_VERIFIED_DANE,
     .says = "SmtpDaneMode Mandatory" DANE_CERT,
     .refusal = "the host has no TLSA"},
    {"a policy", TO(OPPORTUNISTIC, .mta_sts = true), {HOST, .sts = HOP_STS_ENFORCE, .sts_listed = true}, STS},
    {"a policy that does not list the host",
     TO(OPPORTUNISTIC, .mta_sts = true),
     {HOST, .sts = HOP_STS_ENFORCE},
     STS,
     .refusal = "the domain's MTA-STS policy does not list"},
    {"a policy in testing",
     TO(OPPORTUNISTIC, .mta_sts = true),
     {HOST, .sts = HOP_STS_TESTING},
     HOP_ENCRYPT,
     .says = "opportunistic TLS asks for TLS"},
    {"a policy and TLSA records",
     TO(OPPORTUNISTIC, .mta_sts = true, .dane = DELIVERY_DANE_OPPORTUNISTIC),
     {HOST, .dane = HOP_DANE_RECORDS, .sts = HOP_STS_ENFORCE},
     DANE},
    {"a policy and unusable TLSA records",
     TO(OPPORTUNISTIC, .mta_sts = true, .dane = DELIVERY_DANE_OPPORTUNISTIC),
     {HOST, .dane = HOP_DANE_UNUSABLE, .sts = HOP_STS_ENFORCE, .sts_listed = true},
     STS},
    {"REQUIRETLS by DNSSEC", TO(OPPORTUNISTIC, .require_tls = true), {HOST, .named_securely = true}, REQUIRED},
    {"REQUIRETLS by nothing",
     TO(OPPORTUNISTIC, .require_tls = true),
     {HOST},
     REQUIRED,
     .refusal = "neither DNSSEC nor"},
    {"REQUIRETLS by a policy",
     TO(OPPORTUNISTIC, .require_tls = true),
     {HOST, .sts = HOP_STS_ENFORCE, .sts_listed = true},
     STS,
     .require_tls = true},
    {"REQUIRETLS by a policy in testing",
     TO(OPPORTUNISTIC, .require_tls = true),
     {HOST, .sts = HOP_STS_TESTING, .sts_listed = true},
     REQUIRED,
     .refusal = "neither DNSSEC nor"},
    {"REQUIRETLS and a policy that does not list the host",
     TO(OPPORTUNISTIC, .require_tls = true),
     {HOST, .sts = HOP_STS_ENFORCE},
     STS,
     .require_tls = true,
     .refusal = "the domain's MTA-STS policy"},
    {"REQUIRETLS by DANE",
     TO(OPPORTUNISTIC, .require_tls = true, .dane = DELIVERY_DANE_OPPORTUNISTIC),
     {HOST, .dane = HOP_DANE_RECORDS, .named_securely = true},
     DANE,
     .require_tls = true},
    {"REQUIRETLS, and any trusted certificate",
     TO(TRUSTED, .require_tls = true),
     {HOST, .named_securely = true},
     REQUIRED},
    {"REQUIRETLS without TLS",
     {.kind = DELIVERY_SMTP, .tls = DELIVERY_TLS_NONE, .require_tls = true},
     {HOST, .named_securely = true},
     HOP_CLEAR,
     .says = "IgnoreSTARTTLS asks for TLS",
     .refusal = "IgnoreSTARTTLS forbids",
     .require_tls = true},
    {"what a sender waives",
     TO(OPPORTUNISTIC, .tls_optional = true, .dane = DELIVERY_DANE_OPPORTUNISTIC),
     {HOST, .dane = HOP_DANE_RECORDS, .sts = HOP_STS_ENFORCE},
     HOP_ENCRYPT,
     .says = "opportunistic TLS asks for TLS"},
    {"unusable records, waived",
     TO(OPPORTUNISTIC, .tls_optional = true, .dane = DELIVERY_DANE_OPPORTUNISTIC),
     {HOST, .dane = HOP_DANE_UNUSABLE},
     HOP_ENCRYPT,
     .says = "opportunistic TLS asks for TLS"},
    {"what a sender cannot waive",
     TO(OPPORTUNISTIC, .tls_optional = true, .dane = DELIVERY_DANE_MANDATORY),
     {HOST, .dane = HOP_DANE_RECORDS},
     DANE},
    {"nor this",
     {.tls = DELIVERY_TLS_REQUIRED, .tls_optional = true},
     {HOST},
     HOP_MUST,
     .says = "RequireTLS asks for TLS"},
    {"REQUIRETLS and its waiver",
     TO(OPPORTUNISTIC, .require_tls = true, .tls_optional = true, .dane = DELIVERY_DANE_OPPORTUNISTIC),
     {HOST, .dane = HOP_DANE_RECORDS, .named_securely = true},
     DANE,
     .require_tls = true},
};

static void test_rows(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct hop_tls h = hop_tls_decide(&rows[i].to, &rows[i].facts);
        struct buf text;
        buf_init(&text, 1024);
        hop_tls_explain(&h, &text);
        CHECK_INT(rows[i].name, h.level, rows[i].level);
        CHECK_INT(rows[i].name, h.proof, rows[i].proof);
        CHECK_INT(rows[i].name, h.verified, rows[i].verified);
        CHECK_INT(rows[i].name, h.present, rows[i].present);
        CHECK_INT(rows[i].name, h.partner, rows[i].partner);
        CHECK_INT(rows[i].name, h.require_tls, rows[i].require_tls);
        CHECK_SPAN(rows[i].name, buf_span(&text), span_of(rows[i].says));
        CHECK_INT(rows[i].name, h.refusal != NULL, rows[i].refusal != NULL);
        if (h.refusal)
            CHECK(rows[i].name, span_starts(span_of(h.refusal), span_of(rows[i].refusal)));
        buf_done(&text);
    }
}

/*
 * Every combination: a proof is asked for under HOP_MUST only and has a name in the outcome; nothing that an
 * administrator asks for is weakened by what others say, and REQUIRETLS never leaves without a named, proved host.
 */
static void test_all(void **state UNUSED)
{
    for (unsigned n = 0; n < 5 * 2 * 2 * 3 * 2 * 2 * 3 * 3 * 2 * 2; n++) {
        unsigned rest = n;
        struct delivery_destination to = {.kind = DELIVERY_SMTP, .mx_domain = SPAN("far.test")};
        struct hop_facts f = {.host = SPAN("mx.far.test")};
        to.tls = (enum delivery_tls)(rest % 5), rest /= 5;
        to.domain_secure = rest % 2, rest /= 2;
        to.exchange_server = rest % 2, rest /= 2;
        to.dane = (enum delivery_dane)(rest % 3), rest /= 3;
        to.require_tls = rest % 2, rest /= 2;
        to.tls_optional = rest % 2, rest /= 2;
        f.dane = (enum hop_dane)(rest % 3), rest /= 3;
        f.sts = (enum hop_sts)(rest % 3), rest /= 3;
        f.sts_listed = rest % 2, rest /= 2;
        f.named_securely = rest % 2;
        struct hop_tls h = hop_tls_decide(&to, &f);
        assert_int_equal(h.proof != HOP_PROOF_NONE, h.verified != TLS_VERIFIED_NONE);
        assert_true(h.proof == HOP_PROOF_NONE || h.level == HOP_MUST);
        assert_true(to.tls < DELIVERY_TLS_REQUIRED || h.level == HOP_MUST);
        assert_true(to.tls < DELIVERY_TLS_TRUSTED || h.proof != HOP_PROOF_NONE);
        assert_true(!(to.domain_secure || to.exchange_server) || (h.present && h.level == HOP_MUST));
        assert_int_equal(h.domain.len != 0, h.proof == HOP_PROOF_DOMAIN || h.proof == HOP_PROOF_HOST);
        assert_int_equal(h.require_tls, to.require_tls);
        assert_true(!h.testing || (f.sts == HOP_STS_TESTING && h.testing_listed == f.sts_listed));
        assert_true(!to.require_tls || h.refusal || h.proof > HOP_PROOF_TRUSTED);
        assert_true(h.proof != HOP_PROOF_DANE || h.refusal || f.dane == HOP_DANE_RECORDS);
        assert_true(h.verified != TLS_VERIFIED_MTA_STS || h.refusal || f.sts_listed);
        bool free_choice = to.tls == DELIVERY_TLS_OPPORTUNISTIC && !to.domain_secure && !to.exchange_server;
        if (free_choice && !to.tls_optional && f.dane == HOP_DANE_RECORDS && to.dane)
            assert_int_equal(h.proof, HOP_PROOF_DANE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
