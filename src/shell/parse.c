/*
 * parse.c: the shell's language, one function a rule, straight from the text.
 *
 * Invariants: nesting is bounded by DEPTH_MAX; typographic quotes, dashes and blanks (as blogs print them) act as
 * their plain forms everywhere but inside a quoted string.
 */
#include "base/utf8.h"
#include "shell/syntax.h"

#include <string.h>

enum { DEPTH_MAX = 32, ITEMS_MAX = 4096 };

struct parser {
    struct span text, rest;
    struct arena *arena;
    struct err *err;
    enum err_code code;
    bool incomplete;
    int depth;
};

/* ---- characters ---- */

struct mark {
    char plain; /* the ASCII character it acts as; 0 at the end; 1 for any other beyond ASCII */
    size_t len;
};

static struct mark peek(struct span s)
{
    uint32_t cp;
    size_t n = utf8_decode(s, &cp);
    if (s.len == 0)
        return (struct mark){0, 0};
    if (n == 0)
        return (struct mark){1, 1};
    if (cp < 0x80)
        return (struct mark){(char)cp, 1};
    if (cp == 0xa0 || cp == 0xfeff)
        return (struct mark){' ', n};
    if ((cp >= 0x2010 && cp <= 0x2015) || cp == 0x2212)
        return (struct mark){'-', n};
    if (cp >= 0x201c && cp <= 0x201e)
        return (struct mark){'"', n};
    if (cp >= 0x2018 && cp <= 0x201b)
        return (struct mark){'\'', n};
    return (struct mark){1, n};
}

static struct mark here(const struct parser *p)
{
    return peek(p->rest);
}

static void skip(struct parser *p, size_t n)
{
    p->rest = span_from(p->rest, n);
}

static void *fail_at(struct parser *p, struct span at, const char *what)
{
    if (p->code)
        return NULL;
    size_t offset = at.ptr ? (size_t)(at.ptr - p->text.ptr) : p->text.len;
    struct span before = span_head(p->text, offset);
    size_t start = span_rfind(before, '\n');
    start = start == SIZE_MAX ? 0 : start + 1;
    struct span line = span_from(p->text, start);
    line = span_head(line, span_find(line, '\n'));
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    int number = 1;
    for (size_t i = 0; i < offset; i++)
        number += p->text.ptr[i] == '\n';
    int column = (int)(offset - start) + 1;
    line = span_head(line, 160);
    p->code = err_set(p->err, ERR_INVALID, "line %d, column %d: %s\n  %.*s\n  %*s^", number, column, what,
                      SPAN_ARG(line), column <= 160 ? column - 1 : 0, "");
    return NULL;
}

static void *fail_end(struct parser *p, const char *what)
{
    if (!p->code)
        p->incomplete = true;
    return fail_at(p, (struct span){NULL, 0}, what);
}

static void *fail_memory(struct parser *p)
{
    if (!p->code)
        p->code = err_set(p->err, ERR_NO_MEMORY, "the script is too large");
    return NULL;
}

/* Blanks, comments and continued lines; line ends too when lines is true. */
static void skip_blank(struct parser *p, bool lines)
{
    for (;;) {
        struct mark m = here(p);
        if (m.plain == ' ' || m.plain == '\t' || m.plain == '\r' ||
            (lines && (m.plain == '\n' || m.plain == ';'))) {
            skip(p, m.len);
        } else if (m.plain == '`' && (span_starts(p->rest, SPAN("`\n")) || span_starts(p->rest, SPAN("`\r\n")))) {
            skip(p, p->rest.ptr[1] == '\n' ? 2 : 3);
        } else if (m.plain == '#') {
            size_t lf = span_find(p->rest, '\n');
            skip(p, lf == SIZE_MAX ? p->rest.len : lf);
        } else if (span_starts(p->rest, SPAN("<#"))) {
            const char *end = memmem(p->rest.ptr, p->rest.len, "#>", 2);
            skip(p, end ? (size_t)(end - p->rest.ptr) + 2 : p->rest.len);
        } else {
            return;
        }
    }
}

/* Line ends but not statement separators: after a pipe, a comma, inside brackets. */
static void skip_lines(struct parser *p)
{
    for (;;) {
        skip_blank(p, false);
        if (here(p).plain != '\n')
            return;
        skip(p, 1);
    }
}

