/* test_parts.c: what the bench's figures stand on: percentiles, options, messages and ledgers. */
#include "check.h"
#include "histogram.h"
#include "ledger.h"
#include "message.h"
#include "options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void percentiles_are_close(void **state)
{
    static const struct {
        const char *name;
        uint64_t first, step, count; /* first, first+step, … */
        double share;
        uint64_t want; /* exact; the result is at most 1/32 above */
    } rows[] = {
        {"nothing", 0, 0, 0, 0.5, 0},
        {"one value is every percentile", 1234567, 0, 1, 0.01, 1234567},
        {"zero", 0, 0, 10, 0.99, 0},
        {"small values are exact", 1, 1, 31, 0.5, 16},
        {"median of a thousand", 1000, 1000, 1000, 0.5, 500000},
        {"p90", 1000, 1000, 1000, 0.9, 900000},
        {"p99", 1000, 1000, 1000, 0.99, 990000},
        {"the highest", 1000, 1000, 1000, 1, 1000000},
        {"minutes", 60000000000, 1000000, 100, 0.5, 60049000000},
        {"the largest there is", UINT64_MAX, 0, 3, 0.5, UINT64_MAX},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static struct histogram h;
        memset(&h, 0, sizeof h);
        for (uint64_t n = 0; n < rows[i].count; n++)
            histogram_add(&h, rows[i].first + n * rows[i].step);
        uint64_t got = histogram_percentile(&h, rows[i].share);
        CHECK(rows[i].name, got >= rows[i].want && got - rows[i].want <= rows[i].want / 32);
        CHECK_INT(rows[i].name, h.count, rows[i].count);
    }
}

