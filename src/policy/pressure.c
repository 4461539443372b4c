/*
 * pressure.c: see pressure.h.
 *
 * Invariant: a resource's numbers are in order, from normal over medium to high, whatever the limits say: where
 * they contradict each other, high wins. "More" is shortage: less of what is free, more of what is used.
 */
#include "policy/pressure.h"

#include <inttypes.h>

#define MB (UINT64_C(1) << 20)

static const uint64_t ENOUGH_FREE = 500 * MB; /* SP1's "500 MB" */

enum { SMALL_SHARE = 10, STEP_PERCENT = 2, MEMORY_STEP = 2 };

enum unit { FREE_BYTES, USED_BYTES, COUNT };

static const struct {
    const char *name, *text;
    enum unit unit;
    bool refuses;
    uint64_t medium, high;
    const char *properties[PRESSURE_LEVELS];
    const char *remedy;
} resources[PRESSURE_RESOURCES] = {
    [PRESSURE_QUEUE_DISK] = {"QueueDisk",
                             "queue disk",
                             FREE_BYTES,
                             true,
                             PRESSURE_AUTOMATIC,
                             PRESSURE_AUTOMATIC,
                             {NULL, "QueueDiskMediumThreshold", "QueueDiskHighThreshold"},
                             "free space on the file system of the state folder (queue.db and spool/), or see what "
                             "waits with Get-Queue"},
    [PRESSURE_MEMORY] =
        {"Memory",
         "memory",
         USED_BYTES,
         true,
         73,
         75,
         {NULL, "MemoryMediumThreshold", "MemoryHighThreshold"},
         "give the server more memory, lower MaxInboundConnection, or raise MemoryHighThreshold and "
         "MemoryMediumThreshold"},
    [PRESSURE_QUEUE_LENGTH] = {"QueueLength",
                               "queue length",
                               COUNT,
                               true,
                               1500000,
                               2000000,
                               {NULL, "QueueLengthMediumThreshold", "QueueLengthHighThreshold"},
                               "see with Get-Queue which next hop holds mail up, or raise QueueLengthHighThreshold "
                               "and QueueLengthMediumThreshold"},
    [PRESSURE_LOG_DISK] =
        {"LogDisk",
         "log disk",
         FREE_BYTES,
         false,
         PRESSURE_AUTOMATIC,
         PRESSURE_AUTOMATIC,
         {NULL, "LogDiskMediumThreshold", "LogDiskHighThreshold"},
         "free space on the file system of log/, or lower the limits of the logs "
         "(Set-TransportServer -ReceiveProtocolLogMaxDirectorySize); mail flows meanwhile, and what "
         "cannot be logged is lost to the log"},
};

const char *pressure_level_name(enum pressure_level level)
{
    static const char *const names[PRESSURE_LEVELS] = {"Normal", "Medium", "High"};
    return names[level];
}

const char *pressure_resource_name(enum pressure_resource r)
{
    return resources[r].name;
}

const char *pressure_resource_text(enum pressure_resource r)
{
    return resources[r].text;
}

bool pressure_refuses(enum pressure_resource r)
{
    return resources[r].refuses;
}

const char *pressure_property(enum pressure_resource r, enum pressure_level level)
{
    return resources[r].properties[level];
}

const char *pressure_remedy(enum pressure_resource r)
{
    return resources[r].remedy;
}

/* ---- limits ---- */

struct pressure_limits pressure_default_limits(void)
{
    struct pressure_limits l;
    for (size_t i = 0; i < PRESSURE_RESOURCES; i++) {
        l.of[i].medium = resources[i].medium;
        l.of[i].high = resources[i].high;
    }
    return l;
}

bool pressure_limits_ok(const struct pressure_limits *l)
{
    return l->of[PRESSURE_MEMORY].medium <= 100 && l->of[PRESSURE_MEMORY].high <= 100;
}

