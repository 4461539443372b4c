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

/* How much regcomp copies for what the quantifier at the start of rest stands behind; 0: too large, or no count. */
static uint64_t copies(struct span rest, bool behind_group)
{
    if (rest.ptr[0] == '{') {
        struct span inside = span_from(rest, 1);
        return repeat_count(span_head(inside, span_find(inside, '}')));
    }
    return rest.ptr[0] == '+' && behind_group ? 2 : 1; /* a group, which may hold groups, twice */
}

/* Where a pattern stands while it is translated. */
struct translation {
    bool brackets;     /* inside [ ] */
    bool quantified;   /* behind * + ? or { } */
    bool behind_group; /* behind ) */
    uint64_t repeats;  /* how often the innermost part is copied, at most */
};

/* One character of the pattern that is no escape. */
static const char *translate_char(struct translation *t, struct span rest, struct buf *out)
{
    char c = rest.ptr[0];
    bool quantifier = !t->brackets && (c == '*' || c == '+' || c == '?' || c == '{');
    if (quantifier && t->quantified)
        return "* + ? or { } follows another of them";
    if (quantifier) {
        uint64_t n = copies(rest, t->behind_group);
        if (n == 0 || (t->repeats *= n) > MATCH_REPEATS_MAX)
            return "the counts in { } are no numbers, or multiply to more than 1000 with the + behind groups (a "
                   "brace "
                   "itself is \\{)";
    }
    t->quantified = !t->brackets && (c == '*' || c == '+' || c == '?' || c == '}');
    t->behind_group = c == ')' && !t->brackets;
    if (c == '[' || c == ']')
        t->brackets = c == '[';
    buf_add_char(out, c);
    return NULL;
}

/* The expression as regcomp wants it, with its limits checked. NULL: good, otherwise what is wrong. */
static const char *translate(struct span pattern, struct buf *out)
{
    struct translation t = {.repeats = 1};
    const char *wrong = pattern.len > MATCH_PATTERN_MAX ? "longer than 256 bytes" : NULL;
    for (size_t i = 0; !wrong && i < pattern.len; i++) {
        char c = pattern.ptr[i], next = i + 1 < pattern.len ? pattern.ptr[i + 1] : '\0';
        if (c == '\0')
            return "NUL inside";
        if (c != '\\') {
            wrong = translate_char(&t, span_from(pattern, i), out);
            continue;
        }
        wrong = t.brackets ? translate_in_brackets(next, out) : translate_escape(next, out);
        t.quantified = t.behind_group = false;
        i++;
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
