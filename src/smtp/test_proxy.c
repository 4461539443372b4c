/* test_proxy.c: PROXY headers of both versions, good and bad, each cut into pieces of every length. */
#include "check.h"
#include "smtp/proxy.h"

#include <string.h>

#define SIGNATURE   "\r\n\r\n\0\r\nQUIT\n"
#define TCP4        SIGNATURE "\x21\x11"
#define TCP6        SIGNATURE "\x21\x21"
#define ADDRESSES_4 "\xc0\x00\x02\x01\xc6\x33\x64\x02\x30\x39\x02\x4b"
#define ADDRESSES_6                                                                                                \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\x30\x39\x01\xd1"
#define V4_SAYS "2 192.0.2.1:12345 198.51.100.2:587"

static const struct row {
    const char *name;
    struct span input;
    const char *says; /* version and addresses; NULL: refused with `status` */
    enum proxy_status status;
    struct span left; /* what is not taken */
} rows[] = {
    {"TCP4", SPAN_INIT("PROXY TCP4 192.0.2.1 198.51.100.2 12345 587\r\nEHLO x\r\n"),
     "1 192.0.2.1:12345 198.51.100.2:587", PROXY_DONE, SPAN_INIT("EHLO x\r\n")},
    {"TCP6", SPAN_INIT("PROXY TCP6 2001:db8::1 2001:db8::2 12345 465\r\n"),
     "1 [2001:db8::1]:12345 [2001:db8::2]:465"},
    {"the longest of TCP6",
     SPAN_INIT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
               "65535\r\n"),
     "1 [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {"an IPv4 address as IPv6", SPAN_INIT("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 1 2\r\n"),
     "1 192.0.2.1:1 198.51.100.2:2"},
    {"port 0", SPAN_INIT("PROXY TCP4 192.0.2.1 198.51.100.2 0 0\r\n"), "1 192.0.2.1:0 198.51.100.2:0"},
    {"UNKNOWN", SPAN_INIT("PROXY UNKNOWN\r\nx"), "1 local", PROXY_DONE, SPAN_INIT("x")},
    {"UNKNOWN with what is to be ignored", SPAN_INIT("PROXY UNKNOWN what ever\r\n"), "1 local"},
    {"the longest line",
     SPAN_INIT("PROXY UNKNOWN 567890123456789012345678901234567890123456789012345678901234"
               "5678901234567890123456789012345\r\n"),
     "1 local"},
    {"one octet longer",
     SPAN_INIT("PROXY UNKNOWN 567890123456789012345678901234567890123456789012345678901234"
               "5678901234567890123456789012345x\r\n"),
     NULL, PROXY_LINE_LONG},
    {"nothing", SPAN_INIT(""), NULL, PROXY_MORE},
    {"half a start", SPAN_INIT("PRO"), NULL, PROXY_MORE},
    {"half a line", SPAN_INIT("PROXY TCP4 192.0.2.1 198.51.100.2 12345 587\r"), NULL, PROXY_MORE},
    {"a command", SPAN_INIT("EHLO x\r\n"), NULL, PROXY_NO_HEADER},
    {"a ClientHello", SPAN_INIT("\x16\x03\x01\x02"), NULL, PROXY_NO_HEADER},
    {"lower case", SPAN_INIT("proxy TCP4 192.0.2.1 198.51.100.2 12345 587\r\n"), NULL, PROXY_NO_HEADER},
    {"another word", SPAN_INIT("PROXIES\r\n"), NULL, PROXY_NO_HEADER},
    {"bare LF", SPAN_INIT("PROXY TCP4 192.0.2.1 198.51.100.2 12345 587\n"), NULL, PROXY_BAD_LINE},
    {"nothing behind the word", SPAN_INIT("PROXY \r\n"), NULL, PROXY_BAD_FAMILY},
    {"another family", SPAN_INIT("PROXY UDP4 192.0.2.1 198.51.100.2 12345 587\r\n"), NULL, PROXY_BAD_FAMILY},
    {"family in lower case", SPAN_INIT("PROXY tcp4 192.0.2.1 198.51.100.2 12345 587\r\n"), NULL, PROXY_BAD_FAMILY},
    {"a word missing", SPAN_INIT("PROXY TCP4 192.0.2.1 198.51.100.2 12345\r\n"), NULL, PROXY_BAD_LINE},
    {"a word more", SPAN_INIT("PROXY TCP4 192.0.2.1 198.51.100.2 12345 587 x\r\n"), NULL, PROXY_BAD_LINE},
    {"a blank more at the end", SPAN_INIT("PROXY TCP4 192.0.2.1 198.51.100.2 12345 587 \r\n"), NULL,
     PROXY_BAD_LINE},
    {"two blanks", SPAN_INIT("PROXY TCP4  192.0.2.1 198.51.100.2 12345\r\n"), NULL, PROXY_BAD_ADDRESS},
    {"IPv6 as TCP4", SPAN_INIT("PROXY TCP4 2001:db8::1 198.51.100.2 12345 587\r\n"), NULL, PROXY_BAD_ADDRESS},
    {"IPv4 as TCP6", SPAN_INIT("PROXY TCP6 192.0.2.1 198.51.100.2 12345 587\r\n"), NULL, PROXY_BAD_ADDRESS},
    {"leading zeros", SPAN_INIT("PROXY TCP4 192.0.02.1 198.51.100.2 12345 587\r\n"), NULL, PROXY_BAD_ADDRESS},
    {"no such port", SPAN_INIT("PROXY TCP4 192.0.2.1 198.51.100.2 65536 587\r\n"), NULL, PROXY_BAD_ADDRESS},
    {"port with a zero in front", SPAN_INIT("PROXY TCP4 192.0.2.1 198.51.100.2 1 0587\r\n"), NULL,
     PROXY_BAD_ADDRESS},
    {"negative port", SPAN_INIT("PROXY TCP4 192.0.2.1 198.51.100.2 1 -1\r\n"), NULL, PROXY_BAD_ADDRESS},
    {"NUL in an address", SPAN_INIT("PROXY TCP4 192.0.2.1\0 198.51.100.2 1 1\r\n"), NULL, PROXY_BAD_ADDRESS},

    {"version 2", SPAN_INIT(TCP4 "\0\x0c" ADDRESSES_4 "EHLO"), V4_SAYS, PROXY_DONE, SPAN_INIT("EHLO")},
    {"version 2, IPv6", SPAN_INIT(TCP6 "\0\x24" ADDRESSES_6), "2 [2001:db8::1]:12345 [2001:db8::2]:465"},
    {"LOCAL", SPAN_INIT(SIGNATURE "\x20\x00\0\0x"), "2 local", PROXY_DONE, SPAN_INIT("x")},
    {"LOCAL with addresses", SPAN_INIT(SIGNATURE "\x20\x11\0\x0c" ADDRESSES_4), "2 local"},
    {"LOCAL with anything", SPAN_INIT(SIGNATURE "\x20\xff\0\x03xyz"), "2 local"},
    {"UNSPEC", SPAN_INIT(SIGNATURE "\x21\x00\0\0"), "2 local"},
    {"UNSPEC with a TLV", SPAN_INIT(SIGNATURE "\x21\x00\0\4\xea\0\1x"), "2 local"},
    {"UNSPEC with something else", SPAN_INIT(SIGNATURE "\x21\x00\0\4\xea\0\2x"), NULL, PROXY_BAD_TLV},
    {"TLVs",
     SPAN_INIT(TCP4 "\0\x14" ADDRESSES_4 "\x01\0\2h2"
                    "\x04\0\0"),
     V4_SAYS},
    {"a TLV cut", SPAN_INIT(TCP4 "\0\x0e" ADDRESSES_4 "\x01\0"), NULL, PROXY_BAD_TLV},
    {"a TLV too long",
     SPAN_INIT(TCP4 "\0\x10" ADDRESSES_4 "\x01\0\2h"
                    "h2"),
     NULL, PROXY_BAD_TLV},
    {"CRC32C", SPAN_INIT(TCP4 "\0\x13" ADDRESSES_4 "\x03\0\4\x76\x14\xe9\xe5"), V4_SAYS},
    {"CRC32C and a TLV behind", SPAN_INIT(TCP4 "\0\x16" ADDRESSES_4 "\x03\0\4\xed\x7e\xaf\x95\x04\0\0"), V4_SAYS},
    {"CRC32C wrong", SPAN_INIT(TCP4 "\0\x13" ADDRESSES_4 "\x03\0\4\x76\x14\xe9\xe4"), NULL, PROXY_BAD_CHECKSUM},
    {"CRC32C too short", SPAN_INIT(TCP4 "\0\x12" ADDRESSES_4 "\x03\0\3\x76\x14\xe9"), NULL, PROXY_BAD_CHECKSUM},
    {"half a signature", SPAN_INIT("\r\n\r\n\0\r\nQU"), NULL, PROXY_MORE},
    {"addresses cut",
     SPAN_INIT(TCP4 "\0\x0c"
                    "\xc0\x00\x02\x01\xc6\x33\x64\x02\x30\x39\x02"),
     NULL, PROXY_MORE},
    {"another signature", SPAN_INIT("\r\n\r\n\0\r\nQUIT\r"), NULL, PROXY_NO_HEADER},
    {"version 3", SPAN_INIT(SIGNATURE "\x31\x11\0\x0c"), NULL, PROXY_BAD_VERSION},
    {"another command", SPAN_INIT(SIGNATURE "\x22\x11\0\x0c"), NULL, PROXY_BAD_VERSION},
    {"UDP", SPAN_INIT(SIGNATURE "\x21\x12\0\x0c"), NULL, PROXY_BAD_FAMILY},
    {"a Unix socket", SPAN_INIT(SIGNATURE "\x21\x31\0\xd8"), NULL, PROXY_BAD_FAMILY},
    {"no room for the addresses", SPAN_INIT(TCP4 "\0\x0b"), NULL, PROXY_BAD_LENGTH},
    {"no room for the addresses of IPv6", SPAN_INIT(TCP6 "\0\x23"), NULL, PROXY_BAD_LENGTH},
    {"at the limit", SPAN_INIT(TCP4 "\x0f\xf0"), NULL, PROXY_MORE},
    {"one past it", SPAN_INIT(TCP4 "\x0f\xf1"), NULL, PROXY_BAD_LENGTH},
    {"LOCAL far past it", SPAN_INIT(SIGNATURE "\x20\x00\xff\xff"), NULL, PROXY_BAD_LENGTH},
};

