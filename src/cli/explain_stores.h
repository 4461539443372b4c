/*
 * explain_stores.h: what `mailreeve explain` knows beside the policy's block: the stores, read only, and the
 * certificates, as facts for explain/explain.h; and a copy of the stores to try changes on.
 */
#pragma once

#include "directory/directory.h"
#include "explain/explain.h"
#include "role/common/keytab_file.h"
#include "role/common/state.h"
#include "store/objects.h"
#include "tls/tls.h"

enum { EXPLAIN_CERTIFICATES_MAX = 256, EXPLAIN_CERTIFICATE_NAME_MAX = 256 };

/* The certificates of a state folder. */
struct explain_certificates {
    struct tls_identity *ids[EXPLAIN_CERTIFICATES_MAX];
    char files[EXPLAIN_CERTIFICATES_MAX][EXPLAIN_CERTIFICATE_NAME_MAX];
    size_t count;
    struct err unreadable; /* code set: they cannot be read, and nobody knows what there is */
};

/*
 * Reads STATE/certs. A key that this user may not read is taken to fit; one that is missing or does not fit makes
 * the set unreadable, as the server refuses it whole.
 */
void explain_certificates_read(struct explain_certificates *c, const char *state);
void explain_certificates_free(struct explain_certificates *c);
/* The names that a certificate is good for, in the arena; their number, 0 also when memory is out. */
size_t explain_certificate_names(const struct tls_identity *id, struct arena *arena, struct span **ret);

/* Everything that facts are taken from. All is borrowed. */
struct explain_stores {
    struct object_store *policy, *recipients;
    struct directory *directory; /* NULL: cannot be read */
    struct err directory_err;    /* then: why */
    const struct explain_certificates *certificates;
    const struct keytab_file *keytab;
    const struct node_settings *node;
    const struct pressure *pressure; /* of the running server; NULL: it cannot be asked */
    int64_t now_ms;
    /* In a copy: where recipients were changed. NULL: nowhere. */
    struct object_store *overlay;
};

/* Facts out of the stores, which must outlive them. */
struct explain_facts explain_stores_facts(struct explain_stores *s);

/* What the server of a state folder is short of. False: none is running there, or it does not answer. */
bool explain_pressure_ask(const char *state, struct pressure *ret);
/* The line that it answers with; false: it is none. */
bool explain_pressure_parse(struct span line, struct pressure *ret);

/* The policy as it is in a store: *ret_block holds its bytes and must outlive it. */
enum err_code explain_stores_compile(struct object_store *policy, struct buf *ret_block, struct policy **ret,
                                     struct err *err);

/* ---- trying changes: explain_trial.c ---- */

struct explain_trial_run;

/* NULL when memory is out. The stores are never changed. */
struct explain_trial_run *explain_trial_new(const struct explain_stores *stores);
struct explain_trial explain_trial_of(struct explain_trial_run *t);
void explain_trial_free(struct explain_trial_run *t); /* NULL allowed */
