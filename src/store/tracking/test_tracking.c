/* The tracking log in a folder of the test's own: lines, searches with and without an index, and what befalls it.
 */
#include "check.h"

#include "store/tracking/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static atomic_bool stop;

static int make_folder(void **state)
{
    (void)state;
    stop = false;
    snprintf(folder, sizeof folder, "/tmp/mailreeve-tracking-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

/* The files of a folder below it; with NULL all are removed. */
static size_t list(const char *below, char names[][128], size_t max)
{
    char path[512];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/%s", folder, below);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        if (names && n < max)
            snprintf(names[n], 128, "%.127s", e->d_name);
        if (!names)
            unlinkat(dirfd(d), e->d_name, 0);
        n++;
    }
    if (d)
        closedir(d);
    return n;
}

static int drop_folder(void **state)
{
    char path[128];
    (void)state;
    list("index", NULL, 0);
    list("", NULL, 0);
    snprintf(path, sizeof path, "%s/index", folder);
    rmdir(path);
    rmdir(folder);
    return 0;
}

static void append(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

#define HEAD                                                                                                       \
    "#Software: Mailreeve\r\n#Version: 1\r\n#Log-Type: Message Tracking Log\r\n#Date: %s\r\n#Fields: "             \
    "date-time,client-ip\r\n"

struct sample {
    const char *time, *event, *internal, *id, *to, *related, *reference, *subject, *from;
};

static void add(const char *name, const struct sample *s)
{
    char line[1024];
    snprintf(line, sizeof line,
             "%s,192.0.2.1,c,192.0.2.2,s,ctx,con,SMTP,%s,%s,%s,%s,250,1,1,%s,%s,%s,%s,%s,,Incoming,,\r\n", s->time,
             s->event, s->internal, s->id, s->to, s->related, s->reference, s->subject, s->from, s->from);
    append(name, line);
}

#define OLD "MSGTRK20261123-0001.log"
#define MID "MSGTRK20261123-0002.log"
#define NEW "MSGTRK20261124-0001.log"

static const struct {
    const char *file;
    struct sample s;
} samples[] = {
    {OLD,
     {"2026-11-23T10:00:00.000Z", "RECEIVE", "1", "<one@a>", "team@a;x@b", "", "", "\"Hello, \"\"you\"\"\"",
      "sue@a"}},
    {OLD, {"2026-11-23T10:00:01.000Z", "EXPAND", "1", "<one@a>", "ann@a;bob@a", "team@a", "", "Hello", "sue@a"}},
    {OLD, {"2026-11-23T10:00:02.000Z", "DELIVER", "1", "<one@a>", "ann@a", "", "", "Hello", "sue@a"}},
    {MID, {"2026-11-23T11:00:00.000Z", "FAIL", "1", "<one@a>", "x@b", "", "", "Hello", "sue@a"}},
    {MID, {"2026-11-23T11:00:00.500Z", "DSN", "2", "<dsn@a>", "sue@a", "", "<one@a>", "Status", "<>"}},
    {NEW, {"2026-11-24T09:00:00.000Z", "RECEIVE", "3", "<two@a>", "Ann@A", "", "", "Hello again", "tom@a"}},
    {NEW, {"2026-11-24T09:00:01.000Z", "DELIVER", "3", "<two@a>", "ann@a", "", "", "Hello again", "tom@a"}},
};

static void fill(void)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        char head[256];
        if (i == 0 || strcmp(samples[i].file, samples[i - 1].file)) {
            snprintf(head, sizeof head, HEAD, samples[i].file);
            append(samples[i].file, head);
        }
        add(samples[i].file, &samples[i].s);
    }
}

/* "1:RECEIVE 1:EXPAND": what was found. */
static bool note(void *context, const struct tracking_row *r)
{
    struct buf *b = context;
    buf_addf(b, "%s%.*s:%.*s", b->len ? " " : "", SPAN_ARG(r->field[TRACKING_INTERNAL_MESSAGE_ID]),
             SPAN_ARG(r->field[TRACKING_EVENT_ID]));
    return true;
}

static struct tracking_found found;

/* Recipients of a query. */
#define TO(...)                                                                                                    \
    .recipients = (const struct span[]){__VA_ARGS__},                                                              \
    .recipient_count = sizeof((const struct span[]){__VA_ARGS__}) / sizeof(struct span)

static void expect(const char *name, struct tracking_query q, const char *wanted)
{
    struct buf b;
    struct err err = {0};
    buf_init(&b, 65536);
    q.end_ms = q.end_ms ? q.end_ms : INT64_MAX;
    q.limit = q.limit ? q.limit : 1000;
    CHECK_INT(name, tracking_search(folder, &q, note, &b, &found, &err), ERR_NONE);
    CHECK_SPAN(name, buf_span(&b), span_of(wanted));
    buf_done(&b);
}

