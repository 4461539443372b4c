/*
 * header.c: the lines of a header section made into fields, in one pass. A line ends at LF; whether its CR is there
 * is the business of whoever let the section in.
 */
#include "mail/header.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct span header_name(struct span line)
{
    size_t len = 0;
    line = span_head(line, HEADER_NAME_MAX + 1);
    while (len < line.len && line.ptr[len] > 0x20 && line.ptr[len] < 0x7f && line.ptr[len] != ':')
        len++;
    size_t colon = len;
    while (colon < line.len && is_blank(line.ptr[colon]))
        colon++;
    return colon < line.len && line.ptr[colon] == ':' ? span_head(line, len) : SPAN("");
}

/* The length of the first line and of those that continue it. */
static size_t folded_len(struct span s)
{
    size_t end = 0;
    do {
        size_t lf = span_find(span_from(s, end), '\n');
        end = lf == SIZE_MAX ? s.len : end + lf + 1;
    } while (end < s.len && is_blank(s.ptr[end]));
    return end;
}

bool header_next(struct span *rest, struct header_field *ret)
{
    if (rest->len == 0)
        return false;
    struct header_field f = {.whole = span_head(*rest, folded_len(*rest))};
    f.name = header_name(f.whole);
    if (f.name.len) {
        f.value = span_from(f.whole, span_find(f.whole, ':') + 1);
        if (span_ends(f.value, SPAN("\n")))
            f.value.len--;
        if (span_ends(f.value, SPAN("\r")))
            f.value.len--;
    }
    *rest = span_from(*rest, f.whole.len);
    *ret = f;
    return true;
}

bool header_find(struct span section, struct span name, struct header_field *ret)
{
    struct header_field f;
    while (header_next(&section, &f))
        if (f.name.len && span_ieq(f.name, name)) {
            *ret = f;
            return true;
        }
    return false;
}

struct span header_unfold(struct arena *arena, struct span value, size_t max)
{
    value = span_trim(value);
    char *p = arena_alloc(arena, value.len < max ? value.len : max);
    size_t n = 0, i = 0;
    if (!p)
        return (struct span){NULL, 0};
    for (; i < value.len && n < max; i++)
        if (value.ptr[i] != '\r' && value.ptr[i] != '\n')
            p[n++] = value.ptr[i];
    if (i < value.len &&
        ((unsigned char)value.ptr[i] & 0xc0) == 0x80) { /* cut inside a character: drop its beginning */
        while (n && ((unsigned char)p[n - 1] & 0xc0) == 0x80)
            n--;
        if (n && (unsigned char)p[n - 1] >= 0xc0)
            n--;
    }
    return span_make(p, n);
}

enum header_class header_class(struct span name)
{
    static const struct span resent[] = {SPAN_INIT("Date"),      SPAN_INIT("From"), SPAN_INIT("Sender"),
                                         SPAN_INIT("To"),        SPAN_INIT("Cc"),   SPAN_INIT("Bcc"),
                                         SPAN_INIT("Message-ID")};
    static const struct span resent_prefix = SPAN_INIT("Resent-");
    if (span_ieq(name, SPAN("Received")))
        return HEADER_ROUTING;
    if (span_istarts(name, resent_prefix))
        for (size_t i = 0; i < ARRAY_LEN(resent); i++)
            if (span_ieq(span_from(name, resent_prefix.len), resent[i]))
                return HEADER_ROUTING;
    if (span_istarts(name, SPAN("X-MS-Exchange-Organization-")))
        return HEADER_ORGANIZATION;
    if (span_istarts(name, SPAN("X-MS-Exchange-Forest-")))
        return HEADER_FOREST;
    return HEADER_ORDINARY;
}
