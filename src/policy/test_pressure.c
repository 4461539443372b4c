/* test_pressure.c: levels with their hysteresis, automatic limits, who is refused, and how it is told, as rows. */
#include "check.h"
#include "policy/pressure.h"

#define MB   (UINT64_C(1) << 20)
#define GB   (UINT64_C(1) << 30)
#define AUTO PRESSURE_AUTOMATIC

static struct span printed(enum pressure_resource r, const struct pressure_state *s, struct buf *b)
{
    buf_init(b, 512);
    pressure_print(b, r, s);
    assert_false(b->failed);
    return buf_span(b);
}

/* ---- the numbers ---- */

static const struct {
    const char *name;
    enum pressure_resource r;
    uint64_t total, medium, high; /* the limits */
    uint64_t want_normal, want_medium, want_high;
} numbers[] = {
    {"a large disk", PRESSURE_QUEUE_DISK, 1000 * GB, AUTO, AUTO, 1500 * MB, 1000 * MB, 500 * MB},
    {"25 GB", PRESSURE_QUEUE_DISK, 25000 * MB, AUTO, AUTO, 1500 * MB, 1000 * MB, 500 * MB},
    {"10 GB", PRESSURE_QUEUE_DISK, 10000 * MB, AUTO, AUTO, 900 * MB, 700 * MB, 500 * MB},
    {"a small disk", PRESSURE_LOG_DISK, 100 * MB, AUTO, AUTO, 14 * MB, 12 * MB, 10 * MB},
    {"high given", PRESSURE_QUEUE_DISK, 1000 * GB, AUTO, 2 * GB, 2 * GB + 1000 * MB, 2 * GB + 500 * MB, 2 * GB},
    {"medium given", PRESSURE_QUEUE_DISK, 1000 * GB, 3 * GB, AUTO, 3 * GB + 500 * MB, 3 * GB, 500 * MB},
    {"both given", PRESSURE_QUEUE_DISK, 1000 * GB, 3 * GB, 2 * GB, 3 * GB + 500 * MB, 3 * GB, 2 * GB},
    {"none wanted", PRESSURE_QUEUE_DISK, 1000 * GB, 0, 0, 500 * MB, 0, 0},
    {"contradicting: high wins", PRESSURE_QUEUE_DISK, 1000 * GB, 1 * GB, 2 * GB, 2 * GB + 500 * MB, 2 * GB, 2 * GB},
    {"no overflow", PRESSURE_QUEUE_DISK, UINT64_MAX, UINT64_MAX - 1, 0, UINT64_MAX, UINT64_MAX - 1, 0},
    {"memory", PRESSURE_MEMORY, 1000 * MB, 73, 75, 710 * MB, 730 * MB, 750 * MB},
    {"memory, small", PRESSURE_MEMORY, 1000 * MB, 1, 75, 0, 10 * MB, 750 * MB},
    {"memory, contradicting", PRESSURE_MEMORY, 1000 * MB, 90, 50, 480 * MB, 500 * MB, 500 * MB},
    {"length", PRESSURE_QUEUE_LENGTH, 0, 1000, 2000, 900, 1000, 2000},
    {"length, unlimited", PRESSURE_QUEUE_LENGTH, 0, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
    {"length, nothing", PRESSURE_QUEUE_LENGTH, 0, 0, 0, 0, 0, 0},
};

static void test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct pressure p = {0};
        struct pressure_limits limits = pressure_default_limits();
        enum pressure_resource r = numbers[i].r;
        const struct pressure_reading reading = {true, 5, numbers[i].total};
        limits.of[r].medium = numbers[i].medium;
        limits.of[r].high = numbers[i].high;
        pressure_step(&p, r, &limits, &reading, 1);
        CHECK_INT(numbers[i].name, p.of[r].normal, numbers[i].want_normal);
        CHECK_INT(numbers[i].name, p.of[r].medium, numbers[i].want_medium);
        CHECK_INT(numbers[i].name, p.of[r].high, numbers[i].want_high);
    }
}

