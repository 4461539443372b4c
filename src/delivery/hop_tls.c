/* hop_tls.c: see hop_tls.h. The first rule that applies decides. */
#include "delivery/hop_tls.h"

/* In the order in which they decide. */
enum rule {
    RULE_EXCHANGE_SERVER,
    RULE_DOMAIN_SECURE,
    RULE_IGNORE_STARTTLS,
    RULE_DOMAIN_VALIDATION,
    RULE_CERTIFICATE_VALIDATION,
    RULE_REQUIRE_TLS,
    RULE_OPPORTUNISTIC,
};

static const struct hop_tls hops[] = {
    [RULE_EXCHANGE_SERVER] = {HOP_MUST, HOP_PROOF_PINNED, .present = true, .verified = TLS_VERIFIED_PINNED,
                              .rule = "Exchange Server authentication (SmartHostAuthMechanism)"},
    [RULE_DOMAIN_SECURE] = {HOP_MUST, HOP_PROOF_DOMAIN, .partner = true, .present = true,
                            .verified = TLS_VERIFIED_DOMAIN_SECURE,
                            .rule = "domain security (DomainSecureEnabled, TLSSendDomainSecureList)"},
    [RULE_IGNORE_STARTTLS] = {HOP_CLEAR, .rule = "IgnoreSTARTTLS"},
    [RULE_DOMAIN_VALIDATION] = {HOP_MUST, HOP_PROOF_DOMAIN, .verified = TLS_VERIFIED_CA,
                                .rule = "TlsAuthLevel DomainValidation"},
    [RULE_CERTIFICATE_VALIDATION] = {HOP_MUST, HOP_PROOF_TRUSTED, .verified = TLS_VERIFIED_CA,
                                     .rule = "TlsAuthLevel CertificateValidation"},
    [RULE_REQUIRE_TLS] = {HOP_MUST, .rule = "RequireTLS"},
    [RULE_OPPORTUNISTIC] = {HOP_ENCRYPT, .rule = "opportunistic TLS"},
};

static enum rule rule_of(const struct delivery_destination *to)
{
    if (to->exchange_server)
        return RULE_EXCHANGE_SERVER;
    if (to->domain_secure)
        return RULE_DOMAIN_SECURE;
    switch (to->tls) {
    case DELIVERY_TLS_NONE: return RULE_IGNORE_STARTTLS;
    case DELIVERY_TLS_DOMAIN: return RULE_DOMAIN_VALIDATION;
    case DELIVERY_TLS_TRUSTED: return RULE_CERTIFICATE_VALIDATION;
    case DELIVERY_TLS_REQUIRED: return RULE_REQUIRE_TLS;
    case DELIVERY_TLS_OPPORTUNISTIC: break;
    }
    return RULE_OPPORTUNISTIC;
}

/* A certificate that names the domain proves nothing about another one that was asked for by name. */
static struct span domain_of(const struct delivery_destination *to, const struct hop_tls *h)
{
    if (h->proof != HOP_PROOF_DOMAIN)
        return SPAN("");
    return !h->partner && to->tls_domain.len ? to->tls_domain : to->mx_domain;
}

struct hop_tls hop_tls_decide(const struct delivery_destination *to)
{
    struct hop_tls h = hops[rule_of(to)];
    h.domain = domain_of(to, &h);
    return h;
}

void hop_tls_explain(const struct hop_tls *h, struct buf *out)
{
    buf_addf(out, "%s asks for TLS", h->rule);
    switch (h->proof) {
    case HOP_PROOF_NONE: break;
    case HOP_PROOF_TRUSTED: buf_add(out, SPAN(" with a trusted certificate")); break;
    case HOP_PROOF_DOMAIN: buf_addf(out, " with a trusted certificate of %.*s", SPAN_ARG(h->domain)); break;
    case HOP_PROOF_PINNED:
        buf_add(out, SPAN(" with a certificate among HubTransportServerCertificates and "
                          "EdgeTransportServerCertificates"));
        break;
    }
}
