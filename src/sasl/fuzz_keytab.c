/*
 * fuzz_keytab.c: any bytes as a keytab. Properties: entries lie within the file; what is of use has a service, a
 * host, a realm and a key of the right length; what is described is printable, fits, and names a usable entry.
 */
#include "sasl/keytab.h"

struct seen {
    struct span file;
    size_t entries, usable;
};

static bool within(struct span outer, struct span s)
{
    return s.len == 0 || (s.ptr >= outer.ptr && s.ptr + s.len <= outer.ptr + outer.len);
}

static void each(void *context, const struct keytab_entry *e)
{
    struct seen *s = context;
    ASSERT(e->component_count <= KEYTAB_COMPONENTS_MAX && ++s->entries <= KEYTAB_ENTRIES_MAX);
    ASSERT(within(s->file, e->realm) && within(s->file, e->key));
    for (size_t i = 0; i < e->component_count; i++)
        ASSERT(within(s->file, e->components[i]));
    if (!keytab_entry_usable(e))
        return;
    s->usable++;
    ASSERT(e->component_count == 2 && e->realm.len && e->components[1].len && e->key.len >= 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen s = {.file = span_make(data, size)};
    struct err err = {0};
    struct buf out;
    buf_init(&out, 200);
    enum err_code code = keytab_read(s.file, each, &s, &err), described = keytab_describe(s.file, &out, &err);
    ASSERT(code ? described == code : described == (s.usable ? ERR_NONE : ERR_NOT_FOUND));
    ASSERT(described ? out.len == 0 && err.text[0] : !out.failed && span_is_printable_ascii(buf_span(&out)));
    buf_done(&out);
    return 0;
}
