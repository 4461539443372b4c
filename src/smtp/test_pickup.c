/* test_pickup.c: the envelopes of files to be picked up and to be replayed, and what is wrong with the others. */
#include "check.h"
#include "smtp/pickup.h"

#include "base/buf.h"

#include <string.h>

enum { RECIPIENTS_MAX = 4 };

/* An envelope on one line: "sender params > recipient params, ... | header". */
static struct span shown(const struct pickup_envelope *e, struct span section, struct buf *out)
{
    static const char *const bodies[] = {
        [SMTP_BODY_7BIT] = "7", [SMTP_BODY_8BIT] = "8", [SMTP_BODY_BINARY] = "binary"};
    buf_clear(out);
    buf_addf(out, "%.*s %s", SPAN_ARG(e->sender.len ? e->sender : SPAN("<>")), bodies[e->body]);
    if (e->ret)
        buf_addf(out, " %s", e->ret == SMTP_RET_FULL ? "full" : "hdrs");
    if (e->envid.len)
        buf_addf(out, " id=%.*s", SPAN_ARG(e->envid));
    buf_addf(out, "%s%s%s", e->smtp_utf8 ? " utf8" : "", e->created_by_server ? " server" : "",
             e->undisclosed ? " undisclosed" : "");
    if (e->source_ip.len)
        buf_addf(out, " ip=%.*s", SPAN_ARG(e->source_ip));
    for (size_t i = 0; i < e->recipient_count; i++) {
        const struct pickup_recipient *r = &e->recipients[i];
        buf_addf(out, "%s%.*s", i ? ", " : " > ", SPAN_ARG(r->address));
        if (r->notify)
            buf_addf(out, " notify=%u", r->notify);
        if (r->orcpt.len)
            buf_addf(out, " orcpt=%.*s", SPAN_ARG(r->orcpt));
    }
    if (!span_eq(e->header, section))
        buf_addf(out, " | %.*s", SPAN_ARG(e->header));
    return buf_span(out);
}

