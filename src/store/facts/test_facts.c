/* Facts: what makes a row, how rows stay few whatever a client does, ages, files that are none, and two handles. */
#include "check.h"

#include "base/num.h"
#include "store/facts/facts.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char folder[64], path[80];

static int make(void **state UNUSED)
{
    snprintf(folder, sizeof folder, "/tmp/mailreeve-facts-XXXXXX");
    snprintf(path, sizeof path, "%s/facts.db", mkdtemp(folder));
    return 0;
}

static int drop(void **state UNUSED)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        char name[100];
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
    return rmdir(folder);
}

static struct facts *open_facts(void)
{
    struct facts *f = NULL;
    struct err err = {0};
    if (facts_open(path, &f, &err))
        fail_msg("%s", err.text);
    return f;
}

/* "question code remote user sender recipient", then "name=value" for others. */
static struct fact parse(const char *text)
{
    static const struct {
        const char *name;
        enum fact_text text;
    } others[] = {{"helo", FACT_HELO},        {"tls", FACT_TLS},        {"port", FACT_LOCAL},
                  {"cert", FACT_CERTIFICATE}, {"mech", FACT_MECHANISM}, {"connector", FACT_CONNECTOR},
                  {"mistake", FACT_MISTAKE}};
    static const enum fact_text order[] = {FACT_REMOTE, FACT_USER, FACT_SENDER, FACT_RECIPIENT};
    struct fact f = {.count = 1, .first_ms = 1000, .last_ms = 1000};
    struct span rest = span_of(text), word;
    assert_true(span_split(&rest, ' ', &word) && fact_question_find(word, &f.question));
    assert_true(span_split(&rest, ' ', &word));
    assert_true(num_parse_u32(word, 999, &f.code));
    for (size_t i = 0; i < ARRAY_LEN(order) && span_split(&rest, ' ', &word); i++)
        f.text[order[i]] = span_eq(word, SPAN("-")) ? SPAN("") : word;
    while (span_split(&rest, ' ', &word)) {
        struct span name = span_head(word, span_find(word, '='));
        for (size_t i = 0; i < ARRAY_LEN(others); i++)
            if (span_eq(name, span_of(others[i].name)))
                f.text[others[i].text] = span_from(word, name.len + 1);
    }
    return f;
}

static void add_at(struct facts *f, const char *text, int64_t at_ms)
{
    struct fact fact = parse(text);
    struct err err = {0};
    fact.first_ms = fact.last_ms = at_ms;
    if (facts_add(f, &fact, &err))
        fail_msg("%s", err.text);
}

static void commit(struct facts *f, int64_t now_ms)
{
    struct err err = {0};
    if (facts_commit(f, now_ms, &err))
        fail_msg("%s", err.text);
}

struct seen {
    size_t rows, of_level[FACT_LEVELS];
    uint64_t count;
    struct fact last;
    struct buf texts; /* of the last one, joined */
};

static bool note(void *context, struct span network UNUSED, const struct fact *f)
{
    struct seen *s = context;
    s->rows++;
    s->of_level[f->level]++;
    s->count += f->count;
    s->last = *f;
    buf_clear(&s->texts);
    for (size_t i = 0; i < FACT_TEXTS; i++)
        buf_addf(&s->texts, "%.*s|", SPAN_ARG(f->text[i]));
    return true;
}

static struct seen look(struct facts *f, int64_t since_ms)
{
    struct seen s = {0};
    buf_init(&s.texts, 10000);
    assert_int_equal(facts_visit(f, since_ms, note, &s, NULL), ERR_NONE);
    return s;
}

#define ONE "Rcpt 250 192.0.2.1 - a@x.test b@y.test "

