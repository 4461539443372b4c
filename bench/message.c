/*
 * message.c: building and recognising the bench's messages. No line of the body begins with a dot, so nothing is
 * stuffed; what a relay puts before the header does not matter, what it does to the body is seen.
 */
#include "message.h"

#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static char block[MESSAGE_BLOCK];

static const char *fill_block(void)
{
    static const char letters[] = "the quick brown fox jumps over the lazy dog and goes on to the next field ";
    if (block[0])
        return block;
    for (size_t i = 0; i < sizeof block; i++) {
        size_t column = i % MESSAGE_LINE;
        block[i] = column == MESSAGE_LINE - 2   ? '\r'
                   : column == MESSAGE_LINE - 1 ? '\n'
                                                : letters[(column + i / MESSAGE_LINE) % (sizeof letters - 1)];
    }
    return block;
}

/* The date of this process's start: formatting it anew for each message would measure strftime. */
static const char *date(void)
{
    static char text[40];
    if (!text[0]) {
        time_t now = time(NULL);
        struct tm tm;
        gmtime_r(&now, &tm);
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S +0000", &tm);
    }
    return text;
}

static size_t trailer(char *out, size_t room, const char *run, uint64_t number)
{
    return (size_t)snprintf(out, room, "\r\nEND %s-%" PRIu64 "\r\n", run, number);
}

void message_begin(struct message_out *m, struct buf *out, const char *run, uint64_t number, uint64_t size,
                   struct span sender, struct span recipient)
{
    char end[MESSAGE_TAIL_MAX];
    size_t end_len = trailer(end, sizeof end, run, number), start = out->len;
    /* The length field has a fixed width, so that the header's length is known before it. */
    buf_addf(out,
             "From: <%.*s>\r\nTo: <%.*s>\r\nSubject: bench %s-%" PRIu64 "\r\nDate: %s\r\n"
             "Message-ID: <%s-%" PRIu64 "@bench.test>\r\nX-Bench-Id: %s-%" PRIu64 "\r\nX-Bench-Body: ",
             SPAN_ARG(sender), SPAN_ARG(recipient), run, number, date(), run, number, run, number);
    uint64_t used = out->len - start + 14 + end_len;
    *m = (struct message_out){
        .body_left = size > used ? size - used : 0, .trailer_due = true, .run = run, .number = number};
    buf_addf(out, "%010" PRIu64 "\r\n\r\n", m->body_left + end_len);
}

bool message_more(struct message_out *m, struct buf *out, size_t max)
{
    const char *from = fill_block();
    if (!m->trailer_due)
        return false;
    for (size_t given = 0; m->body_left > 0;) {
        size_t n = MESSAGE_BLOCK - m->block_at;
        if (given == max)
            return true;
        n = n < max - given ? n : max - given;
        n = n < m->body_left ? n : (size_t)m->body_left;
        buf_add(out, span_make(from + m->block_at, n));
        m->block_at = (m->block_at + n) % MESSAGE_BLOCK;
        m->body_left -= n;
        given += n;
    }
    char end[MESSAGE_TAIL_MAX];
    buf_add(out, span_make(end, trailer(end, sizeof end, m->run, m->number)));
    buf_add(out, SPAN(".\r\n"));
    m->trailer_due = false;
    return true;
}

void message_in_reset(struct message_in *m)
{
    m->total = 0;
    m->line_start = true;
    m->dot = 0;
    m->head_len = m->tail_len = 0;
}

static void keep(struct message_in *m, struct span s)
{
    size_t n = sizeof m->head - m->head_len;
    n = n < s.len ? n : s.len;
    memcpy(m->head + m->head_len, s.ptr, n);
    m->head_len += n;
    m->total += s.len;
    if (s.len >= sizeof m->tail) {
        memcpy(m->tail, s.ptr + s.len - sizeof m->tail, sizeof m->tail);
        m->tail_len = sizeof m->tail;
        return;
    }
    size_t old = m->tail_len < sizeof m->tail - s.len ? m->tail_len : sizeof m->tail - s.len;
    memmove(m->tail, m->tail + m->tail_len - old, old);
    memcpy(m->tail + old, s.ptr, s.len);
    m->tail_len = old + s.len;
}

/* The bytes of a line that began with a dot: the end, or a stuffed dot, which is dropped. */
static bool dot_line(struct message_in *m, char c)
{
    if (m->dot == 1 && c == '\r') {
        m->dot = 2;
        return false;
    }
    if (m->dot == 2 && c == '\n')
        return true;
    if (m->dot == 2)
        keep(m, SPAN("\r"));
    keep(m, span_make(&c, 1));
    m->dot = 0;
    m->line_start = c == '\n';
    return false;
}

size_t message_in_take(struct message_in *m, struct span s, bool *ret_done)
{
    size_t from = 0, i = 0;
    *ret_done = false;
    while (i < s.len) {
        if (m->dot) {
            *ret_done = dot_line(m, s.ptr[i++]);
            from = i;
            if (*ret_done)
                return i;
        } else if (m->line_start && s.ptr[i] == '.') {
            keep(m, span_make(s.ptr + from, i - from));
            m->dot = 1;
            m->line_start = false;
            from = ++i;
        } else {
            const char *lf = memchr(s.ptr + i, '\n', s.len - i);
            m->line_start = lf;
            i = lf ? (size_t)(lf - s.ptr) + 1 : s.len;
        }
    }
    keep(m, span_make(s.ptr + from, i - from));
    return i;
}

/* The value of one of our fields in the head, up to its CR. */
static bool field(struct span head, struct span name, struct span *ret)
{
    const char *at = memmem(head.ptr, head.len, name.ptr, name.len);
    if (!at)
        return false;
    struct span rest = span_from(head, (size_t)(at - head.ptr) + name.len);
    *ret = span_head(rest, span_find(rest, '\r'));
    return true;
}

enum message_state message_in_read(const struct message_in *m, const char *run, uint64_t *ret_number)
{
    struct span head = span_make(m->head, m->head_len), id, length, name;
    uint64_t number, body;
    char end[MESSAGE_TAIL_MAX];
    const char *blank = memmem(head.ptr, head.len, "\r\n\r\n", 4);
    if (!blank)
        return MESSAGE_FOREIGN;
    head.len = (size_t)(blank - head.ptr) + 4;
    if (!field(head, SPAN("\nX-Bench-Id: "), &id) || !span_split(&id, '-', &name) || !span_eq(name, span_of(run)) ||
        !num_parse_u64(id, UINT64_MAX, &number))
        return MESSAGE_FOREIGN;
    *ret_number = number;
    struct span want = span_make(end, trailer(end, sizeof end, run, number));
    if (!field(head, SPAN("\nX-Bench-Body: "), &length) || !num_parse_u64(length, UINT64_MAX, &body) ||
        body != m->total - head.len || !span_ends(span_make(m->tail, m->tail_len), want))
        return MESSAGE_DAMAGED;
    return MESSAGE_WHOLE;
}
