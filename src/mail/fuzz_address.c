/*
 * Any bytes as mailbox and as path, under any flags (the first byte): what is accepted is clean, within its limits,
 * and its canonical form parses to itself; what follows a path does not change how it is read. The same as a
 * pattern of addresses.
 */
#include "base/utf8.h"
#include "mail/address.h"
#include "mail/address_pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_accepted(const struct mail_address *a, unsigned flags, struct arena *arena)
{
    struct mail_address again;
    ASSERT(a->text.len <= (size_t)(flags & ADDRESS_ALLOW_XLONG  ? ADDRESS_XLONG_MAX
                                   : flags & ADDRESS_ALLOW_LONG ? ADDRESS_LONG_MAX
                                                                : ADDRESS_MAX));
    for (size_t i = 0; i < a->text.len; i++)
        ASSERT((unsigned char)a->text.ptr[i] >= 0x20 && a->text.ptr[i] != 0x7f);
    ASSERT(utf8_valid(a->text) && (a->utf8 || utf8_is_ascii(a->text)) && utf8_is_ascii(a->domain));
    ASSERT(!a->utf8 || (flags & ADDRESS_ALLOW_UTF8));
    ASSERT(a->local.len > 0 && a->local.ptr == a->text.ptr);
    ASSERT(a->local.len + (a->domain.len ? 1 + a->domain.len : 0) == a->text.len);
    ASSERT(address_parse(a->text, flags, arena, &again) == ADDRESS_OK);
    ASSERT(span_eq(again.text, a->text) && span_eq(again.local, a->local) && address_eq(again.text, a->text));
    ASSERT(again.quoted == a->quoted && again.literal == a->literal);
}

/* A pattern prints to itself; an exact one covers the address that it names. */
static void check_pattern(struct span s, struct arena *arena)
{
    struct address_pattern p, again;
    if (!address_pattern_parse(s, arena, &p))
        return;
    ASSERT(address_pattern_parse(p.text, arena, &again));
    ASSERT(span_eq(again.text, p.text) && again.kind == p.kind && address_pattern_compare(&again, &p) == 0);
    ASSERT(p.kind != PATTERN_ADDRESS || address_pattern_matches(&p, p.text));
    ASSERT(p.kind == PATTERN_NULL || p.domain.len);
    ASSERT((p.kind == PATTERN_NULL) == address_pattern_matches(&p, SPAN("")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct mail_address a, b;
    struct span rest, rest_b;
    if (size == 0)
        return 0;
    const unsigned flags = data[0] & 63u;
    const struct span s = span_make(data + 1, size - 1);
    arena_init(&arena, 0);
    if (address_parse(s, flags, &arena, &a) == ADDRESS_OK)
        check_accepted(&a, flags, &arena);
    enum address_defect d = address_parse_path(s, flags, &arena, &a, &rest);
    if (d == ADDRESS_OK) {
        if (a.text.len)
            check_accepted(&a, flags, &arena);
        struct span path = span_head(s, s.len - rest.len);
        ASSERT(path.len >= 2 && path.ptr[0] == '<' && path.ptr[path.len - 1] == '>');
        ASSERT(address_parse_path(path, flags, &arena, &b, &rest_b) == ADDRESS_OK && rest_b.len == 0);
        ASSERT(span_eq(a.text, b.text));
    }
    ASSERT(address_defect_text(d) != NULL);
    check_pattern(s, &arena);
    arena_clear(&arena);
    return 0;
}
