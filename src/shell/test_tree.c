/* test_tree.c: prints every part of the tree, so that two trees print alike only when they are alike. */
#include "shell/test_tree.h"

static void print_expr(struct buf *out, const struct expr *e);

static void print_literal(struct buf *out, struct value v)
{
    if (v.kind == VALUE_STRING)
        buf_addf(out, "'%.*s'", SPAN_ARG(v.s));
    else if (v.kind == VALUE_NULL)
        buf_add(out, SPAN("null"));
    else
        value_print(out, v);
}

static void print_items(struct buf *out, const struct expr *e)
{
    for (size_t i = 0; i < e->count; i++) {
        buf_add(out, i ? SPAN(" ") : SPAN(""));
        if (e->kind == EXPR_HASH)
            buf_addf(out, "%.*s=", SPAN_ARG(e->names[i]));
        if (e->kind == EXPR_OPERATORS && i)
            buf_addf(out, "%s%s%d ", e->operators[i - 1].negated ? "not " : "",
                     e->operators[i - 1].cased ? "cased " : "", (int)e->operators[i - 1].kind);
        print_expr(out, e->items[i]);
    }
}

static void print_expr(struct buf *out, const struct expr *e)
{
    static const struct {
        const char *open, *close;
    } brackets[] = {
        [EXPR_LITERAL] = {"", ""},    [EXPR_LIST] = {"[", "]"},    [EXPR_HASH] = {"@{", "}"},
        [EXPR_CURRENT] = {"$_", ""},  [EXPR_MEMBER] = {"", ""},    [EXPR_BLOCK] = {"{", "}"},
        [EXPR_PIPELINE] = {"<", ">"}, [EXPR_NOT] = {"(not ", ")"}, [EXPR_OPERATORS] = {"(", ")"},
    };
    buf_addf(out, "%s", brackets[e->kind].open);
    if (e->kind == EXPR_LITERAL)
        print_literal(out, e->value);
    else if (e->kind == EXPR_PIPELINE)
        tree_print(out, e->pipeline);
    else
        print_items(out, e);
    for (size_t i = 0; e->kind == EXPR_MEMBER && i < e->name_count; i++)
        buf_addf(out, ".%.*s", SPAN_ARG(e->names[i]));
    buf_addf(out, "%s", brackets[e->kind].close);
}

static void print_call(struct buf *out, const struct command_call *c)
{
    buf_addf(out, "%.*s", SPAN_ARG(c->name));
    for (size_t i = 0; i < c->count; i++) {
        const struct argument *a = &c->arguments[i];
        buf_add_char(out, ' ');
        if (a->name.len)
            buf_addf(out, "-%.*s%s", SPAN_ARG(a->name), a->value ? ":" : "");
        if (a->value)
            print_expr(out, a->value);
    }
}

void tree_print(struct buf *out, const struct pipeline *p)
{
    if (p->head)
        print_expr(out, p->head);
    for (size_t i = 0; i < p->count; i++) {
        buf_add(out, i || p->head ? SPAN(" | ") : SPAN(""));
        print_call(out, &p->calls[i]);
    }
}
