/* orcpt.c: xtext and its kin: printable ASCII in, printable ASCII out. */
#include "mail/orcpt.h"

#include "base/num.h"
#include "base/utf8.h"

void orcpt_decode(struct buf *out, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        int high = i + 2 < s.len && s.ptr[i] == '+' ? num_hex_digit(s.ptr[i + 1]) : -1;
        int low = high >= 0 ? num_hex_digit(s.ptr[i + 2]) : -1;
        buf_add_char(out, low >= 0 ? (char)((unsigned)high << 4 | (unsigned)low) : s.ptr[i]);
        i += low >= 0 ? 2 : 0;
    }
}

bool orcpt_parse(struct span orcpt, struct span *ret_type, struct buf *address)
{
    size_t semicolon = span_find(orcpt, ';');
    if (semicolon == SIZE_MAX)
        return false;
    *ret_type = span_head(orcpt, semicolon);
    orcpt_decode(address, span_from(orcpt, semicolon + 1));
    return true;
}

void orcpt_put_ascii(struct buf *out, struct span s)
{
    uint32_t cp;
    for (size_t n; s.len; s = span_from(s, n)) {
        n = utf8_decode(s, &cp);
        if (n == 0) {
            n = 1;
            buf_add_char(out, '?');
        } else if (cp > 0x20 && cp < 0x7f && cp != '+' && cp != '=' && cp != '\\') {
            buf_add_char(out, (char)cp);
        } else {
            buf_addf(out, "\\x{%02X}", cp);
        }
    }
}

static void put_xtext(struct buf *out, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c > 0x20 && c < 0x7f && c != '+' && c != '=')
            buf_add_char(out, s.ptr[i]);
        else
            buf_addf(out, "+%02X", c);
    }
}

void orcpt_print(struct buf *out, struct span address)
{
    bool ascii = utf8_is_ascii(address);
    buf_add(out, ascii ? SPAN("rfc822;") : SPAN("utf-8;"));
    if (ascii)
        put_xtext(out, address);
    else
        orcpt_put_ascii(out, address);
}
