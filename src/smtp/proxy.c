/*
 * proxy.c: reading a PROXY protocol header.
 *
 * Invariants: what is held is the beginning of the header and nothing else. An octet is judged as soon as it can
 * be: the signatures octet by octet, version 2's fixed part when it is there, so nothing is awaited that could not
 * make the header a good one, and `held` never grows beyond what the header itself may have.
 */
#include "smtp/proxy.h"

#include "base/num.h"

#include <string.h>

/* Layout of version 2: signature, version and command, family and protocol, length of the rest (big-endian). */
enum { V2_COMMAND = 12, V2_FAMILY = 13, V2_LENGTH = 14, V2_FIXED = 16 };
enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 };
enum { V2_UNSPEC = 0x00, V2_TCP4 = 0x11, V2_TCP6 = 0x21, V2_TCP4_ADDRESSES = 12, V2_TCP6_ADDRESSES = 36 };
enum { TLV_FIXED = 3, TLV_CRC32C = 0x03, CRC32C_LENGTH = 4 };

static const struct span v1_start = SPAN_INIT("PROXY "), v2_start = SPAN_INIT("\r\n\r\n\0\r\nQUIT\n");

void proxy_reader_init(struct proxy_reader *r)
{
    buf_init(&r->held, PROXY_HEADER_MAX);
}

void proxy_reader_done(struct proxy_reader *r)
{
    buf_done(&r->held);
}

/* As far as both go. */
static bool agrees(struct span s, struct span start)
{
    size_t n = s.len < start.len ? s.len : start.len;
    return span_eq(span_head(s, n), span_head(start, n));
}

bool proxy_looks_like(struct span first)
{
    return first.len && (span_starts(first, v1_start) || span_starts(first, v2_start));
}

/* ---- version 1 ---- */

/* A decimal port without leading zeros, 0 allowed. */
static bool take_port(struct span s, uint16_t *ret)
{
    uint32_t port;
    if (!num_parse_u32(s, UINT16_MAX, &port) || (s.len > 1 && s.ptr[0] == '0'))
        return false;
    *ret = (uint16_t)port;
    return true;
}

/* An address in the notation of its family: an IPv4-mapped one is written as an IPv6 address. */
static bool take_address(struct span s, bool v6, struct ip_addr *ret)
{
    return (span_find(s, ':') != SIZE_MAX) == v6 && ip_parse(s, ret);
}

static enum proxy_status parse_v1(struct span line, struct proxy_header *ret)
{
    struct proxy_header h = {.version = 1};
    struct span rest, family, word[4];
    if (!span_ends(line, SPAN("\r\n")))
        return PROXY_BAD_LINE;
    rest = span_from(span_head(line, line.len - 2), v1_start.len);
    if (!span_split(&rest, ' ', &family))
        return PROXY_BAD_LINE;
    if (span_eq(family, SPAN("UNKNOWN"))) { /* what follows is to be ignored */
        h.local = true;
        *ret = h;
        return PROXY_DONE;
    }
    bool v6 = span_eq(family, SPAN("TCP6"));
    if (!v6 && !span_eq(family, SPAN("TCP4")))
        return PROXY_BAD_FAMILY;
    for (size_t i = 0; i < ARRAY_LEN(word); i++)
        if (!span_split(&rest, ' ', &word[i]))
            return PROXY_BAD_LINE;
    if (rest.ptr)
        return PROXY_BAD_LINE;
    if (!take_address(word[0], v6, &h.source.addr) || !take_address(word[1], v6, &h.destination.addr) ||
        !take_port(word[2], &h.source.port) || !take_port(word[3], &h.destination.port))
        return PROXY_BAD_ADDRESS;
    *ret = h;
    return PROXY_DONE;
}

static enum proxy_status take_v1(struct proxy_reader *r, struct span *input, struct proxy_header *ret)
{
    struct span piece = span_head(*input, PROXY_LINE_MAX - r->held.len);
    size_t lf = span_find(piece, '\n');
    if (lf != SIZE_MAX)
        piece = span_head(piece, lf + 1);
    buf_add(&r->held, piece);
    *input = span_from(*input, piece.len);
    if (r->held.failed)
        return PROXY_NO_MEMORY;
    if (!agrees(buf_span(&r->held), v1_start))
        return PROXY_NO_HEADER;
    if (lf != SIZE_MAX) /* behind the start, which has none */
        return parse_v1(buf_span(&r->held), ret);
    return r->held.len == PROXY_LINE_MAX ? PROXY_LINE_LONG : PROXY_MORE;
}

/* ---- version 2 ---- */

static uint8_t octet(struct span s, size_t i)
{
    return (uint8_t)s.ptr[i];
}

static uint16_t two_octets(struct span s, size_t i)
{
    return (uint16_t)(octet(s, i) << 8 | octet(s, i + 1));
}

/* RFC 9260, appendix A: the polynomial is 0x1edc6f41, bits reflected. A header is too short for a table to pay. */
static uint32_t crc32c(uint32_t crc, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        crc ^= octet(s, i);
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return crc;
}

/* The checksum is over the whole header with the checksum's own octets, at `at`, as zeros. */
static bool checksum_ok(struct span header, size_t at)
{
    uint32_t said = (uint32_t)two_octets(header, at) << 16 | two_octets(header, at + 2);
    uint32_t crc = crc32c(UINT32_MAX, span_head(header, at));
    crc = crc32c(crc, SPAN("\0\0\0\0"));
    crc = crc32c(crc, span_from(header, at + CRC32C_LENGTH));
    return ~crc == said;
}

