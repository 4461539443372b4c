/* The trace field: its words, its lines, and what hostile values become. */
#include "check.h"

#include "mail/received.h"

#include <string.h>

static void protocols(void **state)
{
    (void)state;
    static const struct {
        bool esmtp, secured, authenticated, utf8;
        const char *want;
    } rows[] = {
        {false, false, false, false, "SMTP"},   {false, true, true, false, "SMTP"},
        {true, false, false, false, "ESMTP"},   {true, true, false, false, "ESMTPS"},
        {true, false, true, false, "ESMTPA"},   {true, true, true, false, "ESMTPSA"},
        {true, false, false, true, "UTF8SMTP"}, {true, true, false, true, "UTF8SMTPS"},
        {true, false, true, true, "UTF8SMTPA"}, {true, true, true, true, "UTF8SMTPSA"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        struct received r = {.esmtp = rows[i].esmtp,
                             .secured = rows[i].secured,
                             .authenticated = rows[i].authenticated,
                             .utf8 = rows[i].utf8};
        buf_init(&b, 20);
        received_protocol(&b, &r);
        CHECK_SPAN(rows[i].want, buf_span(&b), span_of(rows[i].want));
        buf_done(&b);
    }
}

static const struct received base = {
    .helo = SPAN_INIT("client.test"),
    .client_ip = SPAN_INIT("192.0.2.1"),
    .host = SPAN_INIT("mail.example.com"),
    .id = SPAN_INIT("7A1F"),
    .esmtp = true,
};

#define DATE ";\r\n\tThu, 01 Jan 1970 00:00:00 +0000\r\n"

static void fields(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span helo, ip, recipient, tls;
        bool utf8;
        const char *want;
    } rows[] = {
        {"plain", SPAN_INIT("client.test"), SPAN_INIT("192.0.2.1"), SPAN_INIT(""), SPAN_INIT(""), false,
         "Received: from client.test ([192.0.2.1])\r\n\tby mail.example.com with ESMTP\r\n\tid 7A1F" DATE},
        {"full", SPAN_INIT("client.test"), SPAN_INIT("2001:db8::1"), SPAN_INIT("bob@example.com"),
         SPAN_INIT("TLSv1.3 with cipher TLS_AES_256_GCM_SHA384"), false,
         "Received: from client.test ([IPv6:2001:db8::1])\r\n\tby mail.example.com with ESMTP\r\n\t(TLSv1.3 with "
         "cipher TLS_AES_256_GCM_SHA384)\r\n\tid 7A1F\r\n\tfor <bob@example.com>" DATE},
        {"literal", SPAN_INIT("[192.0.2.1]"), SPAN_INIT("192.0.2.1"), SPAN_INIT(""), SPAN_INIT(""), false,
         "Received: from [192.0.2.1] ([192.0.2.1])\r\n\tby mail.example.com with ESMTP\r\n\tid 7A1F" DATE},
        {"hostile name", SPAN_INIT("a (b) by evil;\r\nX: y\0\xff"), SPAN_INIT("192.0.2.1"), SPAN_INIT(""),
         SPAN_INIT(""), false,
         "Received: from a??b??by?evil???X:?y?? ([192.0.2.1])\r\n\tby mail.example.com with ESMTP\r\n\tid "
         "7A1F" DATE},
        {"no name", SPAN_INIT(""), SPAN_INIT("192.0.2.1"), SPAN_INIT(""), SPAN_INIT("(x)\r\n"), false,
         "Received: from unknown ([192.0.2.1])\r\n\tby mail.example.com with ESMTP\r\n\t(?x?\?\?)\r\n\tid "
         "7A1F" DATE},
        {"UTF-8 recipient", SPAN_INIT("c"), SPAN_INIT("192.0.2.1"), SPAN_INIT("\xc3\xb6@x"), SPAN_INIT(""), true,
         "Received: from c ([192.0.2.1])\r\n\tby mail.example.com with UTF8SMTP\r\n\tid 7A1F\r\n\tfor "
         "<\xc3\xb6@x>" DATE},
        {"UTF-8 recipient left out", SPAN_INIT("c"), SPAN_INIT("192.0.2.1"), SPAN_INIT("\xc3\xb6@x"), SPAN_INIT(""),
         false, "Received: from c ([192.0.2.1])\r\n\tby mail.example.com with ESMTP\r\n\tid 7A1F" DATE},
        {"recipient with a line end", SPAN_INIT("c"), SPAN_INIT("192.0.2.1"), SPAN_INIT("a\r\nb@x"), SPAN_INIT(""),
         false,
         "Received: from c ([192.0.2.1])\r\n\tby mail.example.com with ESMTP\r\n\tid 7A1F\r\n\tfor <a??b@x>" DATE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        struct received r = base;
        r.helo = rows[i].helo;
        r.client_ip = rows[i].ip;
        r.recipient = rows[i].recipient;
        r.tls = rows[i].tls;
        r.utf8 = rows[i].utf8;
        buf_init(&b, 4096);
        received_print(&b, &r);
        CHECK_SPAN(rows[i].name, buf_span(&b), span_of(rows[i].want));
        buf_done(&b);
    }
}

static void local(void **state)
{
    (void)state;
    struct buf b;
    struct received r = base;
    r.helo = SPAN("www-data");
    r.local = true;
    r.uid = 33;
    buf_init(&b, 4096);
    received_print(&b, &r);
    CHECK_SPAN("a program of this machine", buf_span(&b),
               SPAN("Received: from www-data (uid 33)\r\n\tby mail.example.com with local\r\n\tid 7A1F" DATE));
    buf_done(&b);
}

static void writers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span value;
        const char *want;
    } rows[] = {
        {"ours", SPAN_INIT(" from c ([192.0.2.1])\r\n\tby mail.example.com with ESMTP\r\n\tid 7; Thu, 1"),
         "mail.example.com"},
        {"folded everywhere", SPAN_INIT("\r\n from\r\n\tc\r\n\tby\r\n\t mail.example.com\r\n ; x"),
         "mail.example.com"},
        {"by first", SPAN_INIT(" by mail.example.com (Postfix, from userid 0) id 1; x"), "mail.example.com"},
        {"a dot at its end", SPAN_INIT(" from c BY Mail.Example.com. with SMTP; x"), "Mail.Example.com"},
        {"the client calls itself by", SPAN_INIT(" from by by mail.example.com; x"), "mail.example.com"},
        {"in a comment", SPAN_INIT(" from c (by mail.example.com) by other.example; x"), "other.example"},
        {"in a nested comment", SPAN_INIT(" from c (a (\\( by mail.example.com) b) by other; x"), "other"},
        {"in a quoted string", SPAN_INIT(" from \"by mail.example.com\" by other; x"), "other"},
        {"a quote within a comment", SPAN_INIT(" from c (\") by other; x"), "other"},
        {"a comment right behind", SPAN_INIT(" from c by mail.example.com(by x); x"), "mail.example.com"},
        {"behind the semicolon", SPAN_INIT(" from c; by mail.example.com"), ""},
        {"nothing behind by", SPAN_INIT(" from c by ; x"), ""},
        {"nothing", SPAN_INIT(""), ""},
        {"no by", SPAN_INIT(" (qmail 1 invoked for x); 1 Jan"), ""},
        {"an open comment", SPAN_INIT(" from c (by mail.example.com"), ""},
        {"an open string", SPAN_INIT(" from \"c by mail.example.com"), ""},
        {"a backslash last", SPAN_INIT(" from c (\\"), ""},
        {"only the first by", SPAN_INIT(" by one by mail.example.com; x"), "one"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_SPAN(rows[i].name, received_by(rows[i].value), span_of(rows[i].want));

    struct buf b; /* what we write names us, whatever the client called itself */
    struct received r = base;
    r.helo = SPAN("by.by");
    buf_init(&b, 4096);
    received_print(&b, &r);
    CHECK_SPAN("printed", received_by(span_from(buf_span(&b), sizeof "Received:" - 1)), r.host);
    buf_done(&b);
}

static void line_length(void **state)
{
    (void)state;
    static char huge[5000];
    struct span line, rest;
    struct buf b;
    memset(huge, 'a', sizeof huge);
    struct span h = span_make(huge, sizeof huge);
    struct received r = {.helo = h, .client_ip = h, .host = h, .id = h, .recipient = h, .tls = h, .esmtp = true};
    buf_init(&b, 1 << 16);
    received_print(&b, &r);
    r.recipient = span_head(h, 571);
    received_print(&b, &r);
    for (rest = buf_span(&b); span_split(&rest, '\n', &line);)
        CHECK("998", line.len <= 998);
    CHECK("a long recipient is shown", memmem(b.ptr, b.len, "for <aaa", 8));
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(protocols), cmocka_unit_test(fields),
                                       cmocka_unit_test(local), cmocka_unit_test(line_length),
                                       cmocka_unit_test(writers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
