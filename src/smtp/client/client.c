/*
 * client.c: the session's life: its phases and their deadlines, input cut into replies, and the calls of the
 * driver.
 *
 * Invariants: `phase` is written by smtp_client_enter only, and nothing leaves PHASE_CLOSED; commands gathered in
 * `out` are written before the call that caused them returns, and before any other action, so that the order of
 * actions does not depend on how the input was cut; a reply goes to the handler of the phase in which it
 * arrived, so what a server says out of turn is judged there. PHASE_IDLE and PHASE_CLOSED have no deadline.
 */
#include "smtp/client/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_MAX = 1 << 20 };

typedef void reply_fn(struct smtp_client *c, const struct client_reply *r);

static void on_unasked(struct smtp_client *c, const struct client_reply *r)
{
    (void)r;
    smtp_client_break_protocol(c, "a reply that nothing asked for");
}

static void on_quit(struct smtp_client *c, const struct client_reply *r)
{
    (void)r;
    smtp_client_enter(c, PHASE_CLOSED);
    c->output->close(c->context);
}

#define TIMEOUT(member) offsetof(struct smtp_client_timeouts, member)

static const struct {
    reply_fn *on_reply;
    enum smtp_client_stage stage; /* of PHASE_ENVELOPE: smtp_client_envelope_stage */
    bool timed;
    size_t timeout;
} phases[PHASES] = {
    [PHASE_GREETING] = {smtp_client_on_greeting, SMTP_CLIENT_GREETING, true, TIMEOUT(greeting)},
    [PHASE_HELLO] = {smtp_client_on_hello, SMTP_CLIENT_HELLO, true, TIMEOUT(command)},
    [PHASE_STARTTLS] = {smtp_client_on_starttls, SMTP_CLIENT_STARTTLS, true, TIMEOUT(command)},
    [PHASE_TLS] = {on_unasked, SMTP_CLIENT_STARTTLS, true, TIMEOUT(command)},
    [PHASE_AUTH] = {smtp_client_on_auth, SMTP_CLIENT_AUTH, true, TIMEOUT(command)},
    [PHASE_IDLE] = {on_unasked, SMTP_CLIENT_MAIL, false, 0},
    [PHASE_ENVELOPE] = {smtp_client_on_envelope, SMTP_CLIENT_MAIL, true, TIMEOUT(command)},
    [PHASE_BODY] = {smtp_client_on_body, SMTP_CLIENT_BODY, true, TIMEOUT(data_block)},
    [PHASE_END] = {smtp_client_on_end, SMTP_CLIENT_END, true, TIMEOUT(data_end)},
    [PHASE_QUIT] = {on_quit, SMTP_CLIENT_END, true, TIMEOUT(quit)},
    [PHASE_CLOSED] = {NULL, SMTP_CLIENT_END, false, 0},
};

static const char *const stage_names[SMTP_CLIENT_STAGES] = {
    [SMTP_CLIENT_GREETING] = "greeting", [SMTP_CLIENT_HELLO] = "EHLO",
    [SMTP_CLIENT_STARTTLS] = "STARTTLS", [SMTP_CLIENT_AUTH] = "AUTH",
    [SMTP_CLIENT_MAIL] = "MAIL FROM",    [SMTP_CLIENT_RCPT] = "RCPT TO",
    [SMTP_CLIENT_DATA] = "DATA",         [SMTP_CLIENT_BODY] = "message content",
    [SMTP_CLIENT_END] = "end of data",
};

const char *smtp_client_stage_name(enum smtp_client_stage stage)
{
    ASSERT((size_t)stage < SMTP_CLIENT_STAGES);
    return stage_names[stage];
}

enum smtp_client_stage smtp_client_stage_now(const struct smtp_client *c)
{
    return c->phase == PHASE_ENVELOPE ? smtp_client_envelope_stage(c) : phases[c->phase].stage;
}

/* ---- phases ---- */

void smtp_client_rearm(struct smtp_client *c)
{
    if (!phases[c->phase].timed) {
        c->deadline = INT64_MAX;
        return;
    }
    size_t member = phases[c->phase].timeout;
    if (c->phase == PHASE_ENVELOPE && smtp_client_envelope_stage(c) == SMTP_CLIENT_DATA)
        member = TIMEOUT(data_init);
    int64_t ms;
    memcpy(&ms, (const char *)&c->options.timeouts + member, sizeof ms);
    if (__builtin_add_overflow(c->now, ms, &c->deadline))
        c->deadline = INT64_MAX;
}

void smtp_client_enter(struct smtp_client *c, enum client_phase phase)
{
    ASSERT(c->phase != PHASE_CLOSED);
    c->phase = phase;
    smtp_client_rearm(c);
}

void smtp_client_write_out(struct smtp_client *c)
{
    if (c->out.failed || c->out.len == 0)
        return;
    if (!c->hidden)
        smtp_client_show_sent(c, buf_span(&c->out));
    c->output->write(c->context, buf_span(&c->out));
    buf_clear(&c->out);
}

void smtp_client_flush(struct smtp_client *c)
{
    smtp_client_write_out(c);
    if (!c->out.failed || c->phase == PHASE_CLOSED)
        return;
    struct smtp_client_result r = smtp_client_from_cause(c, SMTP_CLIENT_LOCAL, SMTP_CLIENT_TEMPORARY, "4.3.0",
                                                         SPAN("there is no memory for a command"));
    smtp_client_break(c, &r);
}

/* ---- life ---- */

