/*
 * session_output.c: what a session's SMTP machine asks and tells, and who takes it.
 *
 * Invariant: these are called from within the machine, which must not be called back: they note what is to be done.
 */
#include "role/receive/session_internal.h"

#include "runtime/log.h"

static void on_write(void *context, struct span bytes)
{
    struct session *s = context;
    protocol_log_lines(s->protocol, PROTOCOL_ROW_SENT, bytes);
    if (!s->closed)
        connection_write(s->connection, bytes);
}

static void on_start_tls(void *context)
{
    struct session *s = context;
    size_t dropped = s->closed ? 0 : connection_start_tls(s->connection, s->tls);
    if (dropped) {
        struct log_line l = log_begin(LOG_WARNING, "plaintext-discarded");
        log_id(&l, "session", s->id);
        log_int(&l, "bytes", (int64_t)dropped);
        log_end(&l);
    }
}

static void on_ask(void *context, const struct smtp_ask *ask)
{
    struct session *s = context;
    session_facts_ask(s, ask);
    switch (ask->kind) {
    case SMTP_ASK_AUTH_START: session_auth_start(s, ask); break;
    case SMTP_ASK_AUTH_STEP: session_auth_step(s, ask->auth_step); break;
    case SMTP_ASK_AUTH_CANCEL: session_auth_end(s); break;
    case SMTP_ASK_MAIL: session_mail(s, ask->mail); break;
    case SMTP_ASK_RCPT: session_rcpt(s, ask->rcpt); break;
    case SMTP_ASK_VRFY: session_reply(s, &(struct smtp_answer){.verdict = SMTP_ANSWER_OK}); break;
    case SMTP_ASK_MESSAGE_BEGIN: session_message_begin(s); break;
    case SMTP_ASK_MESSAGE_END: session_message_end(s); break;
    case SMTP_ASK_MESSAGE_ABORT: session_message_abort(s); break;
    case SMTP_ASK_KINDS: break;
    }
}

static void on_body(void *context, struct span bytes)
{
    session_message_body(context, bytes);
}

static void on_close(void *context)
{
    session_end(context);
}

static void on_event(void *context, enum smtp_event event, struct span detail)
{
    static const char *const names[SMTP_EVENT_KINDS] = {
        [SMTP_EVENT_BAD_COMMAND] = "bad-command",
        [SMTP_EVENT_BAD_LINE] = "bad-line",
        [SMTP_EVENT_BAD_CONTENT] = "bad-content",
        [SMTP_EVENT_DISCARDED] = "plaintext-discarded",
        [SMTP_EVENT_AUTH_FAILED] = "auth-failed",
        [SMTP_EVENT_AUTH_REFUSED] = "auth-refused",
        [SMTP_EVENT_LIMIT] = "limit",
        [SMTP_EVENT_TOO_MANY_ERRORS] = "too-many-errors",
        [SMTP_EVENT_TOO_MANY_FAILURES] = "too-many-logon-failures",
        [SMTP_EVENT_TIMEOUT] = "timeout",
        [SMTP_EVENT_TARPIT] = "tarpit",
        [SMTP_EVENT_NO_MEMORY] = "no-memory",
        [SMTP_EVENT_BAD_ANSWER] = "bad-answer",
    };
    struct session *s = context;
    bool usual = event == SMTP_EVENT_BAD_COMMAND || event == SMTP_EVENT_TIMEOUT;
    struct log_line l = log_begin(event == SMTP_EVENT_TARPIT ? LOG_DEBUG
                                  : usual                    ? LOG_INFO
                                                             : LOG_NOTICE,
                                  names[event]);
    log_id(&l, "session", s->id);
    log_str(&l, "remote", s->remote_text);
    log_span(&l, "detail", detail);
    log_end(&l);
    session_denial_event(s, event, detail);
    session_protocol_event(s, event, detail);
    session_facts_event(s, event);
}

static void on_line(void *context, struct span shown)
{
    struct session *s = context;
    protocol_log_row(s->protocol, PROTOCOL_ROW_RECEIVED, shown, SPAN(""));
}

static struct span on_refused(void *context, const struct smtp_reply *reply)
{
    return session_refused(context, reply);
}

const struct smtp_server_output session_output = {on_write, on_start_tls, on_ask,  on_body,
                                                  on_close, on_event,     on_line, on_refused};
