/* read.c: rows out of a file, in large pieces for a scan, one by one for what an index has found. */
#include "store/tracking/internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 1 << 20, GUESS = 1024, MARK_BYTES = 128 };

/* Up to n bytes at offset behind what is in b; *ret_read 0: the end. */
static enum err_code fill(int fd, struct buf *b, size_t n, uint64_t offset, size_t *ret_read, struct err *err)
{
    char *room = buf_reserve(b, n);
    ssize_t got;
    if (!room)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    do
        got = pread(fd, room, n, (off_t)offset);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_errno(err, errno, "cannot read the message tracking log");
    buf_commit(b, (size_t)got);
    *ret_read = (size_t)got;
    return ERR_NONE;
}

static struct span without_end(struct span line)
{
    return span_ends(line, SPAN("\r")) ? span_head(line, line.len - 1) : line;
}

enum err_code tracking_read_lines(int fd, uint64_t from, uint64_t to, tracking_line_fn *each, void *context,
                                  uint64_t *ret_end, struct err *err)
{
    CLEANUP(buf_done) struct buf b;
    uint64_t start = from, next = from; /* of the first line in b; of what is read next */
    enum err_code code = ERR_NONE;
    bool more = true;
    buf_init(&b, PIECE + TRACKING_LINE_MAX + 2);
    while (!code && more && next < to) {
        size_t got = 0, at = 0;
        code = fill(fd, &b, to - next < PIECE ? (size_t)(to - next) : PIECE, next, &got, err);
        if (code || got == 0)
            break;
        next += got;
        for (const char *end; more && (end = memchr(b.ptr + at, '\n', b.len - at));) {
            size_t len = (size_t)(end - b.ptr) - at;
            more = each(context, start + at, without_end(span_make(b.ptr + at, len)));
            at += len + 1;
        }
        if (at == 0 && b.len > TRACKING_LINE_MAX)
            at = b.len; /* no line of ours: what follows its end is */
        buf_consume(&b, at);
        start += at;
    }
    if (ret_end && !code)
        *ret_end = start;
    return code;
}

bool tracking_read_row(int fd, uint64_t offset, struct buf *line, struct buf *scratch, struct tracking_row *ret)
{
    struct err ignored;
    const char *end = NULL;
    buf_clear(line);
    for (size_t piece = GUESS, got = 0; !end; piece = 16 * GUESS) {
        size_t seen = line->len;
        if (line->len > TRACKING_LINE_MAX || fill(fd, line, piece, offset + seen, &got, &ignored) || got == 0)
            return false;
        end = memchr(line->ptr + seen, '\n', line->len - seen);
    }
    return tracking_parse(without_end(span_make(line->ptr, (size_t)(end - line->ptr))), scratch, ret);
}

uint64_t tracking_file_mark(int fd)
{
    char head[MARK_BYTES]; /* of the # lines, which say when the file was begun */
    ssize_t n = pread(fd, head, sizeof head, 0);
    return span_ihash(span_make(head, n > 0 ? (size_t)n : 0)) >> 1; /* a number that SQLite has */
}