static void print(struct buf *out, const struct proxy_header *h)
{
    char source[IP_ENDPOINT_TEXT_MAX], destination[IP_ENDPOINT_TEXT_MAX];
    if (h->local)
        buf_addf(out, "%u local", h->version);
    else
        buf_addf(out, "%u %s %s", h->version, ip_print_endpoint(h->source, source),
                 ip_print_endpoint(h->destination, destination));
}

static void check(const struct row *row, size_t piece)
{
    struct proxy_reader r;
    struct proxy_header h = {0};
    enum proxy_status status = PROXY_MORE;
    struct span rest = row->input;
    struct buf out;
    buf_init(&out, 200);
    proxy_reader_init(&r);
    while (rest.len && status == PROXY_MORE) {
        struct span part = span_head(rest, piece), left = part;
        status = proxy_take(&r, &left, &h);
        CHECK(row->name, status != PROXY_MORE || left.len == 0);
        CHECK(row->name, r.held.len <= PROXY_HEADER_MAX);
        rest = span_from(rest, part.len - left.len);
    }
    CHECK_INT(row->name, status, row->says ? PROXY_DONE : row->status);
    if (row->says) {
        print(&out, &h);
        CHECK_SPAN(row->name, buf_span(&out), span_of(row->says));
        CHECK_SPAN(row->name, rest, row->left);
    }
    CHECK(row->name, proxy_status_text(status) != NULL);
    buf_done(&out);
    proxy_reader_done(&r);
}

