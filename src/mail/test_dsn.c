/* Reports: one whole example, the forms beyond ASCII, and that no value breaks the structure. */
#include "check.h"

#include "mail/dsn.h"

#include <string.h>

static const struct dsn_recipient nobody = {
    .action = DSN_FAILED,
    .address = SPAN_INIT("nobody@example.com"),
    .original = SPAN_INIT("rfc822;no+2Bbody@example.com"),
    .status = SPAN_INIT("5.1.1"),
    .diagnostic = SPAN_INIT("550 5.1.1 RESOLVER.ADR.RecipNotFound; not found"),
};

static const struct dsn example = {
    .host = SPAN_INIT("mail.example.com"),
    .from = SPAN_INIT("postmaster@example.com"),
    .to = SPAN_INIT("alice@example.org"),
    .message_id = SPAN_INIT("<r@mail.example.com>"),
    .boundary = SPAN_INIT("BOUND"),
    .envelope_id = SPAN_INIT("env+20id"),
    .now_ms = 2000,
    .arrival_ms = 1000,
    .subject = SPAN_INIT("Hello"),
    .original_header =
        SPAN_INIT("Received: from a by b\r\nMessage-ID: <o@example.org>\r\nReturn-Path: <x@y>\r\n"
                  "Subject: Hello,\r\n world\r\nBcc: secret@x\r\nX-MS-Exchange-Organization-SCL: 1\r\n"),
    .original_body = SPAN_INIT("body line\r\n"),
    .recipients = &nobody,
    .recipient_count = 1,
};

static const char whole[] =
    "From: Mail Delivery <postmaster@example.com>\r\n"
    "To: alice@example.org\r\n"
    "Date: Thu, 01 Jan 1970 00:00:02 +0000\r\n"
    "Message-ID: <r@mail.example.com>\r\n"
    "In-Reply-To: <o@example.org>\r\n"
    "Subject: Undeliverable: Hello\r\n"
    "Auto-Submitted: auto-replied\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
    "\tboundary=\"BOUND\"\r\n"
    "\r\n"
    "--BOUND\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "\r\n"
    "Your message to nobody@example.com\r\n"
    "(you wrote to no+body@example.com) could not be delivered because there is no such mailbox.\r\n"
    "Check the address for a typing error, or ask for the right one another way.\r\n"
    "\r\n"
    "\r\n"
    "Diagnostic information for administrators:\r\n"
    "\r\n"
    "Generating server: mail.example.com\r\n"
    "\r\n"
    "nobody@example.com\r\n"
    "#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\r\n"
    "\r\n"
    "Original message headers:\r\n"
    "\r\n"
    "Received: from a by b\r\n"
    "Message-ID: <o@example.org>\r\n"
    "Subject: Hello,\r\n"
    " world\r\n"
    "\r\n"
    "--BOUND\r\n"
    "Content-Type: message/delivery-status\r\n"
    "\r\n"
    "Original-Envelope-Id: env id\r\n"
    "Reporting-MTA: dns;mail.example.com\r\n"
    "Arrival-Date: Thu, 01 Jan 1970 00:00:01 +0000\r\n"
    "\r\n"
    "Original-Recipient: rfc822;no+body@example.com\r\n"
    "Final-Recipient: rfc822;nobody@example.com\r\n"
    "Action: failed\r\n"
    "Status: 5.1.1\r\n"
    "Diagnostic-Code: x-mailreeve;550 5.1.1 RESOLVER.ADR.RecipNotFound; not found\r\n"
    "\r\n"
    "--BOUND\r\n"
    "Content-Type: text/rfc822-headers\r\n"
    "\r\n"
    "Message-ID: <o@example.org>\r\n"
    "Subject: Hello,\r\n"
    " world\r\n"
    "\r\n"
    "--BOUND--\r\n";

static void print(const struct dsn *d, struct buf *out)
{
    buf_init(out, 1 << 20);
    dsn_print(out, d);
    CHECK("fits", !out->failed);
}

static bool contains(const struct buf *b, const char *text)
{
    return memmem(b->ptr, b->len, text, strlen(text)) != NULL;
}

static void whole_report(void **state)
{
    (void)state;
    struct buf b;
    print(&example, &b);
    CHECK_SPAN("whole", buf_span(&b), span_of(whole));
    buf_done(&b);
}

