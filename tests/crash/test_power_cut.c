/*
 * test_power_cut.c: the power goes after each single change of the disk that a scenario makes. What is left is
 * opened; it must be what had been acknowledged by then, or that and the one batch that was under way, whole.
 */
#include "disk.h"
#include "image.h"
#include "scenario.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS = 40, SEEDS = 2, CHANCES = 2, STATES_MAX = STEPS + 2, ROW_BYTES = 200 };

/* The model after each step: what disk_mark counts. */
static struct buf states[STATES_MAX];
static size_t cuts, in_flight;

static char *canonical(const char *path)
{
    char *p = realpath(path, NULL);
    assert_non_null(p);
    return p;
}

static void run_scenario(const struct crash_adapter *a, const char *folder, uint64_t seed)
{
    struct scenario s;
    disk_watch(folder);
    scenario_start(&s, a, folder, seed);
    assert_non_null(s.queue);
    for (size_t i = 0; i <= STEPS; i++) {
        states[i] = scenario_model(&s);
        disk_mark(i);
        if (i < STEPS)
            assert_true(scenario_step(&s));
    }
    assert_true(s.acknowledged > STEPS / 2 && s.refused == 0);
    scenario_end(&s);
}

/* The number of the last mark before a place; -1: the queue is not open yet. */
static int last_mark(struct disk_log log, size_t until)
{
    while (until > 0)
        if (log.ops[--until].kind == DISK_MARK)
            return (int)log.ops[until].at;
    return -1;
}

static void check_cut(const struct crash_adapter *a, struct disk_log log, size_t until, enum image_kind kind,
                      uint64_t seed)
{
    struct folder folder;
    char row[ROW_BYTES];
    int mark = last_mark(log, until);
    snprintf(row, sizeof row, "%s, %s, cut after change %zu, seed %llu, step %d", a->name, image_kind_name(kind),
             until, (unsigned long long)seed, mark);
    folder_make(&folder);
    image_make(log, until, kind, seed, folder.path);
    struct buf found = scenario_dump_folder(a, folder.path, row);
    const struct buf *want = &states[mark < 0 ? 0 : mark];
    if (mark >= 0 && mark < STEPS && !span_eq(buf_span(&found), buf_span(want))) {
        want = &states[mark + 1];
        in_flight++;
    }
    CHECK_SPAN(row, buf_span(&found), buf_span(want));
    cuts++;
    buf_done(&found);
    folder_remove(&folder);
}

static void sweep(const struct crash_adapter *a, uint64_t seed)
{
    struct folder folder;
    folder_make(&folder);
    char *path = canonical(folder.path);
    run_scenario(a, path, seed);
    disk_stop();
    struct disk_log log = disk_record();
    for (size_t until = 0; until <= log.count; until++) {
        if (until < log.count && log.ops[until].kind == DISK_MARK)
            continue; /* nothing reached the disk */
        check_cut(a, log, until, IMAGE_FLUSHED, 0);
        check_cut(a, log, until, IMAGE_EVERYTHING, 0);
        for (uint64_t i = 0; i < CHANCES; i++)
            check_cut(a, log, until, IMAGE_CHANCE, until * CHANCES + i);
    }
    for (size_t i = 0; i <= STEPS; i++)
        buf_done(&states[i]);
    disk_unwatch();
    folder_remove(&folder);
    free(path);
}

static void test_power_cut(void **state)
{
    (void)state;
    for (size_t a = 0; a < crash_adapter_count; a++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++)
            sweep(&crash_adapters[a], seed);
    print_message("%zu power cuts, lost 0; in %zu of them the batch under way was there\n", cuts, in_flight);
    assert_true(in_flight > 0 && in_flight < cuts / 2); /* both sides of a commit were seen */
}

int main(void)
{
    static const struct CMUnitTest all[] = {cmocka_unit_test(test_power_cut)};
    return cmocka_run_group_tests(all, NULL, NULL);
}
