/*
 * arena.c: bump allocation in chained blocks.
 *
 * Invariants: a block never moves; every pointer handed out is 16-byte aligned; `used` counts whole blocks. Blocks
 * double in size up to 64 KiB, so that a small session stays small and a large one does not chain thousands.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_FIRST = 1024, ARENA_LARGEST = 64 * 1024, ARENA_ALIGN = 16 };

struct arena_block {
    struct arena_block *older;
    size_t size, at;
    _Alignas(ARENA_ALIGN) char bytes[];
};

void arena_init(struct arena *a, size_t max)
{
    *a = (struct arena){.max = max};
}

void arena_clear(struct arena *a)
{
    while (a->block) {
        struct arena_block *b = a->block;
        a->block = b->older;
        free(b);
    }
    a->used = 0;
}

void arena_reset(struct arena *a)
{
    while (a->block && a->block->older) {
        struct arena_block *b = a->block;
        a->block = b->older;
        a->used -= sizeof *b + b->size;
        free(b);
    }
    if (a->block) {
        memset(a->block->bytes, 0, a->block->at);
        a->block->at = 0;
    }
}

static bool arena_grow(struct arena *a, size_t need)
{
    size_t size = a->block ? a->block->size * 2 : ARENA_FIRST;
    if (size > ARENA_LARGEST)
        size = ARENA_LARGEST;
    if (size < need)
        size = need;
    size_t total;
    if (__builtin_add_overflow(size, sizeof(struct arena_block), &total))
        return false;
    if (a->max && (total > a->max || a->used > a->max - total)) {
        size = need; /* the doubling may overshoot the ceiling where the need itself does not */
        if (__builtin_add_overflow(size, sizeof(struct arena_block), &total) || total > a->max ||
            a->used > a->max - total)
            return false;
    }
    struct arena_block *b = calloc(1, total);
    if (!b)
        return false;
    b->older = a->block;
    b->size = size;
    a->block = b;
    a->used += total;
    return true;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > SIZE_MAX - ARENA_ALIGN)
        return NULL;
    size_t need = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (need == 0)
        need = ARENA_ALIGN;
    if ((!a->block || a->block->size - a->block->at < need) && !arena_grow(a, need))
        return NULL;
    void *p = a->block->bytes + a->block->at;
    a->block->at += need;
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t n;
    return __builtin_mul_overflow(count, size, &n) ? NULL : arena_alloc(a, n);
}

struct span arena_dup(struct arena *a, struct span s)
{
    char *p = s.len == SIZE_MAX ? NULL : arena_alloc(a, s.len + 1);
    if (!p)
        return (struct span){NULL, 0};
    if (s.len)
        memcpy(p, s.ptr, s.len);
    return (struct span){p, s.len};
}

char *arena_cstr(struct arena *a, struct span s)
{
    return (char *)(uintptr_t)arena_dup(a, s).ptr;
}

struct span arena_printf(struct arena *a, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (!p)
        return (struct span){NULL, 0};
    va_start(ap, format);
    vsnprintf(p, (size_t)n + 1, format, ap);
    va_end(ap);
    return (struct span){p, (size_t)n};
}
