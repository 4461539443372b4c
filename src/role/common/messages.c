/* messages.c: see messages.h. Invariant: counts are checked against what is left of the body before memory is
 * taken. */
#include "role/common/messages.h"

#include "directory/directory_check.h"
#include "runtime/large_body.h"

static void put_list(struct buf *out, const struct span *items, size_t count)
{
    put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        put_bytes(out, items[i]);
}

static struct span get_text(struct cursor *c, struct arena *arena)
{
    struct span s = cursor_bytes(c, SIZE_MAX);
    struct span copy = c->bad ? s : arena_dup(arena, s);
    if (!copy.ptr)
        c->bad = true;
    return copy;
}

static const struct span *get_list(struct cursor *c, struct arena *arena, size_t *ret_count)
{
    uint32_t count = cursor_u32(c);
    struct span *items = c->bad || count > c->rest.len / 4 ? NULL : ARENA_ARRAY(arena, count, struct span);
    if (!items) {
        c->bad = true;
        return NULL;
    }
    for (uint32_t i = 0; i < count && !c->bad; i++)
        items[i] = get_text(c, arena);
    *ret_count = count;
    return items;
}

void message_put_resolution(struct buf *out, enum err_code outcome, const struct directory_recipient *r)
{
    put_u8(out, (uint8_t)outcome);
    if (outcome)
        return;
    put_u8(out, (uint8_t)r->kind);
    put_bytes(out, r->guid);
    put_bytes(out, r->primary);
    put_bytes(out, r->target);
    put_u8(out, r->authenticated_only);
    put_list(out, r->members, r->member_count);
}

enum err_code message_get_resolution(struct span body, struct arena *arena, struct directory_recipient *ret)
{
    struct cursor c = cursor_of(body);
    struct directory_recipient r = {0};
    uint8_t outcome = cursor_u8(&c);
    if (outcome || c.bad)
        return ERR_UNAVAILABLE;
    r.kind = (enum directory_kind)cursor_u8(&c);
    r.guid = get_text(&c, arena);
    r.primary = get_text(&c, arena);
    r.target = get_text(&c, arena);
    uint8_t authenticated_only = cursor_u8(&c);
    r.authenticated_only = authenticated_only;
    r.members = get_list(&c, arena, &r.member_count);
    if (!cursor_done(&c) || r.kind > DIRECTORY_GROUP || authenticated_only > 1)
        return ERR_UNAVAILABLE;
    *ret = r;
    return ERR_NONE;
}

enum err_code message_take_resolution(const struct frame *f, struct arena *arena, struct directory_recipient *ret)
{
    struct large_body_view body;
    if (!f || large_body_open(f, MESSAGE_RESOLUTION_MAX, &body, NULL))
        return ERR_UNAVAILABLE;
    enum err_code code = message_get_resolution(body.bytes, arena, ret);
    large_body_close(&body);
    return code;
}

enum err_code message_get_send_as(const struct frame *f, bool *ret)
{
    struct cursor c = cursor_of(f ? f->body : SPAN(""));
    uint8_t outcome = cursor_u8(&c);
    bool may = cursor_bool(&c);
    if (!cursor_done(&c) || outcome)
        return ERR_UNAVAILABLE;
    *ret = may;
    return ERR_NONE;
}

static void put_identity(struct buf *out, const struct directory_identity *id)
{
    put_bytes(out, id->guid);
    put_bytes(out, id->primary);
    put_bytes(out, id->display_name);
    put_list(out, id->addresses, id->address_count);
    put_list(out, id->groups, id->group_count);
}

static struct directory_identity get_identity(struct cursor *c, struct arena *arena)
{
    struct directory_identity id = {0};
    id.guid = get_text(c, arena);
    id.primary = get_text(c, arena);
    id.display_name = get_text(c, arena);
    id.addresses = get_list(c, arena, &id.address_count);
    id.groups = get_list(c, arena, &id.group_count);
    return id;
}

void message_put_identity(struct buf *out, uint8_t verdict, const struct directory_identity *id)
{
    put_u8(out, verdict);
    if (verdict == DIRECTORY_ACCEPTED)
        put_identity(out, id);
}

uint8_t message_get_identity(struct span body, struct arena *arena, struct directory_identity *ret)
{
    struct cursor c = cursor_of(body);
    struct directory_identity id = {0};
    uint8_t verdict = cursor_u8(&c);
    if (!c.bad && verdict == DIRECTORY_ACCEPTED)
        id = get_identity(&c, arena);
    if (!cursor_done(&c) || verdict > DIRECTORY_UNAVAILABLE)
        return DIRECTORY_UNAVAILABLE;
    *ret = id;
    return verdict;
}

void message_put_gssapi_step(struct buf *out, uint64_t exchange, struct span token)
{
    put_u64(out, exchange);
    put_bytes(out, token);
}

bool message_get_gssapi_step(struct span body, uint64_t *ret_exchange, struct span *ret_token)
{
    struct cursor c = cursor_of(body);
    *ret_exchange = cursor_u64(&c);
    *ret_token = cursor_bytes(&c, MESSAGE_GSSAPI_TOKEN_MAX);
    return cursor_done(&c);
}

void message_put_gssapi(struct buf *out, const struct gssapi_answer *a)
{
    put_u8(out, (uint8_t)a->verdict);
    if (a->verdict == GSSAPI_ANSWER_CONTINUE) {
        put_u64(out, a->exchange);
        put_bytes(out, a->challenge);
    } else if (a->verdict == GSSAPI_ANSWER_REFUSED) {
        put_u8(out, (uint8_t)a->reason);
        put_bytes(out, a->principal);
    } else if (a->verdict == GSSAPI_ANSWER_ACCEPTED) {
        put_identity(out, &a->identity);
    }
}

void message_get_gssapi(const struct frame *f, struct arena *arena, struct gssapi_answer *ret)
{
    struct cursor c = cursor_of(f ? f->body : SPAN(""));
    struct gssapi_answer a = {.verdict = (enum gssapi_verdict)cursor_u8(&c)};
    *ret = (struct gssapi_answer){.verdict = GSSAPI_ANSWER_UNAVAILABLE};
    if (c.bad)
        return;
    if (a.verdict == GSSAPI_ANSWER_CONTINUE) {
        a.exchange = cursor_u64(&c);
        a.challenge = cursor_bytes(&c, MESSAGE_GSSAPI_TOKEN_MAX);
        c.bad |= !a.exchange;
    } else if (a.verdict == GSSAPI_ANSWER_REFUSED) {
        a.reason = (enum gssapi_reason)cursor_u8(&c);
        a.principal = cursor_bytes(&c, DIRECTORY_NAME_MAX);
        c.bad |= a.reason >= GSSAPI_REASONS;
    } else if (a.verdict == GSSAPI_ANSWER_ACCEPTED) {
        a.identity = get_identity(&c, arena);
    }
    if (cursor_done(&c) && a.verdict < GSSAPI_VERDICTS)
        *ret = a;
}
