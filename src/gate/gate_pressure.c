/* gate_pressure.c: what the session's mail is to the server while it is short of something. */
#include "gate/gate.h"

enum { TEXT_MAX = 512 };

enum pressure_source gate_pressure_source(const struct gate *g)
{
    const unsigned servers = PRINCIPAL_BIT(PRINCIPAL_EXCHANGE_SERVERS) | PRINCIPAL_BIT(PRINCIPAL_HUB_SERVERS) |
                             PRINCIPAL_BIT(PRINCIPAL_EDGE_SERVERS) | PRINCIPAL_BIT(PRINCIPAL_EXTERNALLY_SECURED);
    bool inside = token_is_user(&g->token) || (g->token.well_known & servers);
    return inside ? PRESSURE_FROM_INSIDE : PRESSURE_FROM_OUTSIDE;
}

enum pressure_resource gate_short_of(const struct gate *g)
{
    enum pressure_level level = g->pressure ? pressure_overall(g->pressure) : PRESSURE_NORMAL;
    bool admitted = pressure_admits(level, gate_pressure_source(g));
    return admitted ? PRESSURE_RESOURCES : pressure_first(g->pressure, level);
}

struct span gate_pressure_text(const struct gate *g, struct arena *arena, struct span text,
                               enum pressure_resource r)
{
    struct buf b;
    struct span whole = {NULL, 0};
    buf_init(&b, TEXT_MAX);
    buf_add(&b, text);
    buf_add(&b, SPAN(" ("));
    pressure_print(&b, r, &g->pressure->of[r]);
    buf_add_char(&b, ')');
    if (!b.failed)
        whole = arena_dup(arena, buf_span(&b));
    buf_done(&b);
    return whole.ptr ? whole : text;
}
