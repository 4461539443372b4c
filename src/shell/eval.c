/*
 * eval.c: what expressions mean.
 *
 * Invariant: recursion follows the tree, whose depth the parser has bounded.
 */
#include "shell/internal.h"

static enum err_code eval_list(struct run *run, const struct expr *e, const struct value *current,
                               struct value *ret)
{
    struct collector c = {.arena = &run->arena};
    for (size_t i = 0; i < e->count; i++) {
        struct value v;
        enum err_code code = eval_expr(run, e->items[i], current, &v);
        if (code)
            return code;
        for (size_t k = 0; v.kind == VALUE_LIST && k < v.list.count; k++) /* lists do not nest */
            collector_add(&c, v.list.items[k]);
        if (v.kind != VALUE_LIST)
            collector_add(&c, v);
    }
    *ret = value_list(c.items, c.count);
    return c.failed ? run_no_memory(run->err) : ERR_NONE;
}

static enum err_code eval_hash(struct run *run, const struct expr *e, const struct value *current,
                               struct value *ret)
{
    struct record *r = record_new(&run->arena, SPAN("Hashtable"));
    if (!r)
        return run_no_memory(run->err);
    for (size_t i = 0; i < e->count; i++) {
        struct value v;
        enum err_code code = eval_expr(run, e->items[i], current, &v);
        if (code)
            return code;
        if (!record_set(r, e->names[i], v))
            return run_no_memory(run->err);
    }
    *ret = value_record(r);
    return ERR_NONE;
}

struct value eval_member(struct arena *arena, struct value v, struct span name)
{
    bool count = span_ieq(name, SPAN("Count")), length = span_ieq(name, SPAN("Length"));
    if (v.kind == VALUE_RECORD) {
        const struct value *f = record_get(v.record, name);
        return f ? *f : count ? value_int(1) : value_null();
    }
    if (v.kind == VALUE_STRING && length)
        return value_int((int64_t)v.s.len);
    if (v.kind != VALUE_LIST)
        return count || length ? value_int(v.kind != VALUE_NULL) : value_null();
    if (count || length)
        return value_int((int64_t)v.list.count);
    struct collector c = {.arena = arena};
    for (size_t i = 0; i < v.list.count; i++) {
        const struct value *item = &v.list.items[i];
        const struct value *f = item->kind == VALUE_RECORD ? record_get(item->record, name) : NULL;
        if (f && f->kind != VALUE_LIST)
            collector_add(&c, *f);
        for (size_t k = 0; f && f->kind == VALUE_LIST && k < f->list.count; k++)
            collector_add(&c, f->list.items[k]);
    }
    return c.count || c.failed ? value_list(c.items, c.count) : value_null();
}

static enum err_code eval_members(struct run *run, const struct expr *e, const struct value *current,
                                  struct value *ret)
{
    struct value v;
    enum err_code code = eval_expr(run, e->items[0], current, &v);
    for (size_t i = 0; !code && i < e->name_count; i++)
        v = eval_member(&run->arena, v, e->names[i]);
    if (!code)
        *ret = v;
    return code;
}

static enum err_code eval_pipeline(struct run *run, const struct expr *e, const struct value *current,
                                   struct value *ret)
{
    struct collector c = {.arena = &run->arena};
    enum err_code code = run_pipeline(run, e->pipeline, current, &c);
    if (!code)
        *ret = c.count == 0 ? value_null() : c.count == 1 ? c.items[0] : value_list(c.items, c.count);
    return code;
}

/* The right side of -and and -or is looked at only when it matters. */
static enum err_code eval_logical(struct run *run, struct operator op, const struct expr *right,
                                  const struct value *current, struct value *inout)
{
    struct value v;
    bool left = value_truth(*inout);
    if (op.kind != OPERATOR_XOR && left == (op.kind == OPERATOR_OR)) {
        *inout = value_bool(left);
        return ERR_NONE;
    }
    enum err_code code = eval_expr(run, right, current, &v);
    if (!code)
        *inout = value_bool(op.kind == OPERATOR_XOR ? left != value_truth(v) : value_truth(v));
    return code;
}

static enum err_code eval_operators(struct run *run, const struct expr *e, const struct value *current,
                                    struct value *ret)
{
    struct value left, right;
    enum err_code code = eval_expr(run, e->items[0], current, &left);
    for (size_t i = 0; !code && i < e->operator_count; i++) {
        struct operator op = e->operators[i];
        bool result;
        if (operator_is_logical(op)) {
            code = eval_logical(run, op, e->items[i + 1], current, &left);
            continue;
        }
        code = eval_expr(run, e->items[i + 1], current, &right);
        if (!code)
            code = compare_values(&run->match, op, left, right, &result, run->err);
        if (!code)
            left = value_bool(result);
    }
    if (!code)
        *ret = left;
    return code;
}

static enum err_code eval_not(struct run *run, const struct expr *e, const struct value *current, struct value *ret)
{
    struct value v;
    enum err_code code = eval_expr(run, e->items[0], current, &v);
    if (!code)
        *ret = value_bool(!value_truth(v));
    return code;
}

enum err_code eval_expr(struct run *run, const struct expr *e, const struct value *current, struct value *ret)
{
    switch (e->kind) {
    case EXPR_LITERAL: *ret = e->value; return ERR_NONE;
    case EXPR_LIST: return eval_list(run, e, current, ret);
    case EXPR_HASH: return eval_hash(run, e, current, ret);
    case EXPR_MEMBER: return eval_members(run, e, current, ret);
    case EXPR_PIPELINE: return eval_pipeline(run, e, current, ret);
    case EXPR_NOT: return eval_not(run, e, current, ret);
    case EXPR_OPERATORS: return eval_operators(run, e, current, ret);
    case EXPR_BLOCK: *ret = (struct value){.kind = VALUE_BLOCK, .block = e->items[0]}; return ERR_NONE;
    case EXPR_CURRENT:
        if (!current)
            return err_set(run->err, ERR_INVALID, "$_ is the present object and has a meaning inside { } only");
        *ret = *current;
        return ERR_NONE;
    }
    return err_set(run->err, ERR_INTERNAL, "an expression of unknown kind");
}

enum err_code eval_filter(struct shell_call *call, struct value block, struct value current, bool *ret)
{
    struct value v;
    enum err_code code = eval_expr(run_of(call), block.block, &current, &v);
    if (!code)
        *ret = value_truth(v);
    return code;
}
