/* help.c: what people read about a property: the shape of its argument, and its help with default and range. */
#include "schema/internal.h"

static const char *const shapes[SCHEMA_TYPES] = {
    [SCHEMA_STRING] = "<String>",   [SCHEMA_BOOL] = "<Boolean>",    [SCHEMA_INT] = "<Int>",
    [SCHEMA_SIZE] = "<Size>",       [SCHEMA_TIMESPAN] = "<Time>",   [SCHEMA_TIME] = "<DateTime>",
    [SCHEMA_ENUM] = "<Word>",       [SCHEMA_FLAGS] = "<Word>",      [SCHEMA_FQDN] = "<Fqdn>",
    [SCHEMA_DOMAIN] = "<Domain>",   [SCHEMA_ADDRESS] = "<Address>", [SCHEMA_PATTERN] = "<Address pattern>",
    [SCHEMA_BINDING] = "<IP:port>", [SCHEMA_RANGE] = "<IP range>",  [SCHEMA_ADDRESS_SPACE] = "<Address space>",
    [SCHEMA_HOST] = "<Host>",       [SCHEMA_SECRET] = "<Password>",
};

static const char *const origins[] = {
    [SINCE_2007] = "",
    [SINCE_2007_SP1] = " Since Exchange 2007 SP1.",
    [SINCE_2010] = " Since Exchange 2010.",
    [SINCE_2013] = " Since Exchange 2013.",
    [SINCE_2016] = " Since Exchange 2016.",
    [SINCE_OURS] = " Mailreeve's own.",
};

static const char *finish(struct buf *b, struct arena *arena)
{
    const char *s = b->failed ? NULL : arena_cstr(arena, buf_span(b));
    buf_done(b);
    return s;
}

const char *schema_syntax(const struct schema_property *p, struct arena *arena)
{
    struct buf b;
    buf_init(&b, 1024);
    for (const char *const *w = p->words; w && *w; w++)
        buf_addf(&b, "%s%s", w == p->words ? "" : " | ", *w);
    if (!p->words)
        buf_addf(&b, "%s%s", shapes[p->type], p->flags & SCHEMA_UNLIMITED ? " | Unlimited" : "");
    if (schema_is_list(p))
        buf_add(&b, SPAN("[,...]"));
    return finish(&b, arena);
}

static void add_number(struct buf *b, const struct schema_property *p, int64_t n)
{
    value_print(b, p->type == SCHEMA_SIZE       ? value_size(n)
                   : p->type == SCHEMA_TIMESPAN ? value_timespan(n)
                                                : value_int(n));
}

const char *schema_help(const struct schema_property *p, struct arena *arena)
{
    struct buf b;
    bool ranged = p->type == SCHEMA_INT || p->type == SCHEMA_SIZE || p->type == SCHEMA_TIMESPAN;
    buf_init(&b, 2048);
    buf_addf(&b, "%s", p->help);
    if (ranged) {
        buf_add(&b, SPAN(" From "));
        add_number(&b, p, p->min);
        buf_add(&b, SPAN(" to "));
        add_number(&b, p, p->max);
        buf_addf(&b, "%s.", p->flags & SCHEMA_UNLIMITED ? ", or Unlimited" : "");
    }
    if (p->initial && *p->initial) {
        buf_addf(&b, " Default: %s%s", p->type == SCHEMA_BOOL ? "$" : "", p->initial);
        if (p->initial_edge)
            buf_addf(&b, " (on Edge %s)", p->initial_edge);
        buf_add_char(&b, '.');
    }
    if (p->flags & SCHEMA_INERT)
        buf_add(&b, SPAN(" It is kept for scripts; nothing obeys it yet."));
    buf_addf(&b, "%s", origins[p->since]);
    return finish(&b, arena);
}
