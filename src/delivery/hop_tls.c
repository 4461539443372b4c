/* hop_tls.c: see hop_tls.h. The first rule that applies decides. */
#include "delivery/hop_tls.h"

/* In the order in which they decide. */
enum rule {
    RULE_EXCHANGE_SERVER,
    RULE_DOMAIN_SECURE,
    RULE_IGNORE_STARTTLS,
    RULE_DOMAIN_VALIDATION,
    RULE_CERTIFICATE_VALIDATION,
    RULE_DANE,
    RULE_DANE_MANDATORY,
    RULE_MTA_STS,
    RULE_DANE_UNUSABLE,
    RULE_REQUIRE_TLS,
    RULE_OPPORTUNISTIC,
    RULES,
};

/* The first one's words are Exchange's, which administrators look for. */
static const struct hop_tls hops[RULES] = {
    [RULE_EXCHANGE_SERVER] =
        {HOP_MUST, HOP_PROOF_PINNED, .present = true, .verified = TLS_VERIFIED_PINNED,
         .rule = "Cannot achieve Exchange Server authentication: SmartHostAuthMechanism ExchangeServer"},
    [RULE_DOMAIN_SECURE] = {HOP_MUST, HOP_PROOF_DOMAIN, .partner = true, .present = true,
                            .verified = TLS_VERIFIED_DOMAIN_SECURE,
                            .rule = "domain security (DomainSecureEnabled, TLSSendDomainSecureList)"},
    [RULE_IGNORE_STARTTLS] = {HOP_CLEAR, .rule = "IgnoreSTARTTLS"},
    [RULE_DOMAIN_VALIDATION] = {HOP_MUST, HOP_PROOF_DOMAIN, .verified = TLS_VERIFIED_CA,
                                .rule = "TlsAuthLevel DomainValidation"},
    [RULE_CERTIFICATE_VALIDATION] = {HOP_MUST, HOP_PROOF_TRUSTED, .verified = TLS_VERIFIED_CA,
                                     .rule = "TlsAuthLevel CertificateValidation"},
    [RULE_DANE] = {HOP_MUST, HOP_PROOF_DANE, .verified = TLS_VERIFIED_DANE, .rule = "DANE"},
    [RULE_DANE_MANDATORY] = {HOP_MUST, HOP_PROOF_DANE, .verified = TLS_VERIFIED_DANE,
                             .rule = "SmtpDaneMode Mandatory",
                             .refusal = "the host has no TLSA records that DNSSEC proves and that can be used"},
    [RULE_MTA_STS] = {HOP_MUST, HOP_PROOF_HOST, .verified = TLS_VERIFIED_MTA_STS,
                      .rule = "the domain's MTA-STS policy"},
    [RULE_DANE_UNUSABLE] = {HOP_MUST, .rule = "DANE (with no TLSA record that can be used)"},
    [RULE_REQUIRE_TLS] = {HOP_MUST, .rule = "RequireTLS"},
    [RULE_OPPORTUNISTIC] = {HOP_ENCRYPT, .rule = "opportunistic TLS"},
};

/* What the receiving domain asks for. A sender may waive that (TLS-Required: No), but not what an administrator
 * does. */
static enum rule receivers_rule(const struct delivery_destination *to, const struct hop_facts *f)
{
    bool waived = to->tls_optional && !to->require_tls;
    bool dane = to->dane == DELIVERY_DANE_MANDATORY || (to->dane == DELIVERY_DANE_OPPORTUNISTIC && !waived);
    if (dane && f->dane == HOP_DANE_RECORDS)
        return RULE_DANE;
    if (to->dane == DELIVERY_DANE_MANDATORY)
        return RULE_DANE_MANDATORY;
    if (!waived && f->sts == HOP_STS_ENFORCE)
        return RULE_MTA_STS;
    return dane && f->dane == HOP_DANE_UNUSABLE ? RULE_DANE_UNUSABLE : RULES;
}

