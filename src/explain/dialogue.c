/*
 * dialogue.c: the client and the driver of the SMTP machine in one: what is said, and what passes in between. Time
 * passes only where the machine holds a reply back.
 *
 * Invariant: the session ends with the first refusal, for a client would go another way from there.
 */
#include "explain/dialogue.h"

#include <inttypes.h>

enum { REPLIES_MAX = 64 * 1024, TRANSACTION_MAX = 4 << 20 };

/* ---- the machine's actions ---- */

static void on_ask(void *context, const struct smtp_ask *ask)
{
    dialogue_ask(context, ask);
}

static void on_write(void *context, struct span bytes)
{
    struct dialogue *d = context;
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.ptr[i] != '\r')
            buf_add_char(&d->replies, bytes.ptr[i]);
}

static void on_start_tls(void *context)
{
    ((struct dialogue *)context)->tls_wanted = true;
}

static void on_body(void *context, struct span bytes)
{
    struct dialogue *d = context;
    if (d->intake_open)
        intake_feed(&d->intake, bytes);
}

static void on_close(void *context)
{
    ((struct dialogue *)context)->closed = true;
}

static void on_event(void *context UNUSED, enum smtp_event event UNUSED, struct span detail UNUSED)
{
}

static const struct smtp_server_output output = {on_write, on_start_tls, on_ask, on_body, on_close, on_event};

/* ---- driving ---- */

static void begin_gate(struct dialogue *d, bool tls)
{
    struct explanation *e = d->e;
    const struct gate_tls none = {.fingerprint = SPAN("")};
    gate_begin(&d->gate, e->policy, e->connector, 0, d->marks);
    d->gate.pressure = e->pressure;
    if (tls)
        gate_secured(&d->gate, gate_asks_certificate(e->policy, e->connector) ? &e->session->client : &none,
                     e->arena);
}

/* Until the machine has taken all of the bytes and waits for more, or the session is over. */
static void drive(struct dialogue *d, struct span bytes)
{
    while (!d->closed) {
        if (d->asked) {
            d->asked = false;
            smtp_server_answer(d->server, &d->answer, d->now);
        } else if (d->tls_wanted) {
            d->tls_wanted = false;
            begin_gate(d, true);
            smtp_server_tls_started(d->server, d->now);
        } else if (!smtp_server_wants_input(d->server)) {
            d->now = smtp_server_deadline(d->server); /* the end of a tarpit */
            ASSERT(d->now != INT64_MAX);
            smtp_server_tick(d->server, d->now);
        } else if (bytes.len) {
            bytes = span_from(bytes, smtp_server_feed(d->server, bytes, d->now));
        } else {
            return;
        }
    }
}

static bool open_dialogue(struct dialogue *d, struct explanation *e, const struct explain_facts *facts,
                          struct span host)
{
    char text[IP_TEXT_MAX];
    const struct receive_connector *c = e->connector;
    *d = (struct dialogue){.e = e, .facts = facts};
    buf_init(&d->replies, REPLIES_MAX);
    arena_init(&d->transaction, TRANSACTION_MAX);
    struct gate_place place = {.host = host,
                               .client_address = explain_text(e, "%s", ip_print(e->session->remote, text)),
                               .certificate = e->certificate.found,
                               .keytab = e->keytab.usable};
    d->profile = gate_profile(e->policy, c, &place);
    begin_gate(d, d->profile.tls_active);
    d->server = smtp_server_new(&d->profile, &output, d, d->now);
    return d->server;
}

static void close_dialogue(struct dialogue *d)
{
    dialogue_drop_content(d);
    smtp_server_free(d->server);
    buf_done(&d->replies);
    arena_clear(&d->transaction);
}

/* ---- the client ---- */

static int code_of(struct span reply)
{
    size_t last = span_rfind(span_head(reply, reply.len - (reply.len > 0)), '\n');
    struct span line = last == SIZE_MAX ? reply : span_from(reply, last + 1);
    bool digits =
        line.len >= 3 && ascii_is_digit(line.ptr[0]) && ascii_is_digit(line.ptr[1]) && ascii_is_digit(line.ptr[2]);
    return digits ? (line.ptr[0] - '0') * 100 + (line.ptr[1] - '0') * 10 + line.ptr[2] - '0' : 0;
}

