/* quote.c: values as text of the shell: what syntax_parse reads back. */
#include "base/utf8.h"
#include "shell/shell.h"

#include <string.h>

/* A letter, then only bytes that mean nothing to the lexer in any place: letters, digits and `others`. */
static bool is_bare(struct span s, const char *others)
{
    if (s.len == 0 || !ascii_is_alpha(s.ptr[0]))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alnum(s.ptr[i]) && (s.ptr[i] == '\0' || !strchr(others, s.ptr[i])))
            return false;
    return true;
}

static void quote_string(struct buf *out, struct span s)
{
    uint32_t cp;
    buf_add_char(out, '\'');
    for (size_t n; (n = utf8_decode(s, &cp)) && cp; s = span_from(s, n)) {
        if (cp == '\'' || (cp >= 0x2018 && cp <= 0x201b)) /* any of them would end the string */
            buf_add(out, span_head(s, n));
        buf_add(out, span_head(s, n));
    }
    buf_add_char(out, '\'');
    out->failed |= s.len != 0; /* NUL, or not UTF-8: a script cannot hold it */
}

static void quote_text(struct buf *out, struct span s)
{
    if (is_bare(s, "._:/\\*-@"))
        buf_add(out, s);
    else
        quote_string(out, s);
}

static void quote_printed(struct buf *out, struct value v)
{
    struct buf text;
    buf_init(&text, 64);
    value_print(&text, v);
    out->failed |= text.failed;
    quote_text(out, buf_span(&text));
    buf_done(&text);
}

static void quote_list(struct buf *out, struct value v)
{
    bool brackets = v.list.count < 2; /* otherwise it would be a single value, or none */
    buf_add(out, brackets ? SPAN("@(") : SPAN(""));
    for (size_t i = 0; i < v.list.count; i++) {
        buf_add(out, i ? SPAN(",") : SPAN(""));
        shell_quote(out, v.list.items[i]);
    }
    buf_add(out, brackets ? SPAN(")") : SPAN(""));
}

static void quote_record(struct buf *out, const struct record *r)
{
    buf_add(out, SPAN("@{"));
    for (size_t i = 0; i < r->count; i++) {
        buf_add(out, i ? SPAN("; ") : SPAN(""));
        if (is_bare(r->fields[i].name, "_"))
            buf_add(out, r->fields[i].name);
        else
            quote_string(out, r->fields[i].name);
        buf_add_char(out, '=');
        shell_quote(out, r->fields[i].value);
    }
    buf_add_char(out, '}');
}

void shell_quote(struct buf *out, struct value v)
{
    switch (v.kind) {
    case VALUE_NULL: buf_add(out, SPAN("$null")); return;
    case VALUE_BOOL: buf_add(out, v.b ? SPAN("$true") : SPAN("$false")); return;
    case VALUE_STRING: quote_text(out, v.s); return;
    case VALUE_INT: value_print(out, v); return;
    case VALUE_SIZE: /* a number with its unit is a word of its own */
    case VALUE_TIMESPAN: value_print(out, v); return;
    case VALUE_TIME:
    case VALUE_UNLIMITED: quote_printed(out, v); return;
    case VALUE_LIST: quote_list(out, v); return;
    case VALUE_RECORD: quote_record(out, v.record); return;
    case VALUE_SECRET:
    case VALUE_BLOCK: out->failed = true; return;
    }
}
