/*
 * test_counters.c: counts and rates over several columns: sums, the column of the dead, full sets, the window's
 * edges, rubbish in the memory, and writers that count at the same moment.
 */
#include "check.h"

#include "runtime/counters.h"
#include "runtime/memory_file.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { COLUMNS = 4, SETS = 2048, SLOTS = 10, RATE_SETS = 512, RATE_SLOTS = 8 };

struct world {
    void *memory;
    struct counters *views[COLUMNS];
};

static const struct hash_key hash_key = {1, 2};

static void begin(struct world *w)
{
    w->memory = aligned_alloc(64, counters_size(COLUMNS));
    assert_non_null(w->memory);
    memset(w->memory, 0, counters_size(COLUMNS));
    for (uint32_t i = 0; i < COLUMNS; i++)
        w->views[i] = counters_open(w->memory, COLUMNS, i, hash_key);
}

static void end(struct world *w)
{
    for (uint32_t i = 0; i < COLUMNS; i++)
        counters_close(w->views[i]);
    free(w->memory);
}

static void counts_are_over_all_columns(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    for (uint32_t i = 0; i < COLUMNS; i++)
        for (uint32_t k = 0; k <= i; k++)
            counter_add(w.views[i], 7);
    for (uint32_t i = 0; i < COLUMNS; i++)
        assert_int_equal(counter_sum(w.views[i], 7), 1 + 2 + 3 + 4);
    assert_int_equal(counter_sum(w.views[0], 8), 0);
    counter_drop(w.views[3], 7);
    assert_int_equal(counter_sum(w.views[0], 7), 9);
    counters_clear(w.views[0], 2);
    assert_int_equal(counter_sum(w.views[0], 7), 6);
    counter_drop(w.views[2], 7); /* nothing of its own is left */
    assert_int_equal(counter_sum(w.views[0], 7), 6);
    end(&w);
}

/* More keys than a set has slots for: nothing is lost, and nothing is left when all have gone. */
static void full_sets_count_too_much_and_never_too_little(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    for (uint64_t k = 1; k <= SLOTS; k++)
        counter_add(w.views[0], k * SETS);
    assert_int_equal(counter_sum(w.views[1], SETS), 1);
    for (uint64_t k = SLOTS + 1; k <= SLOTS + 5; k++)
        counter_add(w.views[0], k * SETS);
    for (uint64_t k = 1; k <= SLOTS + 5; k++)
        assert_true(counter_sum(w.views[1], k * SETS) >= 1);
    assert_int_equal(counter_sum(w.views[1], SETS), 6);
    assert_int_equal(counter_sum(w.views[1], SETS + 1), 0); /* its neighbour is not concerned */
    counter_drop(w.views[0], SETS);
    counter_add(w.views[0], (SLOTS + 1) * SETS); /* now it has a slot beside its count in the overflow */
    assert_int_equal(counter_sum(w.views[0], (SLOTS + 1) * SETS), 6);
    counter_drop(w.views[0], (SLOTS + 1) * SETS);
    for (uint64_t k = 2; k <= SLOTS + 5; k++)
        counter_drop(w.views[0], k * SETS);
    for (uint64_t k = 1; k <= SLOTS + 5; k++)
        assert_int_equal(counter_sum(w.views[1], k * SETS), 0);
    end(&w);
}

static void keys(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    const struct span one[] = {SPAN("ab"), SPAN("c")}, two[] = {SPAN("a"), SPAN("bc")}, joined[] = {SPAN("abc")};
    uint64_t a = counters_key(w.views[0], COUNTER_CONNECTIONS, one, 2);
    assert_true(a == counters_key(w.views[3], COUNTER_CONNECTIONS, one, 2));
    assert_true(a != counters_key(w.views[0], COUNTER_CONNECTIONS, two, 2));
    assert_true(a != counters_key(w.views[0], COUNTER_CONNECTIONS, joined, 1));
    assert_true(a != counters_key(w.views[0], COUNTER_ADDRESS_RATE, one, 2));
    struct counters *other = counters_open(w.memory, COLUMNS, 0, (struct hash_key){1, 3});
    assert_true(a != counters_key(other, COUNTER_CONNECTIONS, one, 2));
    counters_close(other);
    end(&w);
}

