/* What becomes of a message on its way in, for every cut of the input, and every limit at it and one past. */
#include "check.h"

#include "mail/intake.h"

#include <stdlib.h>
#include <string.h>

#define TRACE "Received: from x by y\r\n"
#define R     "Received: from a by b\r\n"

static const struct intake_options plain = {
    .trace = SPAN_INIT(TRACE),
    .message_id = SPAN_INIT("<new@id>"),
    .date = SPAN_INIT("Thu, 01 Jan 1970 00:00:00 +0000"),
    .max_header = 1000,
    .max_hops = 2,
};

static struct intake_options with(bool remove, bool submission)
{
    struct intake_options o = plain;
    o.remove_routing = o.remove_organization = o.remove_forest = remove;
    o.remove_bcc = o.add_message_id = o.add_date = submission;
    return o;
}

static void append(void *context, struct span bytes)
{
    buf_add(context, bytes);
}

/* Feeds the message cut at two places, or byte by byte where first is SIZE_MAX. */
static void run(const struct intake_options *o, struct span message, size_t first, size_t second,
                struct arena *arena, struct buf *out, struct intake_result *ret)
{
    struct intake i;
    intake_init(&i, o, arena, append, out);
    if (first == SIZE_MAX) {
        for (size_t n = 0; n < message.len; n++)
            intake_feed(&i, span_head(span_from(message, n), 1));
    } else {
        intake_feed(&i, span_head(message, first));
        intake_feed(&i, span_from(span_head(message, second), first));
        intake_feed(&i, span_from(message, second));
    }
    intake_finish(&i, ret);
    CHECK_INT("bytes out", ret->problem ? out->len : ret->bytes_out, out->len);
    intake_done(&i);
}

