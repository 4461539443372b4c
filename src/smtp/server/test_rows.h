/*
 * test_rows.h: tables of dialogues. Each row is played with its input whole and in pieces of several lengths; what
 * comes out must be what the row says each time.
 */
#pragma once

#include "check.h"
#include "smtp/server/test_driver.h"

/* What a row's script is played after: a greeting and, unless the row is `bare`, "HELO c.test". */
#define ROW_GREETING "220 mx.test ESMTP Mailreeve ready at Fri, 05 Aug 2016 16:24:41 +0000\n"
#define ROW_HELLO    "250 mx.test Hello [192.0.2.1]\n"

/* MAIL, one RCPT: what most rows begin with, and its replies and actions. */
#define ENVELOPE         "MAIL FROM:<a@far.test>\r\nRCPT TO:<b@near.test>\r\n"
#define ENVELOPE_REPLIES "250 2.1.0 Sender OK\n250 2.1.5 Recipient OK\n"
#define ENVELOPE_ACTIONS "[mail <a@far.test>]\n[rcpt <b@near.test>]\n"
#define GO_AHEAD         "354 Start mail input; end with <CRLF>.<CRLF>\n"
#define QUEUED           "250 2.6.0 <id> [InternalId=1] Queued mail for delivery\n"

struct row {
    const char *name;
    struct span script;
    const char *replies; /* NULL: not looked at */
    const char *actions; /* NULL: not looked at */
    bool bare;
    bool no_errors;                     /* max_protocol_errors is 0; otherwise 0 there means unlimited */
    struct smtp_server_profile profile; /* row_profile fills in names and times; all zero: the usual one */
};

static const struct span row_mechanisms[] = {SPAN_INIT("LOGIN"), SPAN_INIT("PLAIN")};

/* Everything offered, AUTH under TLS only, without limits. */
#define ROW_PROFILE                                                                                                \
    .size_mode = SMTP_SIZE_VALUE, .pipelining = true, .dsn = true, .enhanced_status_codes = true,                  \
    .eight_bit_mime = true, .chunking = true, .smtp_utf8 = true, .binary_mime = true, .starttls_available = true,  \
    .auth_after_tls = row_mechanisms, .auth_after_tls_count = ARRAY_LEN(row_mechanisms)

/* The same with AUTH in the clear. */
#define ROW_PROFILE_AUTH                                                                                           \
    ROW_PROFILE, .auth_before_tls = row_mechanisms, .auth_before_tls_count = ARRAY_LEN(row_mechanisms)

static inline struct smtp_server_profile row_profile(const struct row *r)
{
    static const struct smtp_server_profile none, usual = {ROW_PROFILE, .max_message_size = 1000000};
    struct smtp_server_profile p = memcmp(&r->profile, &none, sizeof none) == 0 ? usual : r->profile;
    p.fqdn = SPAN("mx.test");
    p.client_address = SPAN("192.0.2.1");
    if (p.max_protocol_errors == 0 && !r->no_errors)
        p.max_protocol_errors = SMTP_UNLIMITED;
    if (p.connection_timeout_ms == 0)
        p.connection_timeout_ms = 600000;
    p.inactivity_timeout_ms = 300000;
    return p;
}

static inline void play_row(const struct row *r, size_t piece)
{
    const struct smtp_server_profile profile = row_profile(r);
    struct buf script, want;
    struct test_driver d;
    buf_init(&script, 1 << 20);
    buf_init(&want, 1 << 20);
    buf_add(&script, r->bare ? SPAN("") : SPAN("HELO c.test\r\n"));
    buf_add(&script, r->script);
    if (profile.banner.len == 0)
        buf_add(&want, SPAN(ROW_GREETING));
    buf_add(&want, r->bare ? SPAN("") : SPAN(ROW_HELLO));
    buf_add(&want, span_of(r->replies));
    driver_play(&d, &(struct test_play){.profile = &profile, .script = buf_span(&script), .piece = piece});
    if (r->replies)
        CHECK_SPAN(r->name, buf_span(&d.replies), buf_span(&want));
    if (r->actions)
        CHECK_SPAN(r->name, buf_span(&d.actions), span_of(r->actions));
    CHECK_INT(r->name, d.after_close, 0);
    driver_end(&d);
    buf_done(&script);
    buf_done(&want);
}

static inline void play_rows(const struct row *rows, size_t count)
{
    static const size_t pieces[] = {0, 1, 2, 3, 5, 64};
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < ARRAY_LEN(pieces); k++)
            play_row(&rows[i], pieces[k]);
}