/* Whether two facts of the same client are one row or two. */
static void keys(void **state UNUSED)
{
    static const struct {
        const char *name, *one, *other;
        size_t rows;
    } rows[] = {
        {"the same", ONE, ONE, 1},
        {"case", ONE, "Rcpt 250 192.0.2.1 - A@X.TEST b@y.test", 1},
        {"HELO makes no row", ONE "helo=a", ONE "helo=b", 1},
        {"verdict", ONE, "Rcpt 550 192.0.2.1 - a@x.test b@y.test", 2},
        {"question", ONE, "Message 250 192.0.2.1 - a@x.test b@y.test", 2},
        {"client", ONE, "Rcpt 250 192.0.2.2 - a@x.test b@y.test", 2},
        {"user", ONE, "Rcpt 250 192.0.2.1 u@x.test a@x.test b@y.test", 2},
        {"sender", ONE, "Rcpt 250 192.0.2.1 - c@x.test b@y.test", 2},
        {"recipient", ONE, "Rcpt 250 192.0.2.1 - a@x.test c@y.test", 2},
        {"TLS", ONE, ONE "tls=TLSv1.3", 2},
        {"port", ONE "port=192.0.2.9:25", ONE "port=192.0.2.9:587", 2},
        {"connector", ONE "connector=a", ONE "connector=b", 2},
        {"mechanism", ONE "mech=PLAIN", ONE "mech=LOGIN", 2},
        {"certificate", ONE "cert=aa", ONE "cert=bb", 2},
        {"mistake", "Session 0 192.0.2.1", "Session 0 192.0.2.1 - - - mistake=x", 2},
        {"texts are not joined", "Rcpt 250 192.0.2.1 - a@x.testb @y.test", "Rcpt 250 192.0.2.1 - a@x.test b@y.test",
         2},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        make(NULL);
        struct facts *f = open_facts();
        add_at(f, rows[i].one, 1000);
        add_at(f, rows[i].other, 2000);
        struct seen s = look(f, 0);
        CHECK_INT(rows[i].name, s.rows, rows[i].rows);
        CHECK_INT(rows[i].name, s.count, 2);
        if (rows[i].rows == 1)
            CHECK(rows[i].name, s.last.first_ms == 1000 && s.last.last_ms == 2000);
        buf_done(&s.texts);
        facts_close(f);
        drop(NULL);
    }
}

/* All texts come back, the newest of those that make no row; one that comes late changes none. */
static void texts(void **state UNUSED)
{
    struct facts *f = open_facts();
    struct fact one = parse("Rcpt 550 2001:db8::1 u@x.test a@x.test b@y.test helo=old.test tls=TLSv1.2 "
                            "port=[::1]:25 cert=c0ffee mech=PLAIN connector=Default mistake=none");
    one.text[FACT_CIPHER] = SPAN("C1");
    one.count = 7;
    assert_int_equal(facts_add(f, &one, NULL), ERR_NONE);
    one.text[FACT_HELO] = SPAN("new.test");
    one.text[FACT_CIPHER] = SPAN("C2");
    one.last_ms = 3000;
    assert_int_equal(facts_add(f, &one, NULL), ERR_NONE);
    one.text[FACT_HELO] = SPAN("late.test");
    one.first_ms = one.last_ms = 500;
    assert_int_equal(facts_add(f, &one, NULL), ERR_NONE);
    commit(f, 3000);
    struct seen s = look(f, 0);
    assert_int_equal(s.rows, 1);
    CHECK_SPAN(
        "texts", buf_span(&s.texts),
        SPAN("Default|[::1]:25|2001:db8::1|new.test|TLSv1.2|C2|PLAIN|u@x.test|c0ffee|a@x.test|b@y.test|none|"));
    assert_int_equal(s.count, 21);
    assert_int_equal(s.last.code, 550);
    assert_int_equal(s.last.question, FACT_OF_RCPT);
    assert_true(s.last.first_ms == 500 && s.last.last_ms == 3000);
    buf_done(&s.texts);
    s = look(f, 3001);
    assert_int_equal(s.rows, 0);
    buf_done(&s.texts);
    facts_close(f);
}

