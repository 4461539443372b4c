/*
 * match.c: wildcards and regular expressions.
 *
 * Invariant: no pattern that compiles here can take memory or time out of proportion: its length, its counted
 * repeats and the text are bounded, and references back (which make matching exponential) are refused.
 */
#include "base/num.h"
#include "shell/compare.h"
#include "shell/internal.h"

#include <string.h>

static char folded(char c, bool cased)
{
    return cased ? c : ascii_lower(c);
}

bool match_wildcards(struct span text, struct span pattern, bool cased)
{
    size_t t = 0, p = 0, star = SIZE_MAX, retry = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            retry = t;
        } else if (p < pattern.len &&
                   (pattern.ptr[p] == '?' || folded(pattern.ptr[p], cased) == folded(text.ptr[t], cased))) {
            p++;
            t++;
        } else if (star != SIZE_MAX) { /* only the last * need ever give back */
            p = star + 1;
            t = ++retry;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

bool shell_like(struct span text, struct span pattern)
{
    return match_wildcards(text, pattern, false);
}

void matcher_done(struct matcher *m)
{
    if (m->ready)
        regfree(&m->regex);
    m->ready = false;
}

/* The larger count of {n}, {n,} or {n,m}; 0 when it is too large or none of these. */
static uint64_t repeat_count(struct span braces)
{
    uint64_t n, m = 0;
    size_t comma = span_find(braces, ',');
    if (!num_parse_u64(span_head(braces, comma), MATCH_REPEATS_MAX, &n))
        return 0;
    if (comma != SIZE_MAX && comma + 1 < braces.len &&
        !num_parse_u64(span_from(braces, comma + 1), MATCH_REPEATS_MAX, &m))
        return 0;
    n = m > n ? m : n;
    return n ? n : 1;
}

/* What follows a backslash inside [ ], where POSIX knows no escapes. */
static const char *translate_in_brackets(char next, struct buf *out)
{
    if (next == 'd')
        buf_add(out, SPAN("0-9"));
    else if (next == 'w')
        buf_add(out, SPAN("[:alnum:]_"));
    else if (next == 's')
        buf_add(out, SPAN("[:space:]"));
    else if (ascii_is_alnum(next) || next == ']' || next == '^' || next == '-' || next == '\0')
        return "inside [ ] there are the escapes \\d, \\w, \\s and those of signs other than ] ^ -";
    else
        buf_add_char(out, next);
    return NULL;
}

static const char *translate_escape(char next, struct buf *out)
{
    if (ascii_is_digit(next))
        return "references back, such as \\1, are not supported";
    if (next == 'd' || next == 'D')
        buf_add(out, next == 'd' ? SPAN("[0-9]") : SPAN("[^0-9]"));
    else if (next)
        buf_addf(out, "\\%c", next);
    else
        return "nothing follows the last \\";
    return NULL;
}

/* The expression as regcomp wants it, with its limits checked. NULL: good, otherwise what is wrong. */
static const char *translate(struct span pattern, struct buf *out)
{
    uint64_t repeats = 1;
    bool brackets = false;
    const char *wrong = pattern.len > MATCH_PATTERN_MAX ? "longer than 256 bytes" : NULL;
    for (size_t i = 0; !wrong && i < pattern.len; i++) {
        char c = pattern.ptr[i], next = i + 1 < pattern.len ? pattern.ptr[i + 1] : '\0';
        if (c == '\0')
            return "NUL inside";
        if (c == '\\') {
            wrong = brackets ? translate_in_brackets(next, out) : translate_escape(next, out);
            i++;
            continue;
        }
        if (c == '{' && !brackets) {
            struct span rest = span_from(pattern, i + 1);
            uint64_t n = repeat_count(span_head(rest, span_find(rest, '}')));
            if (n == 0 || (repeats *= n) > MATCH_REPEATS_MAX)
                return "the counts in { } are no numbers, or multiply to more than 1000 (a brace itself is \\{)";
        }
        if (c == '[' || c == ']')
            brackets = c == '[';
        buf_add_char(out, c);
    }
    return wrong;
}

static enum err_code compile(struct matcher *m, struct span pattern, bool cased, struct err *err)
{
    struct buf text;
    char reason[100];
    buf_init(&text, MATCH_PATTERN_MAX * 8);
    const char *wrong = translate(pattern, &text);
    buf_add_char(&text, '\0');
    if (!wrong && text.failed)
        wrong = "out of memory";
    if (!wrong) {
        int code = regcomp(&m->regex, text.ptr, REG_EXTENDED | REG_NOSUB | (cased ? 0 : REG_ICASE));
        if (code) {
            regerror(code, &m->regex, reason, sizeof reason);
            wrong = reason;
        }
    }
    buf_done(&text);
    if (wrong)
        return err_set(err, ERR_INVALID, "-match: \"%.*s\" is not a usable regular expression: %s",
                       SPAN_ARG(span_head(pattern, 80)), wrong);
    memcpy(m->pattern, pattern.ptr, pattern.len);
    m->len = pattern.len;
    m->cased = cased;
    m->ready = true;
    return ERR_NONE;
}

enum err_code matcher_match(struct matcher *m, struct span text, struct span pattern, bool cased, bool *ret,
                            struct err *err)
{
    if (pattern.len == 0) {
        *ret = true;
        return ERR_NONE;
    }
    if (!m->ready || m->cased != cased || !span_eq(span_make(m->pattern, m->len), pattern)) {
        matcher_done(m);
        enum err_code code = compile(m, pattern, cased, err);
        if (code)
            return code;
    }
    text = span_head(text, MATCH_TEXT_MAX);
    if (text.len)
        memcpy(m->text, text.ptr, text.len);
    m->text[text.len] = '\0';
    *ret = regexec(&m->regex, m->text, 0, NULL, 0) == 0;
    return ERR_NONE;
}