/* ---- growing arrays ---- */

static bool grow(struct parser *p, void **array, size_t count, size_t size)
{
    if (count && (count & (count - 1)) != 0) /* capacity is the next power of two */
        return true;
    void *bigger = count < ITEMS_MAX ? arena_array(p->arena, count ? count * 2 : 1, size) : NULL;
    if (!bigger) {
        fail_memory(p);
        return false;
    }
    if (count)
        memcpy(bigger, *array, count * size);
    *array = bigger;
    return true;
}

#define ADD(p, array, count, item)                                                                                 \
    (grow((p), (void **)&(array), (count), sizeof *(array)) ? ((array)[(count)++] = (item), true) : false)

static struct expr *new_expr(struct parser *p, enum expr_kind kind)
{
    struct expr *e = ARENA_NEW(p->arena, struct expr);
    if (!e)
        return fail_memory(p);
    e->kind = kind;
    return e;
}

static struct expr *literal(struct parser *p, struct value v)
{
    struct expr *e = new_expr(p, EXPR_LITERAL);
    if (e)
        e->value = v;
    return e;
}

/* ---- expressions ---- */

static struct expr *parse_value(struct parser *p);
static struct expr *parse_or(struct parser *p);
static bool parse_pipeline(struct parser *p, struct pipeline *ret);

static bool is_word_end(char c)
{
    return c == 0 || memchr(" \t\r\n;|,(){}'\"", c, 14) != NULL;
}

/* A quoted string; the mark at p is its opening quote. */
static struct expr *parse_string(struct parser *p)
{
    struct span start = p->rest;
    char quote = here(p).plain;
    struct buf b;
    buf_init(&b, 64 * 1024);
    skip(p, here(p).len);
    for (;;) {
        struct mark m = here(p);
        if (m.plain == 0) {
            buf_done(&b);
            p->rest = start;
            return fail_end(p, "the string that begins here has no closing quote");
        }
        if (m.plain == quote && peek(span_from(p->rest, m.len)).plain == quote && m.len == 1) {
            buf_add_char(&b, quote);
            skip(p, 2);
        } else if (m.plain == quote) {
            skip(p, m.len);
            break;
        } else if (quote == '"' && m.plain == '`' && p->rest.len > 1) {
            char c = p->rest.ptr[1];
            buf_add_char(&b, c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c);
            skip(p, 2);
        } else if (quote == '"' && m.plain == '$' && p->rest.len > 1 &&
                   (ascii_is_alpha(p->rest.ptr[1]) || p->rest.ptr[1] == '_' || p->rest.ptr[1] == '(')) {
            buf_done(&b);
            return fail_at(
                p, p->rest,
                "variables are not known inside strings; write `$ for a dollar sign, or use single quotes");
        } else {
            buf_add(&b, span_head(p->rest, m.len));
            skip(p, m.len);
        }
    }
    struct span s = b.failed ? (struct span){NULL, 0} : arena_dup(p->arena, buf_span(&b));
    buf_done(&b);
    return s.ptr ? literal(p, value_string(s)) : fail_memory(p);
}

static struct span take_name(struct parser *p)
{
    size_t n = 0;
    while (n < p->rest.len && (ascii_is_alnum(p->rest.ptr[n]) || p->rest.ptr[n] == '_'))
        n++;
    struct span s = span_head(p->rest, n);
    skip(p, n);
    return s;
}

/* $true, $false, $null, $_ with members. */
static struct expr *parse_dollar(struct parser *p)
{
    struct span at = p->rest;
    skip(p, 1);
    struct span name = take_name(p);
    if (span_ieq(name, SPAN("true")) || span_ieq(name, SPAN("false")))
        return literal(p, value_bool(span_ieq(name, SPAN("true"))));
    if (span_ieq(name, SPAN("null")))
        return literal(p, value_null());
    if (!span_eq(name, SPAN("_")))
        return fail_at(p, at, "this shell knows no variables but $true, $false, $null and $_");
    struct expr *e = new_expr(p, EXPR_MEMBER);
    while (e && here(p).plain == '.' && p->rest.len > 1 && ascii_is_alpha(p->rest.ptr[1])) {
        skip(p, 1);
        struct span member = take_name(p);
        if (!ADD(p, e->names, e->count, member))
            return NULL;
    }
    return e;
}

