/*
 * mail.c: messages in hand.
 *
 * Invariants: transport->held is the sum of all `live`, body_bytes the sum of the bodies in memory. A mail in the
 * list has at least one live recipient.
 */
#include "role/queue/changes.h"

#include "runtime/clock.h"
#include "runtime/log.h"

#include <stdlib.h>
#include <string.h>

size_t transport_held_max(const struct transport *t)
{
    return t->memory_short ? TRANSPORT_HELD_SHORT_MAX : TRANSPORT_HELD_MAX;
}

size_t transport_body_bytes_max(const struct transport *t)
{
    return t->memory_short ? TRANSPORT_BODY_BYTES_SHORT_MAX : TRANSPORT_BODY_BYTES_MAX;
}

bool transport_may_hold(const struct transport *t)
{
    struct policy_ref *policy = policy_ref_current();
    bool known = policy != NULL;
    policy_ref_drop(policy);
    return known && t->held < transport_held_max(t);
}

static bool copy(struct arena *arena, struct span *text)
{
    *text = arena_dup(arena, *text);
    return text->ptr != NULL;
}

static bool copy_envelope(struct mail *m, const struct queue_message *from)
{
    struct queue_message *e = &m->envelope;
    struct arena *a = &m->arena;
    *e = *from;
    e->body = SPAN("");
    e->recipients = ARENA_ARRAY(a, from->recipient_count, struct queue_recipient);
    m->recipients = ARENA_ARRAY(a, from->recipient_count, struct recipient);
    if (!e->recipients || !m->recipients || !copy(a, &e->message_id) || !copy(a, &e->sender) ||
        !copy(a, &e->subject) || !copy(a, &e->source) || !copy(a, &e->source_ip) || !copy(a, &e->user) ||
        !copy(a, &e->envid) || !copy(a, &e->auth) || !copy(a, &e->spool))
        return false;
    for (size_t i = 0; i < from->recipient_count; i++) {
        struct queue_recipient *r = &e->recipients[i];
        *r = from->recipients[i];
        if (!copy(a, &r->address) || !copy(a, &r->orcpt) || !copy(a, &r->last_error) || !copy(a, &r->queue_name))
            return false;
        m->recipients[i] = (struct recipient){.mail = m, .record = r, .address = r->address};
    }
    return true;
}

struct mail *mail_new(struct transport *t, const struct queue_message *from, struct span body)
{
    struct mail *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->transport = t;
    arena_init(&m->arena, 0);
    if (body.len) {
        m->body = malloc(body.len);
        if (m->body)
            memcpy(m->body, body.ptr, body.len);
        m->body_len = m->body ? body.len : 0;
        t->body_bytes += m->body_len;
    }
    if ((body.len && !m->body) || !copy_envelope(m, from)) {
        mail_discard(m);
        return NULL;
    }
    return m;
}

void mail_enqueue(struct mail *m, struct change *c)
{
    struct queue_op *op = change_op(c, QUEUE_OP_ENQUEUE);
    m->claimed = transport_may_hold(m->transport);
    m->envelope.body = span_make(m->body, m->body_len);
    op->enqueue = &m->envelope;
    op->lease_until_ms = m->claimed ? clock_wall_ms() + TRANSPORT_LEASE_MS : 0;
}

void mail_enqueued(struct mail *m, const struct queue_op *op)
{
    struct transport *t = m->transport;
    m->envelope.id = op->message;
    m->envelope.body = SPAN("");
    for (size_t i = 0; i < m->envelope.recipient_count; i++)
        m->envelope.recipients[i].index = (uint32_t)i;
    if (m->claimed) {
        m->fresh = true;
        mail_hold(m);
        categorize(m);
    } else {
        mail_discard(m);
        claims_wake(t);
    }
}

void mail_hold(struct mail *m)
{
    struct transport *t = m->transport;
    m->live = m->envelope.recipient_count;
    ASSERT(m->live > 0);
    t->held += m->live;
    m->next = t->mails;
    if (m->next)
        m->next->prev = m;
    t->mails = m;
    if (t->body_bytes > transport_body_bytes_max(t))
        mail_drop_body(m);
}

void mail_drop_body(struct mail *m)
{
    m->transport->body_bytes -= m->body_len;
    free(m->body);
    m->body = NULL;
    m->body_len = 0;
}

void mail_discard(struct mail *m)
{
    mail_drop_body(m);
    address_set_clear(&m->mailboxes);
    arena_clear(&m->arena);
    free(m);
}

void recipient_release(struct recipient *r)
{
    struct mail *m = r->mail;
    struct transport *t = m->transport;
    r->destination = NULL;
    if (t->held-- == transport_held_max(t) / 2)
        claims_wake(t); /* it stopped at the half */
    if (--m->live > 0)
        return;
    if (m->prev)
        m->prev->next = m->next;
    else
        t->mails = m->next;
    if (m->next)
        m->next->prev = m->prev;
    mail_discard(m);
}

enum err_code mail_body(struct mail *m, struct arena *arena, struct span *ret, int *ret_fd, struct err *err)
{
    struct queue_message stored;
    *ret_fd = -1;
    *ret = SPAN("");
    if (m->envelope.spool.len)
        return spool_open_read(&m->transport->spool, m->envelope.spool, ret_fd, err);
    if (m->body) {
        *ret = span_make(m->body, m->body_len);
        return ERR_NONE;
    }
    enum err_code code = queue_load(m->transport->store, m->envelope.id, QUEUE_BODY, arena, &stored, err);
    if (!code)
        *ret = stored.body;
    return code;
}

void mails_renew_leases(struct transport *t)
{
    int64_t until = clock_wall_ms() + TRANSPORT_LEASE_MS;
    for (const struct mail *m = t->mails; m; m = m->next)
        for (size_t i = 0; i < m->envelope.recipient_count; i++) {
            struct queue_key key = {m->envelope.id, m->envelope.recipients[i].index};
            queue_lease(t->store, &key, 1, until); /* passes over what is final meanwhile */
        }
}

struct log_line mail_log(const struct mail *m, const char *event)
{
    struct log_line l = log_begin(LOG_INFO, event);
    log_int(&l, "message", (int64_t)m->envelope.id);
    log_span(&l, "message-id", m->envelope.message_id);
    log_span(&l, "sender", m->envelope.sender);
    return l;
}
