/* test_resource_pressure.c: Get-ResourcePressure over a fake view, and the thresholds of TransportServer. */
#include "check.h"
#include "cmdlet/test_support.h"

#define MB (UINT64_C(1) << 20)

static bool known;

static bool read_fake(struct pressure_view *v UNUSED, struct pressure *ret)
{
    *ret = (struct pressure){0};
    if (!known)
        return false;
    ret->of[PRESSURE_QUEUE_DISK] = (struct pressure_state){
        PRESSURE_HIGH, true, 312 * MB, 10000 * MB, 900 * MB, 700 * MB, 500 * MB, INT64_C(1709208000000)};
    ret->of[PRESSURE_LOG_DISK] = ret->of[PRESSURE_QUEUE_DISK];
    ret->of[PRESSURE_MEMORY] =
        (struct pressure_state){PRESSURE_NORMAL, true, 40 * MB, 1000 * MB, 710 * MB, 730 * MB, 750 * MB, 0};
    ret->of[PRESSURE_QUEUE_LENGTH] =
        (struct pressure_state){PRESSURE_NORMAL, true, 17, 0, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0};
    return true;
}

static void test_cmdlet(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"all", "Get-ResourcePressure | ft",
         .has = {"QueueDisk", "High", "312MB", "Memory", "QueueLength", "LogDisk"}},
        {"one", "Get-ResourcePressure queuedisk | fl",
         .has = {"queue disk: 312 MB free, 500 MB wanted", "bytes free", "2024-02-29", "True", "spool/"},
         .lacks = {"Memory "}},
        {"what refuses", "Get-ResourcePressure | where {$_.RefusesMail} | Measure-Object | fl Count", .has = {"1"}},
        {"nothing to do", "Get-ResourcePressure Memory | fl", .has = {"Normal", "40MB"}, .lacks = {"spool/"}},
        {"unlimited", "Get-ResourcePressure QueueLength | fl", .has = {"17", "Unlimited", "any number allowed"}},
        {"a pattern", "Get-ResourcePressure *Disk | Measure-Object | fl Count", .has = {"2"}},
        {"another", "Get-ResourcePressure Swap", ERR_NOT_FOUND, .has = {"Swap", "QueueLength"}},
        {"no name", "Get-ResourcePressure 5", ERR_INVALID, .has = {"-Identity"}},
        {"encoded", "Get-ResourcePressure -Encoded", .has = {"0201"}, .lacks = {"QueueDisk"}},
    };
    static const struct bench_row stopped = {"stopped", "Get-ResourcePressure", ERR_UNAVAILABLE,
                                             .has = {"not running", "Get-TransportServer"}},
                                  early = {"too early", "Get-ResourcePressure", ERR_UNAVAILABLE,
                                           .has = {"nothing was measured yet"}};
    struct pressure_view view = {.read = read_fake};
    struct bench b;
    bench_init(&b, 0);
    bench_check(&b, &stopped);
    b.context.pressure = &view;
    known = false;
    bench_check(&b, &early);
    known = true;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        bench_check(&b, &rows[i]);
    bench_done(&b);
}

static void test_thresholds(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"as init leaves them", "Get-TransportServer | fl *Threshold",
         .has = {"QueueDiskHighThreshold", "MemoryHighThreshold", "75", "1500000", "2000000"}},
        {"a disk", "Set-TransportServer -QueueDiskHighThreshold 200MB -QueueDiskMediumThreshold 400MB"},
        {"medium below high", "Set-TransportServer -QueueDiskMediumThreshold 100MB", ERR_CONFLICT,
         .has = {"QueueDiskMediumThreshold 100", "less than QueueDiskHighThreshold 200", "set both"}},
        {"automatic again", "Set-TransportServer -QueueDiskHighThreshold $null -QueueDiskMediumThreshold 100MB"},
        {"memory", "Set-TransportServer -MemoryHighThreshold 50", ERR_CONFLICT,
         .has = {"MemoryMediumThreshold 73", "more than MemoryHighThreshold 50"}},
        {"both", "Set-TransportServer -MemoryHighThreshold 50 -MemoryMediumThreshold 40"},
        {"no percentage", "Set-TransportServer -MemoryHighThreshold 101", ERR_INVALID, .has = {"101", "1 to 100"}},
        {"length", "Set-TransportServer -QueueLengthMediumThreshold unlimited", ERR_CONFLICT,
         .has = {"QueueLengthMediumThreshold Unlimited", "QueueLengthHighThreshold 2000000"}},
        {"no length",
         "Set-TransportServer -QueueLengthHighThreshold unlimited -QueueLengthMediumThreshold unlimited"},
        {"negative", "Set-TransportServer -LogDiskHighThreshold -1", ERR_INVALID, .has = {"LogDiskHighThreshold"}},
    };
    bench_check_rows(0, rows, ARRAY_LEN(rows));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_cmdlet), cmocka_unit_test(test_thresholds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
