/*
 * Any bytes as a header section and as an address list: fields put together again are the section; the addresses
 * found, put together again, are found again.
 */
#include "base/buf.h"
#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FOUND_MAX = 8 };

static void check_fields(struct span section)
{
    struct header_field f;
    const char *at = section.ptr;
    for (struct span rest = section; header_next(&rest, &f); at += f.whole.len) {
        ASSERT(f.whole.ptr == at && f.whole.len > 0);
        ASSERT(f.name.len <= HEADER_NAME_MAX && span_eq(header_name(f.whole), f.name));
        ASSERT(span_eq(header_name(span_head(f.whole, HEADER_NAME_MAX + 1)), f.name));
        ASSERT(f.name.len == 0 || (f.name.ptr == f.whole.ptr && f.value.ptr > f.name.ptr + f.name.len - 1));
        ASSERT(f.name.len + f.value.len <= f.whole.len);
    }
    ASSERT(at == section.ptr + section.len);
}

static void check_list(struct span value)
{
    struct arena arena;
    struct span found[FOUND_MAX], again[FOUND_MAX];
    struct buf joined;
    size_t n, m, bare[FOUND_MAX];
    arena_init(&arena, 0);
    buf_init(&joined, 1 << 16);
    IGNORE_RESULT(header_addresses(&arena, value, found, bare, FOUND_MAX, &n));
    ASSERT(n <= FOUND_MAX);
    for (size_t i = 0; i < n; i++)
        ASSERT(bare[i] <= value.len && bare[i] >= (i ? bare[i - 1] : 0) * (bare[i] > 0));
    for (size_t i = 0; i < n; i++)
        buf_addf(&joined, "%sx <%.*s>", i ? ", " : "", SPAN_ARG(found[i]));
    ASSERT(!joined.failed && header_addresses(&arena, buf_span(&joined), again, NULL, FOUND_MAX, &m) && m == n);
    for (size_t i = 0; i < n; i++)
        ASSERT(span_eq(found[i], again[i]));
    buf_done(&joined);
    arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct span s = span_make(data, size);
    check_fields(s);
    check_list(s);
    arena_init(&arena, 0);
    struct span u = header_unfold(&arena, s, 20);
    ASSERT(u.ptr && u.len <= 20 && span_find(u, '\r') == SIZE_MAX && span_find(u, '\n') == SIZE_MAX);
    arena_clear(&arena);
    return 0;
}
