/*
 * cursor.h: binary records (IPC frames, the policy block) read and written with a sticky error. An out-of-range
 * read sets `bad`, yields zeros, and every later read yields zeros too; the caller checks cursor_ok() once.
 * Integers are little-endian; a byte string is a u32 length and the bytes.
 */
#pragma once

#include "base/buf.h"

struct cursor {
    struct span rest;
    bool bad;
};

struct cursor cursor_of(struct span s);
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
bool cursor_bool(struct cursor *c); /* anything but 0 and 1 is bad */
/* A byte string that points into the record; longer than max is bad. */
struct span cursor_bytes(struct cursor *c, size_t max);
/* True when nothing was out of range and the record is used up: trailing bytes are an error. */
NODISCARD bool cursor_done(const struct cursor *c);
NODISCARD bool cursor_ok(const struct cursor *c);

/* The writers of the same forms; failure is the buffer's sticky `failed`. */
void put_u8(struct buf *b, uint8_t v);
void put_u16(struct buf *b, uint16_t v);
void put_u32(struct buf *b, uint32_t v);
void put_u64(struct buf *b, uint64_t v);
void put_bool(struct buf *b, bool v);
void put_bytes(struct buf *b, struct span s);