#define NOON_23 INT64_C(1795435200000)

static void expect_all(void)
{
    const struct { /* the lists of recipients are the call's */
        const char *name;
        struct tracking_query query;
        const char *found;
    } rows[] = {
        {"everything", {0}, "1:RECEIVE 1:EXPAND 1:DELIVER 1:FAIL 2:DSN 3:RECEIVE 3:DELIVER"},
        {"message id", {.message_id = SPAN_INIT("<ONE@a>")}, "1:RECEIVE 1:EXPAND 1:DELIVER 1:FAIL"},
        {"part of a message id", {.message_id = SPAN_INIT("<one")}, ""},
        {"internal id", {.internal_id = SPAN_INIT("2")}, "2:DSN"},
        {"reference", {.reference = SPAN_INIT("<one@a>")}, "2:DSN"},
        {"sender", {.sender = SPAN_INIT("tom@a")}, "3:RECEIVE 3:DELIVER"},
        {"no sender", {.sender = SPAN_INIT("<>")}, "2:DSN"},
        {"recipient, one of several", {TO(SPAN_INIT("bob@a"))}, "1:EXPAND"},
        {"recipient, folded", {TO(SPAN_INIT("ann@a"))}, "1:EXPAND 1:DELIVER 3:RECEIVE 3:DELIVER"},
        {"one of several recipients",
         {TO(SPAN_INIT("x@b"), SPAN_INIT("bob@a"), SPAN_INIT("none@a"))},
         "1:RECEIVE 1:EXPAND 1:FAIL"},
        {"several that share entries",
         {TO(SPAN_INIT("bob@a"), SPAN_INIT("team@a"), SPAN_INIT("ANN@a"))},
         "1:RECEIVE 1:EXPAND 1:DELIVER 3:RECEIVE 3:DELIVER"},
        {"the newest of several",
         {TO(SPAN_INIT("bob@a"), SPAN_INIT("team@a"), SPAN_INIT("ann@a")), .limit = 2},
         "3:RECEIVE 3:DELIVER"},
        {"what a recipient was", {TO(SPAN_INIT("team@a"))}, "1:RECEIVE 1:EXPAND"},
        {"event", {.event = SPAN_INIT("deliver")}, "1:DELIVER 3:DELIVER"},
        {"subject", {.subject = SPAN_INIT("O, \"YOU")}, "1:RECEIVE"},
        {"recipient and event", {TO(SPAN_INIT("ann@a")), .event = SPAN_INIT("DELIVER")}, "1:DELIVER 3:DELIVER"},
        {"sender and time", {.sender = SPAN_INIT("sue@a"), .start_ms = NOON_23 - 3600000}, "1:FAIL"},
        {"from then on", {.start_ms = NOON_23}, "3:RECEIVE 3:DELIVER"},
        {"until then, exclusive", {.end_ms = NOON_23 - 3600000}, "1:RECEIVE 1:EXPAND 1:DELIVER"},
        {"the newest", {.limit = 2}, "3:RECEIVE 3:DELIVER"},
        {"the newest of a message", {.message_id = SPAN_INIT("<one@a>"), .limit = 2}, "1:DELIVER 1:FAIL"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        expect(rows[i].name, rows[i].query, rows[i].found);
        CHECK_INT(rows[i].name, found.more, rows[i].query.limit == 2);
        CHECK_INT(rows[i].name, found.stopped, false);
    }
}

static struct tracking_step step(void)
{
    struct tracking_step s;
    struct err err = {0};
    CHECK_INT("step", tracking_index_step(folder, &stop, &s, &err), ERR_NONE);
    return s;
}

static void searches(void **state)
{
    (void)state;
    expect("no folder yet", (struct tracking_query){0}, "");
    fill();
    expect_all(); /* without any index */
    assert_true(step().built);
    expect_all();
    assert_true(step().built);
    expect_all();
    struct tracking_step last = step();
    assert_false(last.built); /* the file that is written to has none yet */
    assert_int_equal(last.left, 0);
    assert_int_equal(list("index", NULL, 0) > 0, true);
}

static void follows_the_files(void **state)
{
    (void)state;
    char names[8][128], path[512];
    fill();
    while (step().built)
        ;
    assert_int_equal(list("index", names, 8), 2);
    /* A file that goes takes its index along. */
    snprintf(path, sizeof path, "%s/%s", folder, OLD);
    assert_int_equal(unlink(path), 0);
    expect("the oldest file is gone", (struct tracking_query){.message_id = SPAN("<one@a>")}, "1:FAIL");
    assert_int_equal(step().removed, 1);
    assert_int_equal(list("index", names, 8), 1);
    /* Another file under the same name: its index is none of its. */
    snprintf(path, sizeof path, "%s/%s", folder, MID);
    assert_int_equal(unlink(path), 0);
    append(
        MID,
        "#Software: Mailreeve\r\n#Version: 2: this is another file, with a head that is long enough to differ\r\n");
    for (size_t i = 0; i < 5; i++)
        add(MID, &samples[i].s);
    expect("another file of that name", (struct tracking_query){.message_id = SPAN("<one@a>")},
           "1:RECEIVE 1:EXPAND 1:DELIVER 1:FAIL");
    assert_true(step().built);
    expect("indexed anew", (struct tracking_query){.message_id = SPAN("<one@a>")},
           "1:RECEIVE 1:EXPAND 1:DELIVER 1:FAIL");
    /* What is appended to a file that has an index is found, and gets one of its own. */
    add(MID, &samples[6].s);
    expect("appended", (struct tracking_query){.internal_id = SPAN("3")}, "3:DELIVER 3:RECEIVE 3:DELIVER");
    assert_true(step().built);
    expect("and indexed", (struct tracking_query){.internal_id = SPAN("3")}, "3:DELIVER 3:RECEIVE 3:DELIVER");
    assert_int_equal(list("index", names, 8), 2);
}

/* Each way in which an index can be spoilt: the answer is the same, and the index is made anew. */
static void spoilt(void **state)
{
    (void)state;
    static const char *const ways[] = {"gone", "empty", "cut", "zeroed", "rubbish"};
    char names[8][128], path[512], block[4096];
    fill();
    for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
        while (step().built)
            ;
        size_t n = list("index", names, 8);
        CHECK_INT(ways[w], n, 2);
        for (size_t i = 0; i < n; i++) {
            snprintf(path, sizeof path, "%s/index/%s", folder, names[i]);
            int fd = open(path, O_RDWR);
            assert_true(fd >= 0);
            memset(block, w == 3 ? 0 : 'x', sizeof block);
            if (w == 0)
                assert_int_equal(unlink(path), 0);
            else if (w <= 2)
                assert_int_equal(ftruncate(fd, w == 1 ? 0 : 4096), 0);
            else
                assert_int_equal(pwrite(fd, block, sizeof block, w == 3 ? 0 : 8192), (int)sizeof block);
            close(fd);
        }
        expect_all();
    }
}

