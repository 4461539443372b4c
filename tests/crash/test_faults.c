/*
 * test_faults.c: the n-th change of the disk fails, for each n that a scenario has and each way of failing. Nothing
 * that was acknowledged may be missing afterwards, nothing that was refused may be there: not in the process that
 * goes on, not at the next start, not after a power cut at the end, when what a failed flush lost is lost.
 */
#include "disk.h"
#include "image.h"
#include "scenario.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS = 14, REOPENINGS_MAX = 2 * STEPS, ROW_BYTES = 200 };

static size_t runs, acknowledged, refused, reopened;

/* Steps until the scenario is over; the disk is sound again from the first reopening on. */
static void run_steps(struct scenario *s, const char *row)
{
    for (size_t i = 0; i < STEPS; i++) {
        if (scenario_step(s))
            continue;
        disk_heal();
        scenario_reopen(s, row);
        reopened++;
    }
}

/* A power cut at the end of all. */
static void check_medium(struct scenario *s, const char *row)
{
    struct folder folder;
    folder_make(&folder);
    struct disk_log log = disk_record();
    image_make(log, log.count, IMAGE_FLUSHED, 0, folder.path);
    struct buf left = scenario_dump_folder(s->adapter, folder.path, row), model = scenario_model(s);
    CHECK_SPAN(row, buf_span(&left), buf_span(&model));
    buf_done(&left);
    buf_done(&model);
    folder_remove(&folder);
}

/* One run in which the n-th change fails; false: the scenario has fewer. */
static bool run_once(const struct crash_adapter *a, size_t n, enum disk_fault fault)
{
    struct folder folder;
    struct scenario s;
    char row[ROW_BYTES];
    folder_make(&folder);
    char *path = realpath(folder.path, NULL);
    assert_non_null(path);
    snprintf(row, sizeof row, "%s, change %zu %s", a->name, n, disk_fault_name(fault));
    disk_watch(path);
    disk_fail(n, fault);
    scenario_start(&s, a, path, 7);
    if (!s.queue) { /* a failure before there is a queue: the next start makes it */
        CHECK(row, disk_has_failed());
        disk_heal();
        scenario_reopen(&s, row);
    }
    run_steps(&s, row);
    bool met = disk_has_failed();
    disk_heal();
    check_medium(&s, row);
    scenario_reopen(&s, row);
    acknowledged += s.acknowledged;
    refused += s.refused;
    runs++;
    scenario_end(&s);
    disk_unwatch();
    folder_remove(&folder);
    free(path);
    return met;
}

static void test_faults(void **state)
{
    (void)state;
    for (size_t a = 0; a < crash_adapter_count; a++)
        for (enum disk_fault f = DISK_FAILS; f < DISK_FAULTS; f++) {
            size_t n = 1;
            while (run_once(&crash_adapters[a], n, f))
                n++;
            assert_true(n > 100); /* the scenario reaches the disk */
        }
    print_message("%zu runs: %zu acknowledged, lost 0; %zu refused, found 0; opened again %zu times\n", runs,
                  acknowledged, refused, reopened);
    assert_true(refused > 0 && reopened > 0);
}

int main(void)
{
    static const struct CMUnitTest all[] = {cmocka_unit_test(test_faults)};
    return cmocka_run_group_tests(all, NULL, NULL);
}
