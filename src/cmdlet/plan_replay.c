/*
 * plan_replay.c: what clients did lately, run against the policy in force and the one that a script makes. Both are
 * compiled as they would be published; users and recipients are those of the stores beside them, certificates
 * and keytab those that the server has.
 *
 * Invariant: a script that says the policy alone shares the recipients, which are read once.
 */
#include "cmdlet/plan_replay.h"
#include "cmdlet/certificate.h"
#include "cmdlet/policy_block.h"

#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEYTAB_ARENA_MAX = 1 << 20 };

struct side {
    struct buf block;
    struct policy *policy;
    struct replay_directory *directory;
    bool shared;                  /* the directory is the other side's */
    struct explain_keytab keytab; /* both sides' */
    struct explain_facts facts;
};

bool plan_parse_time(struct span s, int64_t *ret_ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    int64_t n;
    if (value_parse_timespan(s, ret_ms))
        return true;
    for (size_t i = 0; s.len && i < ARRAY_LEN(units); i++)
        if (ascii_lower(s.ptr[s.len - 1]) == units[i].unit &&
            num_parse_i64(span_head(s, s.len - 1), 0, 100000, &n)) {
            *ret_ms = n * units[i].ms;
            return true;
        }
    return false;
}

static void certificate(void *context, struct span fqdn, struct arena *arena, struct explain_certificate *ret)
{
    struct connector_certificate found;
    struct err err = {0};
    *ret = (struct explain_certificate){0};
    if (certificate_of_host(context, fqdn, arena, &found, &err)) {
        ret->unknown = true;
        ret->text = arena_dup(arena, span_of(err.text));
        return;
    }
    ret->found = found.certificate;
    ret->text = found.why_not;
}

static struct explain_keytab keytab_of(struct cmdlet_context *c, struct arena *arena)
{
    struct explain_keytab k = {0};
    struct err err = {0};
    if (!c->keytab)
        err_set(&err, ERR_UNAVAILABLE, "the keytab cannot be read from here");
    else if (!c->keytab->describe(c->keytab, arena, &k.usable, &k.text, &err))
        return k;
    return (struct explain_keytab){.unknown = true, .text = arena_dup(arena, span_of(err.text))};
}

static enum err_code open_side(struct side *s, struct cmdlet_context *c, struct cmdlet_context *real,
                               const struct side *other, struct err *err)
{
    enum err_code code = cmdlet_policy_block(c->policy, 0, &s->block, err);
    if (!code)
        code = policy_open(buf_span(&s->block), &s->policy, err);
    if (code)
        return code;
    s->shared = other;
    s->directory = other ? other->directory : replay_directory_new(c->recipients, certificate, real);
    if (!s->directory)
        return cmdlet_no_memory(err);
    s->facts = replay_directory_facts(s->directory, c->host);
    s->facts.keytab = s->keytab;
    return ERR_NONE;
}

static void close_side(struct side *s)
{
    if (!s->shared)
        replay_directory_free(s->directory);
    policy_close(s->policy);
    buf_wipe(&s->block); /* it holds the passwords of smart hosts */
}

/* ---- the facts ---- */

/* All that are recorded pass by, since the first of them says how far back anything is known. */
struct visit {
    struct plan_replay *replay;
    struct cmdlet_context *context;
    struct shell_host *host; /* NULL: nobody is told */
    uint64_t rows, run;
    int64_t oldest_ms, newest_ms, told_ms;
    bool told;
};

enum { PROGRESS_ROWS = 1024, PROGRESS_MS = 500 };

static void tell(struct visit *v)
{
    char text[80];
    int64_t now = v->context->now_ms();
    if (!v->host || !v->host->progress || now - v->told_ms < PROGRESS_MS)
        return;
    v->told_ms = now;
    v->told = true;
    snprintf(text, sizeof text, "replaying what clients did: %" PRIu64 " facts", v->run);
    v->host->progress(v->host, span_of(text));
}

