/* What people read in a report: the words for each kind of failure, and the HTML form. */
#include "check.h"

#include "mail/dsn.h"

#include <stdio.h>
#include <string.h>

static struct dsn report_of(const struct dsn_recipient *r)
{
    return (struct dsn){.host = SPAN("mail.example.com"),
                        .from = SPAN("postmaster@example.com"),
                        .to = SPAN("alice@example.org"),
                        .message_id = SPAN("<r@mail.example.com>"),
                        .boundary = SPAN("BOUND"),
                        .now_ms = 2000,
                        .arrival_ms = 1000,
                        .subject = SPAN("Hello"),
                        .original_header = SPAN("Subject: Hello <b>&amp;\r\nBcc: secret@x\r\n"),
                        .recipients = r,
                        .recipient_count = 1};
}

static bool contains(const struct buf *b, const char *text)
{
    return memmem(b->ptr, b->len, text, strlen(text)) != NULL;
}

/* What follows "could not be delivered because", and the advice. */
static const struct {
    const char *diagnostic, *because, *advice;
} reasons[] = {
    {"550 5.1.1 User unknown", "there is no such mailbox", "Check the address for a typing error"},
    {"550 5.1.2 x", "the domain of the address does not exist", "Check what stands behind the @."},
    {"556 5.1.10 x", "the domain of the address accepts no mail at all", "Check what stands behind the @."},
    {"550 5.1.99 x", "something is wrong with the address", "Check the address."},
    {"552 5.2.2 x", "the recipient's mailbox is full", "Try again later"},
    {"550 5.2.3 RESOLVER.RST.RecipSizeLimit; x", "the message is too large for this recipient", "Make it smaller"},
    {"550 5.2.3 RESOLVER.RST.SendSizeLimit.Org; x", "it is larger than your organisation allows",
     "Make it smaller"},
    {"552 5.3.4 x", "the message is too large", "Make it smaller"},
    {"550 4.3.2 QUEUE.Deleted; message deleted by administrative action",
     "an administrator removed it before it was delivered", "Ask your administrator"},
    {"450 4.3.2 system shutting down", "the recipient's mail system takes no mail at the moment",
     "Send it again later."},
    {"550 5.4.4 ROUTING.NoConnectorForAddressType; x", "no way to the recipient's domain is known",
     "Check what stands behind the @"},
    {"554 5.4.6 x", "it went round in a loop", "Tell your administrator."},
    {"550 5.5.3 x", "it has more recipients than", "fewer recipients"},
    {"550 5.7.1 x", "the rules of a mail server on its way do not allow it", "stands below"},
    {"550 5.7.4 x", "it must travel encrypted, which the recipient's mail server does not offer",
     "Tell your administrator."},
    {"550 5.7.5 x", "it must travel encrypted, and no connection that can be trusted came about",
     "Tell your administrator."},
    {"550 5.7.10 x", "a mail server on its way takes it only encrypted", "Tell your administrator."},
    {"550 5.7.30 x", "you asked that it travel encrypted all the way", "without that demand"},
    {"550 4.4.7 QUEUE.Expired; message expired; " DSN_LAST_ERROR "450 4.7.4 TLS is required",
     "could not be reached, or did not take it, for too long.\r\nThe last attempt failed because it must travel "
     "encrypted, which the recipient's mail server does not offer",
     "Send it again later"},
    {"550 4.4.7 QUEUE.Expired; message expired; " DSN_LAST_ERROR "452 4.2.2 mailbox full",
     "for too long.\r\nThe last attempt failed because the recipient's mailbox is full", "Send it again later"},
    {"550 4.4.7 QUEUE.Expired; message expired; " DSN_LAST_ERROR "oddly", "for too long.\r\nSend it",
     "again later"},
    {"550 5.1.1 " DSN_LAST_ERROR "452 4.2.2 said by another", "there is no such mailbox.\r\nCheck", "typing error"},
};

static void words(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        char want[400];
        struct span text = span_of(reasons[i].diagnostic), status = span_from(text, 4);
        struct dsn_recipient r = {.action = DSN_FAILED,
                                  .address = SPAN("x@b.example"),
                                  .status = span_head(status, span_find(status, ' ')),
                                  .diagnostic = text};
        struct dsn d = report_of(&r);
        struct buf b;
        buf_init(&b, 1 << 16);
        dsn_print(&b, &d);
        snprintf(want, sizeof want, " could not be delivered because %s", reasons[i].because);
        if (strstr(reasons[i].because, "\r\n"))
            snprintf(want, sizeof want, "%s", reasons[i].because);
        CHECK(reasons[i].diagnostic, contains(&b, want));
        CHECK(reasons[i].diagnostic, contains(&b, reasons[i].advice));
        snprintf(want, sizeof want, "\r\nx@b.example\r\n#%s ##\r\n", reasons[i].diagnostic);
        CHECK(reasons[i].diagnostic, contains(&b, want));
        buf_done(&b);
    }
}

