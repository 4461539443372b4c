/*
 * smtp_peer.c: who the server at the other end of a TLS session must be, and what this one presents to it, as the
 * hop asks for (hop_tls.h). Nothing of a message is said before the check here, since mail that asks for a proof
 * must not go to whoever answers at the address.
 */
#include "delivery/smtp_internal.h"

enum { PEER_MAX = 512 };

/* ---- before the handshake ---- */

static const char *set_up(struct smtp_connection *c, struct tls_conn *tls)
{
    const struct delivery_options *o = &c->engine->options;
    struct tls_trust *trust = o->trust ? o->trust(o->tls_credentials, c->hop.partner) : NULL;
    if (trust && !tls_trust_only(tls, trust))
        return "there is no memory for TLS";
    const struct smtp_load *l = &c->load;
    if (c->hop.proof == HOP_PROOF_DANE) {
        if (!tls_use_dane(tls, l->tlsa_base, l->next_hop_domain, l->tlsa, l->tlsa_count))
            return "there is no memory for TLS";
    } else if (c->hop.proof != HOP_PROOF_NONE && c->hop.proof != HOP_PROOF_HOST) {
        tls_ignore_names(tls);
    }
    if (!c->hop.present)
        return NULL;
    struct tls_identity *own = o->identity ? o->identity(o->tls_credentials, c->client_options.helo_name) : NULL;
    if (!own)
        return "this server has no certificate to prove itself with; Get-ExchangeCertificate shows those there "
               "are, "
               "New-ExchangeCertificate makes one";
    return tls_present(tls, own) ? NULL : "this server's certificate cannot be used";
}

struct tls_conn *smtp_peer_connect(struct smtp_connection *c, struct span name, const char **ret_why)
{
    struct tls_conn *tls = tls_connect_new(c->engine->options.tls, name);
    *ret_why = tls ? set_up(c, tls) : "there is no memory for TLS";
    if (!*ret_why)
        return tls;
    tls_conn_free(tls);
    return NULL;
}

/* ---- after it ---- */

static bool is_pinned(const struct smtp_connection *c)
{
    bool found = false;
    struct buf print;
    buf_init(&print, 128);
    if (tls_peer_fingerprint(c->tls, &print))
        for (size_t i = 0; i < c->load.pin_count && !found; i++)
            found = span_ieq(c->load.pins[i], buf_span(&print));
    buf_done(&print);
    return found;
}

/* What is wrong, as the end of a sentence about the certificate; NULL: nothing. */
static const char *problem_of(const struct smtp_connection *c)
{
    switch (c->hop.proof) {
    case HOP_PROOF_NONE: return NULL;
    case HOP_PROOF_PINNED: return is_pinned(c) ? NULL : "is not one of them";
    case HOP_PROOF_TRUSTED: return tls_peer_problem(c->tls);
    case HOP_PROOF_HOST: return tls_peer_problem(c->tls); /* the name was given with the handshake */
    case HOP_PROOF_DANE: return tls_peer_problem(c->tls);
    case HOP_PROOF_DOMAIN: break;
    }
    const char *problem = tls_peer_problem(c->tls);
    if (problem)
        return problem;
    return tls_peer_names_domain(c->tls, c->hop.domain) ? NULL : "does not name that domain";
}

const char *smtp_peer_testing(const struct smtp_connection *c)
{
    if (!c->hop.testing)
        return NULL;
    if (!c->hop.testing_listed)
        return "the policy does not list the host";
    return c->tls_done ? tls_peer_problem(c->tls) : "no TLS";
}

const char *smtp_peer_check(struct smtp_connection *c)
{
    struct tls_info info = tls_info(c->tls);
    struct tls_outcome *o = &c->tls_outcome;
    struct buf names;
    buf_init(&names, PEER_MAX);
    tls_peer_describe(c->tls, &names);
    *o = (struct tls_outcome){.version = arena_dup(&c->arena, span_of(info.version)),
                              .cipher = arena_dup(&c->arena, span_of(info.cipher)),
                              .peer = arena_dup(&c->arena, buf_span(&names))};
    buf_done(&names);
    const char *problem = problem_of(c);
    if (!problem)
        o->verified = c->hop.proof != HOP_PROOF_NONE ? c->hop.verified
                      : info.verified                ? TLS_VERIFIED_CA
                                                     : TLS_VERIFIED_NONE;
    if (!problem)
        return NULL;
    struct span text = arena_printf(&c->arena, "the server's certificate (%.*s): %s", SPAN_ARG(o->peer), problem);
    return text.ptr ? text.ptr : problem;
}
