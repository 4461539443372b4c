/* Any bytes as the body of an answer from another role: bounded, and what is understood encodes to the same bytes.
 */
#include "directory/directory_check.h"
#include "role/common/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = span_make(data, size);
    struct arena a;
    struct buf b;
    arena_init(&a, 1 << 20);
    buf_init(&b, size + 64);
    struct directory_recipient r;
    if (message_get_resolution(body, &a, &r) == ERR_NONE) {
        message_put_resolution(&b, ERR_NONE, &r);
        ASSERT(span_eq(buf_span(&b), body));
    }
    struct directory_identity id;
    if (message_get_identity(body, &a, &id) == DIRECTORY_ACCEPTED) {
        buf_clear(&b);
        message_put_identity(&b, DIRECTORY_ACCEPTED, &id);
        ASSERT(span_eq(buf_span(&b), body));
    }
    buf_done(&b);
    arena_clear(&a);
    return 0;
}