static const char html[] =
    "Content-Type: multipart/alternative;\r\n"
    "\tboundary=\"humanBOUND\"\r\n"
    "\r\n"
    "--humanBOUND\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "\r\n"
    "Your message to <i>&\"@b could not be delivered because there is no such mailbox.\r\n"
    "Check the address for a typing error, or ask for the right one another way.\r\n"
    "\r\n"
    "\r\n"
    "Diagnostic information for administrators:\r\n"
    "\r\n"
    "Generating server: mail.example.com\r\n"
    "\r\n"
    "<i>&\"@b\r\n"
    "Remote server: mx.b\r\n"
    "#550 5.1.1 <a href=\"x\">no</a> ##\r\n"
    "\r\n"
    "Original message headers:\r\n"
    "\r\n"
    "Subject: Hello <b>&amp;\r\n"
    "\r\n"
    "--humanBOUND\r\n"
    "Content-Type: text/html; charset=utf-8\r\n"
    "\r\n"
    "<!DOCTYPE html>\r\n"
    "<html><head><meta charset=\"utf-8\"></head><body>\r\n"
    "<p><b>Your message to &lt;i&gt;&amp;&quot;@b could not be delivered because there is no such mailbox.</b>\r\n"
    "<br>Check the address for a typing error, or ask for the right one another way.\r\n"
    "</p>\r\n"
    "\r\n"
    "<hr><p>Diagnostic information for administrators:</p><pre>\r\n"
    "\r\n"
    "Generating server: mail.example.com\r\n"
    "\r\n"
    "&lt;i&gt;&amp;&quot;@b\r\n"
    "Remote server: mx.b\r\n"
    "#550 5.1.1 &lt;a href=&quot;x&quot;&gt;no&lt;/a&gt; ##\r\n"
    "\r\n"
    "Original message headers:\r\n"
    "\r\n"
    "Subject: Hello &lt;b&gt;&amp;amp;\r\n"
    "</pre>\r\n"
    "</body></html>\r\n"
    "\r\n"
    "--humanBOUND--\r\n"
    "--BOUND\r\n"
    "Content-Type: message/delivery-status\r\n";

static void html_form(void **state)
{
    (void)state;
    const struct dsn_recipient r = {.action = DSN_FAILED,
                                    .address = SPAN("<i>&\"@b"),
                                    .status = SPAN("5.1.1"),
                                    .remote = SPAN("mx.b"),
                                    .diagnostic = SPAN("550 5.1.1 <a href=\"x\">no</a>")};
    struct dsn d = report_of(&r);
    struct buf b;
    d.html = true;
    buf_init(&b, 1 << 16);
    dsn_print(&b, &d);
    const char *from = memmem(b.ptr, b.len, "Content-Type: multipart/alt", 27);
    assert_non_null(from);
    CHECK_SPAN("html", span_head(span_from(buf_span(&b), (size_t)(from - b.ptr)), sizeof html - 1), span_of(html));
    buf_done(&b);
}

/* Escaped, a value may be five times as long: no line becomes too long for SMTP. */
static void long_values(void **state)
{
    (void)state;
    char text[700];
    memset(text, '&', sizeof text);
    const struct dsn_recipient r = {.action = DSN_FAILED,
                                    .address = span_make(text, sizeof text),
                                    .status = SPAN("5.1.1"),
                                    .diagnostic = span_make(text, sizeof text)};
    struct dsn d = report_of(&r);
    struct buf b;
    struct span line, rest;
    d.html = true;
    buf_init(&b, 1 << 16);
    dsn_print(&b, &d);
    for (rest = buf_span(&b); span_split(&rest, '\n', &line);)
        CHECK("short lines", line.len <= 998);
    buf_done(&b);
}

static void subject(void **state)
{
    (void)state;
    const struct dsn_recipient r[] = {{.action = DSN_DELIVERED}, {.action = DSN_DELAYED}};
    struct dsn d = report_of(r);
    struct buf b;
    d.recipient_count = 2;
    buf_init(&b, 100);
    dsn_print_subject(&b, &d);
    CHECK_SPAN("subject", buf_span(&b), SPAN("Delivery delayed: Hello"));
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(html_form),
        cmocka_unit_test(long_values),
        cmocka_unit_test(subject),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
