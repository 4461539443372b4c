/*
 * intake.c: holds back the header section until its end is found, then lets the body through.
 *
 * Whether a section has ended, and where, follows from the bytes up to there and a bounded look ahead: a line that
 * begins no field is known by its first HEADER_NAME_MAX + 1 bytes. So at most `window` bytes are ever held back,
 * and everything is decided at one moment that does not depend on how the input was cut: when the end is found,
 * when the window is full, or when the message is over.
 *
 * Invariants: every byte of `header` is looked at once for line ends; nothing comes out before the section was
 * checked as a whole, and no body byte before the whole new section.
 */
#include "mail/intake.h"

#include "mail/header.h"
#include "mail/intake_internal.h"

#include <string.h>

/* Behind the longest section: a blank line, or enough of a line to see that it begins no field. */
enum { LOOK_AHEAD = HEADER_NAME_MAX + 2 };

/* Where the section ends and the body begins, as offsets into `header`. */
struct section_end {
    size_t end, body;
};

void intake_init(struct intake *i, const struct intake_options *options, struct arena *arena, intake_out_fn *out,
                 void *context)
{
    ASSERT(options->max_header <= SIZE_MAX / 2);
    *i = (struct intake){.options = *options, .arena = arena, .out = out, .context = context};
    buf_init(&i->header, options->max_header + LOOK_AHEAD);
}

void intake_done(struct intake *i)
{
    buf_done(&i->header);
}

enum intake_problem intake_problem(const struct intake *i)
{
    return i->result.problem;
}

void intake_emit(struct intake *i, struct span bytes)
{
    if (bytes.len == 0)
        return;
    i->result.bytes_out += bytes.len;
    i->out(i->context, bytes);
}

/* Whether a byte is above 0x7f: 64 at a time, without a branch for each. */
static bool has_8bit(struct span s)
{
    while (s.len >= 64) {
        uint64_t words[8], any = 0;
        memcpy(words, s.ptr, sizeof words);
        for (size_t n = 0; n < 8; n++)
            any |= words[n];
        if (any & UINT64_C(0x8080808080808080))
            return true;
        s = span_from(s, 64);
    }
    unsigned char any = 0;
    for (size_t n = 0; n < s.len; n++)
        any |= (unsigned char)s.ptr[n];
    return any >= 0x80;
}

/* A CR, LF or NUL that is not part of a CRLF. The last line may lack its CRLF. */
static bool has_bad_line_end(struct span s)
{
    if (span_find(s, '\0') != SIZE_MAX)
        return true;
    for (size_t at = 0; at < s.len;) {
        struct span rest = span_from(s, at);
        size_t lf = span_find(rest, '\n'), cr = span_find(span_head(rest, lf), '\r');
        if (lf == SIZE_MAX)
            return cr != SIZE_MAX;
        if (cr == SIZE_MAX || cr + 1 != lf)
            return true;
        at += lf + 1;
    }
    return false;
}

static void pass_body(struct intake *i, struct span bytes)
{
    if (bytes.len == 0)
        return;
    if (!i->result.eight_bit_body)
        i->result.eight_bit_body = has_8bit(bytes);
    intake_emit(i, bytes);
}

static bool is_blank_line(struct span line)
{
    return span_eq(line, SPAN("\r\n")) || span_eq(line, SPAN("\n"));
}

/* A line, or HEADER_NAME_MAX + 1 bytes of it, that belongs to the section: it begins a field, or continues one. */
static bool is_header_line(const struct intake *i, struct span line)
{
    bool continues = line.len && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
    return continues ? i->line_start > 0 : header_name(line).len > 0;
}

/*
 * Looks for the end of the section in what has come since the last time. `last`: no more can be held back or
 * nothing more comes, so an unfinished line has to be judged as it is.
 */
static bool find_end(struct intake *i, bool last, struct section_end *ret)
{
    const struct span h = buf_span(&i->header);
    while (i->line_start < h.len) {
        size_t lf = span_find(span_from(h, i->scanned), '\n');
        bool whole = lf != SIZE_MAX;
        size_t line_end = whole ? i->scanned + lf + 1 : h.len;
        i->scanned = line_end;
        if (!whole && !last)
            return false;
        struct span line = span_from(span_head(h, line_end), i->line_start);
        if (is_blank_line(line)) {
            *ret = (struct section_end){i->line_start, line_end};
            return true;
        }
        if (!is_header_line(i, line)) {
            *ret = (struct section_end){i->line_start, i->line_start};
            return true;
        }
        i->line_start = line_end;
    }
    return false;
}

/* The section is known: checks it, lets it out. */
static void enter_body(struct intake *i, struct span section)
{
    struct intake_result *r = &i->result;
    r->header_bytes = section.len;
    r->eight_bit_header = has_8bit(section);
    if (section.len > i->options.max_header)
        r->problem = INTAKE_HEADER_TOO_LARGE;
    else if (has_bad_line_end(section))
        r->problem = INTAKE_BAD_LINE_END;
    else
        intake_rewrite(i, section);
    i->in_body = true;
}

void intake_feed(struct intake *i, struct span bytes)
{
    if (i->result.problem)
        return;
    if (i->in_body) {
        pass_body(i, bytes);
        return;
    }
    const size_t before = i->header.len;
    const struct span part = span_head(bytes, i->header.max - before);
    struct section_end at;
    buf_add(&i->header, part);
    if (i->header.failed) {
        i->result.problem = INTAKE_NO_MEMORY;
        return;
    }
    const bool full = i->header.len == i->header.max;
    if (!find_end(i, full, &at)) {
        if (full)
            i->result.problem = INTAKE_HEADER_TOO_LARGE;
        return;
    }
    const struct span h = buf_span(&i->header);
    enter_body(i, span_head(h, at.end));
    if (!i->result.problem) {
        if (at.body < before) /* an earlier chunk has the beginning of the line that turned out to be body */
            pass_body(i, span_from(span_head(h, before), at.body));
        pass_body(i, span_from(bytes, at.body > before ? at.body - before : 0));
    }
    buf_done(&i->header);
}

void intake_finish(struct intake *i, struct intake_result *ret)
{
    if (!i->in_body && !i->result.problem) {
        const struct span h = buf_span(&i->header);
        struct section_end at;
        if (!find_end(i, true, &at))
            at = (struct section_end){h.len, h.len};
        enter_body(i, span_head(h, at.end));
        if (!i->result.problem)
            pass_body(i, span_from(h, at.body));
        buf_done(&i->header);
    }
    *ret = i->result;
}

const char *intake_problem_text(enum intake_problem p)
{
    static const char *const texts[INTAKE_PROBLEM_MAX] = {
        [INTAKE_OK] = "fine",
        [INTAKE_HEADER_TOO_LARGE] = "the header section is too large",
        [INTAKE_BAD_LINE_END] = "the header section has a bare CR, a bare LF or a NUL",
        [INTAKE_TOO_MANY_HOPS] = "the message has passed too many servers; it seems to loop",
        [INTAKE_TOO_MANY_LOCAL_HOPS] = "the message has passed this server too often; it seems to loop",
        [INTAKE_NO_MEMORY] = "out of memory",
    };
    ASSERT((unsigned)p < INTAKE_PROBLEM_MAX);
    return texts[p];
}