void pressure_put_limits(struct buf *out, const struct pressure_limits *l)
{
    for (size_t i = 0; i < PRESSURE_RESOURCES; i++) {
        put_u64(out, l->of[i].medium);
        put_u64(out, l->of[i].high);
    }
}

struct pressure_limits pressure_get_limits(struct cursor *c)
{
    struct pressure_limits l;
    for (size_t i = 0; i < PRESSURE_RESOURCES; i++) {
        l.of[i].medium = cursor_u64(c);
        l.of[i].high = cursor_u64(c);
    }
    return l;
}

/* ---- a resource's numbers ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t percent(uint64_t of, uint64_t n)
{
    return of / 100 * n + of % 100 * n / 100;
}

static void disk_numbers(struct pressure_state *s, uint64_t medium, uint64_t high)
{
    uint64_t step = least(ENOUGH_FREE, percent(s->total, STEP_PERCENT));
    s->high = high != PRESSURE_AUTOMATIC ? high : least(ENOUGH_FREE, s->total / SMALL_SHARE);
    s->medium = medium != PRESSURE_AUTOMATIC ? medium : sum(s->high, step);
    if (s->medium < s->high)
        s->medium = s->high;
    s->normal = sum(s->medium, step);
}

static void memory_numbers(struct pressure_state *s, uint64_t medium, uint64_t high)
{
    medium = least(medium, high);
    s->high = percent(s->total, high);
    s->medium = percent(s->total, medium);
    s->normal = percent(s->total, medium > MEMORY_STEP ? medium - MEMORY_STEP : 0);
}

static void count_numbers(struct pressure_state *s, uint64_t medium, uint64_t high)
{
    s->high = high;
    s->medium = least(medium, high);
    s->normal = s->medium == UINT64_MAX ? UINT64_MAX : s->medium - s->medium / 10;
}

static void set_numbers(struct pressure_state *s, enum unit unit, uint64_t medium, uint64_t high)
{
    switch (unit) {
    case FREE_BYTES: disk_numbers(s, medium, high); break;
    case USED_BYTES: memory_numbers(s, medium, high); break;
    case COUNT: count_numbers(s, medium, high); break;
    }
}

/* Whether the value is worse than a number. */
static bool is_past(enum unit unit, uint64_t value, uint64_t number)
{
    return unit == FREE_BYTES ? value < number : value > number;
}

static enum pressure_level next_level(enum unit unit, const struct pressure_state *s)
{
    if (is_past(unit, s->value, s->high))
        return PRESSURE_HIGH;
    if (is_past(unit, s->value, s->medium))
        return s->level == PRESSURE_HIGH ? PRESSURE_HIGH : PRESSURE_MEDIUM;
    return s->level != PRESSURE_NORMAL && is_past(unit, s->value, s->normal) ? PRESSURE_MEDIUM : PRESSURE_NORMAL;
}

bool pressure_step(struct pressure *p, enum pressure_resource r, const struct pressure_limits *limits,
                   const struct pressure_reading *reading, int64_t now_ms)
{
    struct pressure_state *s = &p->of[r];
    enum unit unit = resources[r].unit;
    if (!reading->known || (unit != COUNT && !reading->total))
        return false;
    s->known = true;
    s->value = reading->value;
    s->total = reading->total;
    set_numbers(s, unit, limits->of[r].medium, limits->of[r].high);
    enum pressure_level level = next_level(unit, s);
    if (level == s->level)
        return false;
    s->level = level;
    s->since_ms = now_ms;
    return true;
}

enum pressure_level pressure_overall(const struct pressure *p)
{
    enum pressure_level level = PRESSURE_NORMAL;
    for (size_t i = 0; i < PRESSURE_RESOURCES; i++)
        if (resources[i].refuses && p->of[i].level > level)
            level = p->of[i].level;
    return level;
}

enum pressure_resource pressure_first(const struct pressure *p, enum pressure_level level)
{
    enum pressure_resource r = 0;
    while (r < PRESSURE_RESOURCES && !(resources[r].refuses && p->of[r].level == level))
        r++;
    return r;
}

