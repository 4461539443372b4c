/*
 * trail_statement.c: a statement's text without its secrets. It is put together from the parts that the parser has
 * found, so that what is not understood (a comment within, for example) is not kept.
 */
#include "cmdlet/trail_internal.h"
#include "schema/schema.h"

/* A parameter whose argument is a secret: by its name, or because a property of that name is one. */
static bool takes_secret(const struct shell_parameter *p)
{
    if (span_iends(span_of(p->name), SPAN("Password")))
        return true;
    for (size_t i = 0; i < SCHEMA_CLASSES; i++) {
        const struct schema_property *q = schema_property(schema_classes[i], span_of(p->name));
        if (q && q->type == SCHEMA_SECRET)
            return true;
    }
    return false;
}

/* The name as typed may be any beginning of a parameter's. */
static bool is_secret_name(const struct shell_command *c, struct span name)
{
    for (size_t i = 0; name.len && i < c->parameter_count; i++) {
        const struct shell_parameter *p = &c->parameters[i];
        bool meant = span_istarts(span_of(p->name), name) || (p->alias && span_ieq(span_of(p->alias), name));
        if (meant && takes_secret(p))
            return true;
    }
    return false;
}

static bool pipeline_has_secret(const struct shell_table *table, const struct pipeline *p);

/* Nested as deep as the parser lets it. */
static bool has_secret(const struct shell_table *table, const struct expr *e)
{
    if (!e)
        return false;
    if (e->pipeline && pipeline_has_secret(table, e->pipeline))
        return true;
    for (size_t i = 0; i < e->count; i++)
        if (has_secret(table, e->items[i]))
            return true;
    return false;
}

static bool pipeline_has_secret(const struct shell_table *table, const struct pipeline *p)
{
    if (has_secret(table, p->head))
        return true;
    for (size_t i = 0; i < p->count; i++) {
        const struct shell_command *c = shell_find_command(table, p->calls[i].name);
        for (size_t k = 0; k < p->calls[i].count; k++)
            if (!c || is_secret_name(c, p->calls[i].arguments[k].name) ||
                has_secret(table, p->calls[i].arguments[k].value))
                return true;
    }
    return false;
}

/* The text of an argument's value: what is left of it where that is a secret. */
static struct span value_text(const struct shell_table *table, const struct argument *a, bool secret)
{
    struct span text = a->text;
    if (secret || has_secret(table, a->value))
        return SPAN("***");
    if (a->name.len) /* -Name:value */
        text = span_trim(span_from(text, span_find(text, ':') == SIZE_MAX ? text.len : span_find(text, ':') + 1));
    return text;
}

bool trail_next_argument(const struct shell_table *table, const struct command_call *call, size_t *i,
                         struct span *ret_name, struct span *ret_value)
{
    if (*i >= call->count)
        return false;
    const struct shell_command *c = shell_find_command(table, call->name);
    const struct argument *a = &call->arguments[(*i)++];
    bool secret = !c || is_secret_name(c, a->name);
    *ret_name = a->name;
    *ret_value = SPAN("");
    if (a->value) {
        *ret_value = value_text(table, a, secret);
    } else if (*i < call->count && !call->arguments[*i].name.len) { /* its value, or that of a position */
        *ret_value = value_text(table, &call->arguments[*i], secret);
        (*i)++;
    }
    return true;
}

static void print_call(struct buf *out, const struct shell_table *table, const struct command_call *call)
{
    struct span name, value;
    buf_add(out, call->name);
    for (size_t i = 0; trail_next_argument(table, call, &i, &name, &value);) {
        buf_addf(out, "%s%.*s", name.len ? " -" : "", SPAN_ARG(name));
        buf_addf(out, "%s%.*s", value.len ? " " : "", SPAN_ARG(value));
    }
}

void trail_print_statement(struct buf *out, const struct shell_table *table, const struct statement *statement)
{
    const struct pipeline *p = &statement->pipeline;
    if (p->head && p->head->kind == EXPR_LITERAL && p->head->value.kind == VALUE_STRING)
        shell_quote(out, p->head->value);
    else if (p->head)
        buf_add(out, SPAN("(...)"));
    for (size_t i = 0; i < p->count; i++) {
        buf_add(out, i || p->head ? SPAN(" | ") : SPAN(""));
        print_call(out, table, &p->calls[i]);
    }
}
