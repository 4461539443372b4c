/*
 * replay.c: facts through both policies. Facts that no policy can tell apart are run once: what counts of the
 * client's address is which connectors it selects, so that a thousand clients that send the same take one dialogue
 * with each side.
 *
 * Invariants: what is remembered of dialogues is bounded and thrown away whole when it is full, which costs time
 * and nothing else; each fact is compared by its own verdicts.
 */
#include "base/cursor.h"
#include "mail/domain.h"
#include "replay/internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    KNOWN_MAX = 64 * 1024, /* dialogues that are remembered; a power of two */
    KNOWN_BYTES = 64 << 20,
    KEY_MAX = 8 * 1024,
    SCRATCH_MAX = 64 << 20,
};
enum { BEFORE, AFTER, SIDES };

/* What came of a kind of sessions. */
struct known {
    uint64_t hash;
    struct span key;
    struct replay_verdict verdicts[SIDES];
};

struct replay {
    struct replay_side sides[SIDES];
    int64_t now_ms;
    struct hash_key hash_key;
    struct explanation *explanation; /* room */
    struct arena scratch;            /* of one fact */
    struct arena memory;             /* of known */
    struct known **known;            /* a hash table, half full at most */
    size_t known_count;
    struct buf key; /* of the fact in hand */
    struct replay_clients clients;
    struct replay_report report;
};

struct replay *replay_new(const struct replay_side *before, const struct replay_side *after, int64_t now_ms,
                          struct hash_key key)
{
    struct replay *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->sides[BEFORE] = *before;
    r->sides[AFTER] = *after;
    r->now_ms = now_ms;
    r->hash_key = key;
    r->explanation = malloc(sizeof *r->explanation);
    r->known = calloc(2 * KNOWN_MAX, sizeof(struct known *));
    arena_init(&r->scratch, SCRATCH_MAX);
    arena_init(&r->memory, KNOWN_BYTES);
    buf_init(&r->key, KEY_MAX);
    replay_clients_init(&r->clients);
    if (r->explanation && r->known)
        return r;
    replay_free(r);
    return NULL;
}

void replay_free(struct replay *r)
{
    if (!r)
        return;
    replay_clients_done(&r->clients);
    buf_done(&r->key);
    arena_clear(&r->memory);
    arena_clear(&r->scratch);
    free(r->known);
    free(r->explanation);
    free(r);
}

/* ---- dialogues that are known ---- */

static void put_key_text(struct buf *key, struct span s)
{
    put_u16(key, (uint16_t)s.len);
    buf_add(key, s);
}

static bool make_key(struct replay *r, const struct replay_session *t, const struct replay_place *places)
{
    static const enum fact_text texts[] = {FACT_TLS,         FACT_MECHANISM, FACT_USER,
                                           FACT_CERTIFICATE, FACT_SENDER,    FACT_RECIPIENT};
    buf_clear(&r->key);
    for (size_t i = 0; i < SIDES; i++) {
        put_u64(&r->key, (uint64_t)(uintptr_t)places[i].connector);
        put_u8(&r->key, places[i].proxy);
    }
    put_u8(&r->key, (uint8_t)t->last);
    put_u8(&r->key, t->session.helo.len > 0); /* of a name no more counts than whether it is one */
    put_u8(&r->key, domain_valid_ehlo(t->session.helo));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        put_key_text(&r->key, t->fact->text[texts[i]]);
    return !r->key.failed;
}

/* Where the key is, or would go. */
static struct known **slot_of(struct replay *r, uint64_t hash)
{
    size_t i = (size_t)hash & (2 * KNOWN_MAX - 1);
    while (r->known[i] && !(r->known[i]->hash == hash && span_eq(r->known[i]->key, buf_span(&r->key))))
        i = (i + 1) & (2 * KNOWN_MAX - 1);
    return &r->known[i];
}

static void forget(struct replay *r)
{
    memset(r->known, 0, 2 * KNOWN_MAX * sizeof(struct known *));
    arena_reset(&r->memory);
    r->known_count = 0;
}

static bool keep_verdict(struct arena *a, const struct replay_verdict *v, struct replay_verdict *ret)
{
    *ret = *v;
    ret->outcome.reply = arena_dup(a, v->outcome.reply);
    ret->why = arena_dup(a, v->why);
    return ret->outcome.reply.ptr && ret->why.ptr;
}