static void test_defaults(void **state)
{
    (void)state;
    const struct pressure_limits l = pressure_default_limits();
    CHECK("disk", l.of[PRESSURE_QUEUE_DISK].high == AUTO && l.of[PRESSURE_LOG_DISK].medium == AUTO);
    CHECK_INT("memory", l.of[PRESSURE_MEMORY].high, 75);
    CHECK_INT("memory", l.of[PRESSURE_MEMORY].medium, 73);
    CHECK("a million fit", l.of[PRESSURE_QUEUE_LENGTH].medium > 1000000);
    CHECK("sound", pressure_limits_ok(&l));
    struct pressure_limits bad = l;
    bad.of[PRESSURE_MEMORY].medium = 101;
    CHECK("no percentage", !pressure_limits_ok(&bad));
}

/* ---- levels: of a disk with 10 GB: high below 500 MB, left at 700; medium below 700, left at 900 ---- */

#define N PRESSURE_NORMAL
#define M PRESSURE_MEDIUM
#define H PRESSURE_HIGH

static const struct {
    const char *name;
    enum pressure_resource r;
    uint64_t total;
    struct {
        uint64_t value;
        int level;
    } steps[8]; /* a total of 0 ends them */
} courses[] = {
    {"falls through all",
     PRESSURE_QUEUE_DISK,
     10000 * MB,
     {{5000 * MB, N}, {700 * MB, N}, {700 * MB - 1, M}, {500 * MB, M}, {500 * MB - 1, H}, {1, H}}},
    {"flutters at high",
     PRESSURE_QUEUE_DISK,
     10000 * MB,
     {{499 * MB, H}, {501 * MB, H}, {699 * MB, H}, {700 * MB, M}, {501 * MB, M}, {499 * MB, H}}},
    {"flutters at medium",
     PRESSURE_QUEUE_DISK,
     10000 * MB,
     {{699 * MB, M}, {701 * MB, M}, {899 * MB, M}, {900 * MB, N}, {701 * MB, N}, {699 * MB, M}}},
    {"from high to normal at once", PRESSURE_QUEUE_DISK, 10000 * MB, {{1 * MB, H}, {900 * MB, N}}},
    {"memory",
     PRESSURE_MEMORY,
     1000 * MB,
     {{730 * MB, N}, {731 * MB, M}, {720 * MB, M}, {751 * MB, H}, {731 * MB, H}, {730 * MB, M}, {710 * MB, N}}},
    {"length",
     PRESSURE_QUEUE_LENGTH,
     1,
     {{1500000, N}, {1500001, M}, {2000001, H}, {1500001, H}, {1500000, M}, {1350001, M}, {1350000, N}}},
};

static void test_levels(void **state)
{
    (void)state;
    const struct pressure_limits limits = pressure_default_limits();
    for (size_t i = 0; i < ARRAY_LEN(courses); i++) {
        struct pressure p = {0};
        enum pressure_resource r = courses[i].r;
        for (size_t k = 0; k < ARRAY_LEN(courses[i].steps) && courses[i].steps[k].value; k++) {
            const struct pressure_reading reading = {true, courses[i].steps[k].value, courses[i].total};
            struct pressure_state before = p.of[r];
            bool changed = pressure_step(&p, r, &limits, &reading, (int64_t)k + 1);
            CHECK_INT(courses[i].name, p.of[r].level, courses[i].steps[k].level);
            CHECK_INT(courses[i].name, changed, p.of[r].level != before.level);
            CHECK_INT(courses[i].name, p.of[r].since_ms, changed ? (int64_t)k + 1 : before.since_ms);
        }
    }
}