/* Who the sender was is stamped behind the trace, unless a stamp is kept that a server of ours has made. */
static void stamped(void **state)
{
    (void)state;
#define STAMP "X-MS-Exchange-Organization-AuthAs: Internal\r\n"
#define CLAIM "X-MS-Exchange-Organization-AuthAs: Partner\r\n"
    static const struct {
        const char *name;
        bool remove;
        const char *message, *want;
    } rows[] = {
        {"none there", false, "Subject: x\r\n\r\nbody", TRACE STAMP "Subject: x\r\n\r\nbody"},
        {"a trusted one stays", false, CLAIM "Subject: x\r\n\r\nbody", TRACE CLAIM "Subject: x\r\n\r\nbody"},
        {"a claim is replaced", true, CLAIM "Subject: x\r\n" CLAIM "\r\nbody",
         TRACE STAMP "Subject: x\r\n\r\nbody"},
        {"no header", true, "\r\nbody", TRACE STAMP "\r\nbody"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct intake_options o = with(rows[i].remove, false);
        struct intake_result r;
        struct arena arena;
        struct buf out;
        o.stamp = SPAN(STAMP);
        arena_init(&arena, 0);
        buf_init(&out, 4096);
        run(&o, span_of(rows[i].message), SIZE_MAX, 0, &arena, &out, &r);
        CHECK_INT(rows[i].name, r.problem, INTAKE_OK);
        CHECK_SPAN(rows[i].name, buf_span(&out), span_of(rows[i].want));
        buf_done(&out);
        arena_clear(&arena);
    }
}

static void rewriting(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool remove, submission;
        const char *message, *want;
    } rows[] = {
        {"untouched", false, false, "Subject: x\r\nFrom: a@b\r\n\r\nbody\r\n",
         TRACE "Subject: x\r\nFrom: a@b\r\n\r\nbody\r\n"},
        {"folding kept", true, true, "Message-ID: <1@x>\r\nDate: d\r\nTo: a,\r\n\tb ,\r\n  c\r\n\r\n",
         TRACE "Message-ID: <1@x>\r\nDate: d\r\nTo: a,\r\n\tb ,\r\n  c\r\n\r\n"},
        {"classes kept", false, false,
         R "X-MS-Exchange-Organization-SCL: -1\r\nResent-From: x\r\nX-MS-Exchange-Forest-R: 1\r\n\r\n",
         TRACE R "X-MS-Exchange-Organization-SCL: -1\r\nResent-From: x\r\nX-MS-Exchange-Forest-R: 1\r\n\r\n"},
        {"classes removed", true, false,
         R "A: 1\r\nX-MS-Exchange-Organization-SCL: -1\r\nresent-from: x\r\nB: 2\r\nX-MS-EXCHANGE-FOREST-R: "
           "1\r\n\r\nX-MS-Exchange-Organization-SCL: body\r\n",
         TRACE "A: 1\r\nB: 2\r\n\r\nX-MS-Exchange-Organization-SCL: body\r\n"},
        {"removed with what continues it", true, false,
         "X-MS-Exchange-Organization-SCL:\r\n -1\r\n\tmore\r\nA: 1\r\n\r\n", TRACE "A: 1\r\n\r\n"},
        {"removed with blanks before the colon", true, false,
         "X-MS-Exchange-Organization-SCL \t: -1\r\nA: 1\r\n\r\n", TRACE "A: 1\r\n\r\n"},
        {"blank line made of blanks continues", true, false,
         "A: 1\r\n \r\nX-MS-Exchange-Organization-SCL: -1\r\n\r\n", TRACE "A: 1\r\n \r\n\r\n"},
        {"all removed", true, false, "Received: x\r\n\r\nbody", TRACE "\r\nbody"},
        {"Return-Path always removed", false, false, "Return-Path: <x@y>\r\nA: 1\r\n\r\n", TRACE "A: 1\r\n\r\n"},
        {"Bcc kept without submission", false, false, "Bcc: x@y\r\n\r\n", TRACE "Bcc: x@y\r\n\r\n"},
        {"submission", false, true, "Bcc: x@y,\r\n z@y\r\nResent-Bcc: q\r\nA: 1\r\n\r\n",
         TRACE "Message-ID: <new@id>\r\nDate: Thu, 01 Jan 1970 00:00:00 +0000\r\nA: 1\r\n\r\n"},
        {"Date is there", false, true, "date: d\r\n\r\n", TRACE "Message-ID: <new@id>\r\ndate: d\r\n\r\n"},
        {"Message-ID is there", false, true, "Message-Id: <1@x>\r\n\r\n",
         TRACE "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\nMessage-Id: <1@x>\r\n\r\n"},
        {"no section", false, false, "hello world\r\n\r\nbye\r\n", TRACE "\r\nhello world\r\n\r\nbye\r\n"},
        {"no section, unfinished", false, false, "hello world", TRACE "\r\nhello world"},
        {"no section, continuation first", true, false, " X-MS-Exchange-Organization-SCL: 1\r\nA: 1\r\n\r\n",
         TRACE "\r\n X-MS-Exchange-Organization-SCL: 1\r\nA: 1\r\n\r\n"},
        {"section ends at a line that is no field", true, false,
         "A: 1\r\noops\r\nX-MS-Exchange-Organization-SCL: -1\r\n\r\n",
         TRACE "A: 1\r\n\r\noops\r\nX-MS-Exchange-Organization-SCL: -1\r\n\r\n"},
        {"8-bit name is no field", true, false, "A: 1\r\nX\xc3\xb6: 1\r\n\r\n",
         TRACE "A: 1\r\n\r\nX\xc3\xb6: 1\r\n\r\n"},
        {"blank line first", false, true, "\r\nbody\r\n",
         TRACE "Message-ID: <new@id>\r\nDate: Thu, 01 Jan 1970 00:00:00 +0000\r\n\r\nbody\r\n"},
        {"empty", false, false, "", TRACE "\r\n"},
        {"header only", false, false, "A: 1\r\n", TRACE "A: 1\r\n\r\n"},
        {"header unfinished", false, false, "A: 1", TRACE "A: 1\r\n\r\n"},
        {"header ends within its name", false, false, "A: 1\r\nSubj", TRACE "A: 1\r\n\r\nSubj"},
        {"body with bare line ends and CR", false, false, "A: 1\r\n\r\na\nb\rc\r\n",
         TRACE "A: 1\r\n\r\na\nb\rc\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct intake_options o = with(rows[i].remove, rows[i].submission);
        struct span message = span_of(rows[i].message);
        for (size_t cut = 0; cut <= message.len + 1; cut++) {
            struct arena arena;
            struct buf out;
            struct intake_result r;
            arena_init(&arena, 0);
            buf_init(&out, 4000);
            run(&o, message, cut > message.len ? SIZE_MAX : cut, cut + 3, &arena, &out, &r);
            CHECK_INT(rows[i].name, r.problem, INTAKE_OK);
            CHECK_SPAN(rows[i].name, buf_span(&out), span_of(rows[i].want));
            buf_done(&out);
            arena_clear(&arena);
        }
    }
}

static void problems(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span message;
        size_t max_header;
        uint32_t max_hops;
        enum intake_problem want;
    } rows[] = {
        {"at the limit", SPAN_INIT("A: 1234\r\n\r\nbody"), 9, 2, INTAKE_OK},
        {"one past it", SPAN_INIT("A: 12345\r\n\r\nbody"), 9, 2, INTAKE_HEADER_TOO_LARGE},
        {"at the limit, unfinished", SPAN_INIT("A: 123456"), 9, 2, INTAKE_OK},
        {"one past it, unfinished", SPAN_INIT("A: 1234567"), 9, 2, INTAKE_HEADER_TOO_LARGE},
        {"at the limit by a line that is no field", SPAN_INIT("A: 1234\r\nno field"), 9, 2, INTAKE_OK},
        {"a body does not count", SPAN_INIT("no field, and longer than the limit\r\n"), 9, 2, INTAKE_OK},
        {"no section where none may be", SPAN_INIT("\r\nbody"), 0, 2, INTAKE_OK},
        {"a section where none may be", SPAN_INIT("A:\r\n\r\n"), 0, 2, INTAKE_HEADER_TOO_LARGE},
        {"hops at the limit", SPAN_INIT(R R "\r\n"), 900, 2, INTAKE_OK},
        {"one hop more", SPAN_INIT(R "received : x\r\n" R "\r\n"), 900, 2, INTAKE_TOO_MANY_HOPS},
        {"no hop allowed", SPAN_INIT(R "\r\n"), 900, 0, INTAKE_TOO_MANY_HOPS},
        {"hops in the body", SPAN_INIT("A: 1\r\n\r\n" R R R), 900, 2, INTAKE_OK},
        {"bare LF", SPAN_INIT("A: 1\nX-MS-Exchange-Organization-SCL: -1\r\n\r\n"), 900, 2, INTAKE_BAD_LINE_END},
        {"bare LF ends it", SPAN_INIT("A: 1\r\n\nX-MS-Exchange-Organization-SCL: -1\r\n\r\n"), 900, 2, INTAKE_OK},
        {"bare LFs end it", SPAN_INIT("A: 1\n\nbody"), 900, 2, INTAKE_BAD_LINE_END},
        {"bare CR", SPAN_INIT("A: 1\rX-MS-Exchange-Organization-SCL: -1\r\n\r\n"), 900, 2, INTAKE_BAD_LINE_END},
        {"CR CR LF", SPAN_INIT("A: 1\r\r\n\r\n"), 900, 2, INTAKE_BAD_LINE_END},
        {"CR at the end", SPAN_INIT("A: 1\r"), 900, 2, INTAKE_BAD_LINE_END},
        {"NUL", SPAN_INIT("A: 1\0\r\n\r\n"), 900, 2, INTAKE_BAD_LINE_END},
        {"bare CR in a continuation", SPAN_INIT("A: 1\r\n b\rc\r\n\r\n"), 900, 2, INTAKE_BAD_LINE_END},
        {"NUL in the body", SPAN_INIT("A: 1\r\n\r\na\0b"), 900, 2, INTAKE_OK},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct intake_options o = with(true, false);
        o.max_header = rows[i].max_header;
        o.max_hops = rows[i].max_hops;
        for (size_t cut = 0; cut <= rows[i].message.len + 1; cut++) {
            struct arena arena;
            struct buf out;
            struct intake_result r;
            arena_init(&arena, 0);
            buf_init(&out, 4000);
            run(&o, rows[i].message, cut > rows[i].message.len ? SIZE_MAX : cut, cut + 1, &arena, &out, &r);
            CHECK_INT(rows[i].name, r.problem, rows[i].want);
            if (r.problem)
                CHECK_INT(rows[i].name, out.len, 0);
            buf_done(&out);
            arena_clear(&arena);
        }
    }
}

