/* openssl.h: what the files of the OpenSSL adapter share. Private to src/tls; everybody else includes tls/tls.h. */
#pragma once

#include "tls/tls.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

enum { TLS_THUMBPRINT_LEN = 40, TLS_FINGERPRINT_LEN = 64 };
enum { TLS_PEM_MAX = 1 << 20, TLS_RSA_BITS_MIN = 2048, TLS_RSA_BITS_MAX = 8192 };

struct tls_identity {
    size_t references;
    X509 *leaf;
    STACK_OF(X509) * chain;        /* what follows the leaf, in the order of the file */
    EVP_PKEY *key;                 /* NULL: only the public part is known */
    int64_t not_before, not_after; /* milliseconds since 1970 UTC */
    bool self_signed;
    char thumbprint[TLS_THUMBPRINT_LEN];
    char fingerprint[TLS_FINGERPRINT_LEN];
};

struct tls_trust {
    size_t references;
    X509_STORE *store;
};

struct tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *bio; /* must outlive the connections, hence the count */
    size_t references;
    uint8_t ticket_keys[TLS_TICKET_KEYS][TLS_TICKET_KEY_LEN];
    struct tls_identity *identity; /* of a server: what it presents, unless SNI asks for another; a reference */
    struct tls_identity **others;  /* of a server: what SNI may ask for; references */
    size_t other_count;
};

struct tls_conn {
    struct tls_context *ctx;
    SSL *ssl;
    struct buf in;           /* ciphertext from in_at on is unread */
    size_t in_at;            /* an offset, so that many small records do not move the rest each time */
    struct buf out;          /* ciphertext for the network */
    bool name_given;         /* client: a name is checked against the certificate */
    bool dane, dane_records; /* client: only a TLSA record verifies the server; there are some */
    bool established, closed, failed;
    char error[200];
};

/* The newest OpenSSL error as ": <reason>" behind the text; the error queue is empty afterwards. */
enum err_code tls_openssl_err(struct err *err, enum err_code code, const char *text);
/* The same reason alone, as a static string of OpenSSL's; the queue is empty afterwards. */
const char *tls_openssl_reason(void);

/* A BIO method whose BIOs read and write the buffers of a struct tls_conn. NULL when memory is out. */
BIO_METHOD *tls_bio_method_new(void);
/* A BIO for the connection, which must outlive it. NULL when memory is out. */
BIO *tls_bio_new(struct tls_conn *c);

/* Makes a server context seal and open session tickets with ctx->ticket_keys. False when memory is out. */
bool tls_tickets_enable(struct tls_context *ctx);

/* Lets clients choose among ctx->others by server name (RFC 6066, 3). */
void tls_sni_enable(struct tls_context *ctx);

/* Lets the context's connections use TLSA records. */
bool tls_dane_enable(struct tls_context *ctx);
/* What is wrong where OpenSSL's verification ended so, as tls_peer_problem says it. */
const char *tls_dane_problem(const struct tls_conn *c, long result);

/* Calls each with every name that a certificate is good for: its SAN dNSNames, the subject CN where it has no SAN.
 * Names with anything but printable ASCII are left out. Stops when each gives false. */
void tls_each_name(const X509 *cert, bool (*each)(void *context, struct span name), void *context);

/*
 * The first key and all certificates of a PKCS#12 file; *ret_key NULL: it has none. The caller frees both.
 * ERR_DENIED: the password; ERR_LIMIT: it would cost too much to open; ERR_INVALID.
 */
enum err_code tls_read_pkcs12(struct span file, struct span password, EVP_PKEY **ret_key,
                              STACK_OF(X509) * *ret_certs, struct err *err);
/* Appends an unencrypted private key as PEM, through memory that is wiped. */
bool tls_print_key(EVP_PKEY *key, struct buf *out);
bool tls_print_certificate(X509 *cert, struct buf *out);
/* Appends what a BIO in secure or ordinary memory has gathered; false when there is nothing, or no memory. */
bool tls_take_bio(BIO *bio, struct buf *out);

/* Reads every certificate of the PEM text into a new stack; an empty stack when there is none, NULL on error. */
STACK_OF(X509) * tls_read_certificates(struct span pem, struct err *err);
