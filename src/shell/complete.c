/*
 * complete.c: what may stand at the cursor, for a prompt's tab key. The text before it is looked through once, with
 * the lexer's eyes but without a tree, as it rarely is a whole statement.
 */
#include "shell/internal.h"
#include "shell/lexer.h"

/* Where the word at the end of the text stands. */
struct place {
    struct span command; /* from the command's name to the end */
    struct span word;
    bool quoted; /* inside a string: nothing to complete */
    bool block;  /* inside { }: expressions, no commands */
};

/* Over a quoted string; false when it does not end. */
static bool skip_string(struct lexer *l)
{
    char open = lexer_mark(l).plain;
    do
        lexer_skip(l, lexer_mark(l).len);
    while (lexer_mark(l).len && lexer_mark(l).plain != open);
    lexer_skip(l, lexer_mark(l).len);
    return l->rest.len != 0;
}

static struct place find_place(struct span text)
{
    struct lexer l = {.text = text, .rest = text};
    struct place p = {.command = text, .word = text};
    while (l.rest.len) {
        char c = lexer_mark(&l).plain;
        if (lexer_mark(&l).len == 0) /* not UTF-8 */
            return (struct place){.quoted = true};
        if (c == '\'' || c == '"') {
            p.quoted = !skip_string(&l);
            continue;
        }
        bool starts = c == '|' || c == ';' || c == '\n' || c == '(' || c == '{';
        bool ends = starts || c == ' ' || c == '\t' || c == ',' || c == ')' || c == '}';
        lexer_skip(&l, lexer_mark(&l).len);
        if (starts) {
            p.command = l.rest;
            p.block = c == '{';
        }
        if (ends)
            p.word = l.rest;
    }
    return p;
}

static const struct shell_command *command_of(const struct shell_table *table, struct span text)
{
    struct span name = span_trim(text);
    size_t blank = span_find(name, ' ');
    return shell_find_command(table, span_head(name, blank));
}

static size_t complete_command(const struct shell_table *table, struct span word, struct span *out)
{
    const struct shell_command *c;
    size_t n = 0;
    for (size_t i = 0; (c = shell_command_at(table, i)); i++)
        if (span_istarts(span_of(c->name), word)) {
            if (out)
                out[n] = span_of(c->name);
            n++;
        }
    return n;
}

static size_t complete_parameter(const struct shell_command *c, struct span begin, struct arena *arena,
                                 struct span *out)
{
    size_t n = 0;
    for (size_t i = 0; i < c->parameter_count + bind_common_count; i++) {
        bool common = i >= c->parameter_count;
        const struct shell_parameter *p = common ? &bind_common[i - c->parameter_count] : &c->parameters[i];
        if ((common && !bind_has_common(c, i - c->parameter_count)) || (p->flags & PARAMETER_HIDDEN) ||
            !span_istarts(span_of(p->name), begin))
            continue;
        if (out)
            out[n] = arena_printf(arena, "-%s", p->name);
        if (out && !out[n].ptr)
            return 0;
        n++;
    }
    return n;
}

size_t shell_completions(const struct shell_table *table, struct span text, struct arena *arena, struct span **ret,
                         size_t *ret_from)
{
    struct place p = find_place(text);
    if (p.quoted || p.block)
        return 0;
    struct lexer at_word = {.text = p.word, .rest = p.word};
    bool dash = lexer_mark(&at_word).plain == '-';
    bool first = span_trim(p.command).len == p.word.len;
    const struct shell_command *c = first ? NULL : command_of(table, p.command);
    if (!first && (!c || !dash))
        return 0;
    lexer_skip(&at_word, dash ? lexer_mark(&at_word).len : 0);
    size_t n = first ? complete_command(table, p.word, NULL) : complete_parameter(c, at_word.rest, arena, NULL);
    struct span *names = ARENA_ARRAY(arena, n, struct span);
    if (!names)
        return 0;
    n = first ? complete_command(table, p.word, names) : complete_parameter(c, at_word.rest, arena, names);
    *ret = names;
    *ret_from = text.len - p.word.len;
    return n;
}
