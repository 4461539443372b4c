/*
 * test_property.c: over generated policies and sessions, a replay says of each fact what whole explanations (which
 * test_explain.c holds against a server) say under the one policy and the other; a policy differs in nothing from
 * itself; what is newly refused one way is newly accepted the other way; and what is remembered of other facts
 * changes nothing.
 */
#include "check.h"
#include "explain/test_world.h"
#include "replay/replay.h"

#include <stdio.h>
#include <string.h>

enum { ROUNDS = 300, FACTS = 12 };

static const struct hash_key key = {3, 4};

/* ---- facts ---- */

static struct fact draw_fact(struct arena *a, uint64_t *seed, int64_t *ret_now)
{
    static const enum fact_question questions[] = {FACT_OF_SESSION, FACT_OF_AUTH, FACT_OF_MAIL,
                                                   FACT_OF_RCPT,    FACT_OF_RCPT, FACT_OF_MESSAGE};
    static const char *const mechanisms[] = {"PLAIN", "LOGIN", "GSSAPI", ""};
    struct explain_session s = test_world_session(a, seed);
    struct fact f = {.question = questions[test_draw(seed, ARRAY_LEN(questions))], .count = 1 + test_draw(seed, 9)};
    char ip[IP_TEXT_MAX];
    const struct span remote = span_of(ip_print(s.remote, ip));
    *ret_now = s.now_ms;
    f.text[FACT_REMOTE] = arena_dup(a, remote);
    f.text[FACT_LOCAL] = arena_printf(a, "%s:25", ip_print(s.local.addr, ip));
    f.text[FACT_HELO] = s.helo;
    f.text[FACT_TLS] = s.tls ? SPAN("TLSv1.2") : SPAN("");
    if (s.auth || f.question == FACT_OF_AUTH) {
        f.text[FACT_USER] = s.user;
        f.text[FACT_MECHANISM] = span_of(mechanisms[test_draw(seed, ARRAY_LEN(mechanisms))]);
        f.code = f.question == FACT_OF_AUTH ? 235 : 0;
    }
    if (f.question >= FACT_OF_MAIL)
        f.text[FACT_SENDER] = s.sender;
    if (f.question == FACT_OF_RCPT)
        f.text[FACT_RECIPIENT] = s.recipient;
    f.size = f.question == FACT_OF_MESSAGE ? s.size : 0;
    return f;
}

/* ---- what whole explanations say ---- */

enum said { REFUSED, ACCEPTED, NOT_KNOWN, NOT_ASKED };

static enum explain_stage last_of(const struct fact *f)
{
    static const enum explain_stage stages[] = {[FACT_OF_AUTH] = EXPLAIN_AUTH,
                                                [FACT_OF_MAIL] = EXPLAIN_MAIL,
                                                [FACT_OF_MESSAGE] = EXPLAIN_MAIL,
                                                [FACT_OF_RCPT] = EXPLAIN_RCPT};
    return f->question != FACT_OF_SESSION ? stages[f->question]
           : f->text[FACT_USER].len       ? EXPLAIN_AUTH
           : f->text[FACT_TLS].len        ? EXPLAIN_HELLO_TLS
                                          : EXPLAIN_HELLO;
}

/* NOT_ASKED: where the handshake's own rules may come first, which explain does not have. */
static enum said ask(struct test_world *w, const struct fact *f, int64_t now, struct span *ret_connector)
{
    struct arena arena;
    const struct explain_facts facts = test_world_facts(w);
    struct explain_session s = {.tls = f->text[FACT_TLS].len,
                                .auth = f->text[FACT_USER].len,
                                .user = f->text[FACT_USER],
                                .mechanism = f->text[FACT_MECHANISM],
                                .helo = f->text[FACT_HELO],
                                .sender = f->text[FACT_SENDER],
                                .header_from = f->text[FACT_SENDER],
                                .recipient = f->text[FACT_RECIPIENT].len ? f->text[FACT_RECIPIENT]
                                                                         : SPAN("alice@example.com"),
                                .size = f->size,
                                .now_ms = now};
    assert_true(ip_parse(f->text[FACT_REMOTE], &s.remote) && ip_parse_endpoint(f->text[FACT_LOCAL], &s.local));
    arena_init(&arena, 0);
    struct explanation *e = ARENA_NEW(&arena, struct explanation);
    assert_true(e && explain(w->policy.policy, &facts, &s, &arena, e));
    enum said said = e->cause == EXPLAIN_CAUSE_SIZE                           ? REFUSED
                     : e->verdict == EXPLAIN_ALLOWED || e->stage > last_of(f) ? ACCEPTED
                     : e->verdict == EXPLAIN_UNKNOWN                          ? NOT_KNOWN
                                                                              : REFUSED;
    /* Of a message nothing is said behind its recipient, which the fact does not have. */
    if (f->size && said == ACCEPTED && e->verdict != EXPLAIN_ALLOWED)
        said = NOT_ASKED;
    *ret_connector = SPAN("");
    if (e->connector) {
        *ret_connector = policy_text(w->policy.policy, e->connector->name);
        if (s.tls && (e->connector->flags & CONNECTOR_IMPLICIT_TLS))
            said = NOT_ASKED;
    }
    arena_clear(&arena);
    return said;
}

/* ---- replays ---- */

struct trial {
    struct replay *replay;
    struct explain_facts facts[2];
    struct replay_report report;
};

