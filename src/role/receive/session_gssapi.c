/*
 * session_gssapi.c: AUTH GSSAPI: tokens go to the directory process, which has the keys, and come back from it.
 * What it says at the end is what it says of a password: who the user is.
 *
 * Invariants: an exchange that the directory keeps is either asked about or cancelled, whatever becomes of the
 * session; if the directory dies, the next step is "unavailable" (454). Tokens are kept here only until the answer
 * is given.
 */
#include "role/receive/session_internal.h"

#include "base/cursor.h"

enum { STEP_WAIT_MS = 30000, CANCEL_MAX = 8 };

static void cancel(struct session *s, uint64_t exchange)
{
    struct buf b;
    buf_init(&b, CANCEL_MAX);
    put_u64(&b, exchange);
    /* Unsent it is lost with the link, or forgotten when its time is over. */
    IGNORE_RESULT(
        link_send(role_link(s->role, ROLE_DIRECTORY, 0), DIRECTORY_GSSAPI_CANCEL, 0, buf_span(&b), NULL, 0));
    buf_done(&b);
}

void session_gssapi_end(struct session *s)
{
    if (s->gssapi.exchange)
        cancel(s, s->gssapi.exchange);
    s->gssapi.exchange = 0;
    buf_done(&s->gssapi.challenge);
}

static void refused(struct session *s, const struct gssapi_answer *a)
{
    static const char *const notes[GSSAPI_REASONS] = {
        [GSSAPI_REASON_TICKET] =
            "the Kerberos ticket is not good for this server: expired, or not for a key in its "
            "keytab; event=gssapi-refused in the log says what is wrong",
        [GSSAPI_REASON_REPLAY] =
            "the same Kerberos authenticator was shown before: a recorded session, played again",
        [GSSAPI_REASON_MESSAGE] =
            "the client does not keep to RFC 4752, or wants a security layer, which is not offered",
        [GSSAPI_REASON_NO_MAILBOX] =
            "no mailbox has the Kerberos principal as its UserPrincipalName, nor, without a "
            "UserPrincipalName, as its PrimarySmtpAddress",
        [GSSAPI_REASON_DISABLED] = "the mailbox of the Kerberos principal is disabled",
        [GSSAPI_REASON_OTHER_IDENTITY] = "the client asks to act as somebody else (authorization identity)",
    };
    session_deny(s, NULL, a->principal, notes[a->reason]);
    session_reply(s, &(struct smtp_answer){.verdict = SMTP_ANSWER_AUTH_FAILED});
}

static void unavailable(struct session *s)
{
    session_deny(s, NULL, SPAN(""), "the directory could not be asked, or has forgotten the exchange");
    session_reply(s, &(struct smtp_answer){.verdict = SMTP_ANSWER_UNAVAILABLE});
}

/* The directory has ended the exchange, unless it goes on. */
static void take(struct session *s, const struct gssapi_answer *a)
{
    s->gssapi.exchange = 0;
    switch (a->verdict) {
    case GSSAPI_ANSWER_CONTINUE:
        s->gssapi.exchange = a->exchange;
        buf_clear(&s->gssapi.challenge);
        buf_add(&s->gssapi.challenge, a->challenge);
        if (s->gssapi.challenge.failed)
            unavailable(s);
        else
            session_reply(s, &(struct smtp_answer){.verdict = SMTP_ANSWER_CONTINUE,
                                                   .challenge = buf_span(&s->gssapi.challenge)});
        return;
    case GSSAPI_ANSWER_ACCEPTED: session_logged_on(s, &a->identity); break;
    case GSSAPI_ANSWER_REFUSED: refused(s, a); break;
    case GSSAPI_ANSWER_UNAVAILABLE:
    case GSSAPI_VERDICTS: unavailable(s); break;
    }
    session_gssapi_end(s);
}

static void on_step(void *context, struct frame *f)
{
    struct session *s = context;
    struct gssapi_answer a;
    message_get_gssapi(f, &s->arena, &a);
    if (!s->closed)
        take(s, &a);
    else if (a.verdict == GSSAPI_ANSWER_CONTINUE)
        cancel(s, a.exchange);
    session_settle(s);
    session_unref(s);
}

void session_gssapi_step(struct session *s, struct span token)
{
    struct buf b;
    buf_init(&b, MESSAGE_GSSAPI_TOKEN_MAX + 16);
    message_put_gssapi_step(&b, s->gssapi.exchange, token);
    enum err_code code = b.failed ? ERR_LIMIT
                                  : link_ask(role_link(s->role, ROLE_DIRECTORY, 0), DIRECTORY_GSSAPI, buf_span(&b),
                                             SPAN(""), NULL, 0, STEP_WAIT_MS, on_step, s);
    buf_wipe(&b);
    if (!code) {
        s->gssapi.exchange = 0; /* the question's now, until it is answered */
        session_ref(s);
        return;
    }
    unavailable(s);
    session_gssapi_end(s);
}

void session_gssapi_start(struct session *s, const struct span *initial)
{
    session_gssapi_end(s);
    buf_init(&s->gssapi.challenge, MESSAGE_GSSAPI_TOKEN_MAX);
    if (initial)
        session_gssapi_step(s, *initial);
    else /* the client speaks first */
        session_reply(s, &(struct smtp_answer){.verdict = SMTP_ANSWER_CONTINUE, .challenge = SPAN("")});
}
