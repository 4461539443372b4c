/*
 * lexer.c: characters and words. Typographic quotes, dashes and blanks (as blogs print them) are seen as their
 * plain forms by lexer_mark and by nothing else, so that they act so in every place, and stay as typed inside
 * words.
 *
 * Invariants: rest is a suffix of text, which is UTF-8 without NUL; every step reads at least one byte.
 */
#include "shell/lexer.h"

#include "base/num.h"
#include "base/utf8.h"

#include <string.h>

static struct mark mark_of(struct span s)
{
    uint32_t cp;
    size_t n = utf8_decode(s, &cp);
    if (n == 0)
        return (struct mark){0, 0};
    char plain = MARK_OTHER;
    if (cp < 0x80)
        plain = cp > MARK_OTHER ? (char)cp : MARK_OTHER;
    else if (cp == 0xa0 || cp == 0x2007 || cp == 0x202f || cp == 0x200b || cp == 0xfeff)
        plain = ' ';
    else if ((cp >= 0x2010 && cp <= 0x2015) || cp == 0x2212)
        plain = '-';
    else if (cp >= 0x201c && cp <= 0x201e)
        plain = '"';
    else if (cp >= 0x2018 && cp <= 0x201b)
        plain = '\'';
    return (struct mark){plain, (unsigned char)n};
}

struct mark lexer_mark(const struct lexer *l)
{
    return mark_of(l->rest);
}

struct mark lexer_second(const struct lexer *l)
{
    return mark_of(span_from(l->rest, lexer_mark(l).len));
}

void lexer_skip(struct lexer *l, size_t bytes)
{
    l->rest = span_from(l->rest, bytes);
}

struct span lexer_since(const struct lexer *l, struct span from)
{
    return span_head(from, from.len - l->rest.len);
}

bool lexer_init(struct lexer *l, struct span text, struct arena *arena, struct err *err)
{
    if (span_starts(text, SPAN("\xef\xbb\xbf")))
        text = span_from(text, 3);
    *l = (struct lexer){.text = text, .rest = text, .arena = arena, .err = err};
    if (text.len > SYNTAX_SCRIPT_MAX)
        l->code = err_set(err, ERR_LIMIT, "the script is longer than %d MB", SYNTAX_SCRIPT_MAX >> 20);
    else if (!utf8_valid(text))
        l->code = err_set(err, ERR_INVALID, "the text is not UTF-8; save it with that encoding");
    else if (span_find(text, '\0') != SIZE_MAX)
        l->code = err_set(err, ERR_INVALID, "the text holds a NUL character; save it as UTF-8");
    return !l->code;
}

/* At a backtick: the bytes up to the next line when only blanks are between, 0 otherwise. */
static size_t continuation(struct span s)
{
    size_t n = 1;
    while (n < s.len && (s.ptr[n] == ' ' || s.ptr[n] == '\t' || s.ptr[n] == '\r'))
        n++;
    return n < s.len && s.ptr[n] == '\n' ? n + 1 : 0;
}

/* One blank, comment or continued line; false when there is none. */
static bool skip_one(struct lexer *l, enum lexer_blanks kind)
{
    struct mark m = lexer_mark(l);
    if (m.plain == ' ' || m.plain == '\t' || m.plain == '\r' || (m.plain == '\n' && kind != BLANKS_INLINE) ||
        (m.plain == ';' && kind == BLANKS_SEPARATORS)) {
        lexer_skip(l, m.len);
    } else if (m.plain == '`') {
        size_t n = continuation(l->rest);
        lexer_skip(l, n);
        if (n && l->rest.len == 0)
            lexer_fail_end(l, "the ` at the end of the last line continues it, but nothing follows");
        return n != 0;
    } else if (m.plain == '#') {
        lexer_skip(l, span_head(l->rest, span_find(l->rest, '\n')).len);
    } else if (span_starts(l->rest, SPAN("<#"))) {
        const char *end = memmem(l->rest.ptr, l->rest.len, "#>", 2);
        if (!end)
            return lexer_fail_end(l, "the comment <# has no closing #>") != NULL;
        lexer_skip(l, (size_t)(end - l->rest.ptr) + 2);
    } else {
        return false;
    }
    return true;
}

void lexer_blanks(struct lexer *l, enum lexer_blanks kind)
{
    if (l->rest.len != l->after_blanks || l->rest.len == l->text.len)
        l->token_end = l->rest;
    while (!l->code && skip_one(l, kind))
        ;
    l->after_blanks = l->rest.len;
}

bool lexer_enter(struct lexer *l)
{
    if (l->depth == SYNTAX_DEPTH_MAX)
        lexer_fail(l, l->rest, "more than %d brackets inside each other", SYNTAX_DEPTH_MAX);
    else
        l->depth++;
    return !l->code;
}

void lexer_leave(struct lexer *l)
{
    l->depth--;
}

/* The character behind a backtick, appended as what it stands for. */
static bool escape(struct lexer *l, struct buf *out)
{
    static const char known[] = "nrt", stands_for[] = "\n\r\t";
    struct span at = l->rest;
    lexer_skip(l, 1);
    struct mark m = lexer_mark(l);
    if (m.len == 0)
        return lexer_fail_end(l, "nothing follows the `") != NULL;
    const char *k = strchr(known, l->rest.ptr[0]);
    if (k)
        buf_add_char(out, stands_for[k - known]);
    else if (m.len == 1 && strchr("0abefuv", m.plain))
        return lexer_fail(l, at, "the escape `%c is not known here; known are `n, `r and `t", m.plain) != NULL;
    else
        buf_add(out, span_head(l->rest, m.len));
    lexer_skip(l, m.len);
    return true;
}