static void test_unknown(void **state)
{
    (void)state;
    const struct pressure_limits limits = pressure_default_limits();
    struct pressure p = {0};
    const struct pressure_reading low = {true, 1, 10000 * MB}, none = {false, 0, 0}, odd = {true, 0, 0};
    CHECK("nothing is short", pressure_overall(&p) == PRESSURE_NORMAL);
    pressure_step(&p, PRESSURE_QUEUE_DISK, &limits, &low, 1);
    CHECK("stays", !pressure_step(&p, PRESSURE_QUEUE_DISK, &limits, &none, 2));
    CHECK("a disk without a size", !pressure_step(&p, PRESSURE_QUEUE_DISK, &limits, &odd, 2));
    CHECK_INT("stays", pressure_overall(&p), PRESSURE_HIGH);
    CHECK_INT("stays", p.of[PRESSURE_QUEUE_DISK].value, 1);
}

/* ---- what it means ---- */

static void test_admits(void **state)
{
    static const bool want[PRESSURE_LEVELS][3] = {{true, true, true}, {false, true, true}, {false, false, true}};
    (void)state;
    for (int level = 0; level < PRESSURE_LEVELS; level++)
        for (int source = 0; source < 3; source++)
            CHECK_INT(pressure_level_name((enum pressure_level)level),
                      pressure_admits((enum pressure_level)level, (enum pressure_source)source),
                      want[level][source]);
}

static void test_overall(void **state)
{
    static const struct {
        const char *name;
        int levels[PRESSURE_RESOURCES]; /* disk, memory, length, log */
        int overall;
        enum pressure_resource first;
    } rows[] = {
        {"all normal", {N, N, N, N}, N, PRESSURE_QUEUE_DISK},
        {"one medium", {N, M, N, N}, M, PRESSURE_MEMORY},
        {"the worst is named", {M, N, H, N}, H, PRESSURE_QUEUE_LENGTH},
        {"of two the first", {H, H, N, N}, H, PRESSURE_QUEUE_DISK},
        {"logs refuse no mail", {N, N, N, H}, N, PRESSURE_QUEUE_DISK},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pressure p = {0};
        for (size_t k = 0; k < PRESSURE_RESOURCES; k++)
            p.of[k].level = (enum pressure_level)rows[i].levels[k];
        CHECK_INT(rows[i].name, pressure_overall(&p), rows[i].overall);
        CHECK_INT(rows[i].name, pressure_first(&p, pressure_overall(&p)), rows[i].first);
    }
    const struct pressure only_log = {.of[PRESSURE_LOG_DISK].level = PRESSURE_HIGH};
    CHECK_INT("none", pressure_first(&only_log, PRESSURE_HIGH), PRESSURE_RESOURCES);
}

