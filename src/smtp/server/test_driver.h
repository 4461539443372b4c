/*
 * test_driver.h: a driver for tests and fuzzing. It plays a script against the machine and writes down what comes
 * out.
 *
 * The script is the client's octets, in turns separated by 0x1e. A turn is what arrived together; the TLS handshake
 * is done at its end. A turn that begins with '!' is the driver's own: !tick (the deadline passes), !shutdown.
 * `replies` has the octets written, without CR. `actions` has the rest, each in square brackets, content as it is.
 * `lines` has the client's lines as they may be shown.
 *
 * Words in an address or a decoded response choose the answer: see answer_for. With `hashed` a hash of the ask
 * does.
 */
#pragma once

#include "smtp/server/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURN_END = 0x1e };

struct test_play {
    const struct smtp_server_profile *profile;
    struct span script;
    size_t piece; /* octets come in pieces of this length; 0: a turn at once */
    bool hashed;
    bool coded; /* refusals get codes */
};

struct test_driver {
    struct smtp_server *server;
    struct buf replies, actions, lines;
    int64_t now;
    bool hashed, asked, tls_wanted, closed, in_body, content, tarpit, coded;
    char code[32];
    size_t refusals;
    struct span refusal_text; /* not empty: each ask is refused with it */
    struct smtp_answer answer;
    size_t discarded, body_octets, accepted, after_close, writes;
};

static inline void driver_note(struct test_driver *d, struct span text)
{
    if (d->in_body)
        buf_add_char(&d->actions, '\n');
    d->in_body = false;
    buf_add(&d->actions, text);
    d->after_close += d->closed;
}

static inline void driver_write(void *context, struct span bytes)
{
    struct test_driver *d = context;
    ASSERT(bytes.len);
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.ptr[i] != '\r')
            buf_add_char(&d->replies, bytes.ptr[i]);
    d->after_close += d->closed;
    d->writes++;
}

static inline void driver_start_tls(void *context)
{
    struct test_driver *d = context;
    driver_note(d, SPAN("[tls]\n"));
    d->tls_wanted = true;
}

static inline void driver_body(void *context, struct span bytes)
{
    struct test_driver *d = context;
    ASSERT(d->content && bytes.len && !d->asked);
    if (!d->in_body)
        driver_note(d, SPAN("[body]\n"));
    d->in_body = true;
    buf_add(&d->actions, bytes);
    d->body_octets += bytes.len;
}

static inline void driver_close(void *context)
{
    struct test_driver *d = context;
    driver_note(d, SPAN("[close]\n"));
    d->closed = true;
}

static inline void driver_event(void *context, enum smtp_event event, struct span detail)
{
    static const char *const names[SMTP_EVENT_KINDS] = {
        [SMTP_EVENT_BAD_COMMAND] = "bad command",
        [SMTP_EVENT_BAD_LINE] = "bad line",
        [SMTP_EVENT_BAD_CONTENT] = "bad content",
        [SMTP_EVENT_DISCARDED] = "discarded",
        [SMTP_EVENT_AUTH_FAILED] = "auth failed",
        [SMTP_EVENT_AUTH_REFUSED] = "auth refused",
        [SMTP_EVENT_LIMIT] = "limit",
        [SMTP_EVENT_TOO_MANY_ERRORS] = "too many errors",
        [SMTP_EVENT_TOO_MANY_FAILURES] = "too many failures",
        [SMTP_EVENT_TIMEOUT] = "timeout",
        [SMTP_EVENT_NO_MEMORY] = "no memory",
        [SMTP_EVENT_BAD_ANSWER] = "bad answer",
    };
    struct test_driver *d = context;
    if (event == SMTP_EVENT_TARPIT) { /* [held ...] follows when the driver waits */
        d->tarpit = true;
        return;
    }
    if (event == SMTP_EVENT_DISCARDED) { /* its pieces are added up */
        d->discarded += (size_t)strtoull(detail.ptr, NULL, 10);
        return;
    }
    driver_note(d, SPAN("[event "));
    buf_addf(&d->actions, "%s: %.*s]\n", names[event], SPAN_ARG(detail));
}

static inline void driver_line(void *context, struct span shown)
{
    struct test_driver *d = context;
    buf_add(&d->lines, shown);
    buf_add_char(&d->lines, '\n');
}

