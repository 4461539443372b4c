/*
 * dsn.c: the structure of a report.
 *
 * Invariants: every value from outside goes through dsn_put_value, which leaves nothing in it that ends a line; the
 * original is the only thing that is printed as it is, so the boundary is checked against the whole report and
 * changed until it occurs where we put it only.
 */
#include "mail/dsn.h"

#include "base/base64.h"
#include "base/utf8.h"
#include "mail/date.h"
#include "mail/dsn_internal.h"
#include "mail/header.h"
#include "mail/orcpt.h"

#include <stdio.h>
#include <string.h>

enum {
    BOUNDARY_SHOWN_MAX = 48,
    BOUNDARY_TRIES = 1000,
    DELIMITER_MAX = BOUNDARY_SHOWN_MAX + 16,
    TYPE_MAX = BOUNDARY_SHOWN_MAX + 64,
    ENCODED_WORD_BYTES = 42,
    ENVELOPE_ID_MAX = 1024,
    ASCII_ADDRESS_MAX = 900
};

/* The boundary of the human part's own parts is this and that of the report. */
#define INNER "human"

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

bool dsn_original_recipient(const struct dsn_recipient *r, struct span *ret_type, struct buf *address)
{
    return orcpt_parse(span_head(r->original, DSN_ORIGINAL_MAX), ret_type, address);
}

/* Cut, with its last character whole, where it would make the line too long. */
static void put_ascii_address(struct buf *out, struct span s)
{
    const size_t before = out->len;
    uint32_t cp;
    for (size_t n; s.len && out->len - before < ASCII_ADDRESS_MAX; s = span_from(s, n)) {
        n = utf8_decode(s, &cp);
        n = n ? n : 1;
        orcpt_put_ascii(out, span_head(s, n));
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

static void put_original_recipient(const struct writer *w, struct buf *out, const struct dsn_recipient *r)
{
    struct span type;
    struct buf address;
    buf_init(&address, DSN_ORIGINAL_MAX);
    if (dsn_original_recipient(r, &type, &address))
        put_address_field(w, out, "Original-Recipient", type, buf_span(&address));
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

void dsn_print_subject(struct buf *out, const struct dsn *d)
{
    buf_add(out, dsn_action_words(dsn_chief_action(d))->subject);
    dsn_put_value(out, d->subject, false);
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
    buf_add(out, dsn_action_words(dsn_chief_action(d))->subject);
    put_unstructured(w, out, d->subject);
    buf_add(out, SPAN("\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"));
    if (w->eight_bit)
        buf_add(out, SPAN("Content-Transfer-Encoding: 8bit\r\n"));
    buf_add(out, SPAN("Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\""));
    buf_add(out, w->boundary);
    buf_add(out, SPAN("\"\r\n\r\n"));
}

static void begin_part(struct buf *out, const char *before_boundary, struct span boundary, struct span type,
                       bool eight_bit)
{
    buf_addf(out, "--%s", before_boundary);
    buf_add(out, boundary);
    buf_add(out, SPAN("\r\nContent-Type: "));
    buf_add(out, type);
    if (eight_bit)
        buf_add(out, SPAN("\r\nContent-Transfer-Encoding: 8bit"));
    buf_add(out, SPAN("\r\n\r\n"));
}

static void begin_outer_part(const struct writer *w, struct buf *out, struct span type, bool eight_bit)
{
    begin_part(out, "", w->boundary, type, eight_bit);
}

static void put_recipient(const struct writer *w, struct buf *out, const struct dsn_recipient *r)
{
    buf_add(out, SPAN("\r\n"));
    put_original_recipient(w, out, r);
    put_address_field(w, out, "Final-Recipient", SPAN("rfc822"), r->address);
    put_field(w, out, "Action", span_of(action_names[r->action]));
    put_field(w, out, "Status", dsn_status(r));
    if (r->remote.len) {
        buf_add(out, SPAN("Remote-MTA: dns;"));
        dsn_put_value(out, r->remote, !w->utf8);
        buf_add(out, SPAN("\r\n"));
    }
    if (r->diagnostic.len) {
        bool said = r->remote.len && !r->unanswered;
        buf_add(out, said ? SPAN("Diagnostic-Code: smtp;") : SPAN("Diagnostic-Code: x-mailreeve;"));
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
    begin_outer_part(w, out, w->utf8 ? SPAN("message/global-delivery-status") : SPAN("message/delivery-status"),
                     w->utf8);
    if (d->envelope_id.len) {
        struct buf id;
        buf_init(&id, ENVELOPE_ID_MAX);
        orcpt_decode(&id, span_head(d->envelope_id, ENVELOPE_ID_MAX));
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
    begin_outer_part(w, out,
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

static void put_text(const struct writer *w, struct buf *out, bool html)
{
    dsn_print_text(out, w->d, html);
    buf_add(out, SPAN("\r\n"));
}

/* Plain text; or that and HTML, of which the reader's program shows one. */
static void put_human_part(const struct writer *w, struct buf *out)
{
    const struct span plain = SPAN("text/plain; charset=utf-8"), html = SPAN("text/html; charset=utf-8");
    struct buf type;
    if (!w->d->html) {
        begin_outer_part(w, out, plain, w->eight_bit);
        put_text(w, out, false);
        return;
    }
    buf_init(&type, TYPE_MAX);
    buf_addf(&type, "multipart/alternative;\r\n\tboundary=\"" INNER "%.*s\"", SPAN_ARG(w->boundary));
    begin_outer_part(w, out, buf_span(&type), w->eight_bit);
    buf_done(&type);
    begin_part(out, INNER, w->boundary, plain, w->eight_bit);
    put_text(w, out, false);
    begin_part(out, INNER, w->boundary, html, w->eight_bit);
    put_text(w, out, true);
    buf_addf(out, "--" INNER "%.*s--\r\n", SPAN_ARG(w->boundary));
}

static void put_report(const struct writer *w, struct buf *out)
{
    put_top(w, out);
    put_human_part(w, out);
    put_status_part(w, out);
    put_original_part(w, out);
}

/* How often the delimiter stands in the report. */
static size_t count(struct span report, const char *before_boundary, struct span boundary)
{
    char delimiter[DELIMITER_MAX];
    size_t n = 0,
           length = (size_t)snprintf(delimiter, sizeof delimiter, "--%s%.*s", before_boundary, SPAN_ARG(boundary));
    for (const char *p; report.len && (p = memmem(report.ptr, report.len, delimiter, length)); n++)
        report = span_from(report, (size_t)(p - report.ptr) + length);
    return n;
}

/* The delimiters stand where we put them only: one before each part, and the end. */
static bool is_sound(struct span report, const struct writer *w)
{
    return count(report, "", w->boundary) == 4 && count(report, INNER, w->boundary) == (w->d->html ? 3 : 0);
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
        if (is_sound(span_from(buf_span(out), before), &w))
            return;
    }
    out->failed = true;
}
