/*
 * fuzz_pickup.c: any text as the header of a file in either folder. An envelope that is taken has recipients within
 * its limit, addresses that parse to themselves, and a header that is the end of the section; written as a file to
 * be replayed it gives the same addresses again.
 */
#include "base/buf.h"
#include "smtp/pickup.h"

#include <stddef.h>
#include <stdint.h>

enum { LIMIT = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(struct span address, struct arena *arena)
{
    struct mail_address a;
    ASSERT(address_parse(address, ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_LONG, arena, &a) == ADDRESS_OK);
    ASSERT(span_eq(a.text, address));
}

static void check_again(const struct pickup_envelope *e, struct arena *arena)
{
    struct pickup_envelope again;
    struct err err;
    struct buf b;
    buf_init(&b, 1 << 22);
    buf_addf(&b, "X-Sender: <%.*s>\r\n", SPAN_ARG(e->sender));
    for (size_t i = 0; i < e->recipient_count; i++)
        buf_addf(&b, "X-Receiver: <%.*s>\r\n", SPAN_ARG(e->recipients[i].address));
    ASSERT(!b.failed);
    ASSERT(pickup_parse_replay(buf_span(&b), SPAN(""), arena, &again, &err) == ERR_NONE);
    ASSERT(again.recipient_count == e->recipient_count && span_eq(again.sender, e->sender));
    for (size_t i = 0; i < e->recipient_count; i++)
        ASSERT(span_eq(again.recipients[i].address, e->recipients[i].address));
    buf_done(&b);
}

static void check(const struct pickup_envelope *e, struct span section, bool replay, struct arena *arena)
{
    ASSERT(e->recipient_count >= 1 && (replay || e->recipient_count <= LIMIT));
    ASSERT(e->sender.len || replay);
    ASSERT(e->header.ptr + e->header.len == section.ptr + section.len);
    if (e->sender.len)
        check_address(e->sender, arena);
    for (size_t i = 0; i < e->recipient_count; i++)
        check_address(e->recipients[i].address, arena);
    check_again(e, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const struct span section = span_make(data + 1, size - 1),
                      domain = data[0] & 1 ? SPAN("example.com") : SPAN("");
    struct pickup_envelope e;
    struct err err;
    struct arena arena;
    arena_init(&arena, 0);
    if (pickup_parse(section, domain, LIMIT, &arena, &e, &err) == ERR_NONE)
        check(&e, section, false, &arena);
    if (pickup_parse_replay(section, domain, &arena, &e, &err) == ERR_NONE)
        check(&e, section, true, &arena);
    arena_clear(&arena);
    return 0;
}
