/*
 * tls.h: the TLS port. A connection is an engine between two byte streams and owns no socket: ciphertext from the
 * network goes in, plaintext comes out, and the other way round. So it works under any event loop and in tests.
 * The only adapter is OpenSSL (openssl.c and its neighbours); no other directory includes an OpenSSL TLS header.
 *
 * Not thread-safe: a context and its connections belong to one thread.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

struct tls_identity; /* a certificate chain with its private key, and the names it is good for */
struct tls_context;  /* how connections of one kind are made: versions, identities or trust, ticket keys */
struct tls_conn;
struct tls_trust; /* certificates of authorities that peers are verified against */

/* ---- identities ---- */

/*
 * Reads a PEM chain (leaf first) and its PEM key (ECDSA or RSA, unencrypted). ERR_INVALID with a text that says
 * which part is wrong (no certificate, key does not fit, expired is not an error here).
 */
enum err_code tls_identity_load(struct span chain_pem, struct span key_pem, struct tls_identity **ret,
                                struct err *err);
/* The same without a key: to look at, and to choose among; never to make a context of. */
enum err_code tls_identity_load_public(struct span chain_pem, struct tls_identity **ret, struct err *err);
/* One reference more. */
struct tls_identity *tls_identity_share(struct tls_identity *id);
void tls_identity_free(struct tls_identity *id); /* gives a reference back; NULL allowed */
/* True when a DNS name of the leaf is the domain, or a host or wildcard below it. */
bool tls_identity_names_domain(const struct tls_identity *id, struct span domain);
/* Appends the leaf's DNS names (SAN dNSName; the subject's CN where there is no SAN), separated by ", ". What
 * cannot be a host name (blanks, commas, control and 8-bit characters) is left out. */
void tls_identity_names(const struct tls_identity *id, struct buf *out);
/* True when a DNS name of the leaf (SAN dNSName; subject CN only where there is no SAN) matches the host; RFC 6125
 * wildcards. */
bool tls_identity_matches(const struct tls_identity *id, struct span host);
/* notBefore and notAfter, milliseconds since 1970 UTC. */
int64_t tls_identity_not_before(const struct tls_identity *id);
int64_t tls_identity_not_after(const struct tls_identity *id);
bool tls_identity_self_signed(const struct tls_identity *id);
/* SHA-1 thumbprint in upper-case hex, as Exchange prints it (40 characters). */
struct span tls_identity_thumbprint(const struct tls_identity *id);
/* SHA-256 fingerprint in lower-case hex (64 characters), as tls_peer_fingerprint gives it: for pinning. */
struct span tls_identity_fingerprint(const struct tls_identity *id);

/* What there is to show of a certificate. Texts are printable: what is not is escaped. */
struct tls_facts {
    struct span subject, issuer, serial; /* "CN=mail.example.com,O=Example"; serial in upper-case hex */
    struct span key;                     /* "ECDSA 256", "RSA 2048" */
    const struct span *names;            /* DNS names and IP addresses of the SAN; without one the subject's CN */
    size_t name_count;
};
enum { TLS_FACTS_NAMES_MAX = 256 }; /* further names of a certificate are not shown */
/* ERR_NO_MEMORY. All of it lives in the arena. */
enum err_code tls_identity_facts(const struct tls_identity *id, struct arena *arena, struct tls_facts *ret,
                                 struct err *err);

/*
 * The best of the identities for a host name (reference 15.1): an X.509 v3 certificate, matching, valid at now_ms;
 * not self-signed before self-signed; then the newest notBefore. NULL when none fits.
 */
struct tls_identity *tls_identity_choose(struct tls_identity *const *ids, size_t count, struct span host,
                                         int64_t now_ms);

/* ---- making certificates, and taking in what others made ---- */

enum tls_key_kind { TLS_KEY_ECDSA_P256, TLS_KEY_ECDSA_P384, TLS_KEY_RSA };

struct tls_make {
    const struct span *names; /* DNS names or IP addresses for the SAN; 1 to 100 */
    size_t count;
    struct span subject; /* "C=US, O=Example, CN=mail.example.com"; empty: CN=<the first name> */
    enum tls_key_kind key;
    unsigned rsa_bits; /* of TLS_KEY_RSA: 2048 to 8192 */
    int64_t now_ms;    /* of a certificate: valid from then... */
    unsigned days;     /* ...for so long */
};
/*
 * Makes a key and a self-signed certificate for it. Appends PEM to the buffers; the caller wipes the key's.
 * ERR_INVALID names what cannot stand in a certificate.
 */
