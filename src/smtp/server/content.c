/*
 * content.c: the content of a message, however it comes.
 *
 * Invariants: MESSAGE_BEGIN is asked once a transaction and with an accepted recipient only; a content that was
 * taken ends in exactly one of MESSAGE_END and MESSAGE_ABORT; MESSAGE_END stands for a content that is whole,
 * within its size and clean. body() gets the octets up to the limit and not one more, however they come.
 *
 * Where bare LFs are repaired, that happens here, behind the search for the end: so they still end nothing, and
 * nobody behind us sees one (whoever sends the text on finds a dot behind it at the start of a line, and stuffs
 * it).
 */
#include "smtp/server/internal.h"

#include <string.h>

size_t content_max_line(const struct smtp_server *s)
{
    return s->profile->max_content_line ? s->profile->max_content_line : SMTP_CONTENT_LINE_DEFAULT;
}

static uint64_t room(const struct smtp_server *s)
{
    uint64_t max = limit_message_size(s);
    return max > s->tx.size ? max - s->tx.size : 0;
}

bool content_fits(const struct smtp_server *s, uint64_t more)
{
    return more <= room(s);
}

void content_fail_too_large(struct smtp_server *s)
{
    session_fail_content(s, limit_exceeded(s, LIMIT_MESSAGE_SIZE, &s->envelope));
}

static void take(struct smtp_server *s, struct span bytes)
{
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

bool content_repairs(const struct smtp_server *s)
{
    return s->profile->repair_bare_lf && s->tx.envelope.mail.body != SMTP_BODY_BINARY;
}

/* The first LF of bytes that no CR precedes, or SIZE_MAX. after_cr: CR came just before bytes. */
static size_t find_bare_lf(struct span bytes, bool after_cr)
{
    for (size_t at = 0; at < bytes.len;) {
        const char *lf = memchr(bytes.ptr + at, '\n', bytes.len - at);
        if (!lf)
            break;
        size_t i = (size_t)(lf - bytes.ptr);
        if (!(i ? lf[-1] == '\r' : after_cr))
            return i;
        at = i + 1;
    }
    return SIZE_MAX;
}

void content_take(void *session, struct span bytes)
{
    struct smtp_server *s = session;
    size_t lf;
    while (content_repairs(s) && (lf = find_bare_lf(bytes, s->tx.after_cr)) != SIZE_MAX) {
        take(s, span_head(bytes, lf));
        take(s, SPAN("\r\n"));
        bytes = span_from(bytes, lf + 1);
        s->tx.after_cr = false;
    }
    take(s, bytes);
    if (bytes.len)
        s->tx.after_cr = bytes.ptr[bytes.len - 1] == '\r';
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
    if (content_repairs(s))
        defects &= ~(unsigned)CONTENT_BARE_LF;
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
        s->tx.after_cr = false;
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
