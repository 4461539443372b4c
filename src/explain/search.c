/*
 * search.c: the commands that would allow a refused message. Each proposal is tried on a copy of the policy; where
 * another refusal lies behind it, what takes that away is added, until the message goes through.
 *
 * Invariants: what is listed as commands was run and explained again with success, exactly as it is printed. The
 * number of trials is bounded, so that a large policy costs a bounded time.
 */
#include "explain/internal.h"

#include <stdlib.h>
#include <string.h>

enum { TRIALS_MAX = 40, DEPTH_MAX = 4, REMEDIES_MAX = 8 };

struct search {
    struct explanation *e; /* the one that remedies are for */
    const struct explain_trial *trial;
    struct proposals first; /* at the top: below it they would repeat a way that is followed anyway */
    struct explain_remedy *found;
    size_t count;
    unsigned trials;
};

/* Lines and what they open, gathered along a path of proposals. */
struct path {
    struct span lines, opens, then;
    uint32_t weight;
};

static int by_weight(const void *a, const void *b)
{
    const struct proposal *x = a, *y = b;
    int kind = (int)x->kind - (int)y->kind;
    return x->weight != y->weight ? (x->weight < y->weight ? -1 : 1) : kind ? kind : span_cmp(x->text, y->text);
}

static void add(struct search *s, enum explain_remedy_kind kind, struct path path)
{
    for (size_t i = 0; i < s->count; i++)
        if (span_eq(s->found[i].text, path.lines))
            return;
    if (s->count < REMEDIES_MAX && path.lines.len)
        s->found[s->count++] = (struct explain_remedy){
            .kind = kind, .text = path.lines, .opens = path.opens, .then = path.then, .weight = path.weight};
}

static bool says(struct span text, struct span line)
{
    for (struct span rest = text, one; text.len && span_split(&rest, '\n', &one);)
        if (span_eq(one, line))
            return true;
    return false;
}

static struct span add_line(struct search *s, struct span text, struct span line)
{
    if (!line.len || says(text, line))
        return text;
    return explain_text(s->e, "%.*s%s%.*s", SPAN_ARG(text), text.len ? "\n" : "", SPAN_ARG(line));
}

/* The path with one more command. why: of -Force, or empty. */
static struct path extend(struct search *s, struct path path, const struct proposal *p, struct span why)
{
    bool first = path.lines.len == 0;
    uint32_t weight = p->weight + (why.len ? WEIGHT_FORCE : 0);
    struct span opens = path.opens.ptr ? path.opens : SPAN("");
    return (struct path){
        .lines = explain_text(s->e, "%.*s%s%.*s%s", SPAN_ARG(path.lines), first ? "" : "\n", SPAN_ARG(p->text),
                              why.len ? " -Force" : ""),
        .opens = add_line(s, add_line(s, opens, p->opens), why),
        .weight = first ? weight : (weight > path.weight ? weight : path.weight) + 1,
    };
}

/* Tries a path; the explanation of what comes of it, or NULL. ERR_DENIED: a cmdlet wants -Force. */
static struct explanation *try(struct search *s, struct path path, struct err *err)
{
    const struct policy *policy;
    const struct explain_facts *facts;
    struct explanation *next = ARENA_NEW(s->e->arena, struct explanation);
    *err = (struct err){0};
    if (!next || !path.lines.ptr || !path.opens.ptr || s->trials >= TRIALS_MAX)
        return NULL;
    s->trials++;
    if (s->trial->apply(s->trial->context, path.lines, &policy, &facts, err))
        return NULL;
    return explain(policy, facts, s->e->session, s->e->arena, next) ? next : NULL;
}

static bool succeeds(const struct search *s, const struct explanation *next)
{
    return next->verdict == EXPLAIN_ALLOWED && !(s->e->verdict == EXPLAIN_ALLOWED && next->undeliverable);
}

static bool explore(struct search *s, struct path path, struct proposals *proposals, unsigned depth);

static bool follow(struct search *s, struct path from, const struct proposal *p, unsigned depth)
{
    struct err err;
    struct proposals more;
    struct path path = extend(s, from, p, SPAN(""));
    struct explanation *next = try(s, path, &err);
    if (!next && err.code == ERR_DENIED) {
        struct span why = span_of(err.text);
        path = extend(s, from, p, explain_text(s->e, "%.*s", SPAN_ARG(span_head(why, span_find(why, ';')))));
        next = try(s, path, &err);
    }
    if (!next)
        return false;
    if (succeeds(s, next)) {
        if (next->undeliverable)
            path.then = explain_text(s->e, "%.*s", SPAN_ARG(next->reason));
        add(s, EXPLAIN_COMMANDS, path);
        return true;
    }
    explain_propose(next, &more);
    return depth < DEPTH_MAX && explore(s, path, &more, depth + 1);
}

static bool is_first(const struct search *s, const struct proposal *p)
{
    for (size_t i = 0; i < s->first.count; i++)
        if (span_eq(s->first.items[i].text, p->text))
            return true;
    return false;
}

/* At the top every way is followed; below it, the first that succeeds is enough. */
static bool explore(struct search *s, struct path path, struct proposals *proposals, unsigned depth)
{
    bool any = false;
    qsort(proposals->items, proposals->count, sizeof proposals->items[0], by_weight);
    for (size_t i = 0; i < proposals->count && !(any && depth > 1); i++) {
        const struct proposal *p = &proposals->items[i];
        if (depth > 1 && is_first(s, p))
            continue;
        if (p->kind == EXPLAIN_COMMANDS)
            any = follow(s, path, p, depth) || any;
        else if (depth == 1)
            add(s, EXPLAIN_ADVICE, (struct path){.lines = p->text, .opens = p->opens, .weight = p->weight});
    }
    return any;
}

static int remedies_by_weight(const void *a, const void *b)
{
    const struct explain_remedy *x = a, *y = b;
    return x->weight != y->weight ? (x->weight < y->weight ? -1 : 1) : span_cmp(x->text, y->text);
}

bool explain_search(struct explanation *e, const struct explain_trial *trial)
{
    struct search s = {.e = e, .trial = trial, .found = EXPLAIN_ARRAY(e, REMEDIES_MAX, struct explain_remedy)};
    if (!s.found)
        return false;
    if (e->verdict == EXPLAIN_UNKNOWN || (e->verdict == EXPLAIN_ALLOWED && !e->undeliverable))
        return true;
    explain_propose(e, &s.first);
    struct proposals ways = s.first;
    explore(&s, (struct path){0}, &ways, 1);
    qsort(s.found, s.count, sizeof s.found[0], remedies_by_weight);
    e->remedies = s.found;
    e->remedy_count = s.count;
    return true;
}