static void facts(void **state)
{
    (void)state;
    static const struct {
        const char *name, *message;
        const char *id, *subject, *from, *sender;
        bool complete;
        uint32_t hops;
        bool eight_header, eight_body;
        size_t header_bytes;
        bool tls_optional;
    } rows[] = {
        {"all there",
         "Message-ID:\r\n <1@x>\r\nSubject: two\r\n words\r\nFrom: A <a@B>, b@b\r\nSender: c@c\r\n" R "\r\nx",
         "<1@x>", "two words", "a@b b@b", "c@c", true, 1, false, false, 99},
        {"nothing there", "\r\n", "<new@id>", "", "", "", true, 0, false, false, 0},
        {"8-bit header", "Subject: \xc3\xb6\r\n\r\nx", "<new@id>", "\xc3\xb6", "", "", true, 0, true, false, 13},
        {"8-bit body", "A: b\r\n\r\n\xff", "<new@id>", "", "", "", true, 0, false, true, 6},
        {"8-bit body far behind",
         "A: b\r\n\r\n0123456789012345678901234567890123456789012345678901234567890123456789\xff", "<new@id>", "",
         "", "", true, 0, false, true, 6},
        {"first subject and id count", "Subject: 1\r\nSubject: 2\r\nMessage-ID: <1@x>\r\nMessage-ID: <2@x>\r\n\r\n",
         "<1@x>", "1", "", "", true, 0, false, false, 62},
        {"all From fields count", "From: a@a\r\nFROM: b@b\r\n\r\n", "<new@id>", "", "a@a b@b", "", true, 0, false,
         false, 22},
        {"From not understood", "From: a@a (\r\n\r\n", "<new@id>", "", "", "", false, 0, false, false, 13},
        {"two Sender fields", "Sender: a@a\r\nSender: b@b\r\n\r\n", "<new@id>", "", "", "a@a", false, 0, false,
         false, 26},
        {"two mailboxes in Sender", "Sender: a@a, b@b\r\n\r\n", "<new@id>", "", "", "a@a", false, 0, false, false,
         18},
        {"empty Sender", "Sender: \r\n\r\n", "<new@id>", "", "", "", false, 0, false, false, 10},
        {"too many in From",
         "From: 1@a,2@a,3@a,4@a,5@a,6@a,7@a,8@a,9@a,10@a,11@a,12@a,13@a,14@a,15@a,16@a,17@a\r\n\r\n", "<new@id>",
         "", "1@a 2@a 3@a 4@a 5@a 6@a 7@a 8@a 9@a 10@a 11@a 12@a 13@a 14@a 15@a 16@a", "", false, 0, false, false,
         83},
        {"TLS-Required: No", "tls-required:  no \r\n\r\n", "<new@id>", "", "", "", true, 0, false, false, 20, true},
        {"TLS-Required: Yes", "TLS-Required: Yes\r\n\r\n", "<new@id>", "", "", "", true, 0, false, false, 19},
        {"From in the body", "A: b\r\n\r\nFrom: x@x\r\n", "<new@id>", "", "", "", true, 0, false, false, 6},
    };
    struct intake_options o = with(true, true);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct buf out, from;
        struct intake_result r;
        arena_init(&arena, 0);
        buf_init(&out, 4000);
        buf_init(&from, 4000);
        run(&o, span_of(rows[i].message), SIZE_MAX, 0, &arena, &out, &r);
        for (size_t k = 0; k < r.from_count; k++)
            buf_addf(&from, "%s%.*s", k ? " " : "", SPAN_ARG(r.from[k]));
        CHECK_INT(rows[i].name, r.problem, INTAKE_OK);
        CHECK_SPAN(rows[i].name, r.message_id, span_of(rows[i].id));
        CHECK_SPAN(rows[i].name, r.subject, span_of(rows[i].subject));
        CHECK_SPAN(rows[i].name, buf_span(&from), span_of(rows[i].from));
        CHECK_SPAN(rows[i].name, r.sender, span_of(rows[i].sender));
        CHECK_INT(rows[i].name, r.authors_complete, rows[i].complete);
        CHECK_INT(rows[i].name, r.tls_optional, rows[i].tls_optional);
        CHECK_INT(rows[i].name, r.hops, rows[i].hops);
        CHECK_INT(rows[i].name, r.eight_bit_header, rows[i].eight_header);
        CHECK_INT(rows[i].name, r.eight_bit_body, rows[i].eight_body);
        CHECK_INT(rows[i].name, r.header_bytes, rows[i].header_bytes);
        buf_done(&from);
        buf_done(&out);
        arena_clear(&arena);
    }
}