static enum rule rule_of(const struct delivery_destination *to, const struct hop_facts *f)
{
    if (to->exchange_server)
        return RULE_EXCHANGE_SERVER;
    if (to->domain_secure)
        return RULE_DOMAIN_SECURE;
    switch (to->tls) {
    case DELIVERY_TLS_NONE: return RULE_IGNORE_STARTTLS;
    case DELIVERY_TLS_DOMAIN: return RULE_DOMAIN_VALIDATION;
    case DELIVERY_TLS_TRUSTED: return RULE_CERTIFICATE_VALIDATION;
    case DELIVERY_TLS_REQUIRED:
    case DELIVERY_TLS_OPPORTUNISTIC: break;
    }
    enum rule r = receivers_rule(to, f);
    if (r != RULES)
        return r;
    return to->tls == DELIVERY_TLS_REQUIRED ? RULE_REQUIRE_TLS : RULE_OPPORTUNISTIC;
}

/* A certificate that names the domain proves nothing about another one that was asked for by name. */
static struct span domain_of(const struct delivery_destination *to, const struct hop_facts *f,
                             const struct hop_tls *h)
{
    if (h->proof == HOP_PROOF_HOST)
        return f->host;
    if (h->proof != HOP_PROOF_DOMAIN)
        return SPAN("");
    return !h->partner && to->tls_domain.len ? to->tls_domain : to->mx_domain;
}

/*
 * RFC 8689, 4.2.1: the host's name must be sure and its certificate must prove it. A proof that another rule asks
 * for stands, unless it names nobody.
 */
static void require_tls(struct hop_tls *h, const struct hop_facts *f)
{
    h->require_tls = true;
    if (h->level == HOP_CLEAR) {
        h->refusal = "IgnoreSTARTTLS forbids TLS, which the sender requires (REQUIRETLS)";
        return;
    }
    h->level = HOP_MUST;
    if (h->proof == HOP_PROOF_NONE || h->proof == HOP_PROOF_TRUSTED) {
        h->proof = HOP_PROOF_HOST;
        h->verified = TLS_VERIFIED_CA;
        h->rule = "the sender (REQUIRETLS)";
    }
    bool sure = f->named_securely || (f->sts == HOP_STS_ENFORCE && f->sts_listed);
    if (!sure && !h->refusal)
        h->refusal =
            "neither DNSSEC nor an MTA-STS policy proves that the host takes the domain's mail, as REQUIRETLS "
            "demands";
}

struct hop_tls hop_tls_decide(const struct delivery_destination *to, const struct hop_facts *facts)
{
    struct hop_tls h = hops[rule_of(to, facts)];
    if (h.verified == TLS_VERIFIED_MTA_STS && !facts->sts_listed)
        h.refusal = "the domain's MTA-STS policy does not list the host";
    if (to->require_tls && to->kind == DELIVERY_SMTP) /* LMTP is the final delivery */
        require_tls(&h, facts);
    h.testing = facts->sts == HOP_STS_TESTING && h.proof == HOP_PROOF_NONE && h.level != HOP_CLEAR;
    h.testing_listed = h.testing && facts->sts_listed;
    h.domain = domain_of(to, facts, &h);
    return h;
}

void hop_tls_explain(const struct hop_tls *h, struct buf *out)
{
    buf_addf(out, "%s asks for TLS", h->rule);
    switch (h->proof) {
    case HOP_PROOF_NONE: break;
    case HOP_PROOF_TRUSTED: buf_add(out, SPAN(" with a trusted certificate")); break;
    case HOP_PROOF_DOMAIN:
    case HOP_PROOF_HOST: buf_addf(out, " with a trusted certificate of %.*s", SPAN_ARG(h->domain)); break;
    case HOP_PROOF_DANE: buf_add(out, SPAN(" with a certificate that a TLSA record of the host matches")); break;
    case HOP_PROOF_PINNED:
        buf_add(out, SPAN(" with a certificate among HubTransportServerCertificates and "
                          "EdgeTransportServerCertificates"));
        break;
    }
}
