/* Any first octets: never both TLS and text, and what stands behind the first sixteen changes nothing. */
#include "smtp/first.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = span_make(data, size), head = span_head(all, 16);
    ASSERT(!(first_is_tls(all) && first_is_text(all)));
    ASSERT(first_is_tls(all) == first_is_tls(head) && first_is_text(all) == first_is_text(head));
    return 0;
}