static void test_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check(&rows[i], SIZE_MAX);
        for (size_t piece = 1; piece <= rows[i].input.len; piece++)
            check(&rows[i], piece);
    }
}

/* A header of the greatest length, filled with TLVs. */
static void test_longest(void **state)
{
    (void)state;
    static char bytes[PROXY_HEADER_MAX];
    const struct span head = SPAN(TCP4 "\x0f\xf0" ADDRESSES_4 "\xe0\x0f\xe1");
    memcpy(bytes, head.ptr, head.len);
    const struct row row = {"the longest", span_make(bytes, sizeof bytes), V4_SAYS};
    check(&row, SIZE_MAX);
    check(&row, 1);
    check(&row, 1000);
}

static void test_looks_like(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span first;
        bool is;
    } looks[] = {
        {"version 1", SPAN_INIT("PROXY TCP4 1.2.3.4"), true},
        {"version 2", SPAN_INIT(TCP4), true},
        {"another command", SPAN_INIT("PROXYING\r\n"), false},
        {"cut", SPAN_INIT("PROX"), false},
        {"nothing", SPAN_INIT(""), false},
        {"blank lines", SPAN_INIT("\r\n\r\nNOOP\r\n"), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(looks); i++)
        CHECK_INT(looks[i].name, proxy_looks_like(looks[i].first), looks[i].is);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_looks_like),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
