/*
 * session.c: the phase of a session and the ends of its parts.
 *
 * Invariants: session_enter alone writes the phase, along `moves`; session_check holds whenever no call is under
 * way. Teardown happens here only: session_reset ends a transaction, session_close the session; both may come at
 * any stage.
 */
#include "smtp/server/internal.h"

#define TO(phase) (1u << PHASE_##phase)

/* From each phase, the phases that may follow. */
static const unsigned moves[PHASE_COUNT] = {
    [PHASE_NEW] = TO(COMMAND) | TO(CLOSED),
    [PHASE_COMMAND] = TO(ASK) | TO(BDAT) | TO(TLS) | TO(CLOSED),
    [PHASE_AUTH] = TO(COMMAND) | TO(ASK) | TO(CLOSED),
    [PHASE_DATA] = TO(COMMAND) | TO(ASK) | TO(CLOSED),
    [PHASE_BDAT] = TO(COMMAND) | TO(ASK) | TO(CLOSED),
    [PHASE_ASK] = TO(COMMAND) | TO(AUTH) | TO(DATA) | TO(BDAT) | TO(CLOSED),
    [PHASE_TLS] = TO(COMMAND) | TO(CLOSED),
    [PHASE_CLOSED] = 0,
};

void session_enter(struct smtp_server *s, enum phase phase)
{
    ASSERT(moves[s->phase] & 1u << phase);
    s->phase = phase;
}

/* What must hold between two calls. */
static void session_check(const struct smtp_server *s)
{
    const struct transaction *tx = &s->tx;
    bool in_exchange = s->phase == PHASE_AUTH;
    ASSERT(!tx->mail || s->hello || s->phase == PHASE_CLOSED);
    ASSERT(tx->mail || (tx->envelope.recipient_count == 0 && tx->content == CONTENT_NONE));
    ASSERT(tx->content == CONTENT_NONE || tx->envelope.recipient_count > 0);
    ASSERT(s->phase != PHASE_DATA || (tx->content != CONTENT_NONE && !tx->chunked));
    ASSERT(s->phase != PHASE_BDAT || s->chunk.left > 0);
    ASSERT(!in_exchange || (!s->authenticated && !tx->mail));
    ASSERT(s->phase != PHASE_CLOSED || tx->content != CONTENT_TAKEN);
    ASSERT(!s->close_told || (s->phase == PHASE_CLOSED && s->out.len == 0));
    ASSERT(!s->hold_until_ms || s->phase == PHASE_COMMAND || s->phase == PHASE_CLOSED);
}

void session_ask(struct smtp_server *s, const struct smtp_ask *ask)
{
    session_enter(s, PHASE_ASK);
    s->asked = ask->kind;
    s->output->ask(s->context, ask);
}

void session_tell(struct smtp_server *s, enum smtp_ask_kind kind)
{
    s->output->ask(s->context, &(struct smtp_ask){.kind = kind});
}

void session_event(struct smtp_server *s, enum smtp_event event, struct span detail)
{
    s->output->event(s->context, event, detail);
}

void session_fail_content(struct smtp_server *s, struct smtp_reply reply)
{
    if (s->tx.content == CONTENT_TAKEN)
        session_tell(s, SMTP_ASK_MESSAGE_ABORT);
    s->tx.content = CONTENT_FAILED;
    s->tx.failure = reply;
}

void session_reset(struct smtp_server *s)
{
    if (s->tx.content == CONTENT_TAKEN)
        session_tell(s, SMTP_ASK_MESSAGE_ABORT);
    s->tx = (struct transaction){0};
    arena_reset(&s->envelope);
}

void session_close(struct smtp_server *s)
{
    session_reset(s);
    session_enter(s, PHASE_CLOSED);
}

void session_flush(struct smtp_server *s)
{
    if (s->hold_until_ms || s->out.failed || s->out.len == 0)
        return;
    s->output->write(s->context, buf_span(&s->out));
    if (s->out.cap > OUTPUT_GATHER)
        buf_done(&s->out);
    else
        buf_clear(&s->out);
}

void session_finish(struct smtp_server *s)
{
    if (s->out.failed) {
        session_event(s, SMTP_EVENT_NO_MEMORY, SPAN("replies"));
        buf_clear(&s->out);
        s->hold_until_ms = 0;
        if (s->phase != PHASE_CLOSED)
            session_close(s);
    }
    /* The driver feeds the rest of a pipelined group at once: its replies leave together. */
    if (!s->input_waits || s->phase == PHASE_CLOSED || s->out.len > OUTPUT_GATHER)
        session_flush(s);
    if (s->phase == PHASE_CLOSED && !s->hold_until_ms && !s->close_told) {
        s->close_told = true;
        buf_done(&s->out);
        s->output->close(s->context);
    }
    session_check(s);
}
