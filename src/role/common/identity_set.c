/* identity_set.c: gathering certificates until the set is complete, then swapping. */
#include "role/common/identity_set.h"

#include "base/cursor.h"
#include "runtime/log.h"

#include <stdlib.h>
#include <string.h>

static struct identity_set none = {.references = 1};
static struct identity_set *current = &none, *gathering;
static uint8_t tickets[TLS_TICKET_KEYS][TLS_TICKET_KEY_LEN];

struct identity_set *identity_set_current(void)
{
    return current;
}

struct identity_set *identity_set_take(struct identity_set *s)
{
    s->references++;
    return s;
}

void identity_set_drop(struct identity_set *s)
{
    if (!s || --s->references > 0 || s == &none)
        return;
    for (size_t i = 0; i < s->count; i++)
        tls_identity_free(s->ids[i]);
    explicit_bzero(s->ticket_keys, sizeof s->ticket_keys);
    free(s);
}

static void gather(struct span chain, struct span key)
{
    struct err err = {0};
    if (chain.len == 0)
        return;
    if (gathering->count == IDENTITY_SET_MAX) {
        log_text(LOG_ERROR, "certificate-unusable", "more than %d certificates", IDENTITY_SET_MAX);
        return;
    }
    if (tls_identity_load(chain, key, &gathering->ids[gathering->count], &err)) {
        struct log_line l = log_begin(LOG_ERROR, "certificate-unusable");
        log_err(&l, &err);
        log_end(&l);
        return;
    }
    gathering->count++;
}

bool identity_set_receive(const struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    bool first = cursor_bool(&c), last = cursor_bool(&c);
    struct span chain = cursor_bytes(&c, FRAME_BODY_MAX), key = cursor_bytes(&c, FRAME_BODY_MAX);
    if (!cursor_done(&c) || (!gathering && !first)) {
        log_text(LOG_ERROR, "bad-frame", "a malformed certificate message");
        return false;
    }
    if (first) {
        identity_set_drop(gathering);
        gathering = calloc(1, sizeof *gathering);
        if (!gathering)
            return false;
        gathering->references = 1;
        memcpy(gathering->ticket_keys, tickets, sizeof tickets);
    }
    gather(chain, key);
    if (!last)
        return false;
    identity_set_drop(current);
    current = gathering;
    gathering = NULL;
    return true;
}

void identity_set_tickets(const struct frame *f)
{
    if (f->body.len != sizeof tickets) {
        log_text(LOG_ERROR, "bad-frame", "malformed ticket keys");
        return;
    }
    memcpy(tickets, f->body.ptr, sizeof tickets);
    memcpy(current->ticket_keys, tickets, sizeof tickets);
}