static void options_are_parsed_or_named(void **state)
{
    static const struct {
        const char *name, *args[12], *error; /* part of the error; NULL: it parses */
    } rows[] = {
        {"load", {"load", "--connect", "127.0.0.1:25"}, NULL},
        {"all kinds", {"load", "--connect", "127.0.0.1:25", "--tls", "starttls", "--size", "10M", "--leave"}, NULL},
        {"sink", {"sink", "--listen", "127.0.0.1:0", "--forget", "3"}, NULL},
        {"check", {"check", "--acknowledged", "a", "--received", "b"}, NULL},
        {"no mode", {NULL}, "load, idle, sink or check"},
        {"unknown mode", {"lod"}, "load, idle, sink or check"},
        {"unknown option", {"load", "--frobnicate"}, "--frobnicate: `load` has no such option"},
        {"an option of another mode", {"idle", "--messages", "3"}, "--messages: `idle` has no such option"},
        {"without its value", {"load", "--connect"}, "--connect needs a value"},
        {"no server", {"load"}, "ADDRESS:PORT"},
        {"a name instead of an address", {"load", "--connect", "localhost.localdomain:25"}, "ADDRESS:PORT"},
        {"a port out of range", {"load", "--connect", "127.0.0.1:65536"}, "ADDRESS:PORT"},
        {"no number", {"load", "--messages", "1e3"}, "--messages 1e3"},
        {"negative", {"load", "--messages", "-1"}, "--messages -1"},
        {"below the least", {"load", "--size", "1023"}, "from 1024"},
        {"above the most", {"load", "--size", "1025M"}, "--size 1025M"},
        {"overflow by its unit", {"load", "--size", "18446744073709551615M"}, "--size"},
        {"TLS", {"load", "--tls", "maybe"}, "none, starttls or implicit"},
        {"user alone", {"load", "--connect", "127.0.0.1:1", "--user", "u"}, "--user and --password"},
        {"no time at all", {"load", "--connect", "127.0.0.1:1", "--seconds", "0"}, "--seconds 0"},
        {"key alone", {"sink", "--listen", "127.0.0.1:1", "--key", "k"}, "--certificate and --key"},
        {"implicit TLS without a key", {"sink", "--listen", "127.0.0.1:1", "--tls", "implicit"}, "--tls implicit"},
        {"a run that would break the id", {"load", "--connect", "127.0.0.1:1", "--run", "a-b"}, "--run a-b"},
        {"half a check", {"check", "--received", "b"}, "check needs"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *argv[16] = {(char *)(uintptr_t) "smtp-load"};
        int argc = 1;
        struct options o;
        struct err err = {0};
        for (size_t a = 0; a < ARRAY_LEN(rows[i].args) && rows[i].args[a]; a++)
            argv[argc++] = (char *)(uintptr_t)rows[i].args[a];
        enum err_code code = options_parse(argc, argv, &o, &err);
        CHECK_INT(rows[i].name, code, rows[i].error ? ERR_INVALID : ERR_NONE);
        CHECK(rows[i].name, !rows[i].error || strstr(err.text, rows[i].error));
    }
}

static void options_have_their_values(void **state)
{
    char *argv[] = {
        (char *)(uintptr_t) "smtp-load",      (char *)(uintptr_t) "load",   (char *)(uintptr_t) "--connect",
        (char *)(uintptr_t) "127.0.0.1:2525", (char *)(uintptr_t) "--size", (char *)(uintptr_t) "100K",
        (char *)(uintptr_t) "--pipelining",   (char *)(uintptr_t) "--tls",  (char *)(uintptr_t) "implicit"};
    struct options o;
    struct err err;
    char address[16];
    uint16_t port;
    (void)state;
    assert_int_equal(options_parse(ARRAY_LEN(argv), argv, &o, &err), ERR_NONE);
    assert_int_equal(o.size, 102400);
    assert_true(o.pipelining && !o.resume && !o.leave && o.tls == TLS_IMPLICIT);
    assert_int_equal(o.sessions, 50);
    assert_true(options_split_address(o.connect, address, &port));
    assert_string_equal(address, "127.0.0.1");
    assert_int_equal(port, 2525);
}

/* Builds a message, alters it, feeds it in pieces of `piece` bytes. */
static void messages_are_recognised(void **state)
{
    static const struct {
        const char *name;
        uint64_t size;
        size_t piece;
        const char *from, *to; /* the first `from` becomes `to` */
        const char *before;    /* put in front, as a relay does */
        enum message_state want;
    } rows[] = {
        {"small", 1024, 1 << 20, NULL, NULL, NULL, MESSAGE_WHOLE},
        {"a byte at a time", 1024, 1, NULL, NULL, NULL, MESSAGE_WHOLE},
        {"pieces", 100000, 7, NULL, NULL, NULL, MESSAGE_WHOLE},
        {"larger than the block", 200000, 4096, NULL, NULL, NULL, MESSAGE_WHOLE},
        {"relayed", 4096, 100, NULL, NULL, "Received: from a\r\n\tby b;\r\n", MESSAGE_WHOLE},
        {"a dot is stuffed", 4096, 3, "Subject:", "..bject:", NULL, MESSAGE_WHOLE},
        {"another run", 4096, 100, "X-Bench-Id: run-", "X-Bench-Id: rum-", NULL, MESSAGE_FOREIGN},
        {"no id", 4096, 100, "X-Bench-Id", "X-Bensh-Id", NULL, MESSAGE_FOREIGN},
        {"shorter", 4096, 100, "quick brown", "quick", NULL, MESSAGE_DAMAGED},
        {"longer", 4096, 100, "quick brown", "quick brownish", NULL, MESSAGE_DAMAGED},
        {"another end", 4096, 100, "END run-7", "END run-8", NULL, MESSAGE_DAMAGED},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct message_out out;
        struct buf text, wire;
        static struct message_in in;
        uint64_t number = 0;
        bool whole = false;
        buf_init(&text, 1 << 20);
        buf_init(&wire, 1 << 20);
        message_begin(&out, &text, "run", 7, rows[i].size, SPAN("a@b.test"), SPAN("c@d.test"));
        while (message_more(&out, &text, 1000))
            ;
        CHECK_INT(rows[i].name, text.len, rows[i].size + 3);
        buf_add(&wire, span_of(rows[i].before));
        size_t at = 0;
        if (rows[i].from) {
            const char *hit = memmem(text.ptr, text.len, rows[i].from, strlen(rows[i].from));
            CHECK(rows[i].name, hit);
            buf_add(&wire, span_make(text.ptr, (size_t)(hit - text.ptr)));
            buf_add(&wire, span_of(rows[i].to));
            at = (size_t)(hit - text.ptr) + strlen(rows[i].from);
        }
        buf_add(&wire, span_from(buf_span(&text), at));
        buf_add(&wire, SPAN("QUIT\r\n"));
        message_in_reset(&in);
        size_t used = 0;
        while (!whole && used < wire.len) {
            struct span piece = span_head(span_from(buf_span(&wire), used), rows[i].piece);
            used += message_in_take(&in, piece, &whole);
        }
        CHECK(rows[i].name, whole);
        CHECK_SPAN(rows[i].name, span_from(buf_span(&wire), used), SPAN("QUIT\r\n"));
        CHECK_INT(rows[i].name, message_in_read(&in, "run", &number), rows[i].want);
        CHECK(rows[i].name, rows[i].want == MESSAGE_FOREIGN || number == 7);
        buf_done(&text);
        buf_done(&wire);
    }
}

static void ledgers_tell_the_difference(void **state)
{
    static const struct {
        const char *name;
        uint64_t acknowledged[6], received[6]; /* number + 1, ended by 0 */
        struct ledger_difference want;
    } rows[] = {
        {"nothing", {0}, {0}, {0}},
        {"all there", {1, 2, 3}, {3, 1, 2}, {0}},
        {"one lost", {1, 2, 3}, {3, 1}, {.lost = 1}},
        {"the last lost, far off", {1, 9000}, {1}, {.lost = 1}},
        {"one twice", {1, 2}, {1, 2, 2}, {.duplicates = 1}},
        {"one lost and one twice", {1, 2, 3}, {1, 1, 2}, {.lost = 1, .duplicates = 1}},
        {"one that nobody was told of", {1}, {1, 2}, {.unacknowledged = 1}},
    };
    char path[] = "/tmp/mailreeve-bench-ledger-XXXXXX";
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ledger a = {0}, b = {0}, read_back = {0};
        struct err err;
        for (size_t n = 0; rows[i].acknowledged[n]; n++)
            CHECK_INT(rows[i].name, ledger_add(&a, rows[i].acknowledged[n] - 1, &err), ERR_NONE);
        for (size_t n = 0; rows[i].received[n]; n++)
            CHECK_INT(rows[i].name, ledger_add(&b, rows[i].received[n] - 1, &err), ERR_NONE);
        CHECK_INT(rows[i].name, ledger_write(&b, path, &err), ERR_NONE);
        CHECK_INT(rows[i].name, ledger_read(&read_back, path, &err), ERR_NONE);
        struct ledger_difference d = ledger_compare(&a, &read_back);
        CHECK_INT(rows[i].name, d.lost, rows[i].want.lost);
        CHECK_INT(rows[i].name, d.duplicates, rows[i].want.duplicates);
        CHECK_INT(rows[i].name, d.unacknowledged, rows[i].want.unacknowledged);
        ledger_done(&a);
        ledger_done(&b);
        ledger_done(&read_back);
    }
    unlink(path);
    struct ledger full = {0};
    assert_int_equal(ledger_add(&full, LEDGER_MAX, NULL), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_close),       cmocka_unit_test(options_are_parsed_or_named),
        cmocka_unit_test(options_have_their_values),   cmocka_unit_test(messages_are_recognised),
        cmocka_unit_test(ledgers_tell_the_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
