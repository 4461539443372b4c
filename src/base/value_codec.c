/*
 * value_codec.c: one byte of kind, then the content. Invariant of decoding: each item of a list or record takes at
 * least one byte of input, so a count can never make us allocate more than the input is long times a small factor.
 */
#include "base/value_codec.h"

static void encode(struct buf *out, struct value v, int depth);

static void encode_record(struct buf *out, const struct record *r, int depth)
{
    put_bytes(out, r->type);
    put_u32(out, (uint32_t)r->count);
    for (size_t i = 0; i < r->count; i++) {
        put_bytes(out, r->fields[i].name);
        encode(out, r->fields[i].value, depth);
    }
}

static void encode(struct buf *out, struct value v, int depth)
{
    if (depth == 0 || v.kind == VALUE_BLOCK) {
        out->failed = true;
        return;
    }
    put_u8(out, (uint8_t)v.kind);
    switch (v.kind) {
    case VALUE_NULL:
    case VALUE_UNLIMITED:
    case VALUE_BLOCK: break;
    case VALUE_BOOL: put_bool(out, v.b); break;
    case VALUE_INT:
    case VALUE_SIZE:
    case VALUE_TIMESPAN:
    case VALUE_TIME: put_u64(out, (uint64_t)v.i); break;
    case VALUE_STRING:
    case VALUE_SECRET: put_bytes(out, v.s); break;
    case VALUE_RECORD: encode_record(out, v.record, depth - 1); break;
    case VALUE_LIST:
        put_u32(out, (uint32_t)v.list.count);
        for (size_t i = 0; i < v.list.count; i++)
            encode(out, v.list.items[i], depth - 1);
        break;
    }
}

void value_encode(struct buf *out, struct value v)
{
    encode(out, v, VALUE_CODEC_DEPTH);
}

void record_encode(struct buf *out, const struct record *r)
{
    encode_record(out, r, VALUE_CODEC_DEPTH);
}

static bool decode(struct cursor *in, struct arena *arena, int depth, struct value *ret);

static struct span decode_text(struct cursor *in, struct arena *arena)
{
    struct span s = cursor_bytes(in, SIZE_MAX);
    struct span copy = in->bad ? s : arena_dup(arena, s);
    if (!copy.ptr)
        in->bad = true;
    return copy;
}

static bool decode_list(struct cursor *in, struct arena *arena, int depth, struct value *ret)
{
    uint32_t count = cursor_u32(in);
    struct value *items = in->bad || count > in->rest.len ? NULL : ARENA_ARRAY(arena, count, struct value);
    if (!items)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!decode(in, arena, depth, &items[i]))
            return false;
    *ret = value_list(items, count);
    return true;
}

static struct record *decode_record(struct cursor *in, struct arena *arena, int depth)
{
    struct record *r = record_new(arena, decode_text(in, arena));
    uint32_t count = cursor_u32(in);
    if (!r || in->bad || count > in->rest.len)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        struct span name = decode_text(in, arena);
        struct value v;
        if (in->bad || record_get(r, name) || !decode(in, arena, depth, &v) || !record_set(r, name, v))
            return NULL;
    }
    return r;
}

static bool decode(struct cursor *in, struct arena *arena, int depth, struct value *ret)
{
    uint8_t kind = cursor_u8(in);
    struct value v = {0};
    bool ok = depth > 0;
    switch (ok ? kind : UINT8_MAX) {
    case VALUE_NULL:
    case VALUE_UNLIMITED: break;
    case VALUE_BOOL: v.b = cursor_bool(in); break;
    case VALUE_INT:
    case VALUE_SIZE:
    case VALUE_TIMESPAN:
    case VALUE_TIME: v.i = (int64_t)cursor_u64(in); break;
    case VALUE_STRING:
    case VALUE_SECRET: v.s = decode_text(in, arena); break;
    case VALUE_LIST: ok = decode_list(in, arena, depth - 1, &v); break;
    case VALUE_RECORD:
        v.record = decode_record(in, arena, depth - 1);
        ok = v.record != NULL;
        break;
    default: ok = false; break;
    }
    if (!ok || in->bad) {
        in->bad = true;
        return false;
    }
    v.kind = (enum value_kind)kind;
    *ret = v;
    return true;
}

void value_decode(struct cursor *in, struct arena *arena, struct value *ret)
{
    decode(in, arena, VALUE_CODEC_DEPTH, ret);
}

struct record *record_decode(struct cursor *in, struct arena *arena)
{
    struct record *r = decode_record(in, arena, VALUE_CODEC_DEPTH);
    if (!r)
        in->bad = true;
    return r;
}