#define BY(name) "Received: from c\r\n\tby " name " with SMTP; Thu, 1 Jan 1970 00:00:00 +0000\r\n"

static void local_hops(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t max_hops, max_local;
        const char *header;
        uint32_t local;
        enum intake_problem problem;
    } rows[] = {
        {"at the limit", 30, 2, BY("mail.example.com") BY("MX.Example.com.") BY("other"), 2, INTAKE_OK},
        {"one past it", 30, 2, BY("mail.example.com") BY("mx.example.com") BY("mail.example.com"), 3,
         INTAKE_TOO_MANY_LOCAL_HOPS},
        {"never", 30, 0, BY("mail.example.com") BY("mail.example.com"), 0, INTAKE_OK},
        {"others' names", 30, 1, BY("mail.example.com.evil") BY("xmail.example.com") BY("com"), 0, INTAKE_OK},
        {"no name", 30, 1, "Received: by ; x\r\nReceived: x\r\nReceived:\r\n", 0, INTAKE_OK},
        {"all hops first", 1, 1, BY("mail.example.com") BY("mail.example.com"), 1, INTAKE_TOO_MANY_HOPS},
        {"they are to be removed", 30, 1, BY("mail.example.com") BY("mail.example.com"), 2,
         INTAKE_TOO_MANY_LOCAL_HOPS},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct intake_options o = with(true, false);
        struct arena arena;
        struct buf out;
        struct intake_result r;
        o.max_hops = rows[i].max_hops;
        o.max_local_hops = rows[i].max_local;
        o.local_names[0] = SPAN("mail.example.com");
        o.local_names[2] = SPAN("mx.example.com");
        arena_init(&arena, 0);
        buf_init(&out, 4000);
        run(&o, span_of(rows[i].header), SIZE_MAX, 0, &arena, &out, &r);
        CHECK_INT(rows[i].name, r.problem, rows[i].problem);
        CHECK_INT(rows[i].name, r.local_hops, rows[i].local);
        CHECK_INT(rows[i].name, out.len == 0, rows[i].problem != INTAKE_OK);
        buf_done(&out);
        arena_clear(&arena);
    }
}