static bool each(void *context, struct span network, const struct fact *f)
{
    struct visit *v = context;
    v->oldest_ms = f->first_ms < v->oldest_ms ? f->first_ms : v->oldest_ms;
    v->newest_ms = f->last_ms > v->newest_ms ? f->last_ms : v->newest_ms;
    v->rows++;
    if (f->last_ms < v->replay->since_ms)
        return true;
    if (++v->run % PROGRESS_ROWS == 0)
        tell(v);
    return replay_fact(v->replay->engine, network, f);
}

static enum err_code nothing(const struct visit *v, struct err *err)
{
    struct buf window, newest;
    buf_init(&window, 64);
    buf_init(&newest, 64);
    value_print(&window, value_timespan(v->replay->window_ms));
    value_print(&newest, value_time(v->newest_ms));
    if (v->rows == 0)
        err_set(
            err, ERR_NOT_FOUND,
            "Compare-Policy -Replay %.*s: no client was ever here; what clients do is recorded while the server "
            "runs",
            SPAN_ARG(buf_span(&window)));
    else
        err_set(err, ERR_NOT_FOUND,
                "Compare-Policy -Replay %.*s: no client was here in that time, and the last one that was came at "
                "%.*s; give a longer time",
                SPAN_ARG(buf_span(&window)), SPAN_ARG(buf_span(&newest)));
    buf_done(&newest);
    buf_done(&window);
    return ERR_NOT_FOUND;
}

static enum err_code visit_all(struct visit *v, struct err *err)
{
    struct fact_view *facts = v->context->facts;
    enum err_code code = facts ? facts->visit(facts, INT64_MIN, each, v, err) : ERR_NONE;
    if (v->told)
        v->host->progress(v->host, SPAN(""));
    if (!code && v->run == 0)
        return nothing(v, err);
    v->replay->recorded_ms = v->oldest_ms;
    return code ? code : replay_finish(v->replay->engine, &v->replay->report, err);
}

static enum err_code run(struct plan_replay *r, struct cmdlet_context *c, struct shell_host *host,
                         const struct side *before, const struct side *after, struct err *err)
{
    const struct replay_side sides[] = {{before->policy, &before->facts}, {after->policy, &after->facts}};
    struct hash_key key;
    int64_t now = c->now_ms();
    c->random(&key, sizeof key);
    r->engine = replay_new(&sides[0], &sides[1], now, key);
    if (!r->engine)
        return cmdlet_no_memory(err);
    r->since_ms = now - r->window_ms;
    struct visit v = {
        .replay = r, .context = c, .host = host, .oldest_ms = INT64_MAX, .newest_ms = INT64_MIN, .told_ms = now};
    return visit_all(&v, err);
}

static enum err_code open_sides(struct side *before, struct side *after, struct cmdlet_context *present,
                                struct cmdlet_context *wanted, bool own_recipients, struct err *err)
{
    enum err_code code = open_side(before, present, present, NULL, err);
    if (code)
        return code;
    code = open_side(after, wanted, present, own_recipients ? NULL : before, err);
    if (code) {
        struct err inner = *err;
        err_set(err, code, "nothing can be replayed against the policy that the script makes: %s", inner.text);
    }
    return code;
}

enum err_code plan_replay_run(struct plan *p, struct cmdlet_context *present, struct cmdlet_context *wanted,
                              bool own_recipients, int64_t window_ms, struct shell_host *host, struct err *err)
{
    struct arena arena;
    p->replay = calloc(1, sizeof *p->replay);
    if (!p->replay)
        return cmdlet_no_memory(err);
    p->replay->window_ms = window_ms;
    arena_init(&arena, KEYTAB_ARENA_MAX);
    struct side before = {.keytab = keytab_of(present, &arena)}, after = {.keytab = before.keytab};
    buf_init(&before.block, POLICY_BLOCK_MAX);
    buf_init(&after.block, POLICY_BLOCK_MAX);
    enum err_code code = open_sides(&before, &after, present, wanted, own_recipients, err);
    if (!code)
        code = run(p->replay, present, host, &before, &after, err);
    close_side(&after);
    close_side(&before);
    arena_clear(&arena);
    return code;
}

void plan_replay_free(struct plan_replay *r)
{
    if (!r)
        return;
    replay_free(r->engine);
    free(r);
}