static const struct {
    const char *name, *header, *want;
    const char *says[2];
    enum err_code code;
    bool replay, no_domain;
} rows[] = {
    {"plain", "From: Alice <alice@Example.COM>\r\nTo: bob@far.test\r\nSubject: x\r\n",
     "alice@example.com 8 > bob@far.test"},
    {"all three fields, several addresses, folded",
     "from: a@x.test\r\nTO: b@x.test,\r\n \"C, D\" <c@x.test>\r\nCc: d@x.test\r\nBcc: e@x.test\r\n",
     "a@x.test 8 > b@x.test, c@x.test, d@x.test, e@x.test"},
    {"without domain", "From: root\r\nTo: alice\r\n", "root@example.com 8 > alice@example.com"},
    {"without domain and none to add",
     "From: root\r\nTo: a@x.test\r\n",
     NULL,
     {"root"},
     ERR_INVALID,
     .no_domain = true},
    {"only Bcc", "From: a@x.test\r\nBcc: b@x.test\r\n", "a@x.test 8 undisclosed > b@x.test"},
    {"an empty Bcc", "From: a@x.test\r\nTo: b@x.test\r\nBcc:\r\n", "a@x.test 8 > b@x.test"},
    {"Sender is the envelope's", "From: a@x.test\r\nSender: s@x.test\r\nTo: b@x.test\r\n", "s@x.test 8 > b@x.test"},
    {"Sender alone", "Sender: s@x.test\r\nTo: b@x.test\r\n", "s@x.test 8 > b@x.test"},
    {"several in From with Sender", "From: a@x.test, c@x.test\r\nSender: s@x.test\r\nTo: b@x.test\r\n",
     "s@x.test 8 > b@x.test"},
    {"several in From", "From: a@x.test, c@x.test\r\nTo: b@x.test\r\n", NULL, {"Sender"}, ERR_INVALID},
    {"two Senders", "Sender: a@x.test\r\nSender: c@x.test\r\nTo: b@x.test\r\n", NULL, {"Sender"}, ERR_INVALID},
    {"two in Sender", "Sender: a@x.test, c@x.test\r\nTo: b@x.test\r\n", NULL, {"Sender"}, ERR_INVALID},
    {"no sender", "To: b@x.test\r\n", NULL, {"From", "Sender"}, ERR_INVALID},
    {"no recipient", "From: a@x.test\r\nSubject: x\r\n", NULL, {"To", "Bcc"}, ERR_INVALID},
    {"nothing", "", NULL, {"From"}, ERR_INVALID},
    {"no list of addresses", "From: a@x.test\r\nTo: b@x.test, <<\r\n", NULL, {"To"}, ERR_INVALID},
    {"an address that is none", "From: a@x.test\r\nTo: b@-x.test\r\n", NULL, {"To"}, ERR_INVALID},
    {"an empty group in To", "From: a@x.test\r\nTo: undisclosed-recipients:;\r\nBcc: b@x.test\r\n",
     "a@x.test 8 > b@x.test"},
    {"as many as may be", "From: a@x.test\r\nTo: b@x.test, c@x.test, d@x.test, e@x.test\r\n",
     "a@x.test 8 > b@x.test, c@x.test, d@x.test, e@x.test"},
    {"too many in one",
     "From: a@x.test\r\nTo: b@x.test, c@x.test, d@x.test, e@x.test, f@x.test\r\n",
     NULL,
     {"4"},
     ERR_LIMIT},
    {"too many in several",
     "From: a@x.test\r\nTo: b@x.test, c@x.test, d@x.test\r\nCc: e@x.test\r\nBcc: f@x.test\r\n",
     NULL,
     {"4"},
     ERR_LIMIT},
    {"UTF-8", "From: a@x.test\r\nTo: \xc3\xb6@x.test\r\n", "a@x.test 8 utf8 > \xc3\xb6@x.test"},
    {"an X-Receiver is nothing here",
     "X-Sender: <s@x.test>\r\nX-Receiver: <r@x.test>\r\nFrom: a@x.test\r\nTo: b@x.test\r\n",
     "a@x.test 8 > b@x.test"},

#define REPLAY .replay = true
#define HEAD   "X-Sender: <s@x.test>\r\nX-Receiver: <r@x.test>\r\n"
    {"replay", HEAD "From: a@x.test\r\nTo: b@x.test\r\n",
     "s@x.test 7 > r@x.test | From: a@x.test\r\nTo: b@x.test\r\n", REPLAY},
    {"the null sender", "X-Sender: <>\r\nX-Receiver: <r@x.test>\r\nTo: b\r\n", "<> 7 > r@x.test | To: b\r\n",
     REPLAY},
    {"all parameters",
     "X-Sender: <s@x.test> BODY=8bitmime RET=hdrs ENVID=a+2Bb auth=<x@y.test>\r\n"
     "X-Receiver: <r@x.test> NOTIFY=success,delay ORcpt=rfc822;o@x.test\r\n"
     "x-receiver: <t@x.test> NOTIFY=NEVER ORcpt=o@x.test\r\nTo: b\r\n",
     "s@x.test 8 hdrs id=a+2Bb > r@x.test notify=10 orcpt=rfc822;o@x.test, t@x.test notify=1 orcpt=rfc822;o@x.test "
     "| "
     "To: b\r\n",
     REPLAY},
    {"the other fields",
     "X-CreatedBy: MSExchange12\r\nX-SourceIPAddress: 192.0.2.1\r\nX-HeloDomain: x\r\nX-Source: y\r\n"
     "X-ExtendedMessageProps: z\r\n" HEAD "X-EndOfInjectedXHeaders:\r\nX-Sender: <later@x.test>\r\n",
     "s@x.test 7 server ip=192.0.2.1 > r@x.test | X-Sender: <later@x.test>\r\n", REPLAY},
    {"made by somebody else", "X-CreatedBy: me\r\n" HEAD "To: b\r\n", "s@x.test 7 > r@x.test | To: b\r\n", REPLAY},
    {"a receiver behind the header's begin is text", HEAD "To: b\r\nX-Receiver: <t@x.test>\r\n",
     "s@x.test 7 > r@x.test | To: b\r\nX-Receiver: <t@x.test>\r\n", REPLAY},
    {"folded", "X-Sender:\r\n <s@x.test>\r\n BODY=7bit\r\nX-Receiver: <r@x.test>\r\nTo: b\r\n",
     "s@x.test 7 > r@x.test | To: b\r\n", REPLAY},
    {"completed", "X-Sender: <s>\r\nX-Receiver: <r>\r\nTo: b\r\n", "s@example.com 7 > r@example.com | To: b\r\n",
     REPLAY},
    {"no header behind", HEAD, "s@x.test 7 > r@x.test | ", REPLAY},
    {"no envelope", "From: a@x.test\r\nTo: b@x.test\r\n", NULL, {"X-Sender", "X-Receiver"}, ERR_INVALID, REPLAY},
    {"no sender", "X-Receiver: <r@x.test>\r\nTo: b\r\n", NULL, {"X-Sender"}, ERR_INVALID, REPLAY},
    {"two senders", "X-Sender: <a@x.test>\r\n" HEAD "To: b\r\n", NULL, {"2 fields X-Sender"}, ERR_INVALID, REPLAY},
    {"no receiver", "X-Sender: <a@x.test>\r\nTo: b\r\n", NULL, {"X-Receiver"}, ERR_INVALID, REPLAY},
    {"the null receiver", "X-Sender: <a@x.test>\r\nX-Receiver: <>\r\n", NULL, {"<>"}, ERR_INVALID, REPLAY},
    {"no brackets", "X-Sender: a@x.test\r\nX-Receiver: <r@x.test>\r\n", NULL, {"a@x.test"}, ERR_INVALID, REPLAY},
    {"parameter unknown",
     "X-Sender: <a@x.test> FOO=1\r\nX-Receiver: <r@x.test>\r\n",
     NULL,
     {"FOO", "X-Sender"},
     ERR_INVALID,
     REPLAY},
    {"body unknown",
     "X-Sender: <a@x.test> BODY=9bit\r\nX-Receiver: <r@x.test>\r\n",
     NULL,
     {"BODY"},
     ERR_INVALID,
     REPLAY},
    {"notify unknown",
     "X-Sender: <a@x.test>\r\nX-Receiver: <r@x.test> NOTIFY=maybe\r\n",
     NULL,
     {"NOTIFY", "X-Receiver"},
     ERR_INVALID,
     REPLAY},
    {"no blank",
     "X-Sender: <a@x.test>BODY=7bit\r\nX-Receiver: <r@x.test>\r\n",
     NULL,
     {"a@x.test"},
     ERR_INVALID,
     REPLAY},
    {"envid that is none",
     "X-Sender: <a@x.test> ENVID=+zz\r\nX-Receiver: <r@x.test>\r\n",
     NULL,
     {"ENVID"},
     ERR_INVALID,
     REPLAY},
};