/* A $ in a double-quoted string or bare word that PowerShell would expand. */
static bool is_expansion(const struct lexer *l)
{
    struct mark next = lexer_second(l);
    return ascii_is_alnum(next.plain) || (next.plain > MARK_OTHER && strchr("_({?$^:", next.plain));
}

static bool fail_expansion(struct lexer *l)
{
    return lexer_fail(l, l->rest,
                      "variables are not known inside text: write `$ for a dollar sign, or use '...'") != NULL;
}

/* A quoted string, appended. */
static bool string_into(struct lexer *l, struct buf *out)
{
    struct span start = l->rest;
    struct mark open = lexer_mark(l);
    lexer_skip(l, open.len);
    for (;;) {
        struct mark m = lexer_mark(l);
        if (m.len == 0) {
            l->incomplete = !l->code;
            return lexer_fail(l, start, "the string that begins here has no closing quote") != NULL;
        }
        if (m.plain == open.plain) {
            bool doubled = lexer_second(l).plain == open.plain;
            if (doubled)
                buf_add(out, span_head(l->rest, m.len));
            lexer_skip(l, m.len);
            if (!doubled)
                return true;
            lexer_skip(l, lexer_mark(l).len);
        } else if (open.plain == '"' && m.plain == '`') {
            if (!escape(l, out))
                return false;
        } else if (open.plain == '"' && m.plain == '$' && is_expansion(l)) {
            return fail_expansion(l);
        } else {
            buf_add(out, span_head(l->rest, m.len));
            lexer_skip(l, m.len);
        }
    }
}

static bool keep(struct lexer *l, struct buf *b, struct span *ret)
{
    struct span s = b->failed ? (struct span){NULL, 0} : arena_dup(l->arena, buf_span(b));
    buf_wipe(b); /* it may have been a password */
    if (!s.ptr)
        return lexer_fail_memory(l) != NULL;
    *ret = s;
    return true;
}

bool lexer_string(struct lexer *l, struct span *ret)
{
    struct buf b;
    buf_init(&b, l->rest.len);
    if (string_into(l, &b))
        return keep(l, &b, ret);
    buf_wipe(&b);
    return false;
}

bool lexer_at_word_end(const struct lexer *l)
{
    char c = lexer_mark(l).plain;
    return c == 0 || (c != MARK_OTHER && strchr(" \t\r\n;|,(){}", c));
}

static bool word_into(struct lexer *l, struct buf *out, bool *ret_plain)
{
    *ret_plain = true;
    if (lexer_mark(l).plain == '-') { /* a minus sign of any kind, before a number */
        buf_add_char(out, '-');
        lexer_skip(l, lexer_mark(l).len);
    }
    while (!lexer_at_word_end(l)) {
        struct mark m = lexer_mark(l);
        bool quote = m.plain == '\'' || m.plain == '"';
        if (m.plain == '`' && continuation(l->rest))
            return true; /* a blank, so the end of the word */
        if (quote || m.plain == '`') {
            *ret_plain = false;
            if (!(quote ? string_into(l, out) : escape(l, out)))
                return false;
        } else if (m.plain == '$' && is_expansion(l)) {
            return fail_expansion(l);
        } else if (m.plain == '>' || m.plain == '&') {
            return lexer_fail(l, l->rest, "%c has no meaning here; put text that holds it in quotes", m.plain) !=
                   NULL;
        } else {
            buf_add(out, span_head(l->rest, m.len));
            lexer_skip(l, m.len);
        }
    }
    return true;
}

static struct value word_value(struct span word)
{
    int64_t n;
    bool minus = span_starts(word, SPAN("-"));
    struct span digits = span_from(word, minus);
    bool canonical = !span_starts(digits, SPAN("0")) || (digits.len == 1 && !minus);
    if (canonical && num_parse_i64(word, INT64_MIN, INT64_MAX, &n))
        return value_int(n);
    return value_string(word);
}

bool lexer_word(struct lexer *l, struct value *ret)
{
    struct buf b;
    struct span word;
    bool plain;
    buf_init(&b, l->rest.len);
    if (!word_into(l, &b, &plain)) {
        buf_wipe(&b);
        return false;
    }
    if (!keep(l, &b, &word))
        return false;
    *ret = plain ? word_value(word) : value_string(word);
    return true;
}

struct span lexer_name(struct lexer *l)
{
    size_t n = 0;
    while (n < l->rest.len && (ascii_is_alnum(l->rest.ptr[n]) || l->rest.ptr[n] == '_'))
        n++;
    struct span name = span_head(l->rest, n);
    lexer_skip(l, n);
    return name;
}

struct span lexer_dashed(const struct lexer *l, size_t *ret_len)
{
    struct lexer ahead = *l;
    struct mark m = lexer_mark(l);
    if (m.plain != '-' || !ascii_is_alpha(lexer_second(l).plain))
        return SPAN("");
    lexer_skip(&ahead, m.len);
    struct span name = lexer_name(&ahead);
    *ret_len = m.len + name.len;
    return name;
}

void *lexer_grow(struct lexer *l, void *array, size_t count, size_t size)
{
    if (count == SYNTAX_ITEMS_MAX)
        return lexer_fail(l, l->rest, "more than %d elements", SYNTAX_ITEMS_MAX);
    if (count & (count - 1)) /* the capacity is the next power of two */
        return array;
    void *bigger = arena_array(l->arena, count ? count * 2 : 1, size);
    if (!bigger)
        return lexer_fail_memory(l);
    if (count)
        memcpy(bigger, array, count * size);
    return bigger;
}