static const char *body_seen;

static void remember(void *context, struct span bytes)
{
    (void)context;
    body_seen = bytes.ptr;
}

/* Body bytes are not copied, whether the header came with them or before. */
static void no_copy(void **state)
{
    (void)state;
    struct arena arena;
    struct intake i;
    struct intake_result r;
    static const char text[] = "A: 1\r\n\r\nbody", more[] = "more";
    arena_init(&arena, 0);
    intake_init(&i, &plain, &arena, remember, NULL);
    intake_feed(&i, span_of(text));
    assert_ptr_equal(body_seen, text + 8);
    intake_feed(&i, span_of(more));
    assert_ptr_equal(body_seen, more);
    intake_finish(&i, &r);
    intake_done(&i);
    arena_clear(&arena);
}

static void no_memory(void **state)
{
    (void)state;
    struct arena arena;
    struct buf out;
    struct intake_result r;
    arena_init(&arena, 1);
    buf_init(&out, 100);
    run(&plain, SPAN("Subject: x\r\n\r\n"), SIZE_MAX, 0, &arena, &out, &r);
    CHECK_INT("arena full", r.problem, INTAKE_NO_MEMORY);
    CHECK_INT("arena full", out.len, 0);
    buf_done(&out);
}

/* A header section of a megabyte in the smallest fields, byte by byte: finished at once, or something is quadratic.
 */
static void many_small_fields(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    struct intake_options o = with(true, true);
    struct arena arena;
    struct intake_result r;
    struct buf out;
    char *text = malloc(SIZE);
    assert_non_null(text);
    for (size_t n = 0; n + 4 <= SIZE; n += 4)
        memcpy(text + n, "A:\r\n", 4);
    o.max_header = SIZE;
    arena_init(&arena, 1 << 16);
    buf_init(&out, 2 * SIZE);
    run(&o, span_make(text, SIZE), SIZE_MAX, 0, &arena, &out, &r);
    CHECK_INT("many small fields", r.problem, INTAKE_OK);
    CHECK_INT("many small fields", r.header_bytes, SIZE);
    buf_done(&out);
    arena_clear(&arena);
    free(text);
}

