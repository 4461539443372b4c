/*
 * sendmail_input.c: the message as the caller gives it. Invariant: nothing behind a lone dot is read as part of the
 * message, however the input is cut, and a dot that the caller did not mean as the end (-i) ends nothing.
 */
#include "cli/sendmail.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 32 * 1024, LINE_MAX_BYTES = 1 << 20 };

void sendmail_input_init(struct sendmail_input *in, int fd, bool dot_is_text)
{
    *in = (struct sendmail_input){.fd = fd, .dot_is_text = dot_is_text};
    buf_init(&in->ready, LINE_MAX_BYTES + 2 * PIECE);
}

void sendmail_input_done(struct sendmail_input *in)
{
    buf_done(&in->ready);
}

/* Line ends come alone (line_ends.c), so a whole line is seen when it is whole. */
static void on_text(void *context, struct span bytes)
{
    struct sendmail_input *in = context;
    if (in->ended)
        return;
    buf_add(&in->ready, bytes);
    if (!span_eq(bytes, SPAN("\r\n")) || in->ready.failed)
        return;
    struct span line = span_from(buf_span(&in->ready), in->line);
    if (!in->dot_is_text && span_eq(line, SPAN(".\r\n"))) {
        in->ready.len = in->line;
        in->ended = true;
        return;
    }
    in->line = in->ready.len;
}

static enum err_code read_more(struct sendmail_input *in, struct err *err)
{
    char piece[PIECE];
    ssize_t n;
    do
        n = read(in->fd, piece, sizeof piece);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(err, errno, "the message cannot be read");
    if (n > 0)
        line_ends_feed(&in->lines, span_make(piece, (size_t)n), on_text, in);
    else
        line_ends_finish(&in->lines, on_text, in);
    in->ended = in->ended || n == 0;
    return in->ready.failed ? err_set(err, ERR_LIMIT, "a line is longer than %d bytes", LINE_MAX_BYTES) : ERR_NONE;
}

enum err_code sendmail_input_next(struct sendmail_input *in, struct span *ret, struct err *err)
{
    enum err_code code = ERR_NONE;
    buf_consume(&in->ready, in->line); /* what the last call gave */
    in->line = 0;
    while (!code && !in->ended && in->line == 0)
        code = read_more(in, err);
    if (!code)
        *ret = span_head(buf_span(&in->ready), in->line);
    return code;
}