static void sources(void **state)
{
    (void)state;
    static const struct {
        const char *name, *a, *b;
        bool same;
    } rows[] = {
        {"one IPv4 address", "192.0.2.1", "192.0.2.1", true},
        {"two IPv4 addresses", "192.0.2.1", "192.0.2.2", false},
        {"one /64", "2001:db8:0:1::1", "2001:db8:0:1:ffff::9", true},
        {"two /64", "2001:db8:0:1::1", "2001:db8:0:2::1", false},
        {"mapped is IPv4", "::ffff:192.0.2.1", "192.0.2.1", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip_addr a = {0}, b = {0};
        CHECK(rows[i].name, ip_parse(span_of(rows[i].a), &a) && ip_parse(span_of(rows[i].b), &b));
        CHECK_INT(rows[i].name, ip_cmp(counters_source(a), counters_source(b)) == 0, rows[i].same);
    }
}

/* Steps in time: how many of `tries` are let through, from one column after the other. */
static void rates(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t limit;
        struct {
            int64_t at_ms;
            uint32_t tries, taken;
        } steps[4];
    } rows[] = {
        {"at the limit and one past it", 5, {{100000, 5, 5}, {100001, 1, 0}}},
        {"none", 0, {{100000, 3, 0}}},
        {"not counted", RATE_UNLIMITED, {{100000, 100000, 100000}}},
        {"what is refused does not count", 2, {{100000, 9, 2}, {161000, 2, 2}}},
        {"the last moment of the window", 2, {{100999, 2, 2}, {160999, 1, 0}, {161000, 2, 2}}},
        {"it slides", 4, {{100000, 2, 2}, {130000, 2, 2}, {161000, 3, 2}, {191000, 3, 2}}},
        {"forgotten after a long time", 1, {{100000, 1, 1}, {1000000000, 2, 1}}},
        {"the time begins", 1, {{0, 2, 1}, {60999, 1, 0}, {61000, 1, 1}}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w;
        begin(&w);
        for (size_t k = 0; k < ARRAY_LEN(rows[i].steps); k++) {
            uint32_t taken = 0;
            for (uint32_t n = 0; n < rows[i].steps[k].tries; n++)
                taken += rate_take(w.views[n % COLUMNS], 9, rows[i].limit, rows[i].steps[k].at_ms);
            CHECK_INT(rows[i].name, taken, rows[i].steps[k].taken);
        }
        end(&w);
    }
}

static void rate_is_given_back(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    assert_true(rate_take(w.views[0], 9, 1, 5000));
    assert_false(rate_take(w.views[1], 9, 1, 5500));
    rate_give_back(w.views[0], 9, 5600);
    assert_int_equal(rate_sum(w.views[1], 9, 5600), 0);
    rate_give_back(w.views[0], 9, 5600); /* there is nothing to give */
    assert_true(rate_take(w.views[1], 9, 1, 5700));
    counters_clear(w.views[3], 1);
    assert_int_equal(rate_sum(w.views[0], 9, 5700), 0);
    end(&w);
}

/* Many that send one message do not wash away the one that sends many. */
static void the_busy_key_stays(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    for (int i = 0; i < 50; i++)
        assert_true(rate_take(w.views[0], RATE_SETS, 50, 1000));
    for (uint64_t k = 2; k < 1000; k++)
        assert_true(rate_take(w.views[0], k * RATE_SETS, 50, 2000));
    assert_int_equal(rate_sum(w.views[1], RATE_SETS, 3000), 50);
    assert_false(rate_take(w.views[1], RATE_SETS, 50, 3000));
    end(&w);
}

/* Whatever another process wrote, we read and write within the memory, and our own column mends itself. */
static void rubbish(void **state)
{
    (void)state;
    static const unsigned char fills[] = {0xff, 0x7f, 0x01, 0xaa};
    for (size_t f = 0; f < ARRAY_LEN(fills); f++) {
        struct world w;
        begin(&w);
        memset(w.memory, fills[f], counters_size(COLUMNS));
        uint64_t written;
        memset(&written, fills[f], sizeof written); /* the key that all slots seem to have */
        const uint64_t probes[] = {written, 0, 1, UINT64_MAX, 12345};
        for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
            counter_add(w.views[1], probes[i]);
            counter_drop(w.views[1], probes[i]);
            counter_sum(w.views[1], probes[i]);
            for (int64_t now = 0; now < 300000; now += 7000) {
                IGNORE_RESULT(rate_take(w.views[1], probes[i], 3, now));
                rate_give_back(w.views[1], probes[i], now);
            }
        }
        for (uint32_t i = 0; i < COLUMNS; i++)
            counters_clear(w.views[0], i);
        assert_int_equal(counter_sum(w.views[1], written), 0);
        assert_true(rate_take(w.views[1], written, 1, 400000));
        assert_false(rate_take(w.views[2], written, 1, 400000));
        end(&w);
    }
}

