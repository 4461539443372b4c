/*
 * test_explain.c: over generated policies and sessions, an explanation says what a server says: the same machine,
 * driven byte by byte from callbacks as the receive role drives it; and its verdict is what the decision engine
 * gives when it is asked directly.
 */
#include "check.h"
#include "explain/explain.h"
#include "policy/test_support.h"

#include <stdio.h>
#include <string.h>

enum { ROUNDS = 400, SESSIONS = 10, REPLIES_MAX = 64 * 1024 };

/* ---- the world ---- */

static const char *const connectors[] = {"c0", "c1", "c2", "c3", "c4"};
static const char *const domains[] = {"example.com", "shared.test", "below.example.com", "far.test", "other.test"};
static const char *const clients[] = {"10.0.0.5", "10.0.0.6", "10.1.0.5", "192.0.2.7", "198.51.100.1"};
static const struct span alices[] = {SPAN_INIT("alice@example.com"), SPAN_INIT("a.smith@shared.test")};
static const struct span teams[] = {SPAN_INIT("team")};
static const struct gate_user alice = {
    .guid = SPAN_INIT("alice"), .addresses = alices, .address_count = 2, .groups = teams, .group_count = 1};

struct world {
    struct test_policy policy;
    bool certificate, directory_away;
};

static void certificate(void *context, struct span fqdn UNUSED, struct arena *arena UNUSED,
                        struct explain_certificate *ret)
{
    const struct world *w = context;
    *ret = (struct explain_certificate){.found = w->certificate, .text = SPAN("a certificate")};
}

static void user(void *context, struct span name, struct arena *arena UNUSED, struct explain_user *ret)
{
    const struct world *w = context;
    *ret = (struct explain_user){.state = EXPLAIN_USER_FOUND, .primary = alices[0], .gate = alice};
    if (w->directory_away)
        *ret = (struct explain_user){.state = EXPLAIN_USER_UNAVAILABLE, .text = SPAN("away")};
    else if (!span_eq(name, SPAN("alice")))
        *ret = (struct explain_user){.state = EXPLAIN_USER_UNKNOWN};
}

static bool is_alices(struct span address)
{
    return span_ieq(address, alices[0]) || span_ieq(address, alices[1]);
}

static void recipient(void *context, struct span address, struct arena *arena UNUSED, struct explain_recipient *ret)
{
    const struct world *w = context;
    *ret = (struct explain_recipient){.kind = w->directory_away    ? RESOLVED_LATER
                                              : is_alices(address) ? RESOLVED_MAILBOX
                                                                   : RESOLVED_NOT_FOUND,
                                      .target = alices[0],
                                      .text = SPAN("away")};
}

/* Of those whose addresses they are not, alice may send as bob. */
static enum gate_send_as send_as(void *context, const struct gate_user *who, struct span address)
{
    const struct world *w = context;
    assert_true(span_eq(who->guid, alice.guid));
    return w->directory_away                            ? GATE_SEND_AS_UNAVAILABLE
           : span_ieq(address, SPAN("bob@example.com")) ? GATE_SEND_AS_YES
                                                        : GATE_SEND_AS_NO;
}

/* ---- generated policies and sessions ---- */

static const char *pick(uint64_t *seed, const char *const *from, size_t n)
{
    return from[test_draw(seed, (uint32_t)n)];
}
#define PICK(seed, array) pick((seed), (array), ARRAY_LEN(array))