/* Passes over the TLVs, which fill the header from `at` on; a checksum among them must be right. */
static enum proxy_status check_tlvs(struct span header, size_t at)
{
    while (at < header.len) {
        if (header.len - at < TLV_FIXED)
            return PROXY_BAD_TLV;
        size_t length = two_octets(header, at + 1), value = at + TLV_FIXED;
        if (length > header.len - value)
            return PROXY_BAD_TLV;
        if (octet(header, at) == TLV_CRC32C && (length != CRC32C_LENGTH || !checksum_ok(header, value)))
            return PROXY_BAD_CHECKSUM;
        at = value + length;
    }
    return PROXY_DONE;
}

static struct ip_endpoint endpoint(struct span header, size_t address, size_t port, bool v6)
{
    struct ip_endpoint e = {.port = two_octets(header, port)};
    if (v6)
        memcpy(e.addr.bytes, header.ptr + address, sizeof e.addr.bytes);
    else
        e.addr = ip_v4(octet(header, address), octet(header, address + 1), octet(header, address + 2),
                       octet(header, address + 3));
    return e;
}

/* A complete header, its fixed part found good. */
static enum proxy_status parse_v2(struct span s, struct proxy_header *ret)
{
    struct proxy_header h = {.version = 2};
    size_t addresses = 0;
    h.local = octet(s, V2_COMMAND) == V2_LOCAL || octet(s, V2_FAMILY) == V2_UNSPEC;
    if (!h.local) {
        bool v6 = octet(s, V2_FAMILY) == V2_TCP6;
        size_t width = v6 ? 16 : 4;
        addresses = v6 ? V2_TCP6_ADDRESSES : V2_TCP4_ADDRESSES;
        h.source = endpoint(s, V2_FIXED, V2_FIXED + 2 * width, v6);
        h.destination = endpoint(s, V2_FIXED + width, V2_FIXED + 2 * width + 2, v6);
    }
    /* What follows LOCAL must be ignored, its family included; so what of it is TLVs cannot be known. */
    if (octet(s, V2_COMMAND) == V2_PROXY) {
        enum proxy_status status = check_tlvs(s, V2_FIXED + addresses);
        if (status != PROXY_DONE)
            return status;
    }
    *ret = h;
    return PROXY_DONE;
}

/* PROXY_MORE: the fixed part is good, *ret_length is the whole header's length. */
static enum proxy_status judge_fixed(struct span s, size_t *ret_length)
{
    size_t length = two_octets(s, V2_LENGTH), least = 0;
    if (octet(s, V2_COMMAND) != V2_LOCAL && octet(s, V2_COMMAND) != V2_PROXY)
        return PROXY_BAD_VERSION;
    if (octet(s, V2_COMMAND) == V2_PROXY)
        switch (octet(s, V2_FAMILY)) {
        case V2_UNSPEC: break;
        case V2_TCP4: least = V2_TCP4_ADDRESSES; break;
        case V2_TCP6: least = V2_TCP6_ADDRESSES; break;
        default: return PROXY_BAD_FAMILY;
        }
    if (length < least || length > PROXY_HEADER_MAX - V2_FIXED)
        return PROXY_BAD_LENGTH;
    *ret_length = V2_FIXED + length;
    return PROXY_MORE;
}

static enum proxy_status take_v2(struct proxy_reader *r, struct span *input, struct proxy_header *ret)
{
    size_t want = V2_FIXED;
    for (;;) {
        if (r->held.len >= V2_FIXED) {
            enum proxy_status status = judge_fixed(buf_span(&r->held), &want);
            if (status != PROXY_MORE)
                return status;
            if (r->held.len == want)
                return parse_v2(buf_span(&r->held), ret);
        }
        struct span piece = span_head(*input, want - r->held.len);
        if (!piece.len)
            return PROXY_MORE;
        buf_add(&r->held, piece);
        *input = span_from(*input, piece.len);
        if (r->held.failed)
            return PROXY_NO_MEMORY;
        if (!agrees(buf_span(&r->held), v2_start))
            return PROXY_NO_HEADER;
    }
}

enum proxy_status proxy_take(struct proxy_reader *r, struct span *input, struct proxy_header *ret)
{
    struct span first = r->held.len ? buf_span(&r->held) : *input;
    if (!first.len)
        return PROXY_MORE;
    if (first.ptr[0] == v1_start.ptr[0])
        return take_v1(r, input, ret);
    if (first.ptr[0] == v2_start.ptr[0])
        return take_v2(r, input, ret);
    return PROXY_NO_HEADER;
}

const char *proxy_status_text(enum proxy_status s)
{
    static const char *const texts[PROXY_STATUSES] = {
        [PROXY_MORE] = "it is not complete",
        [PROXY_DONE] = "it is complete",
        [PROXY_NO_HEADER] = "what came is not a PROXY header",
        [PROXY_BAD_LINE] = "the line is not of the form PROXY TCP4 SOURCE DESTINATION PORT PORT",
        [PROXY_LINE_LONG] = "the line is longer than 107 octets",
        [PROXY_BAD_FAMILY] = "it is for neither TCP over IPv4 nor TCP over IPv6",
        [PROXY_BAD_ADDRESS] = "an address or port is not one",
        [PROXY_BAD_VERSION] = "its version or command is unknown",
        [PROXY_BAD_LENGTH] = "its length cannot be",
        [PROXY_BAD_TLV] = "its TLVs do not fill it",
        [PROXY_BAD_CHECKSUM] = "its CRC32C is wrong",
        [PROXY_NO_MEMORY] = "out of memory",
    };
    return texts[s];
}
