/* fuzz_pressure.c: the forms of pressure.h from any bytes: what is read prints, and written again it is the same.
 */
#include "policy/pressure.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_state(struct span bytes)
{
    struct pressure p = {0};
    struct cursor c = cursor_of(bytes);
    struct buf b;
    pressure_get(&c, &p);
    if (!cursor_done(&c))
        return;
    buf_init(&b, PRESSURE_BYTES);
    pressure_put(&b, &p);
    check(!b.failed && span_eq(buf_span(&b), bytes));
    buf_done(&b);
    buf_init(&b, 4096);
    for (enum pressure_resource r = 0; r < PRESSURE_RESOURCES; r++)
        pressure_print(&b, r, &p.of[r]);
    check(!b.failed);
    buf_done(&b);
    enum pressure_level level = pressure_overall(&p);
    check(level == PRESSURE_NORMAL || pressure_first(&p, level) < PRESSURE_RESOURCES);
}

/* Whatever limits and readings: the numbers are in order, and the level is one that the value allows. */
static void check_steps(struct span bytes)
{
    struct cursor c = cursor_of(bytes);
    struct pressure_limits limits = pressure_get_limits(&c);
    struct pressure p = {0};
    if (!cursor_ok(&c) || !pressure_limits_ok(&limits))
        return;
    while (cursor_ok(&c) && c.rest.len) {
        struct pressure_reading reading = {cursor_bool(&c), cursor_u64(&c), cursor_u64(&c)};
        enum pressure_resource r = (enum pressure_resource)(cursor_u8(&c) % PRESSURE_RESOURCES);
        if (!cursor_ok(&c))
            return;
        pressure_step(&p, r, &limits, &reading, 1);
        const struct pressure_state *s = &p.of[r];
        bool free = r == PRESSURE_QUEUE_DISK || r == PRESSURE_LOG_DISK;
        check(free ? s->normal >= s->medium && s->medium >= s->high
                   : s->normal <= s->medium && s->medium <= s->high);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = span_make((const char *)data, size);
    check_state(bytes);
    check_steps(bytes);
    return 0;
}
