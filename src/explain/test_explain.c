/*
 * test_explain.c: over generated policies and sessions, an explanation says what a server says: the same machine,
 * driven byte by byte from callbacks as the receive role drives it; and its verdict is what the decision engine
 * gives when it is asked directly.
 */
#include "check.h"
#include "explain/test_world.h"

#include <stdio.h>
#include <string.h>

enum { ROUNDS = 400, SESSIONS = 10, REPLIES_MAX = 64 * 1024 };

/* ---- the server: the wiring of the receive role, byte by byte ---- */

struct server {
    const struct test_world *w;
    const struct explain_session *session;
    struct gate gate;
    uint8_t marks[POLICY_ACL_MAX];
    struct smtp_server *smtp;
    struct smtp_server_profile profile;
    struct buf replies;
    bool closed, tls, answer_ready;
    struct smtp_answer answer;
    int64_t now;
    struct arena transaction;
    struct intake intake;
    bool intake_open;
    unsigned rights;
};

static void begin_gate(struct server *s, const struct policy *p, const struct receive_connector *c)
{
    gate_begin(&s->gate, p, c, 0, s->marks);
    s->gate.pressure = s->w->pressure;
}

static void reply(struct server *s, struct smtp_answer a)
{
    s->answer = a;
    s->answer_ready = true;
}

static struct gate *gate_of(struct server *s)
{
    gate_now(&s->gate, smtp_server_tls(s->smtp), s->session->now_ms);
    return &s->gate;
}

/* As the receive role asks the directory process, and then the gate again. */
static bool find_out(struct server *s, const struct gate_verdict *v)
{
    if (!v->ask_send_as.len)
        return false;
    gate_know(&s->gate, v->ask_send_as, test_world_send_as(s->w, v->ask_send_as));
    return true;
}

static void on_out(void *context UNUSED, struct span bytes UNUSED)
{
}

static void on_ask(void *context, const struct smtp_ask *ask)
{
    struct server *s = context;
    struct intake_result result;
    struct gate_verdict v;
    switch (ask->kind) {
    case SMTP_ASK_AUTH_START:
        if (s->w->directory_away)
            reply(s, (struct smtp_answer){.verdict = SMTP_ANSWER_UNAVAILABLE});
        else if (!span_eq(s->session->user, SPAN("alice")))
            reply(s, (struct smtp_answer){.verdict = SMTP_ANSWER_AUTH_FAILED});
        else
            reply(s, gate_log_on(gate_of(s), &test_world_alice).answer);
        break;
    case SMTP_ASK_MAIL:
        do
            v = gate_mail(gate_of(s), ask->mail);
        while (find_out(s, &v));
        if (v.short_of != PRESSURE_RESOURCES)
            v.answer.reply.text = gate_pressure_text(&s->gate, &s->transaction, v.answer.reply.text, v.short_of);
        reply(s, v.answer);
        break;
    case SMTP_ASK_RCPT: {
        struct span address = gate_recipient_address(s->gate.policy, &ask->rcpt->address, &s->transaction);
        do
            v = gate_rcpt(gate_of(s), smtp_server_envelope(s->smtp)->mail.address.text, address);
        while (find_out(s, &v));
        if (v.ask_directory)
            v.answer = gate_resolved(gate_of(s), &smtp_server_envelope(s->smtp)->mail, address,
                                     s->w->directory_away             ? GATE_RECIPIENT_UNAVAILABLE
                                     : !test_world_is_alices(address) ? GATE_RECIPIENT_UNKNOWN
                                     : s->w->guarded                  ? GATE_RECIPIENT_GUARDED
                                                                      : GATE_RECIPIENT_KNOWN);
        reply(s, v.answer);
        break;
    }
    case SMTP_ASK_MESSAGE_BEGIN: {
        s->rights = gate_rights(gate_of(s), smtp_server_envelope(s->smtp));
        struct intake_options o = gate_intake_options(&s->gate, s->rights);
        o.message_id = SPAN("<explain@mailreeve.invalid>");
        intake_init(&s->intake, &o, &s->transaction, on_out, s);
        s->intake_open = true;
        reply(s, (struct smtp_answer){.verdict = SMTP_ANSWER_OK});
        break;
    }
    case SMTP_ASK_MESSAGE_END: {
        intake_finish(&s->intake, &result);
        do
            v = gate_message(gate_of(s), &result);
        while (find_out(s, &v));
        struct smtp_answer a = v.answer;
        struct smtp_limit limit;
        if (gate_message_limit(&s->gate, result.problem, &limit))
            a.reply.text = smtp_limit_text(&s->transaction, a.reply.text, &limit);
        if (a.verdict == SMTP_ANSWER_OK)
            a.reply =
                SMTP_REPLY(250, "2.6.0", "<explain@mailreeve.invalid> [InternalId=N] Queued mail for delivery");
        reply(s, a);
        break;
    }
    case SMTP_ASK_AUTH_STEP:
    case SMTP_ASK_AUTH_CANCEL:
    case SMTP_ASK_VRFY:
    case SMTP_ASK_MESSAGE_ABORT:
    case SMTP_ASK_KINDS: break;
    }
}

