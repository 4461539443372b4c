/* Any bytes: decoding is bounded, and what decodes encodes to the bytes it came from. */
#include "base/value_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    struct cursor c = cursor_of(span_make(data, size));
    struct record *r = record_decode(&c, &a);
    if (r) {
        struct buf b;
        buf_init(&b, size);
        record_encode(&b, r);
        ASSERT(!b.failed && span_eq(buf_span(&b), span_make(data, size - c.rest.len)));
        buf_done(&b);
    }
    arena_clear(&a);
    return 0;
}
