/*
 * cmd_auth.c: AUTH (RFC 4954). The machine carries base64 to and fro and knows no mechanism.
 *
 * Invariant: what the client sends here is a secret. It is decoded into memory that is wiped when the ask has
 * returned, and no reply or event has a part of it.
 */
#include "smtp/server/internal.h"

#include "base/base64.h"

/* The mechanism as the profile spells it, or NULL: not offered in this state. */
static const struct span *find_mechanism(const struct smtp_server *s, struct span name)
{
    const struct smtp_server_profile *p = s->profile;
    const struct span *list = s->tls ? p->auth_after_tls : p->auth_before_tls;
    size_t count = s->tls ? p->auth_after_tls_count : p->auth_before_tls_count;
    for (size_t i = 0; i < count; i++)
        if (span_ieq(list[i], name))
            return &list[i];
    return NULL;
}

static int64_t auth_delay(const struct smtp_server *s)
{
    const struct smtp_server_profile *p = s->profile;
    return p->auth_tarpit_ms > p->tarpit_ms ? p->auth_tarpit_ms : p->tarpit_ms;
}

/* Replies and gives false when the text cannot be decoded; an exchange under way is over then. */
static bool decode(struct smtp_server *s, struct span text, struct buf *data)
{
    buf_init(data, text.len);
    /* Reserved at once: growing would leave copies behind that nobody wipes. */
    bool room = text.len == 0 || buf_reserve(data, text.len);
    if (room && base64_decode(data, text))
        return true;
    if (s->phase == PHASE_AUTH)
        auth_broken(s);
    if (room)
        respond_error(s, SMTP_REPLY(501, "5.5.2", "Cannot decode the response: it is not base64"));
    else
        respond_no_memory(s, SPAN("authentication"));
    return false;
}

void cmd_auth(struct smtp_server *s, struct span argument)
{
    struct span name = span_head(argument, span_find(argument, ' '));
    struct span initial = span_trim(span_from(argument, name.len));
    const struct span *mechanism = find_mechanism(s, name);
    if (!mechanism) {
        session_event(s, SMTP_EVENT_AUTH_REFUSED, SPAN(""));
        respond_refusal(s, SMTP_REPLY(504, "5.7.4", "Unrecognized authentication type"), auth_delay(s));
        return;
    }
    s->mechanism = *mechanism;
    struct buf data;
    if (decode(s, span_eq(initial, SPAN("=")) ? SPAN("") : initial, &data))
        session_ask(s, &(struct smtp_ask){
                           .kind = SMTP_ASK_AUTH_START,
                           .auth_start = {*mechanism, .has_initial = initial.len > 0, .initial = buf_span(&data)},
                       });
    buf_wipe(&data);
}

void auth_broken(struct smtp_server *s)
{
    session_enter(s, PHASE_COMMAND);
    session_tell(s, SMTP_ASK_AUTH_CANCEL);
}

void auth_response(struct smtp_server *s, struct span line)
{
    struct buf data;
    if (span_eq(line, SPAN("*"))) {
        auth_broken(s);
        respond(s, SMTP_REPLY(501, "5.7.0", "Authentication cancelled"));
        return;
    }
    if (decode(s, line, &data))
        session_ask(s, &(struct smtp_ask){.kind = SMTP_ASK_AUTH_STEP, .auth_step = buf_span(&data)});
    buf_wipe(&data);
}

static void challenge(struct smtp_server *s, struct span bytes)
{
    buf_add(&s->out, SPAN("334 "));
    base64_encode(&s->out, bytes);
    buf_add(&s->out, SPAN("\r\n"));
    session_enter(s, PHASE_AUTH);
}

/* Too many of them end the session. */
static void count_failure(struct smtp_server *s)
{
    uint32_t max = s->profile->max_logon_failures;
    s->logon_failures++;
    if (max == 0 || s->logon_failures < max || s->phase == PHASE_CLOSED)
        return;
    respond(s, refusal_coded(s, limit_exceeded(s, LIMIT_LOGON_FAILURES, &s->scratch)));
    session_close(s);
}

void auth_answer(struct smtp_server *s, const struct smtp_answer *a)
{
    if (a->verdict == SMTP_ANSWER_CONTINUE) {
        challenge(s, a->challenge);
        return;
    }
    session_enter(s, PHASE_COMMAND);
    if (a->verdict == SMTP_ANSWER_OK) {
        respond(s, SMTP_REPLY(235, "2.7.0", "Authentication successful"));
        s->authenticated = true;
        return;
    }
    struct smtp_reply failed = SMTP_REPLY(535, "5.7.3", "Authentication unsuccessful");
    struct smtp_reply unavailable = SMTP_REPLY(454, "4.7.0", "Temporary authentication failure");
    bool failure = a->verdict == SMTP_ANSWER_AUTH_FAILED;
    struct smtp_reply reply = failure ? failed : answered_refusal(s, a, unavailable);
    session_event(s, SMTP_EVENT_AUTH_FAILED, s->mechanism);
    respond_refusal(s, reply, auth_delay(s));
    if (reply.code >= 500)
        count_failure(s);
}
