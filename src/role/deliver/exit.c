/* exit.c: see exit.h. A message that has nothing to hide is sent as it lies. */
#include "role/deliver/exit.h"

#include "mail/header_exit.h"

#include <errno.h>
#include <unistd.h>

enum { FIRST_READ = 16 * 1024 };

/* Adds the next bytes of the file to *b; false at its end, or on an error. */
static bool read_more(const struct delivery_job *job, struct buf *b, size_t want)
{
    uint64_t left = job->size - b->len;
    ssize_t n = -1;
    char *room = buf_reserve(b, left < want ? (size_t)left : want);
    if (!room || left == 0)
        return false;
    do
        n = pread(job->body_fd, room, left < want ? (size_t)left : want, (off_t)b->len);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        buf_commit(b, (size_t)n);
    return n > 0;
}

/* Reads until the section's end is there; twice as much each time, so that a long one is not read often. */
static enum err_code read_section(const struct delivery_job *job, struct buf *b, size_t *ret_end, struct err *err)
{
    size_t scanned = 0;
    while ((*ret_end = header_section_end(buf_span(b), &scanned)) == SIZE_MAX) {
        if (b->len == job->size) {
            *ret_end = b->len; /* all of it is header */
            return ERR_NONE;
        }
        if (b->len >= EXIT_HEADER_MAX)
            return err_set(err, ERR_LIMIT, "the message's header does not end");
        if (!read_more(job, b, b->len < FIRST_READ ? FIRST_READ : b->len))
            return b->failed ? err_set(err, ERR_NO_MEMORY, "out of memory")
                             : err_set(err, ERR_IO, "the stored message cannot be read");
    }
    return ERR_NONE;
}

static enum err_code cut(struct delivery_job *job, struct span section, struct buf *front, struct err *err)
{
    unsigned remove = job->to.remove_headers;
    if (!header_exit_applies(section, remove))
        return ERR_NONE;
    header_exit(front, section, remove);
    if (front->failed)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    job->front = buf_span(front);
    job->body_from = section.len;
    return ERR_NONE;
}

enum err_code exit_apply(struct delivery_job *job, struct buf *front, struct err *err)
{
    struct buf read;
    size_t scanned = 0, end;
    buf_init(front, EXIT_HEADER_MAX);
    if (!job->to.remove_headers)
        return ERR_NONE;
    if (job->body_fd < 0) {
        end = header_section_end(job->body, &scanned);
        return cut(job, span_head(job->body, end), front, err);
    }
    buf_init(&read, EXIT_HEADER_MAX + FIRST_READ);
    enum err_code code = read_section(job, &read, &end, err);
    if (!code)
        code = cut(job, span_head(buf_span(&read), end), front, err);
    buf_done(&read);
    return code;
}
