/*
 * parse_expr.c: values and expressions, one function a rule.
 *
 * Invariants: every way of nesting passes lexer_enter; operators that follow each other become one node, so the
 * tree's depth is the depth of the brackets. As in PowerShell, -and, -or and -xor have one precedence, and -not
 * binds closer than any of them and than comparisons.
 */
#include "shell/parser.h"

static struct expr *new_expr(struct lexer *l, enum expr_kind kind)
{
    struct expr *e = ARENA_NEW(l->arena, struct expr);
    if (!e)
        return lexer_fail_memory(l);
    e->kind = kind;
    return e;
}

static struct expr *new_literal(struct lexer *l, struct value v)
{
    struct expr *e = new_expr(l, EXPR_LITERAL);
    if (e)
        e->value = v;
    return e;
}

static bool add_item(struct lexer *l, struct expr *to, struct expr *item)
{
    return to && item && LEXER_ADD(l, to->items, to->count, item);
}

/* Exactly this character next, or the error. */
static bool expect(struct lexer *l, char c, const char *what)
{
    struct mark m = lexer_mark(l);
    if (m.plain == c) {
        lexer_skip(l, m.len);
        return true;
    }
    return (m.plain ? lexer_fail(l, l->rest, "%s", what) : lexer_fail_end(l, "%s", what)) != NULL;
}

/* ---- values ---- */

/* $true, $false, $null or $_. */
static struct expr *parse_dollar(struct lexer *l)
{
    struct span at = l->rest;
    lexer_skip(l, 1);
    struct span name = lexer_name(l);
    if (span_ieq(name, SPAN("true")) || span_ieq(name, SPAN("false")))
        return new_literal(l, value_bool(span_ieq(name, SPAN("true"))));
    if (span_ieq(name, SPAN("null")))
        return new_literal(l, value_null());
    if (span_eq(name, SPAN("_")))
        return new_expr(l, EXPR_CURRENT);
    return lexer_fail(l, at, "the variable $%.*s is not known; there are $true, $false, $null and $_ only",
                      SPAN_ARG(span_head(name, 40)));
}

static bool parse_key(struct lexer *l, struct expr *hash, struct span *ret)
{
    struct span at = l->rest;
    char c = lexer_mark(l).plain;
    if (c == '\'' || c == '"') {
        if (!lexer_string(l, ret))
            return false;
    } else {
        *ret = lexer_name(l);
    }
    if (ret->len == 0 && lexer_mark(l).plain == 0)
        return lexer_fail_end(l, "the @{ has no closing }") != NULL;
    if (ret->len == 0)
        return lexer_fail(l, at, "Name=value is expected inside @{ }, such as @{Add='a@example.com'}") != NULL;
    for (size_t i = 0; i < hash->name_count; i++)
        if (span_ieq(hash->names[i], *ret))
            return lexer_fail(l, at, "%.*s stands twice in this @{ }", SPAN_ARG(span_head(*ret, 60))) != NULL;
    return hash->name_count < SYNTAX_KEYS_MAX ||
           lexer_fail(l, at, "more than %d names in one @{ }", SYNTAX_KEYS_MAX) != NULL;
}

static struct expr *parse_hash(struct lexer *l)
{
    struct expr *e = new_expr(l, EXPR_HASH);
    lexer_skip(l, 2);
    lexer_blanks(l, BLANKS_SEPARATORS);
    while (e && !l->code && lexer_mark(l).plain != '}') {
        struct span key;
        if (!parse_key(l, e, &key))
            return NULL;
        lexer_blanks(l, BLANKS_INLINE);
        if (!expect(l, '=', "= is expected behind the name, as in @{Add='a@example.com'}"))
            return NULL;
        lexer_blanks(l, BLANKS_LINES);
        if (!add_item(l, e, parse_argument(l)) || !LEXER_ADD(l, e->names, e->name_count, key))
            return NULL;
        lexer_blanks(l, BLANKS_INLINE);
        char c = lexer_mark(l).plain;
        if (c && c != ';' && c != '\n' && c != '}')
            return lexer_fail(l, l->rest, "; or } is expected here: @{Add='a'; Remove='b'}");
        lexer_blanks(l, BLANKS_SEPARATORS);
    }
    return expect(l, '}', "the @{ has no closing }") ? e : NULL;
}

