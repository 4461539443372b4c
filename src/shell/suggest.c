/*
 * suggest.c: "did you mean": the number of letters to change, add or drop (Levenshtein's distance), case folded.
 *
 * Invariant: only names up to NAME_MAX take part, so the work is bounded whatever was typed.
 */
#include "shell/internal.h"

#include <stdio.h>

enum { NAME_MAX = 48, DISTANCE_MAX = 3 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(struct span a, struct span b)
{
    size_t row[NAME_MAX + 1];
    for (size_t k = 0; k <= b.len; k++)
        row[k] = k;
    for (size_t i = 0; i < a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t k = 0; k < b.len; k++) {
            size_t above = row[k + 1];
            size_t change = diagonal + (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[k]));
            row[k + 1] = smaller(change, smaller(above, row[k]) + 1);
            diagonal = above;
        }
    }
    return row[b.len];
}

void suggest_offer(struct suggestion *s, const char *name)
{
    struct span n = span_of(name);
    size_t allowed = smaller(DISTANCE_MAX, (s->typed.len + 2) / 3);
    if (n.len > NAME_MAX || s->typed.len > NAME_MAX)
        return;
    size_t d = distance(s->typed, n);
    if (d <= allowed && (!s->best || d < s->distance)) {
        s->best = name;
        s->distance = d;
    }
}

const char *suggest_text(const struct suggestion *s, const char *before, char out[static 96])
{
    out[0] = '\0';
    if (s->best)
        snprintf(out, 96, "; did you mean %s%s?", before, s->best);
    return out;
}
