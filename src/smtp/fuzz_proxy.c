/*
 * fuzz_proxy.c: any octets as a PROXY header. How they are cut makes no difference, nothing behind the header is
 * taken, what is held is bounded, and an accepted header, written again in version 1, reads the same.
 */
#include "base/compiler.h"
#include "smtp/proxy.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    enum proxy_status status;
    struct proxy_header header;
    size_t taken;
};

static struct outcome take(struct span s, size_t piece)
{
    struct outcome o = {.status = PROXY_MORE};
    struct proxy_reader r;
    proxy_reader_init(&r);
    while (o.taken < s.len && o.status == PROXY_MORE) {
        struct span part = span_head(span_from(s, o.taken), piece), left = part;
        o.status = proxy_take(&r, &left, &o.header);
        ASSERT(o.status != PROXY_MORE || left.len == 0);
        ASSERT(r.held.len <= PROXY_HEADER_MAX);
        o.taken += part.len - left.len;
    }
    proxy_reader_done(&r);
    return o;
}

static void check_same(const struct proxy_header *a, const struct proxy_header *b)
{
    ASSERT(a->local == b->local && a->source.port == b->source.port && a->destination.port == b->destination.port);
    ASSERT(ip_cmp(a->source.addr, b->source.addr) == 0 && ip_cmp(a->destination.addr, b->destination.addr) == 0);
}

/* One of the notation's families for both: an IPv4 address beside an IPv6 one is written as IPv4-mapped. */
static void add_address(struct buf *out, struct ip_addr a, bool v6)
{
    char text[IP_TEXT_MAX];
    buf_addf(out, "%s%s ", v6 && ip_is_v4(a) ? "::ffff:" : "", ip_print(a, text));
}

static void check_written_again(const struct proxy_header *h)
{
    bool v6 = !ip_is_v4(h->source.addr) || !ip_is_v4(h->destination.addr);
    struct buf line;
    buf_init(&line, PROXY_LINE_MAX);
    if (h->local) {
        buf_add(&line, SPAN("PROXY UNKNOWN\r\n"));
    } else {
        buf_add(&line, v6 ? SPAN("PROXY TCP6 ") : SPAN("PROXY TCP4 "));
        add_address(&line, h->source.addr, v6);
        add_address(&line, h->destination.addr, v6);
        buf_addf(&line, "%u %u\r\n", h->source.port, h->destination.port);
    }
    ASSERT(!line.failed);
    struct outcome again = take(buf_span(&line), SIZE_MAX);
    ASSERT(again.status == PROXY_DONE && again.taken == line.len && again.header.version == 1);
    check_same(h, &again.header);
    buf_done(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct span s = span_make(data + 1, size - 1);
    struct outcome whole = take(s, SIZE_MAX), cut = take(s, 1u + data[0]);
    ASSERT(whole.status == cut.status);
    ASSERT(proxy_status_text(whole.status) != NULL);
    if (whole.status != PROXY_DONE)
        return 0;
    ASSERT(whole.taken == cut.taken && whole.header.version == cut.header.version);
    check_same(&whole.header, &cut.header);
    ASSERT(proxy_looks_like(s));
    ASSERT(take(span_head(s, whole.taken), SIZE_MAX).status == PROXY_DONE);
    ASSERT(take(span_head(s, whole.taken - 1), SIZE_MAX).status == PROXY_MORE);
    check_written_again(&whole.header);
    return 0;
}