static enum explain_cause cause_of_machine(enum explain_stage stage, int code)
{
    switch (stage) {
    case EXPLAIN_HELLO:
    case EXPLAIN_HELLO_TLS: return EXPLAIN_CAUSE_HELLO;
    case EXPLAIN_STARTTLS: return EXPLAIN_CAUSE_NO_STARTTLS;
    case EXPLAIN_AUTH: return code == 530 ? EXPLAIN_CAUSE_TLS_REQUIRED : EXPLAIN_CAUSE_AUTH_NOT_OFFERED;
    case EXPLAIN_MAIL:
        return code == 530 ? EXPLAIN_CAUSE_TLS_REQUIRED : code == 552 ? EXPLAIN_CAUSE_SIZE : EXPLAIN_CAUSE_ADDRESS;
    case EXPLAIN_RCPT: return EXPLAIN_CAUSE_ADDRESS;
    case EXPLAIN_CONTENT: return code == 552 ? EXPLAIN_CAUSE_SIZE : EXPLAIN_CAUSE_CONTENT;
    case EXPLAIN_CONNECT:
    case EXPLAIN_DATA:
    case EXPLAIN_STAGES: break;
    }
    return EXPLAIN_CAUSE_CONTENT;
}

/* The message is refused here, or it goes on. */
static bool judge(struct dialogue *d, enum explain_stage stage)
{
    struct explanation *e = d->e;
    struct explain_step *step = d->step;
    step->code = code_of(step->reply);
    if (step->code >= 200 && step->code < 400)
        return true;
    e->cause = d->cause ? d->cause : cause_of_machine(stage, step->code);
    e->verdict = e->cause == EXPLAIN_CAUSE_UNAVAILABLE ? EXPLAIN_UNKNOWN : EXPLAIN_REFUSED;
    if (e->cause == EXPLAIN_CAUSE_RIGHT)
        for (size_t i = 0; i < step->decision_count && !e->blame; i++)
            if (step->decisions[i].verdict != VERDICT_ALLOW && step->decisions[i].question != QUESTION_RIGHT)
                e->blame = &step->decisions[i];
    return false;
}

static void begin_step(struct dialogue *d, enum explain_stage stage, struct span said)
{
    struct explanation *e = d->e;
    d->step = &e->steps[e->step_count++];
    *d->step = (struct explain_step){.stage = stage, .said = said};
    e->stage = stage;
    d->cause = EXPLAIN_CAUSE_NONE;
    buf_clear(&d->replies);
}

static bool end_step(struct dialogue *d, int64_t began)
{
    struct span reply = buf_span(&d->replies);
    if (reply.len && reply.ptr[reply.len - 1] == '\n')
        reply.len--;
    d->step->reply = arena_dup(d->e->arena, reply);
    d->step->delay_ms = d->now - began;
    d->failed |= !d->step->reply.ptr || d->replies.failed;
    return judge(d, d->step->stage) && !d->failed;
}

/* Says a line; `shown` where it holds a secret. */
static bool say(struct dialogue *d, enum explain_stage stage, struct span line, struct span shown)
{
    int64_t began = d->now;
    struct span wire = arena_printf(&d->transaction, "%.*s\r\n", SPAN_ARG(line));
    begin_step(d, stage, shown.len ? shown : line);
    d->failed |= !line.ptr || !wire.ptr;
    if (!d->failed)
        drive(d, wire);
    return end_step(d, began);
}

static bool greet(struct dialogue *d)
{
    begin_step(d, EXPLAIN_CONNECT, SPAN(""));
    smtp_server_start(d->server, d->now, d->e->session->now_ms);
    drive(d, SPAN(""));
    return end_step(d, d->now);
}

static bool say_hello(struct dialogue *d, enum explain_stage stage)
{
    return say(d, stage, explain_text(d->e, "EHLO %.*s", SPAN_ARG(d->e->session->helo)), SPAN(""));
}

/* The mechanism that a client would choose. */
static struct span mechanism(const struct dialogue *d)
{
    if (d->e->session->mechanism.len)
        return d->e->session->mechanism;
    bool tls = smtp_server_tls(d->server);
    const struct span *offered = tls ? d->profile.auth_after_tls : d->profile.auth_before_tls;
    size_t count = tls ? d->profile.auth_after_tls_count : d->profile.auth_before_tls_count;
    for (size_t i = 0; i < count; i++)
        if (span_ieq(offered[i], SPAN("PLAIN")))
            return offered[i];
    return count ? offered[0] : SPAN("PLAIN");
}

static bool log_on(struct dialogue *d)
{
    struct span name = mechanism(d);
    return say(d, EXPLAIN_AUTH, explain_text(d->e, "AUTH %.*s =", SPAN_ARG(name)),
               explain_text(d->e, "AUTH %.*s ***", SPAN_ARG(name)));
}

static bool is_ascii(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] > 0x7f)
            return false;
    return true;
}

static bool say_mail(struct dialogue *d)
{
    const struct explain_session *s = d->e->session;
    bool utf8 = d->profile.smtp_utf8 && !(is_ascii(s->sender) && is_ascii(s->recipient));
    struct span size =
        s->size && d->profile.size_mode != SMTP_SIZE_OFF ? explain_text(d->e, " SIZE=%" PRIu64, s->size) : SPAN("");
    return say(
        d, EXPLAIN_MAIL,
        explain_text(d->e, "MAIL FROM:<%.*s>%.*s%s", SPAN_ARG(s->sender), SPAN_ARG(size), utf8 ? " SMTPUTF8" : ""),
        SPAN(""));
}