static void on_write(void *context, struct span bytes)
{
    struct server *s = context;
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.ptr[i] != '\r')
            buf_add_char(&s->replies, bytes.ptr[i]);
}

static void on_start_tls(void *context)
{
    ((struct server *)context)->tls = true;
}

static void on_body(void *context, struct span bytes)
{
    struct server *s = context;
    if (s->intake_open)
        intake_feed(&s->intake, bytes);
}

static void on_close(void *context)
{
    ((struct server *)context)->closed = true;
}

static void on_event(void *context UNUSED, enum smtp_event event UNUSED, struct span detail UNUSED)
{
}

static const struct smtp_server_output output = {on_write, on_start_tls, on_ask, on_body, on_close, on_event};

/* One byte at a time; what is awaited comes when the machine does not want input. */
static void feed(struct server *s, struct span bytes)
{
    for (size_t i = 0; i < bytes.len && !s->closed;) {
        if (smtp_server_wants_input(s->smtp))
            i += smtp_server_feed(s->smtp, span_make(bytes.ptr + i, 1), s->now);
        if (s->answer_ready) {
            s->answer_ready = false;
            smtp_server_answer(s->smtp, &s->answer, s->now);
        } else if (s->tls) {
            s->tls = false;
            begin_gate(s, s->gate.policy, s->gate.connector);
            smtp_server_tls_started(s->smtp, s->now);
        }
        while (!s->closed && !s->answer_ready && !s->tls && !smtp_server_wants_input(s->smtp)) {
            s->now = smtp_server_deadline(s->smtp);
            smtp_server_tick(s->smtp, s->now);
        }
    }
}

/* In front of the dot, so that the content has the size that was announced. */
static void add_padding(struct buf *content, uint64_t size)
{
    content->len -= 3;
    while (content->len + 2 < size) {
        size_t left = (size_t)size - content->len - 2;
        for (size_t i = 0; i < (left < 70 ? left : 70); i++)
            buf_add_char(content, 'x');
        buf_add(content, SPAN("\r\n"));
    }
    buf_add(content, SPAN(".\r\n"));
}

/* What the client of the explanation says is said to this server; AUTH with what the mechanism wants. */
static void play(struct server *s, const struct explanation *e)
{
    smtp_server_start(s->smtp, s->now, s->session->now_ms);
    for (size_t i = 1; i < e->step_count; i++) {
        struct buf line;
        buf_init(&line, 1 << 20);
        for (struct span rest = e->steps[i].said, one; span_split(&rest, '\n', &one);) {
            bool secret = span_ends(one, SPAN(" ***"));
            buf_addf(&line, "%.*s%s\r\n", SPAN_ARG(secret ? span_head(one, one.len - 3) : one), secret ? "=" : "");
        }
        if (e->steps[i].stage == EXPLAIN_CONTENT)
            add_padding(&line, s->session->size);
        feed(s, buf_span(&line));
        buf_done(&line);
    }
}

static void close_server(struct server *s)
{
    if (s->intake_open)
        intake_done(&s->intake);
    smtp_server_free(s->smtp);
    arena_clear(&s->transaction);
    buf_done(&s->replies);
}

static void check_same_replies(const char *row, const struct test_world *w, const struct explain_session *session,
                               const struct explanation *e)
{
    const struct receive_connector *c = policy_select(w->policy.policy, session->local, session->remote);
    struct buf want;
    char remote[IP_TEXT_MAX];
    CHECK(row, c == e->connector);
    bool implicit = c && (c->flags & CONNECTOR_IMPLICIT_TLS);
    if (!c || policy_proxy_versions(w->policy.policy, c, session->remote) ||
        (implicit && (!w->certificate || !session->tls))) {
        CHECK_INT(row, e->step_count, 0); /* the connection is closed */
        CHECK_INT(row, e->verdict, EXPLAIN_REFUSED);
        return;
    }
    struct server s = {.w = w, .session = session};
    struct gate_place place = {SPAN("mail.example.com"), span_of(ip_print(session->remote, remote)), w->certificate,
                               w->keytab};
    s.profile = gate_profile(w->policy.policy, c, &place);
    begin_gate(&s, w->policy.policy, c);
    arena_init(&s.transaction, 0);
    buf_init(&s.replies, REPLIES_MAX);
    buf_init(&want, REPLIES_MAX);
    s.smtp = smtp_server_new(&s.profile, &output, &s, 0);
    assert_non_null(s.smtp);
    play(&s, e);
    for (size_t i = 0; i < e->step_count; i++)
        buf_addf(&want, "%.*s\n", SPAN_ARG(e->steps[i].reply));
    CHECK_SPAN(row, buf_span(&s.replies), buf_span(&want));
    close_server(&s);
    buf_done(&want);
}

/* ---- the decision engine, asked directly ---- */

