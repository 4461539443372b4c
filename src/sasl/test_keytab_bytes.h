/* test_keytab_bytes.h: keytabs for tests, written octet by octet. */
#pragma once

#include "base/buf.h"

static inline void keytab_put(struct buf *b, uint32_t n, int octets)
{
    while (octets-- > 0)
        buf_add_char(b, (char)(n >> 8 * octets));
}

static inline void keytab_put_text(struct buf *b, struct span s)
{
    keytab_put(b, (uint32_t)s.len, 2);
    buf_add(b, s);
}

static inline void keytab_begin(struct buf *b)
{
    buf_add(b, SPAN("\x05\x02"));
}

/* A key of zeros for service/host@EXAMPLE.COM; wide: with the version's 32 bits behind the key. */
static inline void keytab_add(struct buf *b, const char *service, const char *host, unsigned enctype, size_t octets,
                              uint32_t kvno, bool wide)
{
    struct buf e;
    buf_init(&e, 4096);
    keytab_put(&e, host ? 2 : 1, 2);
    keytab_put_text(&e, SPAN("EXAMPLE.COM"));
    keytab_put_text(&e, span_of(service));
    if (host)
        keytab_put_text(&e, span_of(host));
    keytab_put(&e, 1, 4);
    keytab_put(&e, 1700000000, 4);
    keytab_put(&e, kvno, 1);
    keytab_put(&e, enctype, 2);
    keytab_put(&e, (uint32_t)octets, 2);
    for (size_t i = 0; i < octets; i++)
        buf_add_char(&e, (char)(i * 7 + 1));
    if (wide)
        keytab_put(&e, kvno, 4);
    keytab_put(b, (uint32_t)e.len, 4);
    buf_add(b, buf_span(&e));
    buf_done(&e);
}

static inline void keytab_add_hole(struct buf *b, size_t octets)
{
    keytab_put(b, (uint32_t) - (int32_t)octets, 4);
    for (size_t i = 0; i < octets; i++)
        buf_add_char(b, 'x');
}