static void test_text(void **state)
{
    static const struct {
        const char *name;
        enum pressure_resource r;
        struct pressure_state s;
        const char *want;
    } rows[] = {
        {"high",
         PRESSURE_QUEUE_DISK,
         {H, true, 312 * MB, 10000 * MB, 900 * MB, 700 * MB, 500 * MB, 0},
         "queue disk: 312 MB free, 500 MB wanted"},
        {"high, to be left",
         PRESSURE_QUEUE_DISK,
         {H, true, 600 * MB, 10000 * MB, 900 * MB, 700 * MB, 500 * MB, 0},
         "queue disk: 600 MB free, 700 MB wanted"},
        {"medium",
         PRESSURE_QUEUE_DISK,
         {M, true, 600 * MB, 10000 * MB, 900 * MB, 700 * MB, 500 * MB, 0},
         "queue disk: 600 MB free, 700 MB wanted"},
        {"medium, to be left",
         PRESSURE_LOG_DISK,
         {M, true, 800 * MB, 10000 * MB, 900 * MB, 700 * MB, 500 * MB, 0},
         "log disk: 800 MB free, 900 MB wanted"},
        {"normal",
         PRESSURE_QUEUE_DISK,
         {N, true, 5000 * MB, 10000 * MB, 900 * MB, 700 * MB, 500 * MB, 0},
         "queue disk: 5000 MB free, 700 MB wanted"},
        {"little",
         PRESSURE_QUEUE_DISK,
         {H, true, 40 << 10, 10 * MB, 1600 << 10, 1400 << 10, 1 * MB, 0},
         "queue disk: 40 KB free, 1024 KB wanted"},
        {"nothing",
         PRESSURE_QUEUE_DISK,
         {H, true, 0, 10 * MB, 1600 << 10, 1400 << 10, 1 * MB, 0},
         "queue disk: 0 MB free, 1024 KB wanted"},
        {"memory",
         PRESSURE_MEMORY,
         {H, true, 760 * MB, 1000 * MB, 710 * MB, 730 * MB, 750 * MB, 0},
         "memory: 760 MB (76.0 % of 1000 MB) in use, 750 MB allowed"},
        {"memory, beyond all measure",
         PRESSURE_MEMORY,
         {H, true, UINT64_MAX, 1000 * MB, 710 * MB, 730 * MB, 750 * MB, 0},
         "memory: 17592186044415 MB (999.9 % of 1000 MB) in use, 750 MB allowed"},
        {"length",
         PRESSURE_QUEUE_LENGTH,
         {M, true, 1001, 0, 900, 1000, 2000, 0},
         "queue length: 1001 recipients waiting, 1000 allowed"},
        {"length, unlimited",
         PRESSURE_QUEUE_LENGTH,
         {N, true, 7, 0, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0},
         "queue length: 7 recipients waiting, any number allowed"},
        {"unknown", PRESSURE_LOG_DISK, {0}, "log disk: not measured yet"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        CHECK_SPAN(rows[i].name, printed(rows[i].r, &rows[i].s, &b), span_of(rows[i].want));
        buf_done(&b);
    }
}

/* ---- forms ---- */

static void test_forms(void **state)
{
    (void)state;
    struct pressure p = {0}, q = {0};
    const struct pressure_limits limits = pressure_default_limits();
    struct buf b;
    for (enum pressure_resource r = 0; r < PRESSURE_RESOURCES; r++) {
        const struct pressure_reading reading = {true, 1 + r, 10000 * MB};
        pressure_step(&p, r, &limits, &reading, 1234567890123);
    }
    buf_init(&b, PRESSURE_BYTES);
    pressure_put(&b, &p);
    CHECK_INT("size", b.len, PRESSURE_BYTES);
    for (size_t cut = 0; cut < b.len; cut++) {
        struct cursor c = cursor_of(span_head(buf_span(&b), cut));
        pressure_get(&c, &q);
        CHECK("cut", !cursor_done(&c));
    }
    struct cursor c = cursor_of(buf_span(&b));
    pressure_get(&c, &q);
    CHECK("whole", cursor_done(&c));
    for (enum pressure_resource r = 0; r < PRESSURE_RESOURCES; r++) {
        CHECK_INT("level", q.of[r].level, p.of[r].level);
        CHECK_INT("value", q.of[r].value, p.of[r].value);
        CHECK_INT("high", q.of[r].high, p.of[r].high);
        CHECK_INT("since", q.of[r].since_ms, p.of[r].since_ms);
    }
    b.ptr[0] = PRESSURE_LEVELS;
    c = cursor_of(buf_span(&b));
    pressure_get(&c, &q);
    CHECK("no level", !cursor_done(&c));
    CHECK_INT("and none comes of it", q.of[0].level, PRESSURE_NORMAL);
    buf_done(&b);
    buf_init(&b, 256);
    pressure_put_limits(&b, &limits);
    c = cursor_of(buf_span(&b));
    const struct pressure_limits again = pressure_get_limits(&c);
    CHECK("limits", cursor_done(&c) && again.of[PRESSURE_MEMORY].high == 75);
    buf_done(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_defaults), cmocka_unit_test(test_levels),
        cmocka_unit_test(test_unknown), cmocka_unit_test(test_admits),   cmocka_unit_test(test_overall),
        cmocka_unit_test(test_text),    cmocka_unit_test(test_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