/* A file that is not indexed to its end because it grows, and one that ends within a row. */
static void torn(void **state)
{
    (void)state;
    fill();
    append(MID, "2026-11-23T11:00:01.000Z,192.0.2.1,c,192.0");
    expect_all();
    while (step().built)
        ;
    assert_int_equal(step().left, 0);
    expect_all();
}

/* What a crash left is removed; what is none of ours stays. */
static void leftovers(void **state)
{
    (void)state;
    char names[8][128];
    fill();
    while (step().built)
        ;
    append("index/MSGTRK20261123-0001-000000000000-0000000000ff.idx.new", "half");
    append("index/letter.new", "of another");
    append("index/MSGTRK-notes", "of another");
    step();
    size_t n = list("index", names, 8), other = 0;
    assert_int_equal(n, 4);
    for (size_t i = 0; i < n; i++)
        other += !strcmp(names[i], "letter.new") || !strcmp(names[i], "MSGTRK-notes");
    assert_int_equal(other, 2);
    expect_all();
}

static void stopped(void **state)
{
    (void)state;
    struct tracking_step s;
    struct err err = {0};
    char names[8][128];
    fill();
    stop = true;
    assert_int_equal(tracking_index_step(folder, &stop, &s, &err), ERR_UNAVAILABLE);
    assert_int_equal(list("index", names, 8), 0);
}

