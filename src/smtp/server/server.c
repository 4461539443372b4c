/*
 * server.c: the calls into the machine: octets to whoever reads them in this phase, answers to the verb that asked,
 * and the clock.
 *
 * Invariants: nothing is read in PHASE_ASK, PHASE_TLS, while replies are held back and after the end. Each call
 * ends in session_finish. Waiting for an answer never times out: whoever waits for us is not idle, and a message
 * that is being stored must not be called lost.
 */
#include "smtp/server/server.h"

#include "mail/date.h"
#include "smtp/server/internal.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    HELO_MAX = 256,
    OUTPUT_MAX = 256 * 1024,         /* replies of one call */
    SCRATCH_MAX = 64 * 1024,         /* one command */
    ENVELOPE_MAX = 64 * 1024 * 1024, /* one transaction; it grows with accepted recipients only */
};

struct smtp_server *smtp_server_new(const struct smtp_server_profile *profile,
                                    const struct smtp_server_output *output, void *context, int64_t now_ms)
{
    struct smtp_server *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    size_t auth_line = profile->max_auth_line ? profile->max_auth_line : SMTP_AUTH_LINE_DEFAULT;
    size_t line = profile->max_command_line ? profile->max_command_line : SMTP_COMMAND_LINE_DEFAULT;
    s->profile = profile;
    s->output = output;
    s->context = context;
    s->tls = profile->tls_active;
    s->now_ms = s->began_ms = s->active_ms = now_ms;
    buf_init(&s->helo, HELO_MAX);
    buf_init(&s->out, OUTPUT_MAX);
    line_init(&s->line, auth_line > line ? auth_line : line);
    arena_init(&s->scratch, SCRATCH_MAX);
    arena_init(&s->envelope, ENVELOPE_MAX);
    return s;
}

void smtp_server_free(struct smtp_server *s)
{
    if (!s)
        return;
    buf_done(&s->helo);
    buf_done(&s->out);
    line_done(&s->line);
    arena_clear(&s->scratch);
    arena_clear(&s->envelope);
    free(s);
}

static void begin_call(struct smtp_server *s, int64_t now_ms)
{
    ASSERT(!s->in_call);
    s->in_call = true;
    s->now_ms = now_ms;
}

static void end_call(struct smtp_server *s)
{
    session_finish(s);
    s->in_call = false;
}

void smtp_server_start(struct smtp_server *s, int64_t now_ms, int64_t wall_ms)
{
    const struct smtp_server_profile *p = s->profile;
    begin_call(s, now_ms);
    session_enter(s, PHASE_COMMAND);
    if (p->banner.len) {
        buf_add(&s->out, p->banner);
    } else {
        buf_addf(&s->out, "220 %.*s ESMTP Mailreeve ready at ", SPAN_ARG(p->fqdn));
        date_print(&s->out, wall_ms);
    }
    buf_add(&s->out, SPAN("\r\n"));
    s->active_ms = now_ms;
    end_call(s);
}

void smtp_server_reject(struct smtp_server *s, const struct smtp_reply *reply, int64_t now_ms)
{
    begin_call(s, now_ms);
    ASSERT(s->phase == PHASE_NEW);
    respond(s, *reply);
    session_close(s);
    end_call(s);
}

/* Where the client waits for the next reply and nothing would be lost. */
static void shut_down_if_due(struct smtp_server *s)
{
    bool safe = (s->phase == PHASE_COMMAND || s->phase == PHASE_AUTH) && s->tx.content == CONTENT_NONE;
    if (!s->shutdown || !safe || s->hold_until_ms)
        return;
    respond(s, SMTP_REPLY(421, "4.3.2", "Service not available, closing transmission channel"));
    session_close(s);
}

static void take_line(struct smtp_server *s, struct span *input)
{
    struct line line;
    if (line_take(&s->line, input, &line))
        dispatch_line(s, &line);
}

static void begin_tls(struct smtp_server *s)
{
    session_flush(s);
    s->output->start_tls(s->context);
}

/* What was said in the clear behind STARTTLS counts for nothing: it could be anybody's (RFC 3207 5). */
static void discard_plaintext(struct smtp_server *s, struct span *input)
{
    char text[32];
    if (input->len == 0)
        return;
    int n = snprintf(text, sizeof text, "%zu bytes", input->len);
    session_event(s, SMTP_EVENT_DISCARDED, span_make(text, (size_t)n));
    *input = span_from(*input, input->len);
}

/* Who takes what is fed in which phase; in the others nobody does. */
static void (*const readers[PHASE_COUNT])(struct smtp_server *s, struct span *input) = {
    [PHASE_COMMAND] = take_line,
    [PHASE_AUTH] = take_line,
    [PHASE_DATA] = data_feed,
    [PHASE_BDAT] = bdat_feed,
};

bool smtp_server_wants_input(const struct smtp_server *s)
{
    return readers[s->phase] && !s->hold_until_ms;
}