/* The first one mostly serves everybody, so that few sessions have no connector. */
static void add_connector(struct test_policy *t, uint64_t *seed, size_t i)
{
    static const char *const ranges[] = {"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.5", "192.0.2.0/24"};
    static const char *const auth[] = {"",
                                       "Tls",
                                       "Tls,BasicAuth",
                                       "Tls,BasicAuth,BasicAuthRequireTLS",
                                       "BasicAuth",
                                       "Tls,ExternalAuthoritative",
                                       "ExternalAuthoritative"};
    static const char *const sizes[] = {"Enabled", "Disabled", "EnabledWithoutValue"};
    static const char *const switches[] = {"PipeliningEnabled",
                                           "ChunkingEnabled",
                                           "DeliveryStatusNotificationEnabled",
                                           "EnhancedStatusCodesEnabled",
                                           "EightBitMimeEnabled",
                                           "SmtpUtf8Enabled",
                                           "Enabled"};
    const char *name = connectors[i], *range = i == 0 && test_draw(seed, 8) ? ranges[0] : PICK(seed, ranges);
    char more[512] = "";
    for (size_t k = 0; k < ARRAY_LEN(switches); k++)
        if (test_draw(seed, 8) == 0)
            snprintf(more + strlen(more), sizeof more - strlen(more), "|%s=$false", switches[k]);
    static const struct {
        unsigned one_in;
        const char *text;
    } extras[] = {{6, "|RequireTLS=$true"},
                  {8, "|ImplicitTls=$true"},
                  {3, "|DefaultDomain=example.com"},
                  {5, "|MaxHeaderSize=#40"},
                  {12, "|ProxyProtocol=[V1,V2]|ProxyProtocolSources=[10.0.0.5,192.0.2.7]"}};
    for (size_t k = 0; k < ARRAY_LEN(extras); k++)
        if (test_draw(seed, extras[k].one_in) == 0)
            snprintf(more + strlen(more), sizeof more - strlen(more), "%s", extras[k].text);
    test_addf(t,
              "ReceiveConnector: Guid=%s|Name=%s|Bindings=[%s:25]|RemoteIPRanges=[%s]|AuthMechanism=[%s]|"
              "MaxMessageSize=#%u|SizeEnabled=%s|Fqdn=mail.example.com%s",
              name, name, i == 0 || test_draw(seed, 2) ? "0.0.0.0" : "10.9.9.9", range, PICK(seed, auth),
              500 + test_draw(seed, 3) * 100000, PICK(seed, sizes), more);
}

static void add_permissions(struct test_policy *t, uint64_t *seed, const char *connector)
{
    static const char *const users[] = {"S-1-5-7",
                                        "Everyone",
                                        "user:alice",
                                        "group:team",
                                        "NT AUTHORITY\\Authenticated Users",
                                        "MS Exchange\\Externally Secured Servers"};
    static const char *const rights[] = {"ms-Exch-SMTP-Submit",
                                         "ms-Exch-SMTP-Accept-Any-Recipient",
                                         "ms-Exch-SMTP-Accept-Any-Sender",
                                         "ms-Exch-SMTP-Accept-Authoritative-Domain-Sender",
                                         "ms-Exch-Bypass-Message-Size-Limit",
                                         "ms-Exch-Accept-Headers-Routing"};
    static const char *const narrowings[] = {"",
                                             "",
                                             "|Senders=[*@example.com,<>]",
                                             "|Senders=[alice@example.com]",
                                             "|Recipients=[*@far.test,alice@example.com]",
                                             "|RequireTls=$true",
                                             "|Expires=#1600000000000",
                                             "|Expires=#1800000000000"};
    if (test_draw(seed, 2))
        test_add_group(t, connector, (enum permission_group)test_draw(seed, GROUP_COUNT));
    if (test_draw(seed, 3))
        test_add_group(t, connector, GROUP_ANONYMOUS_USERS);
    if (test_draw(seed, 3))
        test_add_group(t, connector, GROUP_EXCHANGE_USERS);
    for (uint32_t i = test_draw(seed, 6); i > 0; i--)
        test_addf(t, "ADPermission: Connector=%s|User=%s|ExtendedRight=%s|Deny=%s%s", connector, PICK(seed, users),
                  PICK(seed, rights), test_draw(seed, 4) ? "$false" : "$true", PICK(seed, narrowings));
}

static void make_world(struct world *w, uint64_t *seed)
{
    static const char *const types[] = {"Authoritative", "InternalRelay", "ExternalRelay"};
    test_policy_init(&w->policy);
    w->certificate = test_draw(seed, 8);
    w->directory_away = test_draw(seed, 8) == 0;
    for (size_t i = 0; i < 1 + test_draw(seed, ARRAY_LEN(connectors)); i++) {
        add_connector(&w->policy, seed, i);
        add_permissions(&w->policy, seed, connectors[i]);
    }
    test_addf(&w->policy, "AcceptedDomain: Name=d0|DomainName=example.com|DomainType=%s|Default=$true",
              PICK(seed, types));
    for (size_t i = 1; i < test_draw(seed, 4); i++)
        test_addf(&w->policy, "AcceptedDomain: Name=d%zu|DomainName=%s|DomainType=%s", i, domains[i],
                  PICK(seed, types));
    if (test_draw(seed, 2))
        test_add(&w->policy, "SendConnector: Guid=s1|Name=out|AddressSpaces=[*]");
    test_addf(&w->policy, "TransportConfig: MaxReceiveSize=%s%s", test_draw(seed, 3) ? "Unlimited" : "#700",
              test_draw(seed, 2) ? "|ExternalPostmasterAddress=alice@example.com" : "");
    test_open(&w->policy);
}