static void default_timeouts(struct smtp_client_timeouts *t)
{
    static const struct {
        size_t member;
        int64_t ms;
    } defaults[] = {
        {TIMEOUT(greeting), 300000},   {TIMEOUT(command), 300000},  {TIMEOUT(data_init), 120000},
        {TIMEOUT(data_block), 180000}, {TIMEOUT(data_end), 600000}, {TIMEOUT(quit), 10000},
    };
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
        char *at = (char *)t + defaults[i].member;
        int64_t ms;
        memcpy(&ms, at, sizeof ms);
        if (ms <= 0)
            memcpy(at, &defaults[i].ms, sizeof ms);
    }
}

static bool has_control(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
            return true;
    return false;
}

struct smtp_client *smtp_client_new(const struct smtp_client_options *options,
                                    const struct smtp_client_output *output, void *context, int64_t now_ms)
{
    struct span name = options->helo_name;
    if (name.len == 0 || name.len > 255 || has_control(name) || span_find(name, ' ') != SIZE_MAX ||
        has_control(options->user))
        return NULL;
    ASSERT(options->user.len == 0 || options->password);
    struct smtp_client *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->options = *options;
    default_timeouts(&c->options.timeouts);
    c->output = output;
    c->context = context;
    c->now = now_ms;
    buf_init(&c->out, OUT_MAX);
    buf_init(&c->text, SMTP_CLIENT_TEXT_MAX + 1);
    client_reply_init(&c->parser);
    smtp_client_enter(c, PHASE_GREETING);
    return c;
}

void smtp_client_free(struct smtp_client *c)
{
    if (!c)
        return;
    buf_wipe(&c->out);
    buf_done(&c->text);
    client_reply_done(&c->parser);
    free(c->states);
    free(c);
}

/* ---- calls of the driver ---- */

bool smtp_client_send(struct smtp_client *c, const struct smtp_client_message *message, int64_t now_ms)
{
    ASSERT(message->recipient_count > 0 && !c->message_given);
    if (c->phase == PHASE_CLOSED || c->phase == PHASE_QUIT)
        return false;
    if (message->recipient_count > c->states_cap) {
        uint8_t *p = realloc(c->states, message->recipient_count);
        if (!p)
            return false;
        c->states = p;
        c->states_cap = message->recipient_count;
    }
    memset(c->states, RCPT_PENDING, message->recipient_count);
    c->now = now_ms;
    c->message = *message;
    c->message_given = true;
    if (c->phase == PHASE_IDLE) {
        smtp_client_begin(c);
        smtp_client_flush(c);
    }
    return true;
}

void smtp_client_feed(struct smtp_client *c, struct span bytes, int64_t now_ms)
{
    c->now = now_ms;
    while (bytes.len && c->phase != PHASE_CLOSED) {
        if (c->phase == PHASE_TLS) {
            /* Somebody put replies behind the server's 220 that would be taken for the server's own after TLS. */
            smtp_client_break_protocol(c, "text in the clear behind its reply to STARTTLS");
            return;
        }
        enum client_reply_status status;
        bytes = span_from(bytes, client_reply_feed(&c->parser, bytes, &status));
        if (status == CLIENT_REPLY_COMPLETE) {
            struct client_reply r = client_reply_get(&c->parser);
            smtp_client_show_reply(c, &r);
            phases[c->phase].on_reply(c, &r);
        } else if (status == CLIENT_REPLY_MALFORMED) {
            smtp_client_break_protocol(c, "what is no reply");
        } else if (status == CLIENT_REPLY_TOO_LONG) {
            smtp_client_break_protocol(c, "a reply that is too long");
        }
    }
    smtp_client_flush(c);
}

void smtp_client_tls_started(struct smtp_client *c, int64_t now_ms)
{
    if (c->phase != PHASE_TLS)
        return;
    c->now = now_ms;
    c->options.tls_active = true;
    c->capabilities = 0;
    smtp_client_say_hello(c);
    smtp_client_flush(c);
}

void smtp_client_lost(struct smtp_client *c, struct span text, int64_t now_ms)
{
    if (c->phase == PHASE_CLOSED)
        return;
    c->now = now_ms;
    char sentence[SMTP_CLIENT_TEXT_MAX];
    snprintf(sentence, sizeof sentence, "%.*s (%s)", SPAN_ARG(text),
             smtp_client_stage_name(smtp_client_stage_now(c)));
    struct smtp_client_result r =
        smtp_client_from_cause(c, SMTP_CLIENT_LOST, SMTP_CLIENT_TEMPORARY, "4.4.2", span_of(sentence));
    smtp_client_break(c, &r);
}

void smtp_client_quit(struct smtp_client *c, int64_t now_ms)
{
    if (c->phase != PHASE_IDLE) {
        smtp_client_lost(c, SPAN("given up"), now_ms);
        return;
    }
    c->now = now_ms;
    buf_add(&c->out, SPAN("QUIT\r\n"));
    smtp_client_enter(c, PHASE_QUIT);
    smtp_client_flush(c);
}

int64_t smtp_client_deadline(const struct smtp_client *c)
{
    return c->deadline;
}

void smtp_client_tick(struct smtp_client *c, int64_t now_ms)
{
    if (now_ms < c->deadline || c->phase == PHASE_CLOSED)
        return;
    c->now = now_ms;
    char text[96];
    snprintf(text, sizeof text, "timed out while waiting for the server (%s)",
             smtp_client_stage_name(smtp_client_stage_now(c)));
    struct smtp_client_result r =
        smtp_client_from_cause(c, SMTP_CLIENT_TIMEOUT, SMTP_CLIENT_TEMPORARY, "4.4.1", span_of(text));
    smtp_client_break(c, &r);
}

bool smtp_client_idle(const struct smtp_client *c)
{
    return c->phase == PHASE_IDLE;
}

bool smtp_client_closed(const struct smtp_client *c)
{
    return c->phase == PHASE_CLOSED;
}

bool smtp_client_offers_dsn(const struct smtp_client *c)
{
    return c->capabilities & CAN_DSN;
}
