/* submission.c: see submission.h. Invariant: the count of recipients is checked against what is left of the bytes
 * before memory is taken. */
#include "role/common/submission.h"

/* Lengths of two texts, and notify: the least that a recipient takes. */
enum { RECIPIENT_MIN = 4 + 4 + 4, TEXT_MAX = 4096, SUBMISSION_NOTIFY_ALL = 15 };

void submission_put(struct buf *out, const struct submission *s)
{
    put_bytes(out, s->message_id);
    put_bytes(out, s->subject);
    put_bytes(out, s->sender);
    put_bytes(out, s->envid);
    put_u64(out, s->size);
    put_u8(out, (uint8_t)s->body);
    put_u8(out, (uint8_t)s->ret);
    put_bool(out, s->smtp_utf8);
    put_bool(out, s->require_tls);
    put_bool(out, s->tls_optional);
    put_bool(out, s->eight_bit);
    put_bool(out, s->internal);
    put_bytes(out, s->connector);
    put_bytes(out, s->remote_ip);
    put_bytes(out, s->user);
    put_bytes(out, s->helo);
    put_bytes(out, s->local_ip);
    put_bytes(out, s->session);
    put_bytes(out, s->tls);
    put_u32(out, (uint32_t)s->recipient_count);
    for (size_t i = 0; i < s->recipient_count; i++) {
        put_bytes(out, s->recipients[i].address);
        put_bytes(out, s->recipients[i].orcpt);
        put_u32(out, s->recipients[i].notify);
    }
}

static bool get_recipients(struct cursor *c, struct arena *arena, struct submission *s)
{
    uint32_t count = cursor_u32(c);
    if (!cursor_ok(c) || count == 0 || count > c->rest.len / RECIPIENT_MIN)
        return false;
    struct submission_recipient *list = ARENA_ARRAY(arena, count, struct submission_recipient);
    if (!list)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        list[i].address = cursor_bytes(c, TEXT_MAX);
        list[i].orcpt = cursor_bytes(c, TEXT_MAX);
        list[i].notify = cursor_u32(c);
        if (list[i].address.len == 0 || list[i].notify > SUBMISSION_NOTIFY_ALL)
            return false;
    }
    s->recipients = list;
    s->recipient_count = count;
    return true;
}

bool submission_get(struct span bytes, struct arena *arena, struct submission *ret)
{
    struct cursor c = cursor_of(bytes);
    struct submission s = {0};
    s.message_id = cursor_bytes(&c, TEXT_MAX);
    s.subject = cursor_bytes(&c, TEXT_MAX);
    s.sender = cursor_bytes(&c, TEXT_MAX);
    s.envid = cursor_bytes(&c, TEXT_MAX);
    s.size = cursor_u64(&c);
    s.body = (enum smtp_body)cursor_u8(&c);
    s.ret = (enum smtp_ret)cursor_u8(&c);
    s.smtp_utf8 = cursor_bool(&c);
    s.require_tls = cursor_bool(&c);
    s.tls_optional = cursor_bool(&c);
    s.eight_bit = cursor_bool(&c);
    s.internal = cursor_bool(&c);
    s.connector = cursor_bytes(&c, TEXT_MAX);
    s.remote_ip = cursor_bytes(&c, TEXT_MAX);
    s.user = cursor_bytes(&c, TEXT_MAX);
    s.helo = cursor_bytes(&c, TEXT_MAX);
    s.local_ip = cursor_bytes(&c, TEXT_MAX);
    s.session = cursor_bytes(&c, TEXT_MAX);
    s.tls = cursor_bytes(&c, TEXT_MAX);
    if (!get_recipients(&c, arena, &s) || !cursor_done(&c) || s.body > SMTP_BODY_BINARY || s.ret > SMTP_RET_HDRS)
        return false;
    *ret = s;
    return true;
}
