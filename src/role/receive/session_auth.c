/*
 * session_auth.c: AUTH: the mechanism's exchange here (sasl), the password's check in the directory process; GSSAPI
 * is in session_gssapi.c.
 *
 * Invariants: the exchange is freed, and so wiped, when it ends in whatever way. The session's user is that of
 * its gate: a user whose connector gives no Submit is told that it cannot log on here, since it could do nothing,
 * and leaves no trace in the session.
 */
#include "role/receive/session_internal.h"

#include "base/cursor.h"
#include "directory/directory_check.h"
#include "runtime/log.h"

enum { CHECK_WAIT_MS = 30000, CHECK_MAX = 2048 };

void session_auth_end(struct session *s)
{
    sasl_free(s->sasl);
    s->sasl = NULL;
    session_gssapi_end(s);
    s->gssapi.active = false;
}

static void log_auth(const struct session *s, const char *event, struct span user)
{
    struct log_line l = log_begin(LOG_INFO, event);
    log_id(&l, "session", s->id);
    log_span(&l, "user", user);
    log_str(&l, "remote", s->remote_text);
    log_end(&l);
}

void session_logged_on(struct session *s, const struct directory_identity *identity)
{
    struct gate_user user = {.guid = identity->guid,
                             .addresses = identity->addresses,
                             .address_count = identity->address_count,
                             .groups = identity->groups,
                             .group_count = identity->group_count};
    struct gate_verdict v = gate_log_on(session_gate(s), &user);
    bool accepted = v.answer.verdict == SMTP_ANSWER_OK;
    if (accepted)
        s->user = identity->primary;
    if (accepted)
        session_protocol_logged_on(s);
    if (accepted)
        log_auth(s, "auth", identity->primary);
    else
        session_deny(s, &v.decision, identity->primary, NULL);
    session_reply(s, &v.answer);
}

static void on_checked(void *context, struct frame *f)
{
    struct session *s = context;
    struct directory_identity identity;
    uint8_t verdict = DIRECTORY_UNAVAILABLE;
    if (f && !s->closed)
        verdict = message_get_identity(f->body, &s->arena, &identity);
    session_auth_end(s);
    if (!s->closed && verdict != DIRECTORY_ACCEPTED)
        session_deny(s, NULL, SPAN(""),
                     verdict == DIRECTORY_REFUSED
                         ? "the user name or the password is wrong; which of them is never said"
                         : "the directory could not be asked");
    if (!s->closed && verdict == DIRECTORY_ACCEPTED)
        session_logged_on(s, &identity);
    else if (!s->closed)
        session_reply(s, &(struct smtp_answer){.verdict = verdict == DIRECTORY_REFUSED ? SMTP_ANSWER_AUTH_FAILED
                                                                                       : SMTP_ANSWER_UNAVAILABLE});
    session_settle(s);
    session_unref(s);
}

static void check(struct session *s)
{
    struct sasl_credentials c = sasl_credentials(s->sasl);
    struct buf b;
    buf_init(&b, CHECK_MAX);
    put_bytes(&b, c.authentication_id);
    put_bytes(&b, secret_reveal(c.password));
    enum err_code code = b.failed ? ERR_LIMIT
                                  : link_ask(role_link(s->role, ROLE_DIRECTORY, 0), DIRECTORY_CHECK, buf_span(&b),
                                             SPAN(""), NULL, 0, CHECK_WAIT_MS, on_checked, s);
    buf_wipe(&b);
    if (!code) {
        session_ref(s);
        return;
    }
    session_auth_end(s);
    session_reply(s, &(struct smtp_answer){.verdict = SMTP_ANSWER_UNAVAILABLE});
}

static void step(struct session *s, const struct span *response)
{
    struct buf challenge;
    buf_init(&challenge, 4096);
    enum sasl_status st = s->sasl ? sasl_step(s->sasl, response, &challenge) : SASL_FAILED;
    if (st == SASL_CONTINUE) {
        session_reply(s, &(struct smtp_answer){.verdict = SMTP_ANSWER_CONTINUE,
                                               .challenge = arena_dup(&s->arena, buf_span(&challenge))});
    } else if (st == SASL_CREDENTIALS) {
        check(s);
    } else {
        session_auth_end(s);
        session_reply(s, &(struct smtp_answer){.verdict = SMTP_ANSWER_AUTH_FAILED});
    }
    buf_done(&challenge);
}

void session_auth_start(struct session *s, const struct smtp_ask *ask)
{
    const struct span *initial = ask->auth_start.has_initial ? &ask->auth_start.initial : NULL;
    session_auth_end(s);
    s->gssapi.active = span_ieq(ask->auth_start.mechanism, SPAN("GSSAPI"));
    if (s->gssapi.active) {
        session_gssapi_start(s, initial);
        return;
    }
    s->sasl = sasl_start(ask->auth_start.mechanism);
    step(s, initial);
}

void session_auth_step(struct session *s, struct span response)
{
    if (s->gssapi.active)
        session_gssapi_step(s, response);
    else
        step(s, &response);
}