/* A client that never says the same twice: {w} is a number. */
static void hostile_clients(void **state UNUSED)
{
    static const struct {
        const char *name, *form;
        size_t whole, domains, folded;
    } rows[] = {
        {"every recipient is new", "Rcpt 550 192.0.2.1 - a@x.test b%u@y.test", 4, 1, 0},
        {"... and every domain", "Rcpt 550 192.0.2.1 - a@x.test b@y%u.test", 4, 3, 1},
        {"... and the sender", "Rcpt 550 192.0.2.1 - a@x%u.test b@y.test", 4, 3, 1},
        {"HELO", "Session 0 192.0.2.1 - - - helo=h%u", 1, 0, 0},
        {"certificates", "Session 0 192.0.2.1 - - - cert=c%u", 4, 1, 0},
        {"verdicts", "Rcpt %u 192.0.2.1 - a@x.test b@y.test", 4, 3, 5},
        {"addresses in one /64", "Session 0 2001:db8::%x", 4, 3, 1},
        {"a user's recipients", "Rcpt 250 192.0.2.1 u@x.test a@x.test b@y%u.test", 4, 3, 1},
        {"many networks are many clients", "Session 0 2001:db8:0:%x::1", 200, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        make(NULL);
        struct facts *f = open_facts();
        facts_limit(f, &(struct facts_limits){{4, 3, 5}, 1000, 1000000});
        for (unsigned n = 0; n < 200; n++) {
            char text[200];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(text, sizeof text, rows[i].form, n + 200);
#pragma GCC diagnostic pop
            add_at(f, text, 1000 + n);
        }
        struct seen s = look(f, 0);
        CHECK_INT(rows[i].name, s.of_level[FACT_WHOLE], rows[i].whole);
        CHECK_INT(rows[i].name, s.of_level[FACT_DOMAINS], rows[i].domains);
        CHECK_INT(rows[i].name, s.of_level[FACT_FOLDED], rows[i].folded);
        if (rows[i].folded == 1)
            CHECK_INT(rows[i].name, s.count, 200); /* nothing was lost */
        buf_done(&s.texts);
        facts_close(f);
        drop(NULL);
    }
}

/* A folded row has one whole example: the newest. */
static void examples(void **state UNUSED)
{
    struct facts *f = open_facts();
    facts_limit(f, &(struct facts_limits){{0, 0, 1}, 1000, 1000000});
    add_at(f, "Rcpt 550 2001:db8::1 - a@x.test b@y.test", 1000);
    add_at(f, "Rcpt 550 2001:db8::2 - c@p.test d@q.test", 2000);
    struct seen s = look(f, 0);
    assert_int_equal(s.rows, 1);
    CHECK_SPAN("example", s.last.text[FACT_REMOTE].len ? SPAN("") : SPAN("no remote"), SPAN(""));
    CHECK_SPAN("texts", buf_span(&s.texts), SPAN("||2001:db8::2|||||||c@p.test|d@q.test||"));
    buf_done(&s.texts);
    facts_close(f);
}

static size_t count_rows(struct facts *f)
{
    struct seen s = look(f, 0);
    buf_done(&s.texts);
    return s.rows;
}

static void ages(void **state UNUSED)
{
    struct facts *f = open_facts();
    facts_limit(f, &(struct facts_limits){{9, 9, 9}, 1000, 5000});
    add_at(f, "Rcpt 250 192.0.2.1 - a@x.test b@y.test", 1000);
    add_at(f, "Rcpt 550 192.0.2.2 - a@x.test b@y.test", 2000);
    add_at(f, "Rcpt 550 192.0.2.3 - a@x.test b@y.test", 9000);
    commit(f, 6500);
    assert_int_equal(count_rows(f), 2);
    commit(f, 8000); /* nothing was added */
    assert_int_equal(count_rows(f), 2);
    add_at(f, "Session 0 192.0.2.4", 9000);
    commit(f, 8000);
    assert_int_equal(count_rows(f), 2);
    facts_close(f);
}

/* However many strangers come, those who are served stay; among each, the oldest go. */
static void strangers(void **state UNUSED)
{
    struct facts *f = open_facts();
    char text[100];
    facts_limit(f, &(struct facts_limits){{9, 9, 9}, 100, 1000000});
    for (unsigned i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "Session 0 10.0.0.%u u@x.test", i);
        add_at(f, text, 1000 + i);
    }
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "Rcpt 550 10.1.%u.%u - a@x.test b@y.test", i / 250, i % 250);
        add_at(f, text, 2000 + i);
        if (i % 100 == 0)
            commit(f, 4000);
    }
    commit(f, 4000);
    size_t rows = count_rows(f);
    assert_true(rows > 90 && rows <= 100);
    struct seen s = look(f, 2000);
    assert_int_equal(s.rows, rows - 40);
    buf_done(&s.texts);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "Rcpt 250 10.2.0.%u - a@x.test b@y.test", i);
        add_at(f, text, 5000 + i);
    }
    commit(f, 6000);
    rows = count_rows(f);
    assert_true(rows > 90 && rows <= 100);
    s = look(f, 5100);
    assert_true(s.rows >= 49);
    buf_done(&s.texts);
    facts_close(f);
}

