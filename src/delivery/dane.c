/* dane.c: see dane.h. */
#include "delivery/dane.h"

bool dane_parse(struct span rdata, struct tls_tlsa *ret)
{
    enum { HEAD = 3, DANE_TA = 2, DANE_EE = 3, SELECTOR_SPKI = 1 };
    static const size_t digest[] = {0, 32, 64}; /* Full, SHA-256, SHA-512 */
    if (rdata.len <= HEAD || rdata.len > DANE_DATA_MAX)
        return false;
    struct tls_tlsa r = {.usage = (uint8_t)rdata.ptr[0],
                         .selector = (uint8_t)rdata.ptr[1],
                         .matching = (uint8_t)rdata.ptr[2],
                         .data = span_from(rdata, HEAD)};
    if ((r.usage != DANE_TA && r.usage != DANE_EE) || r.selector > SELECTOR_SPKI || r.matching >= ARRAY_LEN(digest))
        return false;
    if (r.matching && r.data.len != digest[r.matching])
        return false;
    *ret = r;
    return true;
}
