/*
 * reply.c: printing replies. Invariant: what comes out is one line, whatever policy, a directory or a filter gave
 * as its text: truncated, empty, or with line ends of its own.
 */
#include "smtp/reply.h"

#include "mail/status.h"

static bool enhanced_fits(const struct smtp_reply *r)
{
    struct status st;
    return status_parse(r->enhanced, &st) && (int)st.class == r->code / 100;
}

static void print_text(struct buf *out, struct span text)
{
    if (span_is_printable_ascii(text)) {
        buf_add(out, text);
        return;
    }
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        buf_add_char(out, c >= 0x80 ? '?' : c < 0x20 || c == 0x7f ? ' ' : (char)c);
    }
}

void smtp_reply_print(struct buf *out, const struct smtp_reply *r, bool enhanced_codes)
{
    enum { LONGEST_FRONT = sizeof "250 5.999.999 " - 1, END = 2 };
    ASSERT(r->code >= 200 && r->code <= 599);
    char digits[] = {(char)('0' + r->code / 100), (char)('0' + r->code / 10 % 10), (char)('0' + r->code % 10), ' '};
    buf_add(out, span_make(digits, sizeof digits));
    if (enhanced_codes && r->enhanced.len && enhanced_fits(r)) {
        buf_add(out, r->enhanced);
        buf_add_char(out, ' ');
    }
    print_text(out, span_head(r->text, SMTP_REPLY_MAX - LONGEST_FRONT - END));
    buf_add(out, SPAN("\r\n"));
}

bool smtp_reply_valid(const struct smtp_reply *r, int min, int max)
{
    return r->code >= min && r->code <= max && (r->enhanced.len == 0 || enhanced_fits(r));
}
