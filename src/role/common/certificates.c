/* certificates.c: see certificates.h. */
#include "role/common/certificates.h"

#include "tls/certificate_folder.h"

enum { TEXT_MAX = CERTIFICATE_FILE_MAX, PROBLEM_MAX = 600, FIELD_HEAD = 4 };

void certificates_put_list(struct buf *out, const struct certificate *list, size_t count)
{
    put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        put_bytes(out, list[i].name);
        put_bytes(out, list[i].chain);
        put_bytes(out, list[i].request);
        put_bytes(out, list[i].problem);
        put_bool(out, list[i].enabled);
    }
}

static struct span get_text(struct cursor *c, size_t max, struct arena *arena)
{
    struct span copy = arena_dup(arena, cursor_bytes(c, max));
    c->bad |= !copy.ptr;
    return copy;
}

bool certificates_get_list(struct cursor *c, struct arena *arena, struct certificate **ret, size_t *ret_count)
{
    uint32_t count = cursor_u32(c);
    if (c->bad || count > CERTIFICATES_MAX)
        return false;
    struct certificate *list = ARENA_ARRAY(arena, count, struct certificate);
    for (uint32_t i = 0; list && i < count && !c->bad; i++) {
        list[i] = (struct certificate){.name = get_text(c, CERTIFICATE_NAME_MAX, arena)};
        list[i].chain = get_text(c, TEXT_MAX, arena);
        list[i].request = get_text(c, TEXT_MAX, arena);
        list[i].problem = get_text(c, PROBLEM_MAX, arena);
        list[i].enabled = cursor_bool(c);
    }
    if (!list || !cursor_done(c))
        return false;
    *ret = list;
    *ret_count = count;
    return true;
}

size_t certificates_changes_size(const struct certificate_change *changes, size_t count)
{
    size_t n = FIELD_HEAD;
    for (size_t i = 0; i < count; i++)
        n += 1 + 3 * FIELD_HEAD + changes[i].name.len + changes[i].public.len + changes[i].key.len;
    return n;
}

void certificates_put_changes(struct buf *out, const struct certificate_change *changes, size_t count)
{
    put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        put_u8(out, (uint8_t)changes[i].kind);
        put_bytes(out, changes[i].name);
        put_bytes(out, changes[i].public);
        put_bytes(out, changes[i].key);
    }
}

bool certificates_get_changes(struct cursor *c, struct certificate_change *ret, size_t *ret_count)
{
    uint32_t count = cursor_u32(c);
    if (c->bad || count > CERTIFICATE_CHANGES_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t kind = cursor_u8(c);
        c->bad |= kind >= CERTIFICATE_CHANGES;
        ret[i] = (struct certificate_change){.kind = (enum certificate_change_kind)kind,
                                             .name = cursor_bytes(c, CERTIFICATE_NAME_MAX)};
        ret[i].public = cursor_bytes(c, TEXT_MAX);
        ret[i].key = cursor_bytes(c, TEXT_MAX);
    }
    *ret_count = count;
    return cursor_done(c);
}