static inline bool driver_has(struct span text, const char *word)
{
    return text.len && memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

static inline struct smtp_answer refusal(int code, const char *enhanced, const char *text)
{
    return (struct smtp_answer){.verdict = SMTP_ANSWER_REFUSE, .reply = {code, span_of(enhanced), span_of(text)}};
}

static inline struct smtp_answer answer_for(struct span text)
{
    if (driver_has(text, "refuse"))
        return refusal(550, "5.7.1", "Not you");
    if (driver_has(text, "defer"))
        return (struct smtp_answer){.verdict = SMTP_ANSWER_UNAVAILABLE};
    if (driver_has(text, "nonsense"))
        return refusal(250, "2.0.0", "no refusal at all");
    if (driver_has(text, "bare"))
        return refusal(550, "", "");
    if (driver_has(text, "multiline"))
        return refusal(550, "5.7.1", "one\r\ntwo\x7f\xc3\xa9");
    if (driver_has(text, "goaway"))
        return refusal(421, "4.4.2", "Message submission rate for this client has exceeded the configured limit");
    if (driver_has(text, "wrong"))
        return (struct smtp_answer){.verdict = SMTP_ANSWER_AUTH_FAILED};
    if (driver_has(text, "more"))
        return (struct smtp_answer){.verdict = SMTP_ANSWER_CONTINUE, .challenge = SPAN("Password:")};
    return (struct smtp_answer){.no_size_limit = driver_has(text, "bypass"),
                                .max_receive_size = driver_has(text, "capped") ? 20 : 0};
}

/* For fuzzing: any verdict that fits the ask. */
static inline struct smtp_answer answer_hashed(const struct smtp_ask *ask, struct span text)
{
    static const struct smtp_reply refusals[] = {
        {550, SPAN_INIT("5.7.1"), SPAN_INIT("no")},
        {421, SPAN_INIT("4.3.2"), SPAN_INIT("closing")},
        {452, SPAN_INIT(""), SPAN_INIT("a\r\nb")},
        {99, SPAN_INIT("x"), SPAN_INIT("")},
    };
    bool auth = ask->kind == SMTP_ASK_AUTH_START || ask->kind == SMTP_ASK_AUTH_STEP;
    uint64_t h = span_ihash(text) + (unsigned)ask->kind;
    struct smtp_answer a = {.verdict = (h >> 8) % 3 ? SMTP_ANSWER_OK : (enum smtp_verdict)((h >> 16) % 5)};
    a.reply = refusals[(h >> 24) % ARRAY_LEN(refusals)];
    a.challenge = SPAN("\x01?");
    a.no_size_limit = (h >> 32) % 4 == 0;
    a.max_receive_size = (h >> 40) % 4 == 0 ? 32 : 0;
    if (!auth && a.verdict == SMTP_ANSWER_CONTINUE)
        a.verdict = SMTP_ANSWER_REFUSE;
    return a;
}

static inline struct span driver_note_mail(struct test_driver *d, const struct smtp_mail *m)
{
    static const char *const bodies[] = {"", " 8bit", " binary"}, *const rets[] = {"", " full", " hdrs"};
    buf_addf(&d->actions, "[mail <%.*s>", SPAN_ARG(m->address.text));
    if (m->size)
        buf_addf(&d->actions, " size=%" PRIu64, m->size);
    buf_addf(&d->actions, "%s%s%s", bodies[m->body], rets[m->ret], m->smtp_utf8 ? " utf8" : "");
    if (m->require_tls)
        buf_add(&d->actions, SPAN(" requiretls"));
    if (m->envid.len)
        buf_addf(&d->actions, " envid=%.*s", SPAN_ARG(m->envid));
    if (m->auth.len)
        buf_addf(&d->actions, " auth=%.*s", SPAN_ARG(m->auth));
    buf_add(&d->actions, SPAN("]\n"));
    return m->address.text;
}

static inline struct span driver_note_rcpt(struct test_driver *d, const struct smtp_recipient *r)
{
    buf_addf(&d->actions, "[rcpt <%.*s>", SPAN_ARG(r->address.text));
    if (r->notify)
        buf_addf(&d->actions, " notify=%u", r->notify);
    if (r->orcpt.len)
        buf_addf(&d->actions, " orcpt=%.*s", SPAN_ARG(r->orcpt));
    buf_add(&d->actions, SPAN("]\n"));
    return r->address.text;
}

/* The envelope that the machine keeps is the one that was accepted. */
static inline struct span driver_note_end(struct test_driver *d, uint64_t octets)
{
    const struct smtp_envelope *e = smtp_server_envelope(d->server);
    ASSERT(d->content && d->accepted > 0 && e && e->recipient_count == d->accepted && octets == d->body_octets);
    buf_addf(&d->actions, "[end %" PRIu64 " for", octets);
    size_t count = 0;
    for (const struct smtp_recipient *r = e->recipients; r; r = r->next, count++)
        buf_addf(&d->actions, " <%.*s>", SPAN_ARG(r->address.text));
    ASSERT(count == e->recipient_count);
    buf_add(&d->actions, SPAN("]\n"));
    d->content = false;
    return e->mail.address.text;
}

/* "begin-" and "end-" in a sender leave its words to MESSAGE_BEGIN and MESSAGE_END. */
static inline struct span driver_part(struct span sender, const char *part)
{
    bool other = driver_has(sender, "begin-") || driver_has(sender, "end-");
    return (*part ? driver_has(sender, part) : !other) ? sender : SPAN("");
}

static inline struct span driver_note_ask(struct test_driver *d, const struct smtp_ask *ask)
{
    const struct smtp_envelope *e = smtp_server_envelope(d->server);
    driver_note(d, SPAN(""));
    switch (ask->kind) {
    case SMTP_ASK_AUTH_START:
        buf_addf(&d->actions, "[auth %.*s%s%.*s]\n", SPAN_ARG(ask->auth_start.mechanism),
                 ask->auth_start.has_initial ? " =" : "", SPAN_ARG(ask->auth_start.initial));
        return ask->auth_start.has_initial ? ask->auth_start.initial : SPAN("more");
    case SMTP_ASK_AUTH_STEP:
        buf_addf(&d->actions, "[step %.*s]\n", SPAN_ARG(ask->auth_step));
        return ask->auth_step;
    case SMTP_ASK_AUTH_CANCEL: buf_add(&d->actions, SPAN("[auth cancel]\n")); return SPAN("");
    case SMTP_ASK_MAIL: d->accepted = 0; return driver_part(driver_note_mail(d, ask->mail), "");
    case SMTP_ASK_RCPT: ASSERT(e); return driver_note_rcpt(d, ask->rcpt);
    case SMTP_ASK_VRFY: buf_addf(&d->actions, "[vrfy %.*s]\n", SPAN_ARG(ask->vrfy)); return ask->vrfy;
    case SMTP_ASK_MESSAGE_BEGIN:
        ASSERT(!d->content && d->accepted > 0);
        d->body_octets = 0;
        buf_add(&d->actions, SPAN("[begin]\n"));
        return driver_part(e->mail.address.text, "begin-");
    case SMTP_ASK_MESSAGE_END: return driver_part(driver_note_end(d, ask->message_end), "end-");
    case SMTP_ASK_MESSAGE_ABORT:
        ASSERT(d->content);
        d->content = false;
        buf_add(&d->actions, SPAN("[abort]\n"));
        return SPAN("");
    case SMTP_ASK_KINDS: break;
    }
    abort();
}

static inline void driver_ask(void *context, const struct smtp_ask *ask)
{
    struct test_driver *d = context;
    ASSERT(!d->asked);
    struct span text = driver_note_ask(d, ask);
    if (ask->kind == SMTP_ASK_AUTH_CANCEL || ask->kind == SMTP_ASK_MESSAGE_ABORT)
        return;
    d->asked = true;
    d->answer = d->hashed ? answer_hashed(ask, text) : answer_for(text);
    if (d->refusal_text.len)
        d->answer =
            (struct smtp_answer){.verdict = SMTP_ANSWER_REFUSE, .reply = {550, SPAN("5.7.1"), d->refusal_text}};
    bool ok = d->answer.verdict == SMTP_ANSWER_OK;
    d->accepted += ok && ask->kind == SMTP_ASK_RCPT;
    if (ask->kind == SMTP_ASK_MESSAGE_BEGIN)
        d->content = ok;
    if (ask->kind == SMTP_ASK_MESSAGE_END && ok && !d->hashed)
        d->answer.reply = SMTP_REPLY(250, "2.6.0", "<id> [InternalId=1] Queued mail for delivery");
}

/* With `coded` every refusal gets the number of refusals so far. */
static inline struct span driver_refused(void *context, const struct smtp_reply *reply)
{
    struct test_driver *d = context;
    ASSERT(reply->code >= 400);
    d->refusals++;
    if (!d->coded)
        return SPAN("");
    snprintf(d->code, sizeof d->code, "mr-%zu", d->refusals);
    return span_of(d->code);
}

static const struct smtp_server_output driver_output = {
    .write = driver_write,
    .start_tls = driver_start_tls,
    .ask = driver_ask,
    .body = driver_body,
    .close = driver_close,
    .event = driver_event,
    .line = driver_line,
    .refused = driver_refused,
};

/* Does what the machine waits for, but for TLS. False when there was nothing to do. */
static inline bool driver_settle(struct test_driver *d)
{
    if (d->closed || d->tls_wanted)
        return false;
    if (d->asked) {
        d->asked = false;
        ASSERT(!smtp_server_wants_input(d->server) && smtp_server_deadline(d->server) == INT64_MAX);
        smtp_server_answer(d->server, &d->answer, d->now);
        return true;
    }
    if (smtp_server_wants_input(d->server))
        return false;
    int64_t then = smtp_server_deadline(d->server);
    ASSERT(d->tarpit); /* it was told */
    d->tarpit = false;
    buf_addf(&d->actions, "[held %" PRId64 "]\n", then - d->now);
    d->now = then;
    smtp_server_tick(d->server, d->now);
    return true;
}

/* A copy of exactly its size, gone when the call returns: a sanitizer sees what is read beyond it or kept. */
static inline size_t driver_feed_copy(struct test_driver *d, struct span bytes)
{
    char *copy = malloc(bytes.len ? bytes.len : 1);
    ASSERT(copy);
    if (bytes.len)
        memcpy(copy, bytes.ptr, bytes.len);
    size_t n = smtp_server_feed(d->server, span_make(copy, bytes.len), d->now);
    free(copy);
    ASSERT(n <= bytes.len);
    return n;
}

static inline void driver_turn(struct test_driver *d, struct span turn, size_t piece)
{
    size_t at = 0, arrived = 0;
    while (at < turn.len && !d->closed) {
        if (arrived == at || piece == 0)
            arrived = piece == 0 || turn.len - at < piece ? turn.len : at + piece;
        size_t n = driver_feed_copy(d, span_head(span_from(turn, at), arrived - at));
        at += n;
        bool settled = false;
        while (driver_settle(d))
            settled = true;
        ASSERT(n || settled || d->closed);
    }
    if (d->tls_wanted && !d->closed) {
        d->tls_wanted = false;
        if (d->discarded)
            buf_addf(&d->actions, "[discarded %zu]\n", d->discarded);
        d->discarded = 0;
        smtp_server_tls_started(d->server, d->now);
    }
}

static inline void driver_call(struct test_driver *d, struct span call)
{
    if (span_eq(call, SPAN("!tick"))) {
        d->now = smtp_server_deadline(d->server);
        ASSERT(d->now != INT64_MAX);
        smtp_server_tick(d->server, d->now);
    } else if (span_eq(call, SPAN("!shutdown"))) {
        smtp_server_shutdown(d->server, d->now);
    }
}

static inline void driver_play(struct test_driver *d, const struct test_play *play)
{
    enum { TRANSCRIPT_MAX = 64 * 1024 * 1024 };
    *d = (struct test_driver){.now = 1000, .hashed = play->hashed, .coded = play->coded};
    buf_init(&d->replies, TRANSCRIPT_MAX);
    buf_init(&d->actions, TRANSCRIPT_MAX);
    buf_init(&d->lines, TRANSCRIPT_MAX);
    d->server = smtp_server_new(play->profile, &driver_output, d, d->now);
    ASSERT(d->server);
    smtp_server_start(d->server, d->now, 1470414281000);
    struct span rest = play->script, turn;
    while (!d->closed && span_split(&rest, TURN_END, &turn)) {
        if (turn.len && turn.ptr[0] == '!')
            driver_call(d, turn);
        else
            driver_turn(d, turn, play->piece);
    }
}

static inline void driver_end(struct test_driver *d)
{
    smtp_server_free(d->server);
    buf_done(&d->replies);
    buf_done(&d->actions);
    buf_done(&d->lines);
}
