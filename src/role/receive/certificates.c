/* certificates.c: a small table of contexts by certificate and minimum version. */
#include "role/receive/certificates.h"

#include "role/common/identity_set.h"
#include "runtime/log.h"

#include <stdio.h>
#include <string.h>

enum { CONTEXTS_MAX = 64, NAMES_MAX = 64, NAME_LEN = 256 };

static struct {
    const struct tls_identity *identity;
    enum tls_version minimum;
    struct tls_context *context;
} contexts[CONTEXTS_MAX];
static size_t context_count;

/* Names for which nothing fitted: said once, not once a session. */
static char missing[NAMES_MAX][NAME_LEN];
static size_t missing_count;

void certificates_changed(void)
{
    for (size_t i = 0; i < context_count; i++)
        tls_context_free(contexts[i].context);
    context_count = missing_count = 0;
}

static void say_missing(struct span fqdn)
{
    for (size_t i = 0; i < missing_count; i++)
        if (span_ieq(span_of(missing[i]), fqdn))
            return;
    if (missing_count < NAMES_MAX)
        snprintf(missing[missing_count++], NAME_LEN, "%.*s", SPAN_ARG(fqdn));
    struct log_line l = log_begin(LOG_WARNING, "no-certificate");
    log_span(&l, "fqdn", fqdn);
    log_str(&l, "text",
            "no certificate names this Fqdn: STARTTLS is not offered by connectors that use it; put NAME.crt and "
            "NAME.key for it "
            "into certs/ and send SIGHUP");
    log_end(&l);
}

static struct tls_context *make(struct tls_identity *identity, enum tls_version minimum)
{
    struct identity_set *set = identity_set_current();
    struct tls_server_options options = {.identity = identity, .minimum = minimum, .ticket_keys = set->ticket_keys};
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
    contexts[context_count].minimum = minimum;
    contexts[context_count++].context = context;
    return context;
}

struct tls_context *certificates_context(struct span fqdn, enum tls_version minimum, int64_t now_ms)
{
    struct identity_set *set = identity_set_current();
    struct tls_identity *identity = tls_identity_choose(set->ids, set->count, fqdn, now_ms);
    if (!identity) {
        say_missing(fqdn);
        return NULL;
    }
    for (size_t i = 0; i < context_count; i++)
        if (contexts[i].identity == identity && contexts[i].minimum == minimum)
            return contexts[i].context;
    return make(identity, minimum);
}