static struct known *keep(struct replay *r, uint64_t hash, const struct replay_verdict *verdicts)
{
    struct known *k = ARENA_NEW(&r->memory, struct known);
    if (!k)
        return NULL;
    k->hash = hash;
    k->key = arena_dup(&r->memory, buf_span(&r->key));
    bool ok = k->key.ptr;
    for (size_t i = 0; ok && i < SIDES; i++)
        ok = keep_verdict(&r->memory, &verdicts[i], &k->verdicts[i]);
    return ok ? k : NULL;
}

static bool run(struct replay *r, const struct replay_session *t, bool implicit, struct replay_verdict *ret)
{
    for (size_t i = 0; i < SIDES; i++)
        if (!replay_verdict_of(&r->sides[i], t, implicit, r->explanation, &r->scratch, &ret[i]))
            return false;
    r->report.runs++;
    return true;
}

/* False: memory is out. */
static bool verdicts_of(struct replay *r, const struct replay_session *t, const struct replay_place *places,
                        bool implicit, struct replay_verdict *ret)
{
    if (!make_key(r, t, places))
        return run(r, t, implicit, ret); /* texts that are too long to be remembered */
    uint64_t hash = keyed_hash(r->hash_key, buf_span(&r->key));
    struct known **slot = slot_of(r, hash), *k = *slot;
    if (!k) {
        if (!run(r, t, implicit, ret))
            return false;
        if (r->known_count == KNOWN_MAX || !(k = keep(r, hash, ret))) {
            forget(r);
            return true;
        }
        *slot = k;
        r->known_count++;
    }
    memcpy(ret, k->verdicts, sizeof k->verdicts);
    return true;
}

/* ---- facts ---- */

static bool looks_at_names(const struct replay_place *places)
{
    for (size_t i = 0; i < SIDES; i++)
        if (places[i].connector && (places[i].connector->flags & CONNECTOR_DOMAIN_SECURE))
            return true;
    return false;
}

static void count(struct replay *r, const struct fact *f)
{
    r->report.facts++;
    r->report.folded += f->level != FACT_WHOLE;
    r->report.sessions += f->question == FACT_OF_SESSION ? f->count : 0;
    r->report.messages += f->question == FACT_OF_MESSAGE || f->question == FACT_OF_MAIL ? f->count : 0;
    r->report.recipients += f->question == FACT_OF_RCPT ? f->count : 0;
}

/* False: memory is out. */
static bool run_fact(struct replay *r, struct replay_client *client, const struct replay_session *t)
{
    struct replay_place places[SIDES];
    struct replay_verdict v[SIDES];
    for (size_t i = 0; i < SIDES; i++)
        places[i] = replay_place_of(&r->sides[i], t);
    if (t->session.client.certificate && looks_at_names(places)) {
        r->report.skipped[REPLAY_SKIP_PARTNER]++;
        return true;
    }
    /* Whether the client begins with TLS is known by where it has always gone. */
    const struct receive_connector *c =
        places[BEFORE].connector ? places[BEFORE].connector : places[AFTER].connector;
    bool implicit = c && (c->flags & CONNECTOR_IMPLICIT_TLS);
    if (!verdicts_of(r, t, places, implicit, v))
        return false;
    for (size_t i = 0; i < SIDES; i++)
        if (!replay_verdict_sized(&r->sides[i], t, implicit, r->explanation, &r->scratch, &v[i]))
            return false;
    if (v[BEFORE].unknown || v[AFTER].unknown) {
        r->report.skipped[REPLAY_SKIP_UNREADABLE]++;
        return true;
    }
    count(r, t->fact);
    if (!replay_same_outcome(&v[BEFORE].outcome, &v[AFTER].outcome))
        replay_client_change(&r->clients, client, t, &v[BEFORE], &v[AFTER]);
    return !r->clients.full;
}

bool replay_fact(void *context, struct span network, const struct fact *f)
{
    struct replay *r = context;
    struct replay_session t;
    enum replay_skip skip;
    struct replay_client *client = replay_client_of(&r->clients, network, f);
    if (!client)
        return false;
    if (!replay_session_of(f, r->now_ms, &t, &skip)) {
        r->report.skipped[skip]++;
        return true;
    }
    arena_reset(&r->scratch);
    r->clients.full |= !run_fact(r, client, &t);
    return !r->clients.full;
}

enum err_code replay_finish(struct replay *r, struct replay_report *ret, struct err *err)
{
    if (r->clients.full)
        return err_set(
            err, ERR_LIMIT,
            "the changes for clients need more memory than there is, or than %d MB; replay a shorter time",
            REPLAY_MEMORY_MAX >> 20);
    replay_clients_finish(&r->clients);
    r->report.clients = r->clients.items;
    r->report.client_count = r->clients.count;
    r->report.clients_seen = r->clients.seen;
    *ret = r->report;
    return ERR_NONE;
}