/* Octets that make the content too large; what fits need not be sent to know that. */
static uint64_t padding(const struct dialogue *d)
{
    return d->max_size && d->e->session->size > d->max_size ? d->max_size : 0;
}

static void drive_padding(struct dialogue *d, uint64_t octets)
{
    enum { LINE = 64, LINES = 64 };
    static char lines[LINE * LINES];
    for (size_t i = 0; i < sizeof lines; i++)
        lines[i] = i % LINE == LINE - 2 ? '\r' : i % LINE == LINE - 1 ? '\n' : 'x';
    for (uint64_t sent = 0; sent < octets && !d->closed; sent += sizeof lines)
        drive(d, span_make(lines, sizeof lines));
}

static bool say_content(struct dialogue *d)
{
    const struct explain_session *s = d->e->session;
    int64_t began = d->now;
    struct span from =
        s->header_from.len ? explain_text(d->e, "From: <%.*s>\n", SPAN_ARG(s->header_from)) : SPAN("");
    struct span shown = explain_text(d->e, "%.*sTo: <%.*s>\nSubject: explain\n\nexplain\n.", SPAN_ARG(from),
                                     SPAN_ARG(s->recipient));
    begin_step(d, EXPLAIN_CONTENT, shown);
    d->failed |= !shown.ptr;
    for (struct span rest = span_head(shown, shown.len - 1), line; !d->failed && span_split(&rest, '\n', &line);) {
        drive(d, line);
        drive(d, rest.ptr ? SPAN("\r\n") : SPAN(""));
    }
    drive_padding(d, padding(d));
    drive(d, SPAN(".\r\n"));
    return end_step(d, began);
}

static bool transact(struct dialogue *d)
{
    const struct explain_session *s = d->e->session;
    return say_mail(d) &&
           (d->last < EXPLAIN_RCPT ||
            say(d, EXPLAIN_RCPT, explain_text(d->e, "RCPT TO:<%.*s>", SPAN_ARG(s->recipient)), SPAN(""))) &&
           (d->last < EXPLAIN_DATA || say(d, EXPLAIN_DATA, SPAN("DATA"), SPAN(""))) &&
           (d->last < EXPLAIN_CONTENT || say_content(d));
}

static bool converse(struct dialogue *d)
{
    const struct explain_session *s = d->e->session;
    bool start_tls = s->tls && !d->profile.tls_active;
    return greet(d) && (d->last < EXPLAIN_HELLO || say_hello(d, EXPLAIN_HELLO)) &&
           (!start_tls || d->last < EXPLAIN_STARTTLS ||
            (say(d, EXPLAIN_STARTTLS, SPAN("STARTTLS"), SPAN("")) && say_hello(d, EXPLAIN_HELLO_TLS))) &&
           (!s->auth || d->last < EXPLAIN_AUTH || log_on(d)) && (d->last < EXPLAIN_MAIL || transact(d));
}

bool explain_dialogue(struct explanation *e, const struct explain_facts *facts, enum explain_stage last)
{
    struct dialogue d;
    if (!open_dialogue(&d, e, facts, facts->host)) {
        close_dialogue(&d);
        return false;
    }
    d.last = last;
    e->first_token = d.gate.token;
    e->verdict = EXPLAIN_ALLOWED;
    converse(&d);
    e->last_token = d.gate.token;
    e->max_size = d.max_size;
    e->internal = gate_auth_as(&d.gate, gate_session_rights(&d.gate), &(struct smtp_mail){0}) == GATE_INTERNAL;
    bool failed = d.failed;
    close_dialogue(&d);
    return !failed;
}

bool explain_probe(struct explanation *e, struct span *ret_clear, struct span *ret_tls)
{
    struct dialogue d;
    bool ok = open_dialogue(&d, e, NULL, e->fqdn);
    *ret_clear = *ret_tls = SPAN("");
    if (ok) {
        smtp_server_start(d.server, d.now, e->session->now_ms);
        buf_clear(&d.replies);
        drive(&d, SPAN("EHLO [127.0.0.1]\r\n"));
        *(d.profile.tls_active ? ret_tls : ret_clear) = arena_dup(e->arena, buf_span(&d.replies));
    }
    if (ok && d.profile.starttls_available) {
        drive(&d, SPAN("STARTTLS\r\n"));
        buf_clear(&d.replies);
        drive(&d, SPAN("EHLO [127.0.0.1]\r\n"));
        *ret_tls = arena_dup(e->arena, buf_span(&d.replies));
    }
    close_dialogue(&d);
    return ok;
}
