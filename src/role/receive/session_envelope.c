/*
 * session_envelope.c: MAIL and RCPT: decided from the policy; a recipient of ours is looked up in the directory
 * where the client can be told at once that there is no such mailbox.
 *
 * Told at once are sessions that may not relay (they are the Internet: a refusal here spares a report to a forged
 * sender). Who may relay, a user or an application, is told by a report.
 */
#include "role/receive/session_internal.h"

#include "policy/domain.h"
#include "runtime/log.h"

enum { RESOLVE_WAIT_MS = 20000 };

static void log_refusal(const struct session *s, const struct decision *d, struct span address)
{
    struct log_line l = log_begin(LOG_NOTICE, d->question == QUESTION_MAIL ? "mail-refused" : "rcpt-refused");
    log_id(&l, "session", s->id);
    log_str(&l, "remote", s->remote_text);
    log_span(&l, "connector", policy_text(s->policy, s->connector->name));
    log_span(&l, "address", address);
    if (d->right != RIGHT_COUNT)
        log_span(&l, "right", right_info(d->right)->name);
    log_int(&l, "code", d->code);
    log_end(&l);
}

void session_mail(struct session *s, const struct smtp_mail *mail)
{
    arena_reset(&s->transaction);
    struct owned_addresses owned = {.addresses = s->identity.addresses, .count = s->identity.address_count};
    struct decision d = decide_mail(s->policy, s->connector, &s->token, mail->address.text, owned);
    struct smtp_answer answer = {.verdict = SMTP_ANSWER_OK};
    if (d.verdict == VERDICT_ALLOW) {
        answer.no_size_limit =
            decide_right(s->policy, s->connector, &s->token, RIGHT_BYPASS_MESSAGE_SIZE_LIMIT).verdict ==
            VERDICT_ALLOW;
    } else {
        answer = session_refusal(&d);
        log_refusal(s, &d, mail->address.text);
    }
    session_reply(s, &answer);
}

static void on_resolved(void *context, struct frame *f)
{
    struct session *s = context;
    struct directory_recipient r = {0};
    struct arena arena;
    struct smtp_answer answer = {.verdict = SMTP_ANSWER_OK};
    arena_init(&arena, 16 << 20);
    enum err_code code = message_take_resolution(f, &arena, &r);
    if (code)
        answer.verdict = SMTP_ANSWER_UNAVAILABLE;
    else if (r.kind == DIRECTORY_NOT_FOUND)
        answer =
            (struct smtp_answer){.verdict = SMTP_ANSWER_REFUSE, .reply = SMTP_REPLY(550, "5.1.1", "User unknown")};
    arena_clear(&arena);
    if (!s->closed)
        session_reply(s, &answer);
    session_settle(s);
    session_unref(s);
}

static bool tell_at_once(const struct session *s, struct span address)
{
    const struct accepted_domain *d = policy_find_domain(s->policy, policy_address_domain(address));
    bool postmaster = span_istarts(address, SPAN("postmaster@")) &&
                      policy_text(s->policy, policy_settings(s->policy)->postmaster).len;
    return d && d->type == DOMAIN_AUTHORITATIVE && !postmaster &&
           decide_right(s->policy, s->connector, &s->token, RIGHT_ACCEPT_ANY_RECIPIENT).verdict != VERDICT_ALLOW;
}

struct span session_recipient_address(struct session *s, const struct smtp_recipient *rcpt)
{
    const struct accepted_domain *own = policy_default_domain(s->policy);
    if (rcpt->address.domain.len || !own)
        return rcpt->address.text;
    return arena_printf(&s->transaction, "%.*s@%.*s", SPAN_ARG(rcpt->address.text),
                        SPAN_ARG(policy_text(s->policy, own->domain)));
}

void session_rcpt(struct session *s, const struct smtp_recipient *rcpt)
{
    struct span address = session_recipient_address(s, rcpt);
    struct decision d = decide_rcpt(s->policy, s->connector, &s->token, address);
    if (d.verdict != VERDICT_ALLOW) {
        struct smtp_answer answer = session_refusal(&d);
        log_refusal(s, &d, address);
        session_reply(s, &answer);
        return;
    }
    struct buf b;
    buf_init(&b, 1024);
    put_bytes(&b, address);
    if (!tell_at_once(s, address)) {
        session_reply(s, &(struct smtp_answer){.verdict = SMTP_ANSWER_OK});
    } else if (b.failed || link_ask(role_link(s->role, ROLE_DIRECTORY, 0), DIRECTORY_RESOLVE, buf_span(&b),
                                    SPAN(""), NULL, 0, RESOLVE_WAIT_MS, on_resolved, s)) {
        session_reply(s, &(struct smtp_answer){.verdict = SMTP_ANSWER_UNAVAILABLE});
    } else {
        session_ref(s);
    }
    buf_done(&b);
}