/* Two mappings of one memory; nobody can change its size, and one of another size is not taken. */
static void shared_memory(void **state)
{
    (void)state;
    struct err err = {0};
    const size_t size = counters_size(2);
    void *maps[2], *none = NULL;
    int fd = -1, other = -1;
    assert_int_equal(memory_file_make_shared("counters", size, &fd, &err), ERR_NONE);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(memory_file_map_shared(fd, size, &maps[i], &err), ERR_NONE);
    struct counters *a = counters_open(maps[0], 2, 0, hash_key), *b = counters_open(maps[1], 2, 1, hash_key);
    counter_add(a, 7);
    counter_add(b, 7);
    assert_int_equal(counter_sum(b, 7), 2);
    assert_true(ftruncate(fd, 0) < 0);
    assert_true(ftruncate(fd, (off_t)size * 2) < 0);
    assert_int_equal(memory_file_map_shared(fd, size - 4096, &none, &err), ERR_INVALID);
    assert_int_equal(memory_file_make("sealed", SPAN("x"), &other, &err), ERR_NONE);
    assert_int_equal(memory_file_map_shared(other, size, &none, &err), ERR_INVALID);
    assert_null(none);
    close(other);
    counters_close(a);
    counters_close(b);
    munmap(maps[0], size);
    munmap(maps[1], size);
    close(fd);
}

/* ---- at the same moment ---- */

enum { LIMIT = 3, ROUNDS = 20000 };

static struct world racing;
static _Atomic int inside, most;
static _Atomic bool too_many;

static void *race(void *view)
{
    for (int i = 0; i < ROUNDS; i++) {
        counter_add(view, 42);
        if (counter_sum(view, 42) <= LIMIT) {
            int now = ++inside;
            if (now > LIMIT)
                too_many = true;
            if (now > most)
                most = now;
            inside--;
        }
        counter_drop(view, 42);
    }
    return NULL;
}

static void never_more_than_the_limit(void **state)
{
    (void)state;
    pthread_t threads[COLUMNS];
    begin(&racing);
    for (size_t i = 0; i < COLUMNS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race, racing.views[i]), 0);
    for (size_t i = 0; i < COLUMNS; i++)
        pthread_join(threads[i], NULL);
    assert_false(too_many);
    assert_true(most > 0);
    assert_int_equal(counter_sum(racing.views[0], 42), 0);
    end(&racing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_over_all_columns),
        cmocka_unit_test(full_sets_count_too_much_and_never_too_little),
        cmocka_unit_test(keys),
        cmocka_unit_test(sources),
        cmocka_unit_test(rates),
        cmocka_unit_test(rate_is_given_back),
        cmocka_unit_test(the_busy_key_stays),
        cmocka_unit_test(rubbish),
        cmocka_unit_test(never_more_than_the_limit),
        cmocka_unit_test(shared_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
