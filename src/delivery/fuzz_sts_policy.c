/* fuzz_sts_policy.c: any octets as a policy: what is accepted is within its limits and lists its own plain hosts.
 */
#include "delivery/sts_policy.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_make((const char *)data, size), id;
    struct sts_policy p;
    if (sts_record_id(text, &id))
        ASSERT(sts_record_claims(text) && id.len >= 1 && id.len <= STS_ID_MAX);
    if (sts_policy_parse(text, &p, NULL) != ERR_NONE)
        return 0;
    ASSERT(size <= STS_POLICY_MAX && p.max_age <= STS_AGE_MAX && p.mx_count <= STS_MX_MAX);
    ASSERT(p.mx_count > 0 || p.mode == HOP_STS_NONE);
    for (size_t i = 0; i < p.mx_count; i++)
        ASSERT(span_starts(p.mx[i], SPAN("*.")) || sts_policy_lists(&p, p.mx[i]));
    return 0;
}