static enum err_code parse(size_t i, struct arena *arena, struct pickup_envelope *e, struct err *err)
{
    const struct span section = span_of(rows[i].header),
                      domain = rows[i].no_domain ? SPAN("") : SPAN("example.com");
    return rows[i].replay ? pickup_parse_replay(section, domain, arena, e, err)
                          : pickup_parse(section, domain, RECIPIENTS_MAX, arena, e, err);
}

static void test_rows(void **state UNUSED)
{
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pickup_envelope e = {0};
        struct err err = {0};
        struct arena arena;
        arena_init(&arena, 0);
        CHECK_INT(rows[i].name, parse(i, &arena, &e, &err), rows[i].code);
        if (rows[i].want)
            CHECK_SPAN(rows[i].name, shown(&e, span_of(rows[i].header), &out), span_of(rows[i].want));
        else
            CHECK(rows[i].name, e.recipient_count == 0 && !e.header.ptr);
        for (size_t k = 0; k < ARRAY_LEN(rows[i].says) && rows[i].says[k]; k++)
            CHECK(rows[i].name, strstr(err.text, rows[i].says[k]));
        arena_clear(&arena);
    }
    buf_done(&out);
}

/* Many receivers: their number is bounded, and all that may be are there. */
static void test_many(void **state UNUSED)
{
    static const size_t counts[] = {10000, PICKUP_REPLAY_RECIPIENTS_MAX, PICKUP_REPLAY_RECIPIENTS_MAX + 1};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        struct pickup_envelope e;
        struct err err = {0};
        struct arena arena;
        struct buf text;
        bool fits = counts[i] <= PICKUP_REPLAY_RECIPIENTS_MAX;
        arena_init(&arena, 0);
        buf_init(&text, 8 << 20);
        buf_add(&text, SPAN("X-Sender: <s@x.test>\r\n"));
        for (size_t n = 0; n < counts[i]; n++)
            buf_addf(&text, "X-Receiver: <r%zu@x.test>\r\n", n);
        assert_int_equal(pickup_parse_replay(buf_span(&text), SPAN(""), &arena, &e, &err),
                         fits ? ERR_NONE : ERR_LIMIT);
        if (fits)
            assert_int_equal(e.recipient_count, counts[i]);
        buf_done(&text);
        arena_clear(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