static struct expr *parse_hash(struct parser *p)
{
    struct expr *e = new_expr(p, EXPR_HASH);
    skip(p, 2);
    for (;;) {
        skip_blank(p, true);
        if (here(p).plain == '}') {
            skip(p, 1);
            return e;
        }
        struct expr *quoted = here(p).plain == '\'' || here(p).plain == '"' ? parse_string(p) : NULL;
        struct span name = quoted ? quoted->value.s : take_name(p);
        skip_blank(p, false);
        if (p->code || !e)
            return NULL;
        if (here(p).plain == 0)
            return fail_end(p, "the @{ has no closing }");
        if (name.len == 0 || here(p).plain != '=')
            return fail_at(p, p->rest, "Name=value is expected inside @{ }, such as @{Add='a@example.com'}");
        skip(p, 1);
        skip_lines(p);
        struct expr *value = parse_value(p);
        size_t names = e->count;
        if (!value || !grow(p, (void **)&e->names, names, sizeof *e->names) || !ADD(p, e->items, e->count, value))
            return NULL;
        e->names[names] = name;
    }
}

static struct expr *parse_block(struct parser *p)
{
    struct expr *e = new_expr(p, EXPR_BLOCK);
    skip(p, 1);
    skip_blank(p, true);
    struct expr *body = parse_or(p);
    skip_blank(p, true);
    if (!e || !body)
        return NULL;
    if (here(p).plain == 0)
        return fail_end(p, "the { has no closing }");
    if (here(p).plain != '}')
        return fail_at(p, p->rest, "an operator such as -eq, or the closing }, is expected here");
    skip(p, 1);
    return ADD(p, e->items, e->count, body) ? e : NULL;
}

/* ( pipeline ) as an argument; in a block, ( expression ). */
static struct expr *parse_parens(struct parser *p, bool expression)
{
    skip(p, 1);
    skip_lines(p);
    struct expr *e = expression ? parse_or(p) : new_expr(p, EXPR_PIPELINE);
    if (e && !expression) {
        e->pipeline = ARENA_NEW(p->arena, struct pipeline);
        if (!e->pipeline || !parse_pipeline(p, e->pipeline))
            return NULL;
    }
    skip_lines(p);
    if (!e)
        return NULL;
    if (here(p).plain == 0)
        return fail_end(p, "the ( has no closing )");
    if (here(p).plain != ')')
        return fail_at(p, p->rest, "the closing ) is expected here");
    skip(p, 1);
    return e;
}

static struct expr *parse_bare(struct parser *p)
{
    struct buf b;
    buf_init(&b, 4096);
    for (;;) {
        struct mark m = here(p);
        if (is_word_end(m.plain))
            break;
        if (m.plain == '`' && p->rest.len > 1) {
            buf_add_char(&b, p->rest.ptr[1]);
            skip(p, 2);
            continue;
        }
        buf_add(&b, span_head(p->rest, m.len));
        skip(p, m.len);
    }
    struct span s = b.failed ? (struct span){NULL, 0} : arena_dup(p->arena, buf_span(&b));
    buf_done(&b);
    return s.ptr ? literal(p, value_string(s)) : fail_memory(p);
}

static struct expr *parse_single(struct parser *p)
{
    struct mark m = here(p);
    struct expr *e;
    if (++p->depth > DEPTH_MAX)
        return fail_at(p, p->rest, "nested too deeply");
    if (m.plain == '\'' || m.plain == '"')
        e = parse_string(p);
    else if (m.plain == '$')
        e = parse_dollar(p);
    else if (span_starts(p->rest, SPAN("@{")))
        e = parse_hash(p);
    else if (span_starts(p->rest, SPAN("@("))) {
        skip(p, 2);
        skip_lines(p);
        e = here(p).plain == ')' ? new_expr(p, EXPR_LIST) : parse_value(p);
        skip_lines(p);
        if (e && here(p).plain != ')')
            e = here(p).plain ? fail_at(p, p->rest, "the closing ) is expected here")
                              : fail_end(p, "the @( has no closing )");
        else
            skip(p, 1);
    } else if (m.plain == '{')
        e = parse_block(p);
    else if (m.plain == '(')
        e = parse_parens(p, false);
    else if (m.plain == 0)
        e = fail_end(p, "a value is expected here");
    else if (is_word_end(m.plain))
        e = fail_at(p, p->rest, "a value is expected here");
    else
        e = parse_bare(p);
    p->depth--;
    return e;
}

