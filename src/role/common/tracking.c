/* tracking.c: see tracking.h. The files are the same whether the server runs or not. */
#include "role/common/tracking.h"

#include <stdio.h>

static enum err_code search(struct tracking_view *view, struct span below, const struct tracking_query *q,
                            tracking_each_fn *each, void *context, struct tracking_found *ret, struct err *err)
{
    const struct tracking_reader *r = (const struct tracking_reader *)view;
    char path[1200];
    int n = snprintf(path, sizeof path, "%s/%.*s", r->state, SPAN_ARG(below));
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(err, ERR_LIMIT, "the path of the message tracking log is too long");
    return tracking_search(path, q, each, context, ret, err);
}

void tracking_reader_init(struct tracking_reader *r, const char *state)
{
    *r = (struct tracking_reader){.view = {.search = search}, .state = state};
}
