/*
 * compile_property.c: typed properties out of records. Absent and null mean the default; a value of another kind
 * than the schema gives is an error, never silently a default.
 */
#include "policy/compile_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void compile_bad(struct compiler *c, const struct record *r, const char *property, const char *want)
{
    if (c->code)
        return;
    struct buf shown;
    const struct value *v = record_get(r, span_of(property));
    buf_init(&shown, 512);
    value_print(&shown, v ? *v : value_null());
    c->code = err_set(c->err, ERR_INVALID, "%.*s \"%.*s\": %s is \"%.*s\", which is not %s", SPAN_ARG(r->type),
                      SPAN_ARG(record_string(r, SPAN("Name"))), property, SPAN_ARG(buf_span(&shown)), want);
    buf_done(&shown);
}

/* The property unless it is absent or null. */
static const struct value *present(const struct record *r, const char *property)
{
    const struct value *v = record_get(r, span_of(property));
    return v && v->kind != VALUE_NULL ? v : NULL;
}

struct span compile_string(struct compiler *c, const struct record *r, const char *property)
{
    const struct value *v = present(r, property);
    if (!v)
        return SPAN("");
    if (v->kind != VALUE_STRING) {
        compile_bad(c, r, property, "a string");
        return SPAN("");
    }
    return v->s;
}

struct policy_text compile_text_of(struct compiler *c, const struct record *r, const char *property)
{
    return compile_text(c, compile_string(c, r, property));
}

uint32_t compile_enum(struct compiler *c, const struct record *r, const char *property, const char *const *names,
                      size_t count, uint32_t otherwise)
{
    struct span s = compile_string(c, r, property);
    if (s.len == 0)
        return otherwise;
    char want[128] = "one of";
    for (uint32_t i = 0; i < count; i++) {
        if (span_ieq(s, span_of(names[i])))
            return i;
        size_t at = strlen(want);
        snprintf(want + at, sizeof want - at, "%s %s", i ? "," : "", names[i]);
    }
    compile_bad(c, r, property, want);
    return otherwise;
}

size_t compile_list(struct compiler *c, const struct record *r, const char *property, const struct value **ret)
{
    const struct value *v = present(r, property);
    if (!v)
        return 0;
    bool list = v->kind == VALUE_LIST;
    size_t count = list ? v->list.count : 1;
    *ret = list ? v->list.items : v;
    for (size_t i = 0; i < count; i++)
        if ((*ret)[i].kind != VALUE_STRING) {
            compile_bad(c, r, property, "a list of strings");
            return 0;
        }
    return count;
}

static uint64_t number(struct compiler *c, const struct record *r, const struct compile_number *n)
{
    const struct value *v = present(r, n->property);
    uint64_t most = n->wide ? UINT64_MAX : UINT32_MAX;
    if (!v)
        return n->otherwise;
    if (v->kind == VALUE_UNLIMITED)
        return most;
    bool numeric = v->kind == VALUE_INT || v->kind == VALUE_SIZE || v->kind == VALUE_TIMESPAN;
    if (!numeric || v->i < 0 || (uint64_t)v->i >= most) {
        char want[64];
        snprintf(want, sizeof want, "a number from 0 to %" PRIu64 ", or Unlimited", most - 1);
        compile_bad(c, r, n->property, want);
        return n->otherwise;
    }
    return (uint64_t)v->i;
}

void compile_numbers(struct compiler *c, const struct record *r, const struct compile_number *table, size_t count,
                     void *ret)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t wide = number(c, r, &table[i]);
        uint32_t narrow = (uint32_t)wide;
        char *field = (char *)ret + table[i].offset;
        if (table[i].wide)
            memcpy(field, &wide, sizeof wide);
        else
            memcpy(field, &narrow, sizeof narrow);
    }
}

uint32_t compile_flags(struct compiler *c, const struct record *r, const struct compile_flag *table, size_t count)
{
    uint32_t set = 0;
    for (size_t i = 0; i < count; i++) {
        const struct value *v = present(r, table[i].property);
        if (v && v->kind != VALUE_BOOL)
            compile_bad(c, r, table[i].property, "true or false");
        else if (v ? v->b : table[i].otherwise)
            set |= table[i].bit;
    }
    return set;
}