static void full_original(void **state)
{
    (void)state;
    struct dsn d = example;
    struct buf b;
    d.full = true;
    print(&d, &b);
    CHECK("type", contains(&b, "Content-Type: message/rfc822\r\n\r\nMessage-ID: <o@example.org>\r\n"));
    CHECK("body", contains(&b, " world\r\n\r\nbody line\r\n\r\n--BOUND--\r\n"));
    CHECK("Bcc", !contains(&b, "secret@x"));
    buf_done(&b);
}

static void actions(void **state)
{
    (void)state;
    static const struct {
        struct dsn_recipient recipients[2];
        size_t count;
        const char *subject, *sentence, *line, *status_part;
    } rows[] = {
        {{{.action = DSN_DELAYED,
           .address = SPAN_INIT("a@b"),
           .status = SPAN_INIT("4.4.1"),
           .remote = SPAN_INIT("mx.b"),
           .last_attempt_ms = 5000,
           .retry_until_ms = 172800000}},
         1,
         "Subject: Delivery delayed: Hello\r\n",
         "Your message to a@b has not been delivered yet because the recipient's mail server does not "
         "answer.\r\nNo action is needed. It is being tried again until Sat, 03 Jan 1970 00:00:00 +0000; you need "
         "not send it "
         "again.\r\n",
         "a@b\r\nRemote server: mx.b\r\n#450 4.4.1 ##\r\n",
         "Action: delayed\r\nStatus: 4.4.1\r\nRemote-MTA: dns;mx.b\r\nLast-Attempt-Date: Thu, 01 Jan 1970 00:00:05 "
         "+0000\r\nWill-Retry-Until: Sat, 03 Jan 1970 00:00:00 +0000\r\n"},
        {{{.action = DSN_DELIVERED, .address = SPAN_INIT("a@b"), .status = SPAN_INIT("2.0.0")}},
         1,
         "Subject: Delivered: Hello\r\n",
         "Your message to a@b was delivered.\r\n",
         "#250 2.0.0 ##\r\n",
         "Action: delivered\r\nStatus: 2.0.0\r\n"},
        {{{.action = DSN_RELAYED, .address = SPAN_INIT("a@b")}},
         1,
         "Subject: Relayed: Hello\r\n",
         "reports no delivery",
         "#250 2.0.0 ##\r\n",
         "Action: relayed\r\nStatus: 2.0.0\r\n"},
        {{{.action = DSN_EXPANDED, .address = SPAN_INIT("a@b")}},
         1,
         "Subject: Expanded: Hello\r\n",
         "members of a group",
         "#250 2.0.0 ##\r\n",
         "Action: expanded\r\nStatus: 2.0.0\r\n"},
        {{{.action = DSN_FAILED,
           .address = SPAN_INIT("a@b"),
           .status = SPAN_INIT("4.4.7"),
           .diagnostic = SPAN_INIT("QUEUE.Expired; message expired")}},
         1,
         "Subject: Undeliverable: Hello\r\n",
         "for too long.\r\nSend it again later, or reach the recipient another way.\r\n",
         "#450 4.4.7 QUEUE.Expired; message expired ##\r\n",
         "Action: failed\r\nStatus: 4.4.7\r\n"},
        {{{.action = DSN_FAILED,
           .address = SPAN_INIT("a@b"),
           .status = SPAN_INIT("nonsense\r\nX: y"),
           .remote = SPAN_INIT("mx.b"),
           .diagnostic = SPAN_INIT("554 no")}},
         1,
         "Subject: Undeliverable: Hello\r\n",
         "could not be delivered because of the reason below.\r\n",
         "#554 5.0.0 no ##\r\n",
         "Status: 5.0.0\r\nRemote-MTA: dns;mx.b\r\nDiagnostic-Code: smtp;554 no\r\n"},
        {{{.action = DSN_FAILED,
           .address = SPAN_INIT("a@b"),
           .status = SPAN_INIT("5.4.4"),
           .remote = SPAN_INIT("mx.b"),
           .unanswered = true,
           .diagnostic = SPAN_INIT("550 5.4.4 cannot connect")}},
         1,
         "Subject: Undeliverable: Hello\r\n",
         "because no way to the recipient's domain is known.\r\n",
         "\r\n\r\na@b\r\n#550 5.4.4 cannot connect ##\r\n",
         "Remote-MTA: dns;mx.b\r\nDiagnostic-Code: x-mailreeve;550 5.4.4 cannot connect\r\n"},
        {{{.action = DSN_FAILED, .address = SPAN_INIT("a@b"), .status = SPAN_INIT("5.2.99")}},
         1,
         "Subject: Undeliverable: Hello\r\n",
         "because the recipient's mailbox cannot take it.\r\n",
         "#550 5.2.99 ##\r\n",
         "Status: 5.2.99\r\n"},
        {{{.action = DSN_FAILED, .address = SPAN_INIT("a@b"), .status = SPAN_INIT("5.99.1")}},
         1,
         "Subject: Undeliverable: Hello\r\n",
         "because of the reason below.\r\n",
         "#550 5.99.1 ##\r\n",
         "Status: 5.99.1\r\n"},
        {{{.action = DSN_DELIVERED, .address = SPAN_INIT("a@b")},
          {.action = DSN_FAILED, .address = SPAN_INIT("c@d"), .status = SPAN_INIT("5.7.1")}},
         2,
         "Subject: Undeliverable: Hello\r\n",
         "Your message to c@d could not be delivered",
         "c@d\r\n#550 5.7.1 ##\r\n",
         "Final-Recipient: rfc822;a@b\r\nAction: delivered\r\nStatus: 2.0.0\r\n\r\nFinal-Recipient: "
         "rfc822;c@d\r\nAction: failed\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct dsn d = example;
        struct buf b;
        d.recipients = rows[i].recipients;
        d.recipient_count = rows[i].count;
        print(&d, &b);
        CHECK(rows[i].subject, contains(&b, rows[i].subject));
        CHECK(rows[i].sentence, contains(&b, rows[i].sentence));
        CHECK(rows[i].line, contains(&b, rows[i].line));
        CHECK(rows[i].status_part, contains(&b, rows[i].status_part));
        buf_done(&b);
    }
}

static void beyond_ascii(void **state)
{
    (void)state;
    static const struct dsn_recipient joerg = {.action = DSN_FAILED,
                                               .address = SPAN_INIT("j\xc3\xb6+x@b.example"),
                                               .original = SPAN_INIT("utf-8;j\\x{F6}+2Bx@b.example"),
                                               .status = SPAN_INIT("5.1.1"),
                                               .diagnostic = SPAN_INIT("550 kein J\xc3\xb6rg")};
    struct dsn d = example;
    struct buf b;
    d.recipients = &joerg;
    d.subject = SPAN("Gr\xc3\xbc\xc3\x9f"
                     "e");
    CHECK("not allowed", !dsn_needs_utf8(&d));
    print(&d, &b);
    CHECK("ASCII form", contains(&b, "Final-Recipient: utf-8;j\\x{F6}\\x{2B}x@b.example\r\n"));
    CHECK("ORCPT kept", contains(&b, "Original-Recipient: utf-8;j\\x{F6}+x@b.example\r\n"));
    CHECK("diagnostic", contains(&b, "Diagnostic-Code: x-mailreeve;550 kein J?rg\r\n"));
    CHECK("subject", contains(&b, "Subject: Undeliverable: \r\n =?utf-8?B?R3LDvMOfZQ==?=\r\n"));
    CHECK("type", contains(&b, "Content-Type: message/delivery-status\r\n\r\n"));
    CHECK("human part",
          contains(&b, "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\nContent-Type: multipart/report"));
    CHECK("human part",
          contains(
              &b, "charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nYour message to j\xc3\xb6+x@b.example"));
    buf_done(&b);

    d.utf8 = true;
    CHECK("allowed", dsn_needs_utf8(&d));
    print(&d, &b);
    CHECK("UTF-8 form", contains(&b, "Final-Recipient: utf-8;j\xc3\xb6+x@b.example\r\n"));
    CHECK("subject", contains(&b, "Subject: Undeliverable: Gr\xc3\xbc\xc3\x9f"
                                  "e\r\n"));
    CHECK("status type",
          contains(&b, "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n"));
    CHECK("header type", contains(&b, "Content-Type: message/global-headers\r\n"));
    buf_done(&b);

    d.full = true;
    print(&d, &b);
    CHECK("message type", contains(&b, "Content-Type: message/global\r\n"));
    buf_done(&b);

    d = example;
    d.utf8 = true;
    CHECK("allowed but not needed", !dsn_needs_utf8(&d));
    d.utf8 = false;
    d.to = SPAN("\xc3\xb6@x");
    CHECK("needed by the reader", dsn_needs_utf8(&d));
}

/* A long subject beyond ASCII is cut into encoded words between characters. */
static void encoded_words(void **state)
{
    (void)state;
    char subject[200];
    struct dsn d = example;
    struct buf b;
    struct span line, rest;
    for (size_t i = 0; i + 2 <= sizeof subject; i += 2)
        memcpy(subject + i, "\xc3\xb6", 2);
    d.subject = span_make(subject, sizeof subject);
    print(&d, &b);
    for (rest = buf_span(&b); span_split(&rest, '\n', &line);)
        CHECK("encoded words are short", !span_starts(line, SPAN(" =?")) || line.len <= 77);
    CHECK("first", contains(&b, "\r\n =?utf-8?B?w7bDtsO2w7bDtsO2w7bDtsO2w7bDtsO2w7bDtsO2w7bDtsO2w7bDtsO2?=\r\n"));
    buf_done(&b);
}

/* Counts the lines that equal a text. */
static size_t count_lines(const struct buf *b, const char *text)
{
    size_t n = 0;
    struct span line, rest = buf_span(b);
    while (span_split(&rest, '\n', &line))
        n += span_eq(span_trim(line), span_of(text));
    return n;
}

static void hostile_values(void **state)
{
    (void)state;
    static const struct span evil = SPAN_INIT("x\r\n--BOUND--\r\nInjected: yes\n\n--BOUND\r\0\xff y\x7f\xc2\x85");
    const struct dsn_recipient r = {.action = DSN_FAILED,
                                    .address = evil,
                                    .original = SPAN("rfc822;x+0D+0AInjected:+20yes+0D+0A"),
                                    .status = evil,
                                    .diagnostic = evil,
                                    .remote = evil};
    struct dsn d = example;
    struct buf b;
    struct span line, rest;
    d.host = d.from = d.to = d.message_id = d.subject = evil;
    d.envelope_id = SPAN("e+0D+0AInjected:+20yes");
    d.recipients = &r;
    for (int form = 0; form < 4; form++) {
        d.utf8 = form & 1;
        d.html = form & 2;
        print(&d, &b);
        CHECK_INT("no field came in", count_lines(&b, "Injected: yes"), 0);
        for (rest = buf_span(&b); span_split(&rest, '\n', &line);) {
            CHECK("short lines", line.len <= 998);
            CHECK("CRLF", line.len == 0 || line.ptr[line.len - 1] == '\r');
            CHECK("no other control", span_find(line, '\0') == SIZE_MAX && span_find(line, '\r') + 1 >= line.len);
        }
        buf_done(&b);
    }
}

/* An original that has the boundary in it, as a line or within one, gets another boundary. */
static void boundary_in_the_original(void **state)
{
    (void)state;
    struct dsn d = example;
    struct buf b;
    d.full = true;
    d.original_body = SPAN("--BOUND\r\nfaked\r\n--BOUND1000\r\n");
    print(&d, &b);
    CHECK("another boundary", contains(&b, "boundary=\"BOUND2000\"\r\n"));
    CHECK_INT("parts", count_lines(&b, "--BOUND2000"), 3);
    CHECK_INT("end", count_lines(&b, "--BOUND2000--"), 1);
    buf_done(&b);

    d.html = true;
    d.original_body = SPAN("--humanBOUND--\r\n");
    print(&d, &b);
    CHECK("the inner one",
          contains(&b, "boundary=\"BOUND1000\"\r\n") && contains(&b, "boundary=\"humanBOUND1000\"\r\n"));
    buf_done(&b);
}

static void appends_and_overflows(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 16);
    buf_add(&b, SPAN("before"));
    dsn_print(&b, &example);
    CHECK("appended", !b.failed && span_starts(buf_span(&b), SPAN("beforeFrom: ")));
    buf_done(&b);
    buf_init(&b, sizeof whole - 2);
    dsn_print(&b, &example);
    CHECK("does not fit", b.failed);
    buf_done(&b);
    buf_init(&b, sizeof whole + 64);
    dsn_print(&b, &example);
    CHECK("fits", !b.failed);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_report),
        cmocka_unit_test(full_original),
        cmocka_unit_test(actions),
        cmocka_unit_test(beyond_ascii),
        cmocka_unit_test(encoded_words),
        cmocka_unit_test(hostile_values),
        cmocka_unit_test(boundary_in_the_original),
        cmocka_unit_test(appends_and_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
