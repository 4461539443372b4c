/*
 * Any bytes as a file of the log: reading it through is bounded, and a row that was understood is found again when
 * it is read from its place alone.
 */
#include "store/tracking/internal.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    int fd;
    struct span all;
    struct buf scratch, line, again;
    uint64_t next;
};

static bool same_hash(void *context, uint64_t hash)
{
    ASSERT(hash >> 47 == 0);
    (void)context;
    return true;
}

static bool see(void *context, uint64_t offset, struct span line)
{
    struct seen *s = context;
    struct tracking_row r, again;
    ASSERT(offset >= s->next && offset + line.len < s->all.len);
    ASSERT(memcmp(s->all.ptr + offset, line.ptr, line.len) == 0);
    s->next = offset + line.len + 1;
    if (!tracking_parse(line, &s->scratch, &r))
        return true;
    ASSERT(tracking_row_hashes(&r, same_hash, NULL));
    ASSERT(tracking_read_row(s->fd, offset, &s->line, &s->again, &again));
    ASSERT(again.at_ms == r.at_ms);
    for (size_t i = 0; i < TRACKING_FIELDS; i++)
        ASSERT(span_eq(again.field[i], r.field[i]));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen s = {.fd = memfd_create("log", MFD_CLOEXEC), .all = span_make(data, size)};
    struct err err;
    uint64_t end = 0;
    ASSERT(s.fd >= 0 && write(s.fd, data, size) == (ssize_t)size);
    buf_init(&s.scratch, TRACKING_LINE_MAX);
    buf_init(&s.line, TRACKING_LINE_MAX + 32768);
    buf_init(&s.again, TRACKING_LINE_MAX);
    ASSERT(!tracking_read_lines(s.fd, 0, size, see, &s, &end, &err) && end <= size);
    buf_done(&s.scratch);
    buf_done(&s.line);
    buf_done(&s.again);
    close(s.fd);
    return 0;
}
