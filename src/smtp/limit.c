/* limit.c: see limit.h. */
#include "smtp/limit.h"

enum { LIMIT_TEXT_MAX = 1024 };

void smtp_limit_print(struct buf *out, const struct smtp_limit *l)
{
    buf_add(out, l->name);
    buf_add_char(out, ' ');
    value_print(out, l->value);
    if (l->connector.len)
        buf_addf(out, " of \"%.*s\"", SPAN_ARG(l->connector));
    else
        buf_add(out, SPAN(" of the organisation"));
}

struct span smtp_limit_text(struct arena *arena, struct span text, const struct smtp_limit *l)
{
    struct buf b;
    struct span whole = {NULL, 0};
    buf_init(&b, LIMIT_TEXT_MAX);
    buf_add(&b, text);
    buf_add(&b, SPAN(" ("));
    smtp_limit_print(&b, l);
    buf_add_char(&b, ')');
    if (!b.failed)
        whole = arena_dup(arena, buf_span(&b));
    buf_done(&b);
    return whole.ptr ? whole : text;
}
