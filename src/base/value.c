/* value.c: construction, comparison and copying of values and records; their text forms are in value_text.c. */
#include "base/value.h"

#include <string.h>

struct value value_null(void)
{
    return (struct value){.kind = VALUE_NULL};
}

struct value value_bool(bool b)
{
    return (struct value){.kind = VALUE_BOOL, .b = b};
}

struct value value_int(int64_t i)
{
    return (struct value){.kind = VALUE_INT, .i = i};
}

struct value value_string(struct span s)
{
    return (struct value){.kind = VALUE_STRING, .s = s};
}

struct value value_of(const char *cstr)
{
    return value_string(span_of(cstr));
}

struct value value_size(int64_t bytes)
{
    return (struct value){.kind = VALUE_SIZE, .i = bytes};
}

struct value value_timespan(int64_t ms)
{
    return (struct value){.kind = VALUE_TIMESPAN, .i = ms};
}

struct value value_time(int64_t ms)
{
    return (struct value){.kind = VALUE_TIME, .i = ms};
}

struct value value_unlimited(void)
{
    return (struct value){.kind = VALUE_UNLIMITED};
}

struct value value_list(const struct value *items, size_t count)
{
    return (struct value){.kind = VALUE_LIST, .list = {items, count}};
}

struct value value_record(struct record *r)
{
    return (struct value){.kind = VALUE_RECORD, .record = r};
}

static bool record_eq(const struct record *a, const struct record *b, bool icase)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct value *other = record_get(b, a->fields[i].name);
        if (!other || !value_eq(a->fields[i].value, *other, icase))
            return false;
    }
    return true;
}

bool value_eq(struct value a, struct value b, bool icase)
{
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case VALUE_NULL:
    case VALUE_UNLIMITED: return true;
    case VALUE_BOOL: return a.b == b.b;
    case VALUE_INT:
    case VALUE_SIZE:
    case VALUE_TIMESPAN:
    case VALUE_TIME: return a.i == b.i;
    case VALUE_STRING: return icase ? span_ieq(a.s, b.s) : span_eq(a.s, b.s);
    case VALUE_SECRET: return span_eq(a.s, b.s);
    case VALUE_BLOCK: return a.block == b.block;
    case VALUE_RECORD: return record_eq(a.record, b.record, icase);
    case VALUE_LIST: break;
    }
    if (a.list.count != b.list.count)
        return false;
    for (size_t i = 0; i < a.list.count; i++)
        if (!value_eq(a.list.items[i], b.list.items[i], icase))
            return false;
    return true;
}

bool value_truth(struct value v)
{
    switch (v.kind) {
    case VALUE_NULL: return false;
    case VALUE_BOOL: return v.b;
    case VALUE_INT:
    case VALUE_SIZE:
    case VALUE_TIMESPAN: return v.i != 0;
    case VALUE_STRING:
    case VALUE_SECRET: return v.s.len != 0;
    case VALUE_LIST: return v.list.count == 1 ? value_truth(v.list.items[0]) : v.list.count != 0;
    case VALUE_RECORD:
    case VALUE_TIME:
    case VALUE_UNLIMITED:
    case VALUE_BLOCK: return true;
    }
    return false;
}

static bool list_copy(struct arena *to, struct value v, struct value *ret)
{
    struct value *items = ARENA_ARRAY(to, v.list.count, struct value);
    if (!items)
        return false;
    for (size_t i = 0; i < v.list.count; i++)
        if (!value_copy(to, v.list.items[i], &items[i]))
            return false;
    *ret = value_list(items, v.list.count);
    return true;
}

bool value_copy(struct arena *to, struct value v, struct value *ret)
{
    if (v.kind == VALUE_LIST)
        return list_copy(to, v, ret);
    struct value copy = v;
    if (v.kind == VALUE_STRING || v.kind == VALUE_SECRET) {
        copy.s = arena_dup(to, v.s);
        if (!copy.s.ptr)
            return false;
    } else if (v.kind == VALUE_RECORD) {
        copy.record = record_copy(to, v.record);
        if (!copy.record)
            return false;
    }
    *ret = copy;
    return true;
}

struct record *record_new(struct arena *a, struct span type)
{
    struct record *r = ARENA_NEW(a, struct record);
    if (r) {
        r->type = type;
        r->arena = a;
    }
    return r;
}

static struct field *record_field(const struct record *r, struct span name)
{
    for (size_t i = 0; i < r->count; i++)
        if (span_ieq(r->fields[i].name, name))
            return &r->fields[i];
    return NULL;
}

bool record_set(struct record *r, struct span name, struct value v)
{
    struct field *f = record_field(r, name);
    if (f) {
        f->value = v;
        return true;
    }
    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 8;
        struct field *fields = ARENA_ARRAY(r->arena, cap, struct field);
        if (!fields)
            return false;
        if (r->count)
            memcpy(fields, r->fields, r->count * sizeof *fields);
        r->fields = fields;
        r->cap = cap;
    }
    r->fields[r->count++] = (struct field){name, v};
    return true;
}

const struct value *record_get(const struct record *r, struct span name)
{
    const struct field *f = record_field(r, name);
    return f ? &f->value : NULL;
}

struct span record_string(const struct record *r, struct span name)
{
    const struct value *v = record_get(r, name);
    return v && v->kind == VALUE_STRING ? v->s : (struct span){NULL, 0};
}

int64_t record_int(const struct record *r, struct span name, int64_t otherwise)
{
    const struct value *v = record_get(r, name);
    bool number =
        v && (v->kind == VALUE_INT || v->kind == VALUE_SIZE || v->kind == VALUE_TIMESPAN || v->kind == VALUE_TIME);
    return number ? v->i : otherwise;
}

bool record_bool(const struct record *r, struct span name, bool otherwise)
{
    const struct value *v = record_get(r, name);
    return v && v->kind == VALUE_BOOL ? v->b : otherwise;
}

struct record *record_copy(struct arena *to, const struct record *r)
{
    struct record *copy = record_new(to, arena_dup(to, r->type));
    if (!copy)
        return NULL;
    for (size_t i = 0; i < r->count; i++) {
        struct value v;
        if (!value_copy(to, r->fields[i].value, &v) || !record_set(copy, arena_dup(to, r->fields[i].name), v))
            return NULL;
    }
    return copy;
}
