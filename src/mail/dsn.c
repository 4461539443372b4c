/*
 * dsn.c: the structure of a report.
 *
 * Invariants: every value from outside goes through dsn_put_value, which leaves nothing in it that ends a line; the
 * original is the only thing that is printed as it is, so the boundary is checked against the whole report and
 * changed until it occurs where we put it only.
 */
#include "mail/dsn.h"

#include "base/base64.h"
#include "base/num.h"
#include "base/utf8.h"
#include "mail/date.h"
#include "mail/dsn_internal.h"
#include "mail/header.h"

#include <string.h>

enum {
    BOUNDARY_SHOWN_MAX = 48,
    BOUNDARY_TRIES = 1000,
    ENCODED_WORD_BYTES = 42,
    XTEXT_MAX = 1024,
    ASCII_ADDRESS_MAX = 900
};

/* How the report may be written, decided once. */
struct writer {
    const struct dsn *d;
    struct span boundary;
    bool utf8;      /* addresses and header in UTF-8 */
    bool eight_bit; /* something beyond ASCII may stand in a part */
};

static const char *const action_names[DSN_ACTION_MAX] = {
    [DSN_FAILED] = "failed",   [DSN_DELAYED] = "delayed",     [DSN_EXPANDED] = "expanded",
    [DSN_RELAYED] = "relayed", [DSN_DELIVERED] = "delivered",
};

void dsn_put_value(struct buf *out, struct span value, bool ascii)
{
    uint32_t cp;
    for (size_t n, left = DSN_VALUE_MAX; value.len && left; value = span_from(value, n), left -= n) {
        n = utf8_decode(value, &cp);
        if (n > left)
            return;
        if (n == 0 || (ascii && n > 1)) {
            n = n ? n : 1;
            buf_add_char(out, '?');
        } else if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) {
            buf_add_char(out, ' ');
        } else {
            buf_add(out, span_head(value, n));
        }
    }
}

bool dsn_shows_field(struct span name)
{
    enum header_class class = header_class(name);
    return name.len && (class == HEADER_ORDINARY || class == HEADER_ROUTING) && !span_ieq(name, SPAN("Bcc")) &&
           !span_ieq(name, SPAN("Resent-Bcc")) && !span_ieq(name, SPAN("Return-Path"));
}

static bool any_address_beyond_ascii(const struct dsn *d)
{
    for (size_t i = 0; i < d->recipient_count; i++)
        if (!utf8_is_ascii(d->recipients[i].address) || !utf8_is_ascii(d->recipients[i].original))
            return true;
    return false;
}

bool dsn_needs_utf8(const struct dsn *d)
{
    return !utf8_is_ascii(d->to) || !utf8_is_ascii(d->from) ||
           (d->utf8 && (any_address_beyond_ascii(d) || !utf8_is_ascii(d->original_header)));
}

static bool any_beyond_ascii(const struct dsn *d)
{
    bool any = dsn_needs_utf8(d) || any_address_beyond_ascii(d) || !utf8_is_ascii(d->original_header) ||
               (d->full && !utf8_is_ascii(d->original_body));
    for (size_t i = 0; i < d->recipient_count; i++)
        any = any || !utf8_is_ascii(d->recipients[i].diagnostic) || !utf8_is_ascii(d->recipients[i].remote);
    return any;
}

/* ENVID and ORCPT come as xtext (RFC 3461 4): "+" and two hex digits for an octet. What is not xtext is kept. */
static void decode_xtext(struct buf *out, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        int high = i + 2 < s.len && s.ptr[i] == '+' ? num_hex_digit(s.ptr[i + 1]) : -1;
        int low = high >= 0 ? num_hex_digit(s.ptr[i + 2]) : -1;
        buf_add_char(out, low >= 0 ? (char)((unsigned)high << 4 | (unsigned)low) : s.ptr[i]);
        i += low >= 0 ? 2 : 0;
    }
}

