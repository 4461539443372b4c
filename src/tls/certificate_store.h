/*
 * certificate_store.h: this server's certificates as they are administered: a port, since the keys are the
 * supervisor's alone. Whoever lists gets public parts only; a key goes one way, in.
 *
 * Changes are staged: listing shows them at once, and the adapter is given all of them at commit. So a statement
 * that fails, or that has to be run again with a person's answer, has changed nothing.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "tls/tls.h"

enum { CERTIFICATES_MAX = 256, CERTIFICATE_CHANGES_MAX = 64, CERTIFICATE_NAME_MAX = 200 };

struct certificate {
    struct span name;        /* of its files in certs/, without their endings */
    struct span chain;       /* PEM, leaf first; empty for a request */
    struct span request;     /* PEM of a request that waits for its certificate; empty otherwise */
    struct span problem;     /* why it cannot be used with its key, a sentence's end; empty: it can */
    bool enabled;            /* for SMTP */
    struct tls_identity *id; /* of the chain, without key; NULL where there is none, or none that can be read */
};

enum certificate_change_kind {
    CERTIFICATE_ADD,      /* public: the chain; with its key */
    CERTIFICATE_REQUEST,  /* public: the request; with its key */
    CERTIFICATE_COMPLETE, /* public: the chain that answers the request of that name, whose key is there */
    CERTIFICATE_ENABLE,
    CERTIFICATE_DISABLE,
    CERTIFICATE_REMOVE, /* the certificate or request with its key */
    CERTIFICATE_CHANGES,
};

struct certificate_change {
    enum certificate_change_kind kind;
    struct span name, public, key;
};

/* Where the certificates are. `id` is not the adapter's to fill in. */
struct certificate_adapter {
    enum err_code (*list)(void *context, struct arena *arena, struct certificate **ret, size_t *ret_count,
                          struct err *err);
    /* In order. ERR_EXISTS, ERR_NOT_FOUND by name; ERR_INVALID: a chain or key that does not fit. */
    enum err_code (*apply)(void *context, const struct certificate_change *changes, size_t count, struct err *err);
};

struct certificate_store;

/* NULL when memory is out. */
struct certificate_store *certificate_store_new(const struct certificate_adapter *adapter, void *context);
void certificate_store_free(struct certificate_store *s); /* NULL allowed */

/* True for what may be the name of a certificate's files: printable ASCII without /, no dot in front. */
bool certificate_name_valid(struct span name);

/*
 * What there is, in the order of names, staged changes included. The array is good until the next change or end,
 * its texts until the end; a removed one is not in it. ERR_UNAVAILABLE, ERR_IO: they cannot be read.
 */
enum err_code certificate_store_list(struct certificate_store *s, const struct certificate **ret, size_t *ret_count,
                                     struct err *err);
/* Copies the change. ERR_EXISTS, ERR_NOT_FOUND, ERR_INVALID, ERR_LIMIT. */
enum err_code certificate_store_stage(struct certificate_store *s, const struct certificate_change *change,
                                      struct err *err);
/* Applies what is staged; then, as with end, nothing is. */
enum err_code certificate_store_commit(struct certificate_store *s, struct err *err);
/* Forgets what is staged and what was listed: the next list asks anew. Safe at any time. */
void certificate_store_end(struct certificate_store *s);
