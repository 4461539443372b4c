/* header_exit.c: see header_exit.h. One pass; runs of kept fields are copied in one piece. */
#include "mail/header_exit.h"

#include "mail/header.h"

/* The organization's fields that a mailbox gets: who was it, and what was found. */
static const struct span for_mailboxes[] = {
    SPAN_INIT("X-MS-Exchange-Organization-SCL"),
    SPAN_INIT("X-MS-Exchange-Organization-AuthAs"),
    SPAN_INIT("X-MS-Exchange-Organization-AuthDomain"),
    SPAN_INIT("X-MS-Exchange-Organization-AuthMechanism"),
    SPAN_INIT("X-MS-Exchange-Organization-AuthSource"),
    SPAN_INIT("X-MS-Exchange-Organization-OriginalArrivalTime"),
    SPAN_INIT("X-MS-Exchange-Organization-OriginalSize"),
};

static bool is_for_mailboxes(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(for_mailboxes); i++)
        if (span_ieq(name, for_mailboxes[i]))
            return true;
    return false;
}

static bool leaves(struct span name, unsigned remove)
{
    switch (header_class(name)) {
    case HEADER_ROUTING: return !(remove & HEADER_EXIT_ROUTING);
    case HEADER_FOREST: return !(remove & HEADER_EXIT_FOREST);
    case HEADER_ORGANIZATION:
        return !(remove & HEADER_EXIT_ORGANIZATION) && (!(remove & HEADER_EXIT_INTERNAL) || is_for_mailboxes(name));
    case HEADER_ORDINARY: break;
    }
    return true;
}

size_t header_section_end(struct span bytes, size_t *scanned)
{
    if (span_starts(bytes, SPAN("\r\n")))
        return 0;
    while (*scanned < bytes.len) {
        size_t lf = span_find(span_from(bytes, *scanned), '\n');
        if (lf == SIZE_MAX)
            return SIZE_MAX;
        struct span next = span_from(bytes, *scanned + lf + 1);
        if (next.len < 2)
            return SIZE_MAX; /* the line is looked at again when more is there */
        *scanned += lf + 1;
        if (span_starts(next, SPAN("\r\n")))
            return *scanned;
    }
    return SIZE_MAX;
}

bool header_exit_applies(struct span section, unsigned remove)
{
    struct header_field f;
    for (struct span rest = section; header_next(&rest, &f);)
        if (!leaves(f.name, remove))
            return true;
    return false;
}

void header_exit(struct buf *out, struct span section, unsigned remove)
{
    struct header_field f;
    size_t run = 0, at = 0; /* fields from run up to at leave and are not yet out */
    for (struct span rest = section; header_next(&rest, &f); at += f.whole.len)
        if (!leaves(f.name, remove)) {
            buf_add(out, span_from(span_head(section, at), run));
            run = at + f.whole.len;
        }
    buf_add(out, span_from(section, run));
}