static struct span draw_address(struct arena *a, uint64_t *seed, bool null_allowed)
{
    static const char *const locals[] = {"alice",       "a.smith",  "bob",      "Postmaster",
                                         "\"quo ted\"", "per%cent", "b\xc3\xbc"};
    switch (test_draw(seed, 12)) {
    case 0: return SPAN("alice");
    case 1: return SPAN("Postmaster");
    case 2: return null_allowed ? SPAN("") : SPAN("no address");
    default: return arena_printf(a, "%s@%s", PICK(seed, locals), PICK(seed, domains));
    }
}

static struct explain_session draw_session(struct arena *a, uint64_t *seed)
{
    struct explain_session s = {.remote = test_ip(PICK(seed, clients)),
                                .local = test_endpoint(test_draw(seed, 2) ? "10.9.9.9:25" : "10.9.9.8:25"),
                                .tls = test_draw(seed, 2),
                                .auth = test_draw(seed, 2),
                                .user = test_draw(seed, 6) ? SPAN("alice") : SPAN("mallory"),
                                .helo = test_draw(seed, 20) ? SPAN("client.test") : SPAN("bad name"),
                                .now_ms = 1700000000000};
    s.sender = draw_address(a, seed, true);
    s.recipient = draw_address(a, seed, false);
    s.header_from = test_draw(seed, 3) ? s.sender : draw_address(a, seed, true);
    s.size = test_draw(seed, 3) ? 0 : 1 + test_draw(seed, 250000);
    return s;
}

/* ---- the server: the wiring of the receive role, byte by byte ---- */

struct server {
    const struct world *w;
    const struct explain_session *session;
    struct gate gate;
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
    gate_know(&s->gate, v->ask_send_as, send_as((void *)(uintptr_t)s->w, &alice, v->ask_send_as));
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
            reply(s, gate_log_on(gate_of(s), &alice).answer);
        break;
    case SMTP_ASK_MAIL:
        do
            v = gate_mail(gate_of(s), ask->mail);
        while (find_out(s, &v));
        reply(s, v.answer);
        break;
    case SMTP_ASK_RCPT: {
        struct span address = gate_recipient_address(s->gate.policy, &ask->rcpt->address, &s->transaction);
        do
            v = gate_rcpt(gate_of(s), smtp_server_envelope(s->smtp)->mail.address.text, address);
        while (find_out(s, &v));
        if (v.ask_directory)
            v.answer = gate_resolved(s->w->directory_away ? ERR_UNAVAILABLE : ERR_NONE, is_alices(address));
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
            gate_begin(&s->gate, s->gate.policy, s->gate.connector, 0);
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

static void check_same_replies(const char *row, const struct world *w, const struct explain_session *session,
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
    struct gate_place place = {SPAN("mail.example.com"), span_of(ip_print(session->remote, remote)),
                               w->certificate};
    s.profile = gate_profile(w->policy.policy, c, &place);
    gate_begin(&s.gate, w->policy.policy, c, 0);
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

static void check_decisions(const char *row, const struct world *w, const struct explain_session *session,
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
        facts.user = alice.guid;
        facts.groups = teams;
        facts.group_count = 1;
        owned = (struct owned_addresses){.addresses = alices, .count = 2, .send_as = bob, .send_as_count = 1};
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

static void test_explain_is_the_server(void **state UNUSED)
{
    size_t verdicts[3] = {0}, causes[EXPLAIN_CAUSES] = {0};
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        uint64_t seed = round * UINT64_C(0x9e3779b97f4a7c15);
        struct world w;
        make_world(&w, &seed);
        for (int i = 0; i < SESSIONS; i++) {
            struct arena arena;
            char row[64];
            struct explanation *e;
            arena_init(&arena, 0);
            struct explain_session s = draw_session(&arena, &seed);
            const struct explain_facts facts = {&w,     SPAN("mail.example.com"), certificate, user, recipient,
                                                send_as};
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
