/*
 * replay.h: what clients did (store/facts/facts.h), run against two policies: the one in force and a candidate.
 * Each fact is a session that `explain` (explain/explain.h) holds with both, as far as the fact goes, and whatever
 * comes out differently is a change for that client. What was answered at the time does not count: the policy of
 * then is not asked, so that time does not show as change.
 *
 * A fact is not the session itself. Passwords are taken to be right, rates and limits of the moment to be kept, the
 * ciphers to suit; the From: field is not known. Facts that say too little are counted by the reason (enum
 * replay_skip), never guessed.
 *
 * Pure: no I/O, no clock.
 */
#pragma once

#include "base/keyed_hash.h"
#include "explain/explain.h"
#include "store/facts/facts.h"

/* One of the policies, and where the facts beside it come from. All is borrowed. */
struct replay_side {
    const struct policy *policy;
    const struct explain_facts *facts;
};

/* Why a fact was not run. */
enum replay_skip {
    REPLAY_SKIP_LOGON,       /* a logon that failed: whose it was, and the password, are not recorded */
    REPLAY_SKIP_TURNED_AWAY, /* a limit of the moment turned the connection away */
    REPLAY_SKIP_MISTAKE,     /* it came to nothing by a mistake of the client */
    REPLAY_SKIP_PARTNER,     /* a connector would look at names of the client's certificate */
    REPLAY_SKIP_UNREADABLE,  /* the certificates or the directory could not be read */
    REPLAY_SKIP_MALFORMED,   /* its texts are none that a session could have */
    REPLAY_SKIPS,
};
/* For people: "failed logons: passwords are not recorded". */
const char *replay_skip_text(enum replay_skip s);
/* A stable word: "failed-logon". */
const char *replay_skip_name(enum replay_skip s);

/* What a session comes to. */
struct replay_outcome {
    struct span connector; /* that serves it; empty: none */
    bool accepted;
    struct span reply; /* that refuses, or what happens instead, in parentheses; empty when accepted */
};

enum replay_direction { REPLAY_REFUSED, REPLAY_OTHERWISE, REPLAY_ACCEPTED, REPLAY_DIRECTIONS };

/* All facts of a client that go from one outcome to the same other one. */
struct replay_change {
    enum replay_direction direction; /* newly refused, the same but otherwise, newly accepted */
    struct replay_outcome before, after;
    struct span decided_by; /* the right or the property: "ms-Exch-SMTP-Accept-Any-Recipient", "RequireTLS" */
    struct span why;        /* a sentence without its stop */
    uint64_t sessions, messages, recipients; /* how often, by the facts' counts */
    int64_t last_ms;                         /* since 1970 */
    /* One of them, with a recipient where there was one; sender empty: the null sender. */
    struct span sender, recipient;
    bool has_sender;
};

struct replay_client {
    struct span remote, user; /* user empty: nobody logged on */
    uint64_t sessions;        /* of the client, changed or not */
    int64_t last_ms;          /* when it was seen last */
    struct replay_change *changes;
    size_t count;
};

struct replay_report {
    const struct replay_client *clients; /* those with changes: what is newly refused first, then by address */
    size_t client_count;
    uint64_t clients_seen;
    uint64_t facts;                          /* rows that were run */
    uint64_t runs;                           /* dialogues that this took: equal facts are run once */
    uint64_t sessions, messages, recipients; /* that these rows stand for */
    uint64_t folded;                         /* of these rows, those whose texts are of one example only */
    uint64_t skipped[REPLAY_SKIPS];          /* rows */
};

enum { REPLAY_MEMORY_MAX = 256 << 20 /* bytes of a report */ };

struct replay;

/*
 * now_ms: for entries that expire, on both sides alike. key: a secret, since clients choose what is hashed. NULL:
 * memory is out.
 */
struct replay *replay_new(const struct replay_side *before, const struct replay_side *after, int64_t now_ms,
                          struct hash_key key);
void replay_free(struct replay *r); /* NULL allowed */
/* Of facts_each_fn: runs a fact, or counts it as skipped. context: the struct replay. False: memory is out. */
bool replay_fact(void *context, struct span network, const struct fact *f);
/* Behind the last fact. The report lives as long as r. ERR_NO_MEMORY, ERR_LIMIT: more than REPLAY_MEMORY_MAX. */
enum err_code replay_finish(struct replay *r, struct replay_report *ret, struct err *err);

/* ---- directory.c: what the directory would say, out of records ---- */

struct object_store;
struct replay_directory;

/* As explain_facts.certificate: asked once for each name. */
typedef void replay_certificate_fn(void *context, struct span fqdn, struct arena *arena,
                                   struct explain_certificate *ret);

/*
 * Reads all recipients of a store, once, when the first is asked for. Without them the answer is that the directory
 * cannot say. NULL: memory is out.
 */
struct replay_directory *replay_directory_new(struct object_store *recipients, replay_certificate_fn *certificate,
                                              void *context);
void replay_directory_free(struct replay_directory *d); /* NULL allowed */
/*
 * Out of the directory, for both policies if it is that of both. What is said of a user lives until another one is
 * asked for.
 */
struct explain_facts replay_directory_facts(struct replay_directory *d, struct span host);
