/*
 * received.c: see received.h. Nothing that a client said can end the field, open or close a comment, or look like
 * another clause: its name passes through a list of harmless characters. Each value is bounded, so each line is.
 */
#include "mail/received.h"

#include "base/utf8.h"
#include "mail/date.h"

#include <inttypes.h>
#include <string.h>

enum { VALUE_SHOWN_MAX = 255, RECIPIENT_SHOWN_MAX = 600 };

void received_protocol(struct buf *out, const struct received *r)
{
    if (!r->esmtp) {
        buf_add(out, SPAN("SMTP"));
        return;
    }
    buf_add(out, r->utf8 ? SPAN("UTF8SMTP") : SPAN("ESMTP"));
    if (r->secured)
        buf_add_char(out, 'S');
    if (r->authenticated)
        buf_add_char(out, 'A');
}

/* Letters, digits and `also`; whatever else becomes a question mark. */
static void print_safe(struct buf *out, struct span s, const char *also)
{
    if (s.len == 0)
        buf_add(out, SPAN("unknown"));
    s = span_head(s, VALUE_SHOWN_MAX);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        buf_add_char(out, ascii_is_alnum(c) || (c != '\0' && strchr(also, c)) ? c : '?');
    }
}

/* RFC 5321: for a single recipient only, which the caller decided. */
static bool shows_recipient(const struct received *r)
{
    return r->recipient.len && r->recipient.len <= RECIPIENT_SHOWN_MAX &&
           (r->utf8 ? utf8_valid(r->recipient) : utf8_is_ascii(r->recipient));
}

static void print_origin(struct buf *out, const struct received *r)
{
    if (r->local) {
        buf_addf(out, " (uid %" PRIu32 ")", r->uid);
        return;
    }
    buf_add(out, span_find(r->client_ip, ':') == SIZE_MAX ? SPAN(" ([") : SPAN(" ([IPv6:"));
    print_safe(out, r->client_ip, ".:");
    buf_add(out, SPAN("])"));
}

void received_print(struct buf *out, const struct received *r)
{
    static const char name[] = ".-_:[]";
    buf_add(out, SPAN("Received: from "));
    print_safe(out, r->helo, name);
    print_origin(out, r);
    buf_add(out, SPAN("\r\n\tby "));
    print_safe(out, r->host, name);
    buf_add(out, SPAN(" with "));
    if (r->local)
        buf_add(out, SPAN("local"));
    else
        received_protocol(out, r);
    if (r->tls.len) {
        buf_add(out, SPAN("\r\n\t("));
        print_safe(out, r->tls, " .,-_=:/");
        buf_add_char(out, ')');
    }
    buf_add(out, SPAN("\r\n\tid "));
    print_safe(out, r->id, ".-_");
    if (shows_recipient(r)) {
        buf_add(out, SPAN("\r\n\tfor <"));
        for (size_t i = 0; i < r->recipient.len;
             i++) /* canonical addresses have none; a caller's mistake stays one line */
            buf_add_char(out, (unsigned char)r->recipient.ptr[i] < 0x20 ? '?' : r->recipient.ptr[i]);
        buf_add_char(out, '>');
    }
    buf_add(out, SPAN(";\r\n\t"));
    date_print(out, r->now_ms);
    buf_add(out, SPAN("\r\n"));
}

/* ---- who wrote it ---- */

/* The octets of a comment, a quoted string or one octet of another kind at the start of s, which is not empty. */
static size_t skip_one(struct span s)
{
    size_t depth = 0, i = 0;
    bool quoted = false;
    do {
        char c = s.ptr[i];
        if (c == '\\' && (depth || quoted))
            i++;
        else if (c == '"' && depth == 0)
            quoted = !quoted;
        else if (!quoted && c == '(')
            depth++;
        else if (!quoted && c == ')' && depth)
            depth--;
        i++;
    } while (i < s.len && (depth || quoted));
    return i < s.len ? i : s.len;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next word, behind blanks and comments; empty at the semicolon or the end. */
static struct span next_word(struct span *rest)
{
    while (rest->len && (is_blank(rest->ptr[0]) || rest->ptr[0] == '('))
        *rest = span_from(*rest, skip_one(*rest));
    size_t n = 0;
    while (n < rest->len && !is_blank(rest->ptr[n]) && rest->ptr[n] != '(' && rest->ptr[n] != ';')
        n += skip_one(span_from(*rest, n));
    struct span word = span_head(*rest, n);
    *rest = span_from(*rest, n);
    return word;
}

struct span received_by(struct span value)
{
    struct span word;
    while ((word = next_word(&value)).len) {
        bool by = span_ieq(word, SPAN("by"));
        if (by || span_ieq(word, SPAN("from")))
            word = next_word(&value); /* that one's name, whatever it looks like */
        if (by)
            return span_ends(word, SPAN(".")) ? span_head(word, word.len - 1) : word;
    }
    return SPAN("");
}