static void run(struct trial *t, struct test_world *before, struct test_world *after, const struct fact *facts,
                size_t count, int64_t now)
{
    t->facts[0] = test_world_facts(before);
    t->facts[1] = test_world_facts(after);
    t->replay = replay_new(&(struct replay_side){before->policy.policy, &t->facts[0]},
                           &(struct replay_side){after->policy.policy, &t->facts[1]}, now, key);
    assert_non_null(t->replay);
    for (size_t i = 0; i < count; i++)
        assert_true(replay_fact(t->replay, facts[i].text[FACT_REMOTE], &facts[i]));
    assert_int_equal(replay_finish(t->replay, &t->report, NULL), ERR_NONE);
    uint64_t all = t->report.facts;
    for (int i = 0; i < REPLAY_SKIPS; i++)
        all += t->report.skipped[i];
    assert_int_equal(all, count);
}

static const struct replay_change *only_change(const struct trial *t)
{
    if (!t->report.client_count)
        return NULL;
    assert_int_equal(t->report.client_count, 1);
    assert_int_equal(t->report.clients[0].count, 1);
    return &t->report.clients[0].changes[0];
}

/* How often each came about, so that nothing is tested vacuously. */
static size_t refused, accepted, otherwise, same, unknown;

static void check_fact(const char *row, struct test_world *a, struct test_world *b, const struct fact *f,
                       int64_t now)
{
    struct trial there, back;
    struct span connectors[2];
    enum said before = ask(a, f, now, &connectors[0]), after = ask(b, f, now, &connectors[1]);
    if (before == NOT_ASKED || after == NOT_ASKED)
        return;
    run(&there, a, b, f, 1, now);
    run(&back, b, a, f, 1, now);
    const struct replay_change *x = only_change(&there), *y = only_change(&back);
    CHECK_INT(row, !x, !y);
    if (before == NOT_KNOWN || after == NOT_KNOWN) {
        CHECK_INT(row, there.report.skipped[REPLAY_SKIP_UNREADABLE], 1);
        unknown++;
    } else if (before != after) {
        CHECK(row, x && x->direction == (after == REFUSED ? REPLAY_REFUSED : REPLAY_ACCEPTED));
        CHECK(row, y && y->direction == (after == REFUSED ? REPLAY_ACCEPTED : REPLAY_REFUSED));
        CHECK(row, x->why.len && x->decided_by.len);
        CHECK_SPAN(row, x->before.connector, connectors[0]);
        CHECK_SPAN(row, x->after.connector, connectors[1]);
        CHECK_SPAN(row, x->after.reply, y->before.reply);
        *(after == REFUSED ? &refused : &accepted) += 1;
    } else {
        CHECK(row, !x || x->direction == REPLAY_OTHERWISE);
        CHECK(row, x || span_eq(connectors[0], connectors[1]));
        CHECK(row, !x || before == REFUSED || !span_eq(connectors[0], connectors[1]));
        *(x ? &otherwise : &same) += 1;
    }
    replay_free(there.replay);
    replay_free(back.replay);
}

/* All together they come to what each comes to alone. */
static void check_together(const char *row, struct test_world *a, struct test_world *b, const struct fact *facts,
                           int64_t now)
{
    struct trial all, one;
    uint64_t together[REPLAY_DIRECTIONS] = {0}, alone[REPLAY_DIRECTIONS] = {0};
    struct fact twice[2 * FACTS];
    memcpy(twice, facts, FACTS * sizeof *facts);
    memcpy(twice + FACTS, facts, FACTS * sizeof *facts);
    run(&all, a, b, twice, ARRAY_LEN(twice), now);
    for (size_t i = 0; i < all.report.client_count; i++)
        for (size_t k = 0; k < all.report.clients[i].count; k++) {
            const struct replay_change *x = &all.report.clients[i].changes[k];
            together[x->direction] += x->sessions + x->messages + x->recipients;
        }
    for (size_t i = 0; i < FACTS; i++) {
        run(&one, a, b, &facts[i], 1, now);
        const struct replay_change *x = only_change(&one);
        if (x)
            alone[x->direction] += 2 * (x->sessions + x->messages + x->recipients);
        replay_free(one.replay);
    }
    for (int i = 0; i < REPLAY_DIRECTIONS; i++)
        CHECK_INT(row, together[i], alone[i]);
    CHECK(row, all.report.runs <= FACTS);
    replay_free(all.replay);
}

static void test_replay_is_explain(void **state UNUSED)
{
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        uint64_t seed = round * UINT64_C(0x9e3779b97f4a7c15);
        struct test_world a, b;
        struct arena arena;
        struct trial self;
        struct fact facts[FACTS];
        int64_t now = 0;
        char row[64];
        arena_init(&arena, 0);
        test_world_make(&a, &seed);
        test_world_make(&b, &seed);
        for (size_t i = 0; i < FACTS; i++) {
            facts[i] = draw_fact(&arena, &seed, &now);
            snprintf(row, sizeof row, "round %d, fact %zu", (int)round, i);
            check_fact(row, &a, &b, &facts[i], now);
        }
        check_together(row, &a, &b, facts, now);
        run(&self, &a, &a, facts, FACTS, now);
        CHECK_INT(row, self.report.client_count, 0);
        replay_free(self.replay);
        test_policy_done(&a.policy);
        test_policy_done(&b.policy);
        arena_clear(&arena);
    }
    const size_t seen[] = {refused, accepted, otherwise, same, unknown};
    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        CHECK("each kind came about", seen[i] > 50);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_replay_is_explain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
