/*
 * fuzz_schema.c: any text for any property. What is understood has a stored text that gives the same value again;
 * what is not has an error that begins with the property's name.
 *
 * The first byte chooses the class, the second the property.
 */
#include "schema/schema.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_one(const struct schema_property *p, struct value v, struct arena *arena)
{
    struct buf text, again;
    struct value back;
    struct err err = {0};
    buf_init(&text, 1 << 20);
    buf_init(&again, 1 << 20);
    schema_print_text(&text, v);
    ASSERT(!text.failed && schema_parse_text(p, buf_span(&text), arena, &back, &err) == ERR_NONE);
    ASSERT(value_eq(v, back, false));
    schema_print_text(&again, back);
    ASSERT(span_eq(buf_span(&text), buf_span(&again)));
    buf_done(&text);
    buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct value v;
    struct err err = {0};
    if (size < 2)
        return 0;
    const struct schema_class *c = schema_classes[data[0] % SCHEMA_CLASSES];
    const struct schema_property *p = &c->properties[data[1] % c->count];
    arena_init(&arena, 16 << 20);
    enum err_code code =
        schema_parse_property(p, value_string(span_make(data + 2, size - 2)), NULL, &arena, &v, &err);
    if (code == ERR_INVALID)
        ASSERT(strncmp(err.text, p->name, strlen(p->name)) == 0);
    bool list = code == ERR_NONE && v.kind == VALUE_LIST;
    for (size_t i = 0; code == ERR_NONE && i < (list ? v.list.count : 1); i++)
        check_one(p, list ? v.list.items[i] : v, &arena);
    arena_clear(&arena);
    return 0;
}