size_t smtp_server_feed(struct smtp_server *s, struct span bytes, int64_t now_ms)
{
    struct span rest = bytes;
    begin_call(s, now_ms);
    if (bytes.len)
        s->active_ms = now_ms;
    while (rest.len && smtp_server_wants_input(s)) {
        readers[s->phase](s, &rest);
        shut_down_if_due(s);
        if (s->out.len > OUTPUT_GATHER)
            session_flush(s);
        if (s->phase == PHASE_TLS)
            begin_tls(s);
    }
    if (s->phase == PHASE_TLS)
        discard_plaintext(s, &rest);
    s->input_waits = rest.len > 0;
    end_call(s);
    return bytes.len - rest.len;
}

void smtp_server_answer(struct smtp_server *s, const struct smtp_answer *answer, int64_t now_ms)
{
    static void (*const answers[SMTP_ASK_KINDS])(struct smtp_server *, const struct smtp_answer *) = {
        [SMTP_ASK_AUTH_START] = auth_answer,
        [SMTP_ASK_AUTH_STEP] = auth_answer,
        [SMTP_ASK_MAIL] = mail_answer,
        [SMTP_ASK_RCPT] = rcpt_answer,
        [SMTP_ASK_VRFY] = vrfy_answer,
        [SMTP_ASK_MESSAGE_BEGIN] = content_begin_answer,
        [SMTP_ASK_MESSAGE_END] = content_end_answer,
    };
    begin_call(s, now_ms);
    ASSERT(s->phase == PHASE_ASK);
    s->active_ms = now_ms;
    answers[s->asked](s, answer);
    shut_down_if_due(s);
    end_call(s);
}

void smtp_server_tls_started(struct smtp_server *s, int64_t now_ms)
{
    begin_call(s, now_ms);
    ASSERT(s->phase == PHASE_TLS);
    session_enter(s, PHASE_COMMAND);
    session_reset(s);
    s->tls = true;
    s->hello = s->esmtp = s->authenticated = false;
    buf_clear(&s->helo);
    s->active_ms = now_ms;
    s->input_waits = false;
    shut_down_if_due(s);
    end_call(s);
}

static int64_t after(int64_t from, int64_t ms)
{
    int64_t at;
    return ms <= 0 || __builtin_add_overflow(from, ms, &at) ? INT64_MAX : at;
}

static int64_t connection_end(const struct smtp_server *s)
{
    return after(s->began_ms, s->profile->connection_timeout_ms);
}

/* Only while we wait for the client. */
static int64_t inactivity_end(const struct smtp_server *s)
{
    return s->hold_until_ms ? INT64_MAX : after(s->active_ms, s->profile->inactivity_timeout_ms);
}

int64_t smtp_server_deadline(const struct smtp_server *s)
{
    int64_t at = s->hold_until_ms ? s->hold_until_ms : INT64_MAX;
    if (s->phase == PHASE_CLOSED || s->phase == PHASE_ASK)
        return at;
    if (connection_end(s) < at)
        at = connection_end(s);
    return inactivity_end(s) < at ? inactivity_end(s) : at;
}

static void time_out(struct smtp_server *s, enum limit which)
{
    struct smtp_reply reply = limit_exceeded(s, which, &s->scratch);
    s->hold_until_ms = 0;
    if (s->phase != PHASE_TLS && s->phase != PHASE_NEW) /* in a handshake a reply in the clear would be noise */
        respond(s, reply);
    session_close(s);
}

void smtp_server_tick(struct smtp_server *s, int64_t now_ms)
{
    begin_call(s, now_ms);
    if (s->hold_until_ms && now_ms >= s->hold_until_ms) {
        s->hold_until_ms = 0;
        s->active_ms = now_ms;
        session_flush(s);
        shut_down_if_due(s);
    }
    if (s->phase != PHASE_CLOSED && s->phase != PHASE_ASK) {
        if (now_ms >= connection_end(s))
            time_out(s, LIMIT_CONNECTION_TIME);
        else if (now_ms >= inactivity_end(s))
            time_out(s, LIMIT_INACTIVITY);
    }
    end_call(s);
}

void smtp_server_shutdown(struct smtp_server *s, int64_t now_ms)
{
    begin_call(s, now_ms);
    s->shutdown = true;
    shut_down_if_due(s);
    end_call(s);
}

struct span smtp_server_helo(const struct smtp_server *s)
{
    return buf_span(&s->helo);
}

bool smtp_server_esmtp(const struct smtp_server *s)
{
    return s->esmtp;
}

bool smtp_server_tls(const struct smtp_server *s)
{
    return s->tls;
}

bool smtp_server_authenticated(const struct smtp_server *s)
{
    return s->authenticated;
}

const struct smtp_envelope *smtp_server_envelope(const struct smtp_server *s)
{
    return s->tx.mail ? &s->tx.envelope : NULL;
}