enum err_code tls_make_certificate(const struct tls_make *make, struct buf *chain_pem, struct buf *key_pem,
                                   struct err *err);
/* The same with a request to an authority (PKCS#10) instead of a certificate; now_ms and days are not read. */
enum err_code tls_make_request(const struct tls_make *make, struct buf *request_pem, struct buf *key_pem,
                               struct err *err);
/* tls_make_certificate with an ECDSA P-256 key and the first name as the subject. */
enum err_code tls_make_self_signed(const struct span *names, size_t count, int64_t now_ms, unsigned days,
                                   struct buf *chain_pem, struct buf *key_pem, struct err *err);
/* True when the certificate has the public key of the request (PKCS#10, PEM): it is the answer to it. */
bool tls_identity_answers(const struct tls_identity *id, struct span request_pem);

/*
 * A certificate file as an authority or another server hands it out: PEM with the chain and, where it has one, the
 * key (in any order; an encrypted key needs the password), or PKCS#12. Appends the chain, leaf first, and the key
 * as unencrypted PEM; the caller wipes key_pem. *ret_has_key false: there was none (key_pem stays as it was).
 * ERR_INVALID says what is wrong with the file, ERR_DENIED that the password is.
 */
enum { TLS_FILE_MAX = 64 * 1024 };
enum err_code tls_read_certificate_file(struct span file, struct span password, struct buf *chain_pem,
                                        struct buf *key_pem, bool *ret_has_key, struct err *err);

/* ---- trust ---- */

/* Authorities out of PEM text (several certificates, comments between them). ERR_INVALID: none, or unreadable. */
enum err_code tls_trust_new(struct span pem, struct tls_trust **ret, struct err *err);
struct tls_trust *tls_trust_share(struct tls_trust *t);
void tls_trust_free(struct tls_trust *t); /* gives a reference back; NULL allowed */
/*
 * Why a certificate would not be verified as a client's at that time, as tls_peer_problem says it; NULL: it would
 * be. t NULL: nobody is trusted.
 */
const char *tls_trust_problem(const struct tls_trust *t, const struct tls_identity *id, int64_t now_ms);
/* The path of the system's bundle; NULL: this system has none where it is usually kept. */
const char *tls_system_trust_path(void);

/* ---- contexts ---- */

/* Which ciphers a server takes below TLS 1.3. */
enum tls_profile {
    TLS_PROFILE_INTERMEDIATE, /* forward secrecy; AEAD first, CBC last */
    TLS_PROFILE_MODERN,       /* forward secrecy and AEAD only */
    TLS_PROFILE_LEGACY,       /* also RSA key exchange, SHA-1 signatures and short keys of the peer */
};
enum tls_version { TLS_VERSION_1_0, TLS_VERSION_1_1, TLS_VERSION_1_2, TLS_VERSION_1_3 };

/* Session ticket keys: [0] encrypts, both decrypt, so that all processes resume each other's sessions. */
enum { TLS_TICKET_KEY_LEN = 80, TLS_TICKET_KEYS = 2 };

struct tls_server_options {
    struct tls_identity *identity;                    /* a reference is kept */
    enum tls_version minimum;                         /* TLS_VERSION_1_2 unless a connector lowers it */
    const uint8_t (*ticket_keys)[TLS_TICKET_KEY_LEN]; /* TLS_TICKET_KEYS of them, copied; NULL: no tickets */
    bool request_client_certificate;                  /* no tickets then: each session proves itself anew */
    struct tls_trust *trust;                          /* for client certificates, or NULL; a reference is kept */
    enum tls_profile profile; /* a minimum below TLS_VERSION_1_2 implies TLS_PROFILE_LEGACY */
    /* What the client may ask for by server name instead (the best that fits it), and the name for which identity
     * was chosen: of another kind of key the best is offered beside it. References are kept. */
    struct tls_identity *const *others;
    size_t other_count;
    struct span host;
};
enum err_code tls_server_context_new(const struct tls_server_options *options, struct tls_context **ret,
                                     struct err *err);

struct tls_client_options {
    enum tls_version minimum;
    bool use_system_trust;         /* load the system's CA bundle, for verified delivery */
    struct span trust_pem;         /* further trusted certificates, may be empty */
    struct tls_identity *identity; /* client certificate or NULL; read now */
};
enum err_code tls_client_context_new(const struct tls_client_options *options, struct tls_context **ret,
                                     struct err *err);