static struct expr *parse_block(struct lexer *l)
{
    struct expr *e = new_expr(l, EXPR_BLOCK);
    lexer_skip(l, 1);
    lexer_blanks(l, BLANKS_SEPARATORS);
    if (!add_item(l, e, parse_expression(l)))
        return NULL;
    lexer_blanks(l, BLANKS_SEPARATORS);
    return expect(l, '}', "an operator such as -eq, or the closing }, is expected here") ? e : NULL;
}

/* ( expression ) is the expression itself, ( commands ) their results. */
static struct expr *parse_parens(struct lexer *l)
{
    struct pipeline *p = ARENA_NEW(l->arena, struct pipeline);
    struct expr *e = new_expr(l, EXPR_PIPELINE);
    lexer_skip(l, 1);
    if (!p || !e)
        return lexer_fail_memory(l);
    if (!parse_pipeline(l, p))
        return NULL;
    lexer_blanks(l, BLANKS_LINES);
    if (!expect(l, ')', "the closing ) is expected here"))
        return NULL;
    e->pipeline = p;
    return p->count ? e : p->head;
}

/* @( values ), with commas, semicolons or line ends between. */
static struct expr *parse_array(struct lexer *l)
{
    struct expr *list = new_expr(l, EXPR_LIST);
    lexer_skip(l, 2);
    lexer_blanks(l, BLANKS_SEPARATORS);
    while (list && !l->code && lexer_mark(l).plain && lexer_mark(l).plain != ')') {
        struct expr *e = parse_argument(l);
        if (!e)
            return NULL;
        if (e->kind != EXPR_LIST && !add_item(l, list, e))
            return NULL;
        for (size_t i = 0; e->kind == EXPR_LIST && i < e->count; i++)
            if (!add_item(l, list, e->items[i]))
                return NULL;
        lexer_blanks(l, BLANKS_SEPARATORS);
    }
    return expect(l, ')', "the @( has no closing )") ? list : NULL;
}

/* .Name behind a value that has properties. */
static struct expr *parse_members(struct lexer *l, struct expr *of)
{
    struct expr *e = NULL;
    while (of && lexer_mark(l).plain == '.' && ascii_is_alpha(lexer_second(l).plain)) {
        lexer_skip(l, 1);
        struct span name = lexer_name(l);
        if (!e && !add_item(l, e = new_expr(l, EXPR_MEMBER), of))
            return NULL;
        if (!LEXER_ADD(l, e->names, e->name_count, name))
            return NULL;
    }
    return e ? e : of;
}

static struct expr *parse_word(struct lexer *l, bool expression)
{
    struct span at = l->rest;
    char c = lexer_mark(l).plain;
    struct value v;
    if (c == '<' || c == '@')
        return lexer_fail(l, at, "%c has no meaning here; put text that begins with it in quotes", c);
    if (!lexer_word(l, &v))
        return NULL;
    struct span word = lexer_since(l, at);
    if (expression && v.kind == VALUE_STRING && !ascii_is_digit(c))
        return lexer_fail(l, at, "text stands in quotes here, '%.*s', and a property is $_.%.*s",
                          SPAN_ARG(span_head(word, 60)), SPAN_ARG(span_head(word, 60)));
    return new_literal(l, v);
}

static struct expr *parse_quoted(struct lexer *l)
{
    struct span s;
    return lexer_string(l, &s) ? new_literal(l, value_string(s)) : NULL;
}

