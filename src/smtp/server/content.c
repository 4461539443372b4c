/*
 * content.c: the content of a message, however it comes.
 *
 * Invariants: MESSAGE_BEGIN is asked once a transaction and with an accepted recipient only; a content that was
 * taken ends in exactly one of MESSAGE_END and MESSAGE_ABORT; MESSAGE_END stands for a content that is whole,
 * within its size and clean. body() gets the octets up to the limit and not one more, however they come.
 */
#include "smtp/server/internal.h"

size_t content_max_line(const struct smtp_server *s)
{
    return s->profile->max_content_line ? s->profile->max_content_line : SMTP_CONTENT_LINE_DEFAULT;
}

static uint64_t room(const struct smtp_server *s)
{
    uint64_t max = s->profile->max_message_size;
    if (max == 0 || s->tx.no_size_limit)
        return UINT64_MAX - s->tx.size;
    return max > s->tx.size ? max - s->tx.size : 0;
}

bool content_fits(const struct smtp_server *s, uint64_t more)
{
    return more <= room(s);
}

void content_fail_too_large(struct smtp_server *s)
{
    session_event(s, SMTP_EVENT_LIMIT, SPAN("message size"));
    session_fail_content(s, reply_too_large);
}

void content_take(void *session, struct span bytes)
{
    struct smtp_server *s = session;
    if (s->tx.content != CONTENT_TAKEN || bytes.len == 0)
        return;
    bool fits = content_fits(s, bytes.len);
    struct span taken = fits ? bytes : span_head(bytes, (size_t)room(s));
    s->tx.size += taken.len;
    if (taken.len)
        s->output->body(s->context, taken);
    if (!fits)
        content_fail_too_large(s);
}

static void fail_for_defects(struct smtp_server *s, unsigned defects)
{
    struct span what = content_defect_text(defects);
    struct span text =
        arena_printf(&s->envelope, "Message refused, its content has a defect: %.*s", SPAN_ARG(what));
    session_event(s, SMTP_EVENT_BAD_CONTENT, what);
    session_fail_content(s, (struct smtp_reply){550, SPAN("5.6.0"), text.ptr ? text : what});
}

void content_end(struct smtp_server *s, unsigned defects)
{
    if (s->tx.content == CONTENT_TAKEN && defects)
        fail_for_defects(s, defects);
    if (s->tx.content == CONTENT_TAKEN) {
        session_ask(s, &(struct smtp_ask){.kind = SMTP_ASK_MESSAGE_END, .message_end = s->tx.size});
        return;
    }
    session_enter(s, PHASE_COMMAND);
    respond_refusal(s, s->tx.failure, s->profile->tarpit_ms);
    session_reset(s);
}

void content_begin_answer(struct smtp_server *s, const struct smtp_answer *a)
{
    if (a->verdict == SMTP_ANSWER_OK) {
        s->tx.content = CONTENT_TAKEN;
        s->tx.size = 0;
    }
    if (s->tx.chunked) {
        bdat_begin(s, a);
    } else if (a->verdict == SMTP_ANSWER_OK) {
        data_begin(s);
    } else {
        session_enter(s, PHASE_COMMAND);
        respond_answer(s, a);
        session_reset(s);
    }
}

void content_end_answer(struct smtp_server *s, const struct smtp_answer *a)
{
    s->tx.content = CONTENT_NONE; /* the driver has done with it, either way */
    session_enter(s, PHASE_COMMAND);
    respond_answer_or(s, a, SMTP_REPLY(250, "2.6.0", "Queued mail for delivery"));
    session_reset(s);
}
