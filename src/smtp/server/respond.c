/*
 * respond.c: replies, and what a reply costs the client: errors are counted, refusals are held back.
 *
 * Invariants: each command gets one reply, in the order of the commands. Replies gather in s->out; only the tarpit
 * makes what came before leave earlier, so that it delays nothing but its own reply. A driver's reply passes
 * smtp_reply_valid or is replaced.
 */
#include "smtp/server/internal.h"

#include <inttypes.h>

void respond(struct smtp_server *s, struct smtp_reply reply)
{
    smtp_reply_print(&s->out, &reply, s->profile->enhanced_status_codes);
}

void respond_error(struct smtp_server *s, struct smtp_reply reply)
{
    uint32_t max = s->profile->max_protocol_errors;
    respond(s, reply);
    session_event(s, SMTP_EVENT_BAD_COMMAND, reply.text);
    if (s->protocol_errors < UINT32_MAX)
        s->protocol_errors++;
    if (max == SMTP_UNLIMITED || s->protocol_errors <= max)
        return;
    respond(s, refusal_coded(s, limit_exceeded(s, LIMIT_ERRORS, &s->scratch)));
    session_close(s);
}

void respond_error_about(struct smtp_server *s, int code, const char *enhanced, const char *front, struct span word)
{
    enum { SHOWN = 60 };
    struct span text = arena_printf(&s->scratch, "%s: %.*s", front, SPAN_ARG(span_head(word, SHOWN)));
    respond_error(s, (struct smtp_reply){code, span_of(enhanced), text.ptr ? text : span_of(front)});
}

struct smtp_reply refusal_coded(struct smtp_server *s, struct smtp_reply reply)
{
    enum { TEXT_MAX = SMTP_REPLY_MAX - 64 }; /* leaves room for both codes */
    struct span code = s->output->refused ? s->output->refused(s->context, &reply) : SPAN("");
    if (code.len == 0)
        return reply;
    struct span text =
        arena_printf(&s->scratch, "%.*s [%.*s]", SPAN_ARG(span_head(reply.text, TEXT_MAX)), SPAN_ARG(code));
    if (text.ptr)
        reply.text = text;
    return reply;
}

void respond_refusal(struct smtp_server *s, struct smtp_reply reply, int64_t delay_ms)
{
    if (delay_ms > 0 && !s->authenticated && reply.code >= 500) {
        session_flush(s);
        session_event(s, SMTP_EVENT_TARPIT, arena_printf(&s->scratch, "%" PRId64, delay_ms));
        s->hold_until_ms = s->now_ms + delay_ms;
    }
    respond(s, refusal_coded(s, reply));
    if (reply.code == 421)
        session_close(s);
}

struct smtp_reply answered_refusal(struct smtp_server *s, const struct smtp_answer *a,
                                   struct smtp_reply unavailable)
{
    if (a->verdict == SMTP_ANSWER_REFUSE && smtp_reply_valid(&a->reply, 400, 599))
        return a->reply;
    if (a->verdict != SMTP_ANSWER_UNAVAILABLE)
        session_event(s, SMTP_EVENT_BAD_ANSWER, SPAN("neither a refusal nor an answer to what was asked"));
    return unavailable;
}

void respond_answer(struct smtp_server *s, const struct smtp_answer *a)
{
    struct smtp_reply unavailable = SMTP_REPLY(451, "4.3.0", "Temporary server error, please try again later");
    respond_refusal(s, answered_refusal(s, a, unavailable), s->profile->tarpit_ms);
}

void respond_answer_or(struct smtp_server *s, const struct smtp_answer *a, struct smtp_reply usual)
{
    if (a->verdict != SMTP_ANSWER_OK)
        respond_answer(s, a);
    else
        respond(s, smtp_reply_valid(&a->reply, 200, 299) ? a->reply : usual);
}

void respond_no_memory(struct smtp_server *s, struct span what)
{
    session_event(s, SMTP_EVENT_NO_MEMORY, what);
    respond(s, SMTP_REPLY(452, "4.3.1", "Insufficient system resources"));
}