static void two_handles(void **state UNUSED)
{
    struct facts *none = NULL, *reader = NULL, *f;
    assert_int_equal(facts_open_read(path, &none, NULL), ERR_NOT_FOUND);
    f = open_facts();
    add_at(f, ONE, 1000);
    assert_int_equal(count_rows(f), 1);
    assert_int_equal(facts_open_read(path, &reader, NULL), ERR_NONE);
    assert_int_equal(count_rows(reader), 0);
    commit(f, 1000);
    assert_int_equal(count_rows(reader), 1);
    facts_close(reader);
    add_at(f, "Session 0 192.0.2.7", 1000);
    facts_close(f); /* commits */
    assert_int_equal(facts_open_read(path, &reader, NULL), ERR_NONE);
    assert_int_equal(count_rows(reader), 2);
    facts_close(reader);
    f = open_facts();
    assert_int_equal(count_rows(f), 2);
    facts_close(f);
}

static void damaged_files(void **state UNUSED)
{
    static const char *const contents[] = {"", "no database at all", "SQLite format 3"};
    for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_true(fd >= 0 && write(fd, contents[i], strlen(contents[i])) >= 0);
        close(fd);
        struct facts *f = NULL;
        assert_int_not_equal(facts_open_read(path, &f, NULL), ERR_NONE);
        f = open_facts();
        add_at(f, ONE, 1000);
        commit(f, 1000);
        assert_int_equal(count_rows(f), 1);
        facts_close(f);
    }
}

/* The largest of a row's messages. */
static void sizes(void **state UNUSED)
{
    static const uint64_t given[] = {1000, 35000000, 0, 2000};
    struct facts *f = open_facts();
    for (size_t i = 0; i < ARRAY_LEN(given); i++) {
        struct fact fact = parse("Message 250 192.0.2.1 - a@x.test");
        fact.size = given[i];
        assert_int_equal(facts_add(f, &fact, NULL), ERR_NONE);
    }
    struct seen s = look(f, 0);
    assert_int_equal(s.rows, 1);
    assert_int_equal(s.last.size, 35000000);
    buf_done(&s.texts);
    facts_close(f);
}

/* A file of the format before sizes keeps what it holds. */
static void upgraded(void **state UNUSED)
{
    sqlite3 *db = NULL;
    struct facts *f = open_facts();
    add_at(f, ONE, 1000);
    facts_close(f);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "ALTER TABLE fact DROP COLUMN size; PRAGMA user_version = 1", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    struct err err = {0};
    assert_int_equal(facts_open_read(path, &f, &err), ERR_INVALID); /* who only reads cannot */
    assert_non_null(strstr(err.text, "when the server starts"));
    f = open_facts();
    add_at(f, ONE, 2000);
    struct seen s = look(f, 0);
    assert_int_equal(s.rows, 1);
    assert_int_equal(s.last.count, 2);
    assert_int_equal(s.last.size, 0);
    buf_done(&s.texts);
    facts_close(f);
}

static void long_texts(void **state UNUSED)
{
    static char text[5000];
    struct facts *f = open_facts();
    struct fact fact = parse(ONE);
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < FACT_TEXTS; i++)
        fact.text[i] = span_make(text, sizeof text);
    for (unsigned level = 0; level < FACT_LEVELS; level++) {
        fact.level = (enum fact_level)level;
        fact.code = 200 + level;
        assert_int_equal(facts_add(f, &fact, NULL), ERR_NONE);
    }
    struct seen s = look(f, 0);
    assert_int_equal(s.rows, 3);
    assert_true(s.texts.len < 2000);
    buf_done(&s.texts);
    facts_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys),
        cmocka_unit_test_setup_teardown(texts, make, drop),
        cmocka_unit_test(hostile_clients),
        cmocka_unit_test_setup_teardown(examples, make, drop),
        cmocka_unit_test_setup_teardown(ages, make, drop),
        cmocka_unit_test_setup_teardown(strangers, make, drop),
        cmocka_unit_test_setup_teardown(two_handles, make, drop),
        cmocka_unit_test_setup_teardown(damaged_files, make, drop),
        cmocka_unit_test_setup_teardown(sizes, make, drop),
        cmocka_unit_test_setup_teardown(upgraded, make, drop),
        cmocka_unit_test_setup_teardown(long_texts, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
