/*
 * certificates.c: a small table of contexts by certificate and by what a connector asks of them.
 *
 * Each context also holds all other certificates, for clients that ask for another name of this host.
 */
#include "role/receive/certificates.h"

#include "role/common/identity_set.h"
#include "runtime/large_body.h"
#include "runtime/log.h"

#include <stdio.h>
#include <string.h>

enum { CONTEXTS_MAX = 64, NAMES_MAX = 64, NAME_LEN = 256, TRUST_BYTES_MAX = 8 << 20 };

static struct {
    const struct tls_identity *identity;
    struct certificates_use use; /* without fqdn */
    struct tls_context *context;
} contexts[CONTEXTS_MAX];
static size_t context_count;
static struct tls_trust *trust;

/* Names for which nothing fitted: said once, not once a session. */
static char missing[NAMES_MAX][NAME_LEN];
static size_t missing_count;

void certificates_changed(void)
{
    for (size_t i = 0; i < context_count; i++)
        tls_context_free(contexts[i].context);
    context_count = missing_count = 0;
}

void certificates_take_trust(const struct frame *f)
{
    struct large_body_view body = {0};
    struct tls_trust *fresh = NULL;
    struct err err = {0};
    enum err_code code = large_body_open(f, TRUST_BYTES_MAX, &body, &err);
    if (!code && body.bytes.len)
        code = tls_trust_new(body.bytes, &fresh, &err);
    large_body_close(&body);
    if (code) {
        struct log_line l = log_begin(LOG_ERROR, "trust-unusable");
        log_err(&l, &err);
        log_end(&l);
    }
    tls_trust_free(trust);
    trust = fresh;
    certificates_changed();
}

static const char *reason(const struct identity_set *set, struct span fqdn, int64_t now_ms)
{
    for (size_t i = 0; i < set->count; i++)
        if (tls_identity_matches(set->ids[i], fqdn))
            return now_ms > tls_identity_not_after(set->ids[i]) ? "the certificate that names this Fqdn has expired"
                   : now_ms < tls_identity_not_before(set->ids[i])
                       ? "the certificate that names this Fqdn is not valid yet"
                       : "the certificate that names this Fqdn is not of X.509 version 3";
    return "no certificate names this Fqdn";
}

static void say_missing(const struct identity_set *set, struct span fqdn, int64_t now_ms)
{
    for (size_t i = 0; i < missing_count; i++)
        if (span_ieq(span_of(missing[i]), fqdn))
            return;
    if (missing_count < NAMES_MAX)
        snprintf(missing[missing_count++], NAME_LEN, "%.*s", SPAN_ARG(fqdn));
    struct log_line l = log_begin(LOG_WARNING, "no-certificate");
    log_span(&l, "fqdn", fqdn);
    log_str(&l, "reason", reason(set, fqdn, now_ms));
    log_str(&l, "text",
            "STARTTLS is not offered by connectors that use it; make a certificate with New-ExchangeCertificate "
            "-DomainName, take one in with Import-ExchangeCertificate, or put NAME.crt and NAME.key into certs/");
    log_end(&l);
}

static struct tls_context *make(struct tls_identity *identity, const struct certificates_use *use)
{
    struct identity_set *set = identity_set_current();
    struct tls_server_options options = {.identity = identity,
                                         .minimum = use->minimum,
                                         .ticket_keys = set->ticket_keys,
                                         .request_client_certificate = use->ask_client,
                                         .trust = trust,
                                         .profile = use->profile,
                                         .others = set->ids,
                                         .other_count = set->count,
                                         .host = use->fqdn};
    struct tls_context *context;
    struct err err = {0};
    if (tls_server_context_new(&options, &context, &err)) {
        struct log_line l = log_begin(LOG_ERROR, "certificate-unusable");
        log_err(&l, &err);
        log_end(&l);
        return NULL;
    }
    if (context_count == CONTEXTS_MAX) { /* more certificates than slots: begin anew rather than grow */
        certificates_changed();
    }
    contexts[context_count].identity = identity;
    contexts[context_count].use = *use;
    contexts[context_count].use.fqdn = SPAN(""); /* the policy's, which goes */
    contexts[context_count++].context = context;
    return context;
}

static bool same_use(const struct certificates_use *a, const struct certificates_use *b)
{
    return a->minimum == b->minimum && a->profile == b->profile && a->ask_client == b->ask_client;
}

struct tls_context *certificates_context(const struct certificates_use *use, int64_t now_ms)
{
    struct identity_set *set = identity_set_current();
    struct tls_identity *identity = tls_identity_choose(set->ids, set->count, use->fqdn, now_ms);
    if (!identity) {
        say_missing(set, use->fqdn, now_ms);
        return NULL;
    }
    for (size_t i = 0; i < context_count; i++)
        if (contexts[i].identity == identity && same_use(&contexts[i].use, use))
            return contexts[i].context;
    return make(identity, use);
}
