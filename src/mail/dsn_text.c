/*
 * dsn_text.c: the human part of a report: for the sender, what happened to each recipient, why, and what can be
 * done; apart from it the block that administrators look for.
 *
 * Both forms, plain text and HTML, come from one walk. Invariants: the marks of a page are nothing in plain text;
 * every value goes through page_value, which leaves nothing in it that ends a line, or in HTML begins a tag.
 */
#include "base/utf8.h"
#include "mail/date.h"
#include "mail/dsn_internal.h"
#include "mail/header.h"
#include "mail/status.h"

enum { HTML_VALUE_MAX = 900 }; /* octets of an escaped value: the line stays below 998 */

struct page {
    struct buf *out;
    bool html;
};

static void page_text(const struct page *p, const char *text)
{
    buf_add(p->out, span_of(text));
}

static void page_mark(const struct page *p, const char *tag)
{
    if (p->html)
        page_text(p, tag);
}

static struct span escape_of(char c)
{
    switch (c) {
    case '&': return SPAN("&amp;");
    case '<': return SPAN("&lt;");
    case '>': return SPAN("&gt;");
    case '"': return SPAN("&quot;");
    default: return SPAN("");
    }
}

/* What dsn_put_value leaves is well-formed, so it is cut between characters. */
static void add_escaped(struct buf *out, struct span s)
{
    size_t left = HTML_VALUE_MAX;
    uint32_t cp;
    for (size_t n; s.len && (n = utf8_decode(s, &cp)) > 0; s = span_from(s, n)) {
        struct span escape = escape_of(s.ptr[0]), part = escape.len ? escape : span_head(s, n);
        if (part.len > left)
            return;
        buf_add(out, part);
        left -= part.len;
    }
}

static void page_value(const struct page *p, struct span value)
{
    struct buf clean;
    if (!p->html) {
        dsn_put_value(p->out, value, false);
        return;
    }
    buf_init(&clean, DSN_VALUE_MAX);
    dsn_put_value(&clean, value, false);
    add_escaped(p->out, buf_span(&clean));
    if (clean.failed)
        p->out->failed = true;
    buf_done(&clean);
}

static void page_line(const struct page *p)
{
    page_text(p, "\r\n");
}

/* ---- for the sender ---- */

/* The address that the sender wrote, where the message went on to another; empty: it did not. */
static struct span addressed_to(const struct dsn_recipient *r, struct buf *decoded)
{
    struct span type;
    if (!dsn_original_recipient(r, &type, decoded) || !span_ieq(type, SPAN("rfc822")) ||
        span_ieq(buf_span(decoded), r->address))
        return SPAN("");
    return buf_span(decoded);
}

static void print_verdict(const struct page *p, const struct dsn_recipient *r)
{
    const struct dsn_action_words *w = dsn_action_words(r->action);
    struct buf decoded;
    buf_init(&decoded, DSN_ORIGINAL_MAX);
    struct span original = addressed_to(r, &decoded);
    page_mark(p, "<p><b>");
    page_text(p, "Your message to ");
    page_value(p, r->address);
    if (original.len) {
        page_line(p);
        page_text(p, "(you wrote to ");
        page_value(p, original);
        page_text(p, ")");
    }
    buf_addf(p->out, " %s", w->verdict);
    if (w->has_reason)
        buf_addf(p->out, " because %s", dsn_reason_of(r).because);
    page_text(p, ".");
    page_mark(p, "</b>");
    page_line(p);
    buf_done(&decoded);
}

/* What happened to one recipient, and what to do. */
static void print_recipient(const struct page *p, const struct dsn_recipient *r)
{
    struct dsn_reason why = dsn_reason_of(r), last;
    print_verdict(p, r);
    if (r->action == DSN_FAILED && dsn_last_reason_of(r, &last)) {
        page_mark(p, "<br>");
        buf_addf(p->out, "The last attempt failed because %s.\r\n", last.because);
    }
    if (r->action == DSN_DELAYED) {
        page_mark(p, "<br>");
        page_text(p, "No action is needed. It is being tried again");
        if (r->retry_until_ms) {
            page_text(p, " until ");
            date_print(p->out, r->retry_until_ms);
        }
        page_text(p, "; you need not send it again.\r\n");
    } else if (r->action == DSN_FAILED && why.advice) {
        page_mark(p, "<br>");
        buf_addf(p->out, "%s\r\n", why.advice);
    }
    page_mark(p, "</p>");
    page_line(p);
}

/* ---- for administrators ---- */

static bool begins_with_reply_code(struct span s)
{
    return s.len > 3 && ascii_is_digit(s.ptr[0]) && ascii_is_digit(s.ptr[1]) && ascii_is_digit(s.ptr[2]) &&
           s.ptr[3] == ' ';
}

/* "#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##", the form that administrators search for. */
static void print_diagnostic(const struct page *p, const struct dsn_recipient *r)
{
    struct status ignored;
    struct span text = r->diagnostic, rest, status = dsn_status(r);
    page_text(p, "#");
    if (begins_with_reply_code(text)) {
        buf_add(p->out, span_head(text, 4));
        text = span_from(text, 4);
    } else {
        buf_addf(p->out, "%c50 ", status.ptr[0]);
    }
    if (!status_parse_start(text, &ignored, &rest)) {
        buf_add(p->out, status);
        page_text(p, " ");
    }
    page_value(p, text);
    page_text(p, text.len ? " ##\r\n" : "##\r\n");
}

static void print_original_header(const struct page *p, struct span section)
{
    struct header_field f;
    while (header_next(&section, &f)) {
        struct span rest = f.whole, line;
        if (!dsn_shows_field(f.name))
            continue;
        while (span_split(&rest, '\n', &line) && (line.len || rest.ptr)) {
            if (span_ends(line, SPAN("\r")))
                line.len--;
            page_value(p, line);
            page_line(p);
        }
    }
}

static void print_diagnostics(const struct page *p, const struct dsn *d)
{
    page_mark(p, "<hr><p>");
    page_text(p, "Diagnostic information for administrators:");
    page_mark(p, "</p><pre>");
    page_text(p, "\r\n\r\nGenerating server: ");
    page_value(p, d->host);
    page_line(p);
    for (size_t i = 0; i < d->recipient_count; i++) {
        const struct dsn_recipient *r = &d->recipients[i];
        page_line(p);
        page_value(p, r->address);
        page_line(p);
        if (r->remote.len && !r->unanswered) {
            page_text(p, "Remote server: ");
            page_value(p, r->remote);
            page_line(p);
        }
        print_diagnostic(p, r);
    }
    page_text(p, "\r\nOriginal message headers:\r\n\r\n");
    print_original_header(p, d->original_header);
    page_mark(p, "</pre>");
}

void dsn_print_text(struct buf *out, const struct dsn *d, bool html)
{
    const struct page p = {out, html};
    page_mark(&p, "<!DOCTYPE html>\r\n<html><head><meta charset=\"utf-8\"></head><body>\r\n");
    for (size_t i = 0; i < d->recipient_count; i++)
        print_recipient(&p, &d->recipients[i]);
    page_line(&p);
    print_diagnostics(&p, d);
    page_mark(&p, "\r\n</body></html>\r\n");
}
