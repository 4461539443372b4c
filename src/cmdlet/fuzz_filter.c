/*
 * fuzz_filter.c: any bytes as a filter: it is understood or refused with a sentence; what is understood, printed
 * again in its plainest form, means the same.
 */
#include "cmdlet/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const properties[] = {"Status", "MessageCount", "Size", NULL};
static const char *const ops[FILTER_OPS] = {"eq", "ne", "gt", "ge", "lt", "le", "like", "notlike", "contains"};

static void print(struct buf *b, const struct filter *f)
{
    for (size_t i = 0; i < f->count; i++) {
        buf_addf(b, "%s%.*s -%s '", i ? " -and " : "", SPAN_ARG(f->terms[i].property), ops[f->terms[i].op]);
        for (size_t k = 0; k < f->terms[i].value.len; k++) {
            if (f->terms[i].value.ptr[k] == '\'')
                buf_add_char(b, '\'');
            buf_add_char(b, f->terms[i].value.ptr[k]);
        }
        buf_add_char(b, '\'');
    }
}

static void check_same(const struct filter *f, struct arena *arena)
{
    struct buf text;
    struct filter again;
    struct err err = {0};
    buf_init(&text, 1 << 20);
    print(&text, f);
    if (!text.failed) {
        ASSERT(filter_parse(buf_span(&text), properties, arena, &again, &err) == ERR_NONE);
        ASSERT(again.count == f->count);
        for (size_t i = 0; i < f->count; i++)
            ASSERT(again.terms[i].op == f->terms[i].op && span_eq(again.terms[i].value, f->terms[i].value));
    }
    buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct filter f;
    struct err err = {0};
    arena_init(&arena, 1 << 22);
    enum err_code code = filter_parse(span_make(data, size), properties, &arena, &f, &err);
    ASSERT(code == ERR_NONE || (code == err.code && err.text[0]));
    if (code == ERR_NONE) {
        check_same(&f, &arena);
        struct record *r = record_new(&arena, SPAN("Queue"));
        if (r && record_set(r, SPAN("Status"), value_of("Retry")) &&
            record_set(r, SPAN("MessageCount"), value_int(3)))
            (void)filter_matches(&f, r);
    }
    arena_clear(&arena);
    return 0;
}