/* One reference more, for whoever keeps a context that another may free. NULL gives NULL. */
struct tls_context *tls_context_share(struct tls_context *ctx);
/* Gives a reference back. Connections keep one of their own, so a context may be freed while they are open. */
void tls_context_free(struct tls_context *ctx); /* NULL allowed */

/* ---- connections ---- */

enum tls_status {
    TLS_OK,     /* went on; look at tls_handshake_done, and read what there is */
    TLS_CLOSED, /* the peer ended the TLS session properly (close_notify) */
    TLS_FAILED, /* the session is dead; tls_error says why */
};

/* NULL when memory is out. sni: client side, the name to ask for and check (empty: none). */
struct tls_conn *tls_accept_new(struct tls_context *ctx);
struct tls_conn *tls_connect_new(struct tls_context *ctx, struct span sni);
void tls_conn_free(struct tls_conn *c); /* NULL allowed */

/*
 * Of a client's connection that has not begun. Presents the certificate to a server that asks for one; verifies the
 * server by these authorities instead of the context's; does not compare the certificate's names, so that
 * tls_peer_problem tells of the chain alone and tls_info never says `verified`. False when memory is out.
 */
NODISCARD bool tls_present(struct tls_conn *c, struct tls_identity *id);
NODISCARD bool tls_trust_only(struct tls_conn *c, struct tls_trust *trust);
void tls_ignore_names(struct tls_conn *c);

/* A TLSA record (RFC 6698): of usage DANE-TA(2) or DANE-EE(3), the only ones for SMTP (RFC 7672, 3.1). */
struct tls_tlsa {
    uint8_t usage, selector, matching;
    struct span data;
};
/*
 * Of a client's connection that has not begun, whose name was given as the TLSA base domain: the server is verified
 * by these records and by nothing else. With DANE-TA the certificate must name the base domain or also_named (may
 * be empty); with DANE-EE its names and dates do not count. Records that OpenSSL cannot use are left out; without
 * any the server is never verified. False when memory is out. tls_peer_problem and tls_info tell the result.
 */
NODISCARD bool tls_use_dane(struct tls_conn *c, struct span base, struct span also_named,
                            const struct tls_tlsa *records, size_t count);

/* Takes ciphertext from the network and drives the handshake. A client calls it once with an empty span to begin.
 */
enum tls_status tls_input(struct tls_conn *c, struct span ciphertext);
/*
 * Moves plaintext that has arrived into out[0..cap): the number of bytes, 0 when there is none now. *ret_status
 * tells about the session after that (TLS_CLOSED comes only when all plaintext was read).
 */
size_t tls_read(struct tls_conn *c, char *out, size_t cap, enum tls_status *ret_status);
/* Encrypts plaintext; the ciphertext waits in the output. TLS_FAILED before the handshake is done. */
enum tls_status tls_write(struct tls_conn *c, struct span plaintext);
/* Sends close_notify. */
void tls_shutdown(struct tls_conn *c);
/* Moves all waiting ciphertext to the end of out. True when there was any. */
bool tls_output(struct tls_conn *c, struct buf *out);

bool tls_handshake_done(const struct tls_conn *c);
/* A sentence about TLS_FAILED, for the log; static or owned by the connection. */
const char *tls_error(const struct tls_conn *c);

struct tls_info {
    const char *version; /* "TLSv1.3" */
    const char *cipher;  /* "TLS_AES_256_GCM_SHA384" */
    int cipher_bits;
    bool resumed;
    bool verified; /* client side: chain and name verified; server side: a client certificate verified */
};
struct tls_info tls_info(const struct tls_conn *c);
/* SHA-256 of the peer's leaf certificate in lower-case hex appended to out; false when it sent none. */
bool tls_peer_fingerprint(const struct tls_conn *c, struct buf *out);
/* The same of the certificate that we, the server, sent; false for a client, and for a resumed session, which sends
 * none. */
bool tls_sent_fingerprint(const struct tls_conn *c, struct buf *out);
/*
 * What is wrong with the peer's certificate, as a phrase for the log ("certificate has expired"); NULL when it was
 * verified. "no certificate" when it sent none.
 */
const char *tls_peer_problem(const struct tls_conn *c);
/* True when a name of the peer's certificate is the domain, or a host or wildcard below it. Says nothing of trust.
 */
bool tls_peer_names_domain(const struct tls_conn *c, struct span domain);
/* The certificate's subject and first names for the log, appended; nothing when it sent none. */
void tls_peer_describe(const struct tls_conn *c, struct buf *out);
