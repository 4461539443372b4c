/*
 * pressure_page.c: see pressure_page.h. A sequence lock: the number is odd while the writer writes, and a reader
 * that saw it odd or changed reads again, a bounded number of times. Only whole words are shared, all of them
 * atomic.
 */
#include "role/common/pressure_page.h"

#include "role/common/protocol.h"
#include "role/common/role.h"
#include "runtime/log.h"
#include "runtime/memory_file.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { WORDS = (PRESSURE_BYTES + 7) / 8, TRIES = 1000 };

struct pressure_page {
    _Atomic uint32_t level, sequence;
    _Atomic uint64_t words[WORDS];
};

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "shared between processes");

static const struct pressure_page *published;

enum err_code pressure_page_make(struct pressure_page **ret, int *ret_fd, struct err *err)
{
    void *memory;
    enum err_code code =
        memory_file_make_published("mailreeve-resources", sizeof(struct pressure_page), ret_fd, &memory, err);
    if (!code)
        *ret = memory;
    return code;
}

void pressure_page_write(struct pressure_page *page, const struct pressure *p)
{
    uint64_t words[WORDS] = {0};
    struct buf b;
    buf_init(&b, PRESSURE_BYTES);
    pressure_put(&b, p);
    ASSERT(!b.failed && b.len == PRESSURE_BYTES);
    memcpy(words, b.ptr, b.len);
    buf_done(&b);
    page->sequence++;
    for (size_t i = 0; i < WORDS; i++)
        page->words[i] = words[i];
    page->sequence++;
    page->level = pressure_overall(p);
}

bool pressure_page_copy(const struct pressure_page *page, struct pressure *ret)
{
    *ret = (struct pressure){0};
    for (int i = 0; i < TRIES; i++) {
        uint64_t words[WORDS];
        uint32_t before = page->sequence;
        for (size_t k = 0; k < WORDS; k++)
            words[k] = page->words[k];
        if ((before & 1) || page->sequence != before)
            continue;
        struct pressure p = {0};
        struct cursor c = cursor_of(span_make((const char *)words, PRESSURE_BYTES));
        pressure_get(&c, &p);
        if (!cursor_done(&c))
            return false;
        *ret = p;
        return true;
    }
    return false;
}

void pressure_page_use(const struct pressure_page *page)
{
    published = page;
}

void pressure_page_take(struct frame *f)
{
    struct err err = {0};
    const void *memory = NULL;
    if (f->body.len || f->fd_count != 1) {
        role_bad_frame(ROLE_KINDS, f, "malformed resources");
        return;
    }
    int fd = frame_take_fd(f, 0);
    if (memory_file_map_published(fd, sizeof(struct pressure_page), &memory, &err))
        log_text(LOG_ERROR, "no-resources", "nothing is refused for want of resources: %s", err.text);
    else
        published = memory; /* it comes once, in the life of a process */
    close(fd);
}

enum pressure_level pressure_page_level(void)
{
    uint32_t level = published ? published->level : PRESSURE_NORMAL;
    return level < PRESSURE_LEVELS ? (enum pressure_level)level : PRESSURE_NORMAL;
}

bool pressure_page_read(struct pressure *ret)
{
    if (published)
        return pressure_page_copy(published, ret);
    *ret = (struct pressure){0};
    return false;
}