/* ---- what it means ---- */

bool pressure_admits(enum pressure_level level, enum pressure_source source)
{
    static const bool admits[PRESSURE_LEVELS][PRESSURE_FROM_SELF + 1] = {
        /*                    outside inside self */
        [PRESSURE_NORMAL] = {true, true, true},
        [PRESSURE_MEDIUM] = {false, true, true},
        [PRESSURE_HIGH] = {false, false, true},
    };
    return admits[level][source];
}

/* Whole megabytes; what is less than ten of them with more care. */
static void print_bytes(struct buf *out, uint64_t n)
{
    if (n >= 10 * MB || n == 0)
        buf_addf(out, "%" PRIu64 " MB", n / MB);
    else
        buf_addf(out, "%" PRIu64 " KB", n / 1024);
}

/* At most 9999: whatever has come from another process is printed. */
static unsigned permille(uint64_t part, uint64_t of)
{
    double n = of ? (double)part * 1000.0 / (double)of : 0;
    return n < 9999 ? (unsigned)n : 9999;
}

static void print_memory(struct buf *out, const struct pressure_state *s, uint64_t allowed)
{
    unsigned used = permille(s->value, s->total);
    print_bytes(out, s->value);
    buf_addf(out, " (%u.%u %% of ", used / 10, used % 10);
    print_bytes(out, s->total);
    buf_add(out, SPAN(") in use, "));
    print_bytes(out, allowed);
    buf_add(out, SPAN(" allowed"));
}

/* The number that decides about the present level. */
static uint64_t deciding(enum unit unit, const struct pressure_state *s)
{
    if (s->level == PRESSURE_HIGH)
        return is_past(unit, s->value, s->high) ? s->high : s->medium;
    return s->level == PRESSURE_NORMAL || is_past(unit, s->value, s->medium) ? s->medium : s->normal;
}

void pressure_print(struct buf *out, enum pressure_resource r, const struct pressure_state *s)
{
    enum unit unit = resources[r].unit;
    uint64_t number = deciding(unit, s);
    buf_addf(out, "%s: ", resources[r].text);
    if (!s->known)
        buf_add(out, SPAN("not measured yet"));
    else if (unit == USED_BYTES)
        print_memory(out, s, number);
    else if (unit == FREE_BYTES) {
        print_bytes(out, s->value);
        buf_add(out, SPAN(" free, "));
        print_bytes(out, number);
        buf_add(out, SPAN(" wanted"));
    } else {
        buf_addf(out, "%" PRIu64 " recipients waiting, ", s->value);
        if (number == UINT64_MAX)
            buf_add(out, SPAN("any number allowed"));
        else
            buf_addf(out, "%" PRIu64 " allowed", number);
    }
}

/* ---- between processes ---- */

void pressure_put(struct buf *out, const struct pressure *p)
{
    for (size_t i = 0; i < PRESSURE_RESOURCES; i++) {
        const struct pressure_state *s = &p->of[i];
        put_u8(out, (uint8_t)s->level);
        put_bool(out, s->known);
        put_u64(out, s->value);
        put_u64(out, s->total);
        put_u64(out, s->normal);
        put_u64(out, s->medium);
        put_u64(out, s->high);
        put_u64(out, (uint64_t)s->since_ms);
    }
}

void pressure_get(struct cursor *c, struct pressure *ret)
{
    for (size_t i = 0; i < PRESSURE_RESOURCES; i++) {
        struct pressure_state *s = &ret->of[i];
        uint8_t level = cursor_u8(c);
        s->level = level < PRESSURE_LEVELS ? (enum pressure_level)level : PRESSURE_NORMAL;
        c->bad |= level >= PRESSURE_LEVELS;
        s->known = cursor_bool(c);
        s->value = cursor_u64(c);
        s->total = cursor_u64(c);
        s->normal = cursor_u64(c);
        s->medium = cursor_u64(c);
        s->high = cursor_u64(c);
        s->since_ms = (int64_t)cursor_u64(c);
    }
}