/* Authors without a domain get the default one, as in MAIL: in the result, and where they stand. */
static void completed_authors(void **state)
{
    (void)state;
    static const struct {
        const char *name, *domain, *message, *want, *from, *sender;
        bool complete;
    } rows[] = {
        {"alone", "d.test", "From: alice\r\nTo: bob\r\n\r\nFrom: x\r\n",
         "From: alice@d.test\r\nTo: bob\r\n\r\nFrom: x\r\n", "alice@d.test", "", true},
        {"no default domain", "", "From: alice\r\n\r\n", "From: alice\r\n\r\n", "alice", "", true},
        {"with a name and folding", "d.test", "From: Alice\r\n <alice> (x)\r\n\r\n",
         "From: Alice\r\n <alice@d.test> (x)\r\n\r\n", "alice@d.test", "", true},
        {"some of them", "d.test", "X: 1\r\nSender: s\r\nFrom: a, b@b, C <c>\r\nfrom: e\r\nY: 2\r\n\r\n",
         "X: 1\r\nSender: s@d.test\r\nFrom: a@d.test, b@b, C <c@d.test>\r\nfrom: e@d.test\r\nY: 2\r\n\r\n",
         "a@d.test b@b c@d.test e@d.test", "s@d.test", true},
        {"between what is removed", "d.test", "Bcc: z\r\nFrom: a\r\nBcc: z\r\nSender: s\r\nBcc: z\r\n\r\n",
         "From: a@d.test\r\nSender: s@d.test\r\n\r\n", "a@d.test", "s@d.test", true},
        {"at the end of a section without line end", "d.test", "From: a", "From: a@d.test\r\n\r\n", "a@d.test", "",
         true},
        {"quotes", "d.test", "From: \"a b\"\r\n\r\n", "From: \"a b\"@d.test\r\n\r\n", "\"a b\"@d.test", "", true},
        {"an address in quotes", "d.test", "From: \"ceo@corp\"\r\n\r\n", "From: \"ceo@corp\"@d.test\r\n\r\n",
         "\"ceo@corp\"@d.test", "", true},
        {"what is not understood stays", "d.test", "From: a b, c\r\n\r\n", "From: a b, c@d.test\r\n\r\n",
         "c@d.test", "", false},
        {"what makes no address stays", "no..domain", "From: alice\r\n\r\n", "From: alice\r\n\r\n", "alice", "",
         false},
        {"a second Sender stays", "d.test", "Sender: s\r\nSender: t\r\n\r\n",
         "Sender: s@d.test\r\nSender: t\r\n\r\n", "", "s@d.test", false},
        {"more than are read", "d.test", "From: 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\r\n\r\n",
         "From: 1@d.test,2@d.test,3@d.test,4@d.test,5@d.test,6@d.test,7@d.test,8@d.test,9@d.test,10@d.test,"
         "11@d.test,12@d.test,13@d.test,14@d.test,15@d.test,16@d.test,17\r\n\r\n",
         "1@d.test 2@d.test 3@d.test 4@d.test 5@d.test 6@d.test 7@d.test 8@d.test 9@d.test 10@d.test 11@d.test "
         "12@d.test 13@d.test 14@d.test 15@d.test 16@d.test",
         "", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct intake_options o = plain;
        struct intake_result r;
        struct arena arena;
        struct buf out, from;
        o.trace = SPAN("");
        o.remove_bcc = true;
        o.default_domain = span_of(rows[i].domain);
        arena_init(&arena, 0);
        buf_init(&out, 4000);
        buf_init(&from, 4000);
        run(&o, span_of(rows[i].message), SIZE_MAX, 0, &arena, &out, &r);
        for (size_t k = 0; k < r.from_count; k++)
            buf_addf(&from, "%s%.*s", k ? " " : "", SPAN_ARG(r.from[k]));
        CHECK_INT(rows[i].name, r.problem, INTAKE_OK);
        CHECK_SPAN(rows[i].name, buf_span(&out), span_of(rows[i].want));
        CHECK_SPAN(rows[i].name, buf_span(&from), span_of(rows[i].from));
        CHECK_SPAN(rows[i].name, r.sender, span_of(rows[i].sender));
        CHECK_INT(rows[i].name, r.authors_complete, rows[i].complete);
        buf_done(&from);
        buf_done(&out);
        arena_clear(&arena);
    }
}

static void texts(void **state)
{
    (void)state;
    for (int p = 0; p < INTAKE_PROBLEM_MAX; p++)
        assert_non_null(intake_problem_text((enum intake_problem)p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rewriting),         cmocka_unit_test(stamped),
        cmocka_unit_test(problems),          cmocka_unit_test(facts),
        cmocka_unit_test(no_copy),           cmocka_unit_test(no_memory),
        cmocka_unit_test(many_small_fields), cmocka_unit_test(texts),
        cmocka_unit_test(local_hops),        cmocka_unit_test(completed_authors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