static struct expr *parse_single(struct lexer *l, bool expression)
{
    struct expr *e;
    char c = lexer_mark(l).plain;
    if (!lexer_enter(l))
        return NULL;
    if (c == '\'' || c == '"')
        e = parse_quoted(l);
    else if (c == '$')
        e = parse_members(l, parse_dollar(l));
    else if (span_starts(l->rest, SPAN("@{")))
        e = parse_hash(l);
    else if (span_starts(l->rest, SPAN("@(")))
        e = parse_members(l, parse_array(l));
    else if (c == '(')
        e = parse_members(l, parse_parens(l));
    else if (c == '{' && !expression)
        e = parse_block(l);
    else if (c == 0)
        e = lexer_fail_end(l, "a value is expected here");
    else if (lexer_at_word_end(l))
        e = lexer_fail(l, l->rest, "a value is expected here");
    else
        e = parse_word(l, expression);
    lexer_leave(l);
    return e;
}

/* One value, or a list of several with commas between. */
static struct expr *parse_values(struct lexer *l, bool expression)
{
    struct expr *first = parse_single(l, expression), *list = NULL;
    while (first) {
        struct span before = l->rest;
        lexer_blanks(l, BLANKS_INLINE);
        if (lexer_mark(l).plain != ',') {
            l->rest = before;
            break;
        }
        lexer_skip(l, 1);
        lexer_blanks(l, BLANKS_LINES);
        if (!list && !add_item(l, list = new_expr(l, EXPR_LIST), first))
            return NULL;
        if (!add_item(l, list, parse_single(l, expression)))
            return NULL;
    }
    return l->code ? NULL : list ? list : first;
}

struct expr *parse_argument(struct lexer *l)
{
    return parse_values(l, false);
}

/* ---- operators ---- */

static bool at_not(const struct lexer *l, size_t *ret_len)
{
    *ret_len = 1;
    return lexer_mark(l).plain == '!' || span_ieq(lexer_dashed(l, ret_len), SPAN("not"));
}

bool parse_at_expression(const struct lexer *l)
{
    size_t len;
    char c = lexer_mark(l).plain;
    return c == '\'' || c == '"' || c == '$' || c == '(' || c == '@' || ascii_is_digit(c) || at_not(l, &len) ||
           (c == '-' && ascii_is_digit(lexer_second(l).plain));
}

static struct expr *parse_unary(struct lexer *l)
{
    size_t len;
    lexer_blanks(l, BLANKS_LINES);
    if (!at_not(l, &len))
        return parse_values(l, true);
    struct expr *e = new_expr(l, EXPR_NOT);
    lexer_skip(l, len);
    if (!lexer_enter(l) || !add_item(l, e, parse_unary(l)))
        return NULL;
    lexer_leave(l);
    return e;
}

/* The operator that follows, when it is of the wanted sort. */
static bool take_operator(struct lexer *l, bool logical, struct operator* ret)
{
    size_t len;
    struct span before = l->rest;
    lexer_blanks(l, l->depth ? BLANKS_LINES : BLANKS_INLINE);
    struct span name = lexer_dashed(l, &len);
    if (name.len && !operator_find(name, ret))
        return lexer_fail(l, l->rest, "there is no operator -%.*s; there are %s", SPAN_ARG(span_head(name, 30)),
                          operator_names()) != NULL;
    if (name.len == 0 || operator_is_logical(*ret) != logical) {
        l->rest = before;
        return false;
    }
    lexer_skip(l, len);
    return true;
}

/* Operands with operators of one sort between, from left to right. */
static struct expr *parse_chain(struct lexer *l, bool logical, struct expr *(*operand)(struct lexer *))
{
    struct expr *first = operand(l), *chain = NULL;
    struct operator op;
    while (first && take_operator(l, logical, &op)) {
        if (!chain && !add_item(l, chain = new_expr(l, EXPR_OPERATORS), first))
            return NULL;
        if (!LEXER_ADD(l, chain->operators, chain->operator_count, op) || !add_item(l, chain, operand(l)))
            return NULL;
    }
    return l->code ? NULL : chain ? chain : first;
}

static struct expr *parse_comparison(struct lexer *l)
{
    return parse_chain(l, false, parse_unary);
}

struct expr *parse_expression(struct lexer *l)
{
    return parse_chain(l, true, parse_comparison);
}