static void check_decisions(const char *row, const struct test_world *w, const struct explain_session *session,
                            const struct explanation *e)
{
    const struct policy *p = w->policy.policy;
    const struct receive_connector *c = e->connector;
    if (e->verdict != EXPLAIN_ALLOWED)
        return;
    struct session_facts facts = {.external_authoritative = c->auth & AUTH_EXTERNAL_AUTHORITATIVE};
    static const struct span bob[] = {SPAN_INIT("bob@example.com")};
    struct owned_addresses owned = {0};
    if (session->auth) {
        facts.user = test_world_alice.guid;
        facts.groups = test_world_alice.groups;
        facts.group_count = 1;
        owned = (struct owned_addresses){
            .addresses = test_world_alice.addresses, .count = 2, .send_as = bob, .send_as_count = 1};
    }
    struct token t = token_build(&facts);
    struct span from = session->sender, to = session->recipient;
    char sender[256], recipient_text[256];
    bool complete = span_find(from, '@') != SIZE_MAX || !from.len;
    snprintf(sender, sizeof sender, "%.*s%s", SPAN_ARG(from), complete ? "" : "@example.com");
    snprintf(recipient_text, sizeof recipient_text, "%.*s%s", SPAN_ARG(to),
             span_find(to, '@') != SIZE_MAX ? "" : "@example.com");
    struct span asked = span_of(sender);
    struct conditions when = {.tls = session->tls, .now_ms = session->now_ms, .sender = &asked};
    struct decision mail = decide_mail(p, c, &t, &when, asked, owned);
    CHECK_INT(row, mail.verdict, VERDICT_ALLOW);
    when.pending = mail.pending;
    CHECK_INT(row, decide_rcpt(p, c, &t, &when, span_of(recipient_text), owned).verdict, VERDICT_ALLOW);
    CHECK_INT(row, session->auth && decide_submit_at_auth(p, c, &t, &when).verdict != VERDICT_ALLOW, false);
    CHECK_INT(row, (c->flags & CONNECTOR_REQUIRE_TLS) && !session->tls, false);
}

static void check_whole(const char *row, const struct explanation *e)
{
    CHECK(row, e->reason.len);
    CHECK(row, e->hop_count > 0);
    CHECK_INT(row, (e->verdict == EXPLAIN_ALLOWED) == (e->cause == EXPLAIN_CAUSE_NONE), true);
    CHECK_INT(row, (e->verdict == EXPLAIN_UNKNOWN) == (e->cause == EXPLAIN_CAUSE_UNAVAILABLE), true);
    CHECK_INT(row, e->cause != EXPLAIN_CAUSE_RIGHT || e->blame, true);
    for (size_t i = 0; i < e->step_count; i++)
        for (size_t k = 0; k < e->steps[i].decision_count; k++)
            CHECK_INT(row, decision_replay(&e->steps[i].decisions[k]), e->steps[i].decisions[k].verdict);
    struct buf out;
    buf_init(&out, 1 << 20);
    explain_print(&out, e);
    explain_print_json(&out, e);
    CHECK_INT(row, out.failed, false);
    buf_done(&out);
}

static void draw_pressure(struct pressure *p, uint64_t *seed)
{
    for (size_t i = 0; i < PRESSURE_RESOURCES; i++)
        p->of[i] = (struct pressure_state){.level = (enum pressure_level)test_draw(seed, PRESSURE_LEVELS),
                                           .known = true,
                                           .value = 312 << 20,
                                           .total = 1 << 30,
                                           .medium = 600 << 20,
                                           .high = 500 << 20};
}

static void test_explain_is_the_server(void **state UNUSED)
{
    size_t verdicts[3] = {0}, causes[EXPLAIN_CAUSES] = {0};
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        uint64_t seed = round * UINT64_C(0x9e3779b97f4a7c15);
        struct test_world w;
        struct pressure pressure;
        test_world_make(&w, &seed);
        draw_pressure(&pressure, &seed);
        w.pressure = test_draw(&seed, 6) == 0 ? &pressure : NULL;
        for (int i = 0; i < SESSIONS; i++) {
            struct arena arena;
            char row[64];
            struct explanation *e;
            arena_init(&arena, 0);
            struct explain_session s = test_world_session(&arena, &seed);
            const struct explain_facts facts = test_world_facts(&w);
            snprintf(row, sizeof row, "round %d, session %d", (int)round, i);
            e = ARENA_NEW(&arena, struct explanation);
            CHECK(row, e && explain(w.policy.policy, &facts, &s, &arena, e));
            check_same_replies(row, &w, &s, e);
            check_decisions(row, &w, &s, e);
            check_whole(row, e);
            verdicts[e->verdict]++;
            causes[e->cause]++;
            arena_clear(&arena);
        }
        test_policy_done(&w.policy);
    }
    for (size_t i = 0; i < ARRAY_LEN(verdicts); i++)
        CHECK("every verdict came about", verdicts[i] > 20);
    for (size_t i = 0; i < EXPLAIN_CAUSES; i++)
        CHECK(explain_cause_name((enum explain_cause)i), causes[i] > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_explain_is_the_server)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
