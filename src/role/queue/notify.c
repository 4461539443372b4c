/* notify.c: see notify.h. Nothing is written here; it says what has to be. */
#include "role/queue/notify.h"

#include "mail/orcpt.h"
#include "policy/domain.h"
#include "runtime/log.h"
#include "smtp/params.h"

bool notify_is_internal(const struct policy *p, struct span sender)
{
    const struct accepted_domain *d = policy_find_domain(p, policy_address_domain(sender));
    return d && d->type != DOMAIN_EXTERNAL_RELAY;
}

static bool wants(uint32_t notify, uint32_t bit)
{
    return notify == 0 ? bit != SMTP_NOTIFY_SUCCESS : (notify & bit) != 0;
}

/* Who sent with <> gets no report (RFC 5321 6.1): what is lost then stands in the log alone. */
static void log_dropped(const struct verdict *v)
{
    const struct mail *m = v->recipient->mail;
    struct log_line l = mail_log(m, m->envelope.flags & QUEUE_REPORT ? "report-undeliverable" : "unreported");
    log_span(&l, "recipient", v->recipient->record->address);
    log_str(&l, "reason", "the null sender gets no report");
    log_end(&l);
}

int64_t notify_delay_ms(const struct policy *p, const struct queue_message *m)
{
    const struct transport_settings *s = policy_settings(p);
    unsigned enabled = notify_is_internal(p, m->sender) ? DSN_DELAY_INTERNAL : DSN_DELAY_EXTERNAL;
    return m->sender.len && (s->dsn_flags & enabled) ? schedule_delay_notice(s, m->received_ms) : SCHEDULE_NEVER;
}

bool notify_tells(const struct policy *p, const struct verdict *v, struct span error, int64_t now,
                  struct dsn_recipient *ret)
{
    const struct recipient *r = v->recipient;
    const struct queue_message *m = &r->mail->envelope;
    if (m->sender.len == 0) {
        if (v->kind == VERDICT_PERMANENT)
            log_dropped(v);
        return false;
    }
    *ret = (struct dsn_recipient){.address = r->record->address,
                                  .original = r->record->orcpt,
                                  .status = v->status,
                                  .diagnostic = error,
                                  .remote = v->remote,
                                  .unanswered = v->code == 0,
                                  .last_attempt_ms = now};
    switch (v->kind) {
    case VERDICT_REMOVED:
        ret->action = DSN_FAILED;
        return r->mail->withdrawal == WITHDRAWN_REPORTED && wants(r->record->notify, SMTP_NOTIFY_FAILURE);
    case VERDICT_PERMANENT: ret->action = DSN_FAILED; return wants(r->record->notify, SMTP_NOTIFY_FAILURE);
    case VERDICT_DELIVERED:
        ret->action = v->relayed ? DSN_RELAYED : DSN_DELIVERED;
        return !v->by_next_hop && wants(r->record->notify, SMTP_NOTIFY_SUCCESS);
    case VERDICT_TEMPORARY:
    case VERDICT_POSTPONED:
        ret->action = DSN_DELAYED;
        ret->retry_until_ms = schedule_expiry(policy_settings(p), m->received_ms);
        return now >= notify_delay_ms(p, m) && !r->record->delay_noticed &&
               wants(r->record->notify, SMTP_NOTIFY_DELAY);
    }
    return false;
}

/* RFC 3461 5.2.7.3 (c): success was the expansion; for a member only failure and delay are left to tell. */
uint32_t notify_of_member(uint32_t notify)
{
    uint32_t rest = notify & (uint32_t)~SMTP_NOTIFY_SUCCESS;
    return notify && !rest ? SMTP_NOTIFY_NEVER : rest;
}

struct span notify_orcpt(const struct recipient *r, struct arena *arena)
{
    struct span given = r->record->orcpt, made;
    struct buf b;
    if (given.len || r->mail->envelope.sender.len == 0)
        return given;
    buf_init(&b, SMTP_ORCPT_MAX);
    orcpt_print(&b, r->record->address);
    made = b.failed ? SPAN("") : arena_dup(arena, buf_span(&b));
    buf_done(&b);
    return made;
}