/* value or value, value, ... */
static struct expr *parse_value(struct parser *p)
{
    struct expr *first = parse_single(p), *list = NULL;
    for (;;) {
        struct span before = p->rest;
        skip_blank(p, false);
        if (!first || here(p).plain != ',') {
            p->rest = before;
            return list ? list : first;
        }
        skip(p, 1);
        skip_lines(p);
        if (!list && (!(list = new_expr(p, EXPR_LIST)) || !ADD(p, list->items, list->count, first)))
            return NULL;
        struct expr *next = parse_single(p);
        if (!next || !ADD(p, list->items, list->count, next))
            return NULL;
    }
}

/* An operator such as -eq at p, in its plain form; empty when there is none. */
static struct span peek_operator(struct parser *p, size_t *ret_len)
{
    struct mark m = here(p);
    if (m.plain != '-')
        return SPAN("");
    struct span word = span_from(p->rest, m.len);
    size_t n = 0;
    while (n < word.len && ascii_is_alpha(word.ptr[n]))
        n++;
    *ret_len = m.len + n;
    return span_head(word, n);
}

static struct expr *binary(struct parser *p, struct span op, struct expr *left, struct expr *right)
{
    struct expr *e = right ? new_expr(p, EXPR_BINARY) : NULL;
    if (!e || !ADD(p, e->items, e->count, left) || !ADD(p, e->items, e->count, right))
        return NULL;
    e->op = op;
    return e;
}

static struct expr *parse_operand(struct parser *p)
{
    skip_lines(p);
    return here(p).plain == '(' ? parse_parens(p, true) : parse_value(p);
}

static const char *const comparisons[] = {"eq",      "ne",    "gt",       "ge",       "lt",          "le", "like",
                                          "notlike", "match", "notmatch", "contains", "notcontains", "in", "notin"};

static bool is_comparison(struct span op)
{
    for (size_t i = 0; i < ARRAY_LEN(comparisons); i++)
        if (span_ieq(op, span_of(comparisons[i])) ||
            (op.len > 1 && (ascii_lower(op.ptr[0]) == 'c' || ascii_lower(op.ptr[0]) == 'i') &&
             span_ieq(span_from(op, 1), span_of(comparisons[i]))))
            return true;
    return false;
}

static struct expr *parse_comparison(struct parser *p)
{
    skip_lines(p);
    size_t len = 0;
    struct span op = peek_operator(p, &len);
    if (here(p).plain == '!' || span_ieq(op, SPAN("not"))) {
        skip(p, here(p).plain == '!' ? 1 : len);
        struct expr *e = new_expr(p, EXPR_UNARY), *inner;
        if (++p->depth > DEPTH_MAX)
            return fail_at(p, p->rest, "nested too deeply");
        inner = parse_comparison(p);
        p->depth--;
        return e && inner && ADD(p, e->items, e->count, inner) ? e : NULL;
    }
    struct expr *left = parse_operand(p);
    skip_lines(p);
    op = peek_operator(p, &len);
    if (!left || op.len == 0 || span_ieq(op, SPAN("and")) || span_ieq(op, SPAN("or")))
        return left;
    if (!is_comparison(op)) {
        char what[160];
        struct err e;
        err_set(&e, ERR_INVALID,
                "there is no operator -%.*s; known are -eq -ne -gt -ge -lt -le -like -notlike -match -contains -in "
                "-and -or -not",
                SPAN_ARG(op));
        memcpy(what, e.text, sizeof what - 1);
        what[sizeof what - 1] = '\0';
        return fail_at(p, p->rest, what);
    }
    skip(p, len);
    return binary(p, op, left, parse_operand(p));
}

static struct expr *parse_chain(struct parser *p, struct span op, struct expr *(*next)(struct parser *))
{
    struct expr *left = next(p);
    for (;;) {
        size_t len = 0;
        skip_lines(p);
        struct span found = peek_operator(p, &len);
        if (!left || !span_ieq(found, op))
            return left;
        skip(p, len);
        left = binary(p, op, left, next(p));
    }
}