/* An address beyond ASCII as utf-8-addr-xtext of RFC 6533 section 3. */
static void put_ascii_address(struct buf *out, struct span s)
{
    const size_t before = out->len;
    uint32_t cp;
    for (size_t n; s.len && out->len - before < ASCII_ADDRESS_MAX; s = span_from(s, n)) {
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

/* type is taken for an ASCII address; beyond ASCII it is "utf-8" (RFC 6533). */
static void put_address_field(const struct writer *w, struct buf *out, const char *name, struct span type,
                              struct span address)
{
    bool ascii = utf8_is_ascii(address);
    buf_addf(out, "%s: ", name);
    dsn_put_value(out, ascii ? type : SPAN("utf-8"), true);
    buf_add(out, SPAN(";"));
    if (ascii || w->utf8)
        dsn_put_value(out, address, false);
    else
        put_ascii_address(out, address);
    buf_add(out, SPAN("\r\n"));
}

static void put_original_recipient(const struct writer *w, struct buf *out, struct span orcpt)
{
    size_t semicolon = span_find(orcpt, ';');
    if (semicolon == SIZE_MAX)
        return;
    struct buf address;
    buf_init(&address, XTEXT_MAX);
    decode_xtext(&address, span_head(span_from(orcpt, semicolon + 1), XTEXT_MAX));
    put_address_field(w, out, "Original-Recipient", span_head(orcpt, semicolon), buf_span(&address));
    buf_done(&address);
}

static void put_field(const struct writer *w, struct buf *out, const char *name, struct span value)
{
    buf_addf(out, "%s: ", name);
    dsn_put_value(out, value, !w->utf8);
    buf_add(out, SPAN("\r\n"));
}

static void put_date(struct buf *out, const char *name, int64_t ms)
{
    buf_addf(out, "%s: ", name);
    date_print(out, ms);
    buf_add(out, SPAN("\r\n"));
}

/* Unstructured text of a header field: as it is where it can be, in encoded words (RFC 2047) otherwise. */
static void put_unstructured(const struct writer *w, struct buf *out, struct span text)
{
    if (w->utf8 || utf8_is_ascii(text) || !utf8_valid(text)) {
        dsn_put_value(out, text, !w->utf8);
        return;
    }
    struct buf clean;
    buf_init(&clean, DSN_VALUE_MAX);
    dsn_put_value(&clean, text, false);
    for (struct span rest = buf_span(&clean); rest.len;) {
        size_t n = 0;
        uint32_t cp;
        for (size_t c; (c = utf8_decode(span_from(rest, n), &cp)) > 0 && n + c <= ENCODED_WORD_BYTES;)
            n += c;
        buf_add(out, SPAN("\r\n =?utf-8?B?"));
        base64_encode(out, span_head(rest, n));
        buf_add(out, SPAN("?="));
        rest = span_from(rest, n);
    }
    buf_done(&clean);
}

static void put_top(const struct writer *w, struct buf *out)
{
    const struct dsn *d = w->d;
    struct header_field f;
    buf_add(out, SPAN("From: Mail Delivery <"));
    dsn_put_value(out, d->from, !w->utf8);
    buf_add(out, SPAN(">\r\n"));
    put_field(w, out, "To", d->to);
    put_date(out, "Date", d->now_ms);
    put_field(w, out, "Message-ID", d->message_id);
    if (header_find(d->original_header, SPAN("Message-ID"), &f))
        put_field(w, out, "In-Reply-To", span_trim(f.value));
    buf_add(out, SPAN("Subject: "));
    buf_add(out, dsn_subject_prefix(d));
    put_unstructured(w, out, d->subject);
    buf_add(out, SPAN("\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
                      "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\""));
    buf_add(out, w->boundary);
    buf_add(out, SPAN("\"\r\n\r\n"));
}

static void begin_part(const struct writer *w, struct buf *out, struct span type, bool eight_bit)
{
    buf_add(out, SPAN("--"));
    buf_add(out, w->boundary);
    buf_add(out, SPAN("\r\nContent-Type: "));
    buf_add(out, type);
    if (eight_bit)
        buf_add(out, SPAN("\r\nContent-Transfer-Encoding: 8bit"));
    buf_add(out, SPAN("\r\n\r\n"));
}

static void put_recipient(const struct writer *w, struct buf *out, const struct dsn_recipient *r)
{
    buf_add(out, SPAN("\r\n"));
    put_original_recipient(w, out, r->original);
    put_address_field(w, out, "Final-Recipient", SPAN("rfc822"), r->address);
    put_field(w, out, "Action", span_of(action_names[r->action]));
    put_field(w, out, "Status", dsn_status(r));
    if (r->remote.len) {
        buf_add(out, SPAN("Remote-MTA: dns;"));
        dsn_put_value(out, r->remote, !w->utf8);
        buf_add(out, SPAN("\r\n"));
    }
    if (r->diagnostic.len) {
        buf_add(out, r->remote.len ? SPAN("Diagnostic-Code: smtp;") : SPAN("Diagnostic-Code: x-mailreeve;"));
        dsn_put_value(out, r->diagnostic, !w->utf8);
        buf_add(out, SPAN("\r\n"));
    }
    if (r->last_attempt_ms)
        put_date(out, "Last-Attempt-Date", r->last_attempt_ms);
    if (r->action == DSN_DELAYED && r->retry_until_ms)
        put_date(out, "Will-Retry-Until", r->retry_until_ms);
}

static void put_status_part(const struct writer *w, struct buf *out)
{
    const struct dsn *d = w->d;
    begin_part(w, out, w->utf8 ? SPAN("message/global-delivery-status") : SPAN("message/delivery-status"), w->utf8);
    if (d->envelope_id.len) {
        struct buf id;
        buf_init(&id, XTEXT_MAX);
        decode_xtext(&id, span_head(d->envelope_id, XTEXT_MAX));
        put_field(w, out, "Original-Envelope-Id", buf_span(&id));
        buf_done(&id);
    }
    buf_add(out, SPAN("Reporting-MTA: dns;"));
    dsn_put_value(out, d->host, !w->utf8);
    buf_add(out, SPAN("\r\n"));
    put_date(out, "Arrival-Date", d->arrival_ms);
    for (size_t i = 0; i < d->recipient_count; i++)
        put_recipient(w, out, &d->recipients[i]);
    buf_add(out, SPAN("\r\n"));
}

static void put_original_part(const struct writer *w, struct buf *out)
{
    const struct dsn *d = w->d;
    struct header_field f;
    begin_part(w, out,
               d->full ? (w->utf8 ? SPAN("message/global") : SPAN("message/rfc822"))
                       : (w->utf8 ? SPAN("message/global-headers") : SPAN("text/rfc822-headers")),
               w->eight_bit);
    /* Without its way here, which is ours to know; the text for administrators above has it. */
    for (struct span rest = d->original_header; header_next(&rest, &f);)
        if (dsn_shows_field(f.name) && header_class(f.name) != HEADER_ROUTING) {
            buf_add(out, f.whole);
            if (!span_ends(f.whole, SPAN("\n")))
                buf_add(out, SPAN("\r\n"));
        }
    if (d->full) {
        buf_add(out, SPAN("\r\n"));
        buf_add(out, d->original_body);
    }
    buf_add(out, SPAN("\r\n--"));
    buf_add(out, w->boundary);
    buf_add(out, SPAN("--\r\n"));
}

static void put_report(const struct writer *w, struct buf *out)
{
    put_top(w, out);
    begin_part(w, out, SPAN("text/plain; charset=utf-8"), w->eight_bit);
    dsn_print_text(out, w->d);
    buf_add(out, SPAN("\r\n"));
    put_status_part(w, out);
    put_original_part(w, out);
}

/* How often "--" and the boundary stand in the report; three parts and the end make four. */
static size_t count_boundary(struct span report, struct span boundary)
{
    size_t count = 0;
    for (const char *p; report.len && (p = memmem(report.ptr, report.len, boundary.ptr, boundary.len));) {
        size_t at = (size_t)(p - report.ptr);
        count += at >= 2 && p[-1] == '-' && p[-2] == '-';
        report = span_from(report, at + boundary.len);
    }
    return count;
}

void dsn_print(struct buf *out, const struct dsn *d)
{
    ASSERT(d->recipient_count > 0 && d->boundary.len > 0);
    const size_t before = out->len;
    char boundary[BOUNDARY_SHOWN_MAX + 8];
    struct writer w = {.d = d, .utf8 = dsn_needs_utf8(d), .eight_bit = any_beyond_ascii(d)};
    struct span given = span_head(d->boundary, BOUNDARY_SHOWN_MAX);
    for (size_t i = 0; i < given.len; i++)
        ASSERT(ascii_is_alnum(given.ptr[i])); /* ours, made of random bytes */
    memcpy(boundary, given.ptr, given.len);
    w.boundary = span_make(boundary, given.len);
    for (unsigned n = 0; n < BOUNDARY_TRIES && !out->failed; n++) {
        if (n > 0) {
            for (unsigned digit = 0, v = n; digit < 4; digit++, v /= 10)
                boundary[given.len + digit] = (char)('0' + v % 10);
            w.boundary.len = given.len + 4;
        }
        out->len = before;
        put_report(&w, out);
        if (count_boundary(span_from(buf_span(out), before), w.boundary) == 4)
            return;
    }
    out->failed = true;
}