/* Several stretches of one large file, each with rows of its own. */
static void large(void **state)
{
    (void)state;
    enum { ROWS = 120000 };
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, OLD);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, HEAD, OLD);
    for (unsigned i = 0; i < ROWS; i++)
        fprintf(f,
                "2026-11-23T10:%02u:%02u.000Z,192.0.2.1,client.example.com,192.0.2.2,mail.example.com,ctx,"
                "connector,SMTP,RECEIVE,%u,"
                "<%u@example.com>,r%u@example.com;s%u@example.com,250 2.0.0 OK;250 2.0.0 OK,1234,2,,,Subject "
                "%u,from%u@example.com,"
                "from%u@example.com,,Incoming,192.0.2.1,TLS=None\r\n",
                i / 60 % 60, i % 60, i, i, i, i % 7, i, i % 100, i % 100);
    fclose(f);
    char names[8][128];
    struct tracking_step s = step();
    assert_true(s.built && s.left > 0 && s.rows > 1000);
    expect("in the first stretch", (struct tracking_query){.internal_id = SPAN("77")}, "77:RECEIVE");
    expect("behind it", (struct tracking_query){.internal_id = SPAN("119999")}, "119999:RECEIVE");
    while (step().built)
        ;
    size_t n = list("index", names, 8);
    assert_true(n >= 1);
    expect("the last row", (struct tracking_query){.message_id = SPAN("<119999@example.com>")}, "119999:RECEIVE");
    expect("by recipient", (struct tracking_query){TO(SPAN("r5@example.com"))}, "5:RECEIVE");
    expect("the newest two of many", (struct tracking_query){.sender = SPAN("from3@example.com"), .limit = 2},
           "119803:RECEIVE 119903:RECEIVE");
    assert_true(found.more);
    expect("the newest of several",
           (struct tracking_query){TO(SPAN("s1@example.com"), SPAN("s2@example.com")), .limit = 3},
           "119989:RECEIVE 119995:RECEIVE 119996:RECEIVE");
    expect("the newest of every third", (struct tracking_query){TO(SPAN("s1@example.com")), .limit = 1},
           "119995:RECEIVE");
}

static void lines(void **state)
{
    (void)state;
#define TAIL ",c,d,e,f,g,SMTP,SEND,1,<m>,r,250,1,1,,,subject,s,s,,Incoming,,"
    static const struct {
        const char *name, *line, *first; /* client-ip; NULL: no row */
        int64_t at;
    } rows[] = {
        {"plain", "1970-01-02T00:00:01.500Z,a" TAIL "x", "a", 86401500},
        {"leap day", "2024-02-29T23:59:59.999Z," TAIL, "", INT64_C(1709251199999)},
        {"quoted", "2026-11-24T00:00:00.000Z,\"a,b\"" TAIL, "a,b", INT64_C(1795478400000)},
        {"doubled quotes", "2026-11-24T00:00:00.000Z,\"say \"\"a\"\"\"" TAIL, "say \"a\"", INT64_C(1795478400000)},
        {"empty quotes", "2026-11-24T00:00:00.000Z,\"\"" TAIL, "", INT64_C(1795478400000)},
        {"a comment", "#Fields: date-time", NULL, 0},
        {"nothing", "", NULL, 0},
        {"no time", "x,a" TAIL, NULL, 0},
        {"month 13", "2026-13-24T00:00:00.000Z,a" TAIL, NULL, 0},
        {"no quote at the end", "2026-11-24T00:00:00.000Z,\"a" TAIL, NULL, 0},
        {"text behind a quote", "2026-11-24T00:00:00.000Z,\"a\"b" TAIL, NULL, 0},
        {"one field too few",
         "2026-11-24T00:00:00.000Z,a,c,d,e,f,g,SMTP,SEND,1,<m>,r,250,1,1,,,subject,s,s,,Incoming,", NULL, 0},
        {"one too many", "2026-11-24T00:00:00.000Z,a" TAIL ",more", NULL, 0},
        {"cut", "2026-11-24T00:00:00.000Z,a,c", NULL, 0},
    };
    struct buf scratch;
    struct tracking_row r;
    buf_init(&scratch, TRACKING_LINE_MAX);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK_INT(rows[i].name, tracking_parse(span_of(rows[i].line), &scratch, &r), rows[i].first != NULL);
        if (!rows[i].first)
            continue;
        CHECK_INT(rows[i].name, r.at_ms, rows[i].at);
        CHECK_SPAN(rows[i].name, r.field[TRACKING_CLIENT_IP], span_of(rows[i].first));
        CHECK_SPAN(rows[i].name, r.field[TRACKING_EVENT_ID], SPAN("SEND"));
    }
    buf_done(&scratch);
}

static void names(void **state)
{
    (void)state;
    enum tracking_event e;
    assert_true(tracking_event_find(SPAN("poisonmessage"), &e) && e == TRACKING_POISONMESSAGE);
    assert_false(tracking_event_find(SPAN("LOST"), &e));
    CHECK_SPAN("first columns", span_head(span_of(tracking_columns), 35),
               SPAN("client-ip,client-hostname,server-ip"));
    for (unsigned i = 0; i < TRACKING_EVENTS; i++)
        assert_true(tracking_event_find(tracking_event_name((enum tracking_event)i), &e) && e == i);
    for (unsigned i = 0; i < TRACKING_SOURCES; i++)
        assert_true(tracking_source_name((enum tracking_source)i).len > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(names),
        cmocka_unit_test_setup_teardown(searches, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(follows_the_files, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(spoilt, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(torn, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(leftovers, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(stopped, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(large, make_folder, drop_folder),
    };
    return cmocka_run_group_tests_name("store_tracking", tests, NULL, NULL);
}