static struct expr *parse_and(struct parser *p)
{
    return parse_chain(p, SPAN("and"), parse_comparison);
}

static struct expr *parse_or(struct parser *p)
{
    if (++p->depth > DEPTH_MAX)
        return fail_at(p, p->rest, "nested too deeply");
    struct expr *e = parse_chain(p, SPAN("or"), parse_and);
    p->depth--;
    return e;
}

/* ---- commands ---- */

/* A parameter: a dash and a letter. Gives its name, and whether ":" follows. */
static bool parse_parameter(struct parser *p, struct argument *ret)
{
    struct mark m = here(p);
    struct span word = span_from(p->rest, m.len);
    if (m.plain != '-' || !word.len || !ascii_is_alpha(word.ptr[0]))
        return false;
    struct span start = p->rest;
    skip(p, m.len);
    ret->name = take_name(p);
    ret->text = span_head(start, start.len - p->rest.len);
    if (here(p).plain == ':') {
        skip(p, 1);
        skip_blank(p, false);
        ret->attached = true;
        ret->value = parse_value(p);
    }
    return true;
}

/* A command's name: a bare word in which any dash is a dash. */
static struct span parse_command_name(struct parser *p)
{
    struct buf b;
    buf_init(&b, 256);
    for (;;) {
        struct mark m = here(p);
        if (is_word_end(m.plain))
            break;
        if (m.plain == '-')
            buf_add_char(&b, '-');
        else
            buf_add(&b, span_head(p->rest, m.len));
        skip(p, m.len);
    }
    struct span s = b.failed ? (struct span){NULL, 0} : arena_dup(p->arena, buf_span(&b));
    buf_done(&b);
    return s;
}

static bool parse_call(struct parser *p, struct command_call *ret)
{
    *ret = (struct command_call){0};
    struct span at = p->rest;
    char first = here(p).plain;
    if (first == 0)
        return fail_end(p, "a command is expected here") != NULL;
    if (first == '\'' || first == '"' || first == '$' || first == '{' || first == '(' || first == '@')
        return fail_at(p, at, "a command is expected here, such as Get-ReceiveConnector") != NULL;
    ret->name = parse_command_name(p);
    if (ret->name.len == 0)
        return fail_at(p, at, "a command is expected here") != NULL;
    for (;;) {
        skip_blank(p, false);
        struct argument a = {0};
        char c = here(p).plain;
        if (c == 0 || c == '\n' || c == ';' || c == '|' || c == ')' || c == '}')
            return true;
        struct span start = p->rest;
        if (!parse_parameter(p, &a)) {
            a.value = parse_value(p);
            a.text = span_head(start, start.len - p->rest.len);
        }
        if (p->code || !ADD(p, ret->arguments, ret->count, a))
            return false;
    }
}

static bool parse_pipeline(struct parser *p, struct pipeline *ret)
{
    *ret = (struct pipeline){0};
    if (++p->depth > DEPTH_MAX)
        return fail_at(p, p->rest, "nested too deeply") != NULL;
    for (;;) {
        struct command_call call;
        skip_lines(p);
        if (!parse_call(p, &call) || !ADD(p, ret->calls, ret->count, call))
            return false;
        skip_blank(p, false);
        if (here(p).plain != '|')
            break;
        skip(p, 1);
    }
    p->depth--;
    return true;
}

enum err_code syntax_parse(struct span text, struct arena *arena, struct script *ret, bool *ret_incomplete,
                           struct err *err)
{
    struct parser p = {.text = text, .rest = text, .arena = arena, .err = err};
    struct script script = {0};
    for (;;) {
        struct statement st = {0};
        skip_blank(&p, true);
        if (here(&p).plain == 0 || p.code)
            break;
        struct span start = p.rest;
        if (!parse_pipeline(&p, &st.pipeline))
            break;
        st.source = span_head(start, start.len - p.rest.len);
        char c = here(&p).plain;
        if (c != 0 && c != '\n' && c != ';')
            fail_at(&p, p.rest, "the end of the statement, or a pipe, is expected here");
        if (p.code || !ADD(&p, script.statements, script.count, st))
            break;
    }
    if (ret_incomplete)
        *ret_incomplete = p.incomplete;
    if (!p.code)
        *ret = script;
    return p.code;
}
