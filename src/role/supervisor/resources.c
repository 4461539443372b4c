/* resources.c: see resources.h. A resource that cannot be measured keeps its level, and is not told of every time.
 */
#include "role/supervisor/resources.h"

#include "base/cursor.h"
#include "runtime/log.h"

#include <unistd.h>

/* The numbers of Exchange's events for a level that rises and one that falls. */
enum { EVENT_INCREASED = 15004, EVENT_DECREASED = 15005, TEXT_MAX = 256 };

enum err_code resources_init(struct resources *r, struct resource_meter meter, struct err *err)
{
    *r = (struct resources){.meter = meter, .fd = -1, .limits = pressure_default_limits()};
    return pressure_page_make(&r->page, &r->fd, err);
}

void resources_done(struct resources *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
}

/* What a level means, and what to do, for people. */
static const char *consequence(enum pressure_resource r, enum pressure_level level)
{
    static const char *const texts[PRESSURE_LEVELS] = {
        [PRESSURE_NORMAL] = "all mail is taken again as far as this resource is concerned",
        [PRESSURE_MEDIUM] =
            "mail from outside is refused with 452 4.3.1; users and the organisation's servers send",
        [PRESSURE_HIGH] = "all new mail is refused with 452 4.3.1; what was accepted is delivered",
    };
    return pressure_refuses(r) ? texts[level] : "no mail is refused for it";
}

static void tell(enum pressure_resource r, enum pressure_level before, const struct pressure_state *s)
{
    bool up = s->level > before;
    struct buf text;
    buf_init(&text, TEXT_MAX);
    pressure_print(&text, r, s);
    struct log_line l = log_begin(up ? LOG_WARNING : LOG_NOTICE, up ? "pressure-increased" : "pressure-decreased");
    log_int(&l, "id", up ? EVENT_INCREASED : EVENT_DECREASED);
    log_str(&l, "resource", pressure_resource_name(r));
    log_str(&l, "from", pressure_level_name(before));
    log_str(&l, "to", pressure_level_name(s->level));
    log_span(&l, "state", buf_span(&text));
    log_str(&l, "effect", consequence(r, s->level));
    if (s->level != PRESSURE_NORMAL) {
        log_str(&l, "limit", pressure_property(r, s->level));
        log_str(&l, "remedy", pressure_remedy(r));
    }
    log_end(&l);
    buf_done(&text);
}

void resources_poll(struct resources *r, int64_t now_ms)
{
    if (!r->page)
        return;
    struct pressure before = r->now;
    bool changed[PRESSURE_RESOURCES];
    for (enum pressure_resource i = 0; i < PRESSURE_RESOURCES; i++) {
        struct pressure_reading reading =
            i == PRESSURE_QUEUE_LENGTH ? r->length : r->meter.read(r->meter.context, i);
        changed[i] = pressure_step(&r->now, i, &r->limits, &reading, now_ms);
    }
    pressure_page_write(r->page, &r->now); /* refusals begin before the log tells of them */
    for (enum pressure_resource i = 0; i < PRESSURE_RESOURCES; i++)
        if (changed[i])
            tell(i, before.of[i].level, &r->now.of[i]);
}

bool resources_take_length(struct resources *r, struct span body)
{
    struct cursor c = cursor_of(body);
    uint64_t length = cursor_u64(&c);
    if (!cursor_done(&c))
        return false;
    r->length = (struct pressure_reading){.known = true, .value = length};
    return true;
}

bool resources_take_limits(struct resources *r, struct span body)
{
    struct cursor c = cursor_of(body);
    struct pressure_limits limits = pressure_get_limits(&c);
    if (!cursor_done(&c) || !pressure_limits_ok(&limits))
        return false;
    r->limits = limits;
    return true;
}
