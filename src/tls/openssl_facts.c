/*
 * openssl_facts.c: what there is to read of a certificate: its names, and the texts that people are shown.
 *
 * Invariant: whatever stands in a certificate, a text from here is printable and of bounded length, since anybody
 * can make a certificate and it ends up in logs and on terminals.
 */
#include "base/ip.h"
#include "tls/openssl.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { TEXT_MAX = 1024, NAME_MAX_LEN = 253, LOG_NAMES = 3 };

static struct span asn1_text(const ASN1_STRING *s)
{
    return span_make((const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

/* Of a SAN: a DNS name or an address, as text in scratch or the certificate; empty for all other kinds. */
static struct span general_name(const GENERAL_NAME *g, bool with_addresses, char scratch[static IP_TEXT_MAX])
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(g, &type);
    if (type == GEN_DNS)
        return asn1_text(value);
    if (type != GEN_IPADD || !with_addresses)
        return SPAN("");
    struct span raw = asn1_text(value);
    struct ip_addr a = {0};
    if (raw.len == 4)
        a = ip_v4((uint8_t)raw.ptr[0], (uint8_t)raw.ptr[1], (uint8_t)raw.ptr[2], (uint8_t)raw.ptr[3]);
    else if (raw.len == sizeof a.bytes)
        memcpy(a.bytes, raw.ptr, sizeof a.bytes);
    else
        return SPAN("");
    return span_of(ip_print(a, scratch));
}

static bool name_ok(struct span name)
{
    return name.len > 0 && name.len <= NAME_MAX_LEN && span_is_printable_ascii(name) &&
           span_find(name, ' ') == SIZE_MAX;
}

static void each_name(const X509 *cert, bool with_addresses, bool (*each)(void *context, struct span name),
                      void *context)
{
    char scratch[IP_TEXT_MAX];
    GENERAL_NAMES *san = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(san); i++) {
        struct span name = general_name(sk_GENERAL_NAME_value(san, i), with_addresses, scratch);
        if (name_ok(name) && !each(context, name))
            break;
    }
    GENERAL_NAMES_free(san);
    ERR_clear_error();
    if (X509_get_ext_by_NID(cert, NID_subject_alt_name, -1) >= 0)
        return;
    const X509_NAME *subject = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    struct span cn = at < 0 ? SPAN("") : asn1_text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (name_ok(cn))
        each(context, cn);
}

void tls_each_name(const X509 *cert, bool (*each)(void *context, struct span name), void *context)
{
    each_name(cert, false, each, context);
}

/* ---- texts ---- */

static struct span name_text(const X509_NAME *name, struct arena *arena)
{
    char *text = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    /* RFC 4514's escapes in the order of the certificate, which is Exchange's. */
    long n = bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~XN_FLAG_DN_REV) >= 0
                 ? BIO_get_mem_data(bio, &text)
                 : 0;
    struct span copy = arena_dup(arena, n > 0 ? span_head(span_make(text, (size_t)n), TEXT_MAX) : SPAN(""));
    BIO_free(bio);
    ERR_clear_error();
    return copy;
}

static struct span serial_text(const X509 *cert, struct arena *arena)
{
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    char *hex = n ? BN_bn2hex(n) : NULL;
    struct span copy = arena_dup(arena, span_head(span_of(hex ? hex : ""), TEXT_MAX));
    OPENSSL_free(hex);
    BN_free(n);
    ERR_clear_error();
    return copy;
}

static struct span key_text(const X509 *cert, struct arena *arena)
{
    EVP_PKEY *key = X509_get0_pubkey(cert);
    if (!key) {
        ERR_clear_error();
        return SPAN("unknown");
    }
    int kind = EVP_PKEY_get_base_id(key);
    const char *name = kind == EVP_PKEY_EC ? "ECDSA" : kind == EVP_PKEY_RSA ? "RSA" : OBJ_nid2sn(kind);
    return arena_printf(arena, "%s %d", name ? name : "unknown", EVP_PKEY_get_bits(key));
}

struct gathering {
    struct arena *arena;
    struct span *names;
    size_t count;
    bool failed;
};

static bool gather(void *context, struct span name)
{
    struct gathering *g = context;
    if (g->count == TLS_FACTS_NAMES_MAX)
        return false;
    g->names[g->count] = arena_dup(g->arena, name);
    g->failed |= !g->names[g->count++].ptr;
    return !g->failed;
}

enum err_code tls_identity_facts(const struct tls_identity *id, struct arena *arena, struct tls_facts *ret,
                                 struct err *err)
{
    struct gathering g = {arena, ARENA_ARRAY(arena, TLS_FACTS_NAMES_MAX, struct span), 0, false};
    struct tls_facts facts = {.subject = name_text(X509_get_subject_name(id->leaf), arena),
                              .issuer = name_text(X509_get_issuer_name(id->leaf), arena),
                              .serial = serial_text(id->leaf, arena),
                              .key = key_text(id->leaf, arena)};
    if (g.names)
        each_name(id->leaf, true, gather, &g);
    if (!g.names || g.failed || !facts.subject.ptr || !facts.issuer.ptr || !facts.serial.ptr || !facts.key.ptr)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    facts.names = g.names;
    facts.name_count = g.count;
    *ret = facts;
    return ERR_NONE;
}

/* ---- the peer's certificate ---- */

struct search {
    struct span domain;
    bool found;
};

static bool is_of_domain(void *context, struct span name)
{
    struct search *s = context;
    bool below = name.len > s->domain.len && name.ptr[name.len - s->domain.len - 1] == '.' &&
                 span_ieq(span_from(name, name.len - s->domain.len), s->domain);
    s->found = below || span_ieq(name, s->domain);
    return !s->found;
}

static bool names_domain(const X509 *cert, struct span domain)
{
    struct search s = {domain, false};
    if (cert && domain.len)
        tls_each_name(cert, is_of_domain, &s);
    return s.found;
}

bool tls_peer_names_domain(const struct tls_conn *c, struct span domain)
{
    return names_domain(SSL_get0_peer_certificate(c->ssl), domain);
}

bool tls_identity_names_domain(const struct tls_identity *id, struct span domain)
{
    return names_domain(id->leaf, domain);
}

const char *tls_peer_problem(const struct tls_conn *c)
{
    if (!SSL_get0_peer_certificate(c->ssl))
        return "no certificate";
    long result = SSL_get_verify_result(c->ssl);
    if (c->dane)
        return tls_dane_problem(c, result);
    return result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
}

struct listing {
    struct buf *out;
    size_t count;
};

static bool list_name(void *context, struct span name)
{
    struct listing *l = context;
    buf_addf(l->out, "%s%.*s", l->count ? "," : "", SPAN_ARG(name));
    return ++l->count < LOG_NAMES;
}

void tls_peer_describe(const struct tls_conn *c, struct buf *out)
{
    const X509 *cert = SSL_get0_peer_certificate(c->ssl);
    struct listing l = {out, 0};
    if (cert)
        tls_each_name(cert, list_name, &l);
}
