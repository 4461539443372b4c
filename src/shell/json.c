/* json.c: the writer of ConvertTo-Json. Nesting ends at the depth of the options, so recursion is bounded. */
#include "shell/json.h"

#include "base/utf8.h"

#include <inttypes.h>

struct writer {
    struct buf *out;
    struct json_options options;
};

static void put(struct writer *w, struct value v, size_t level);

static void put_escaped(struct buf *out, char c)
{
    switch (c) {
    case '"': buf_add(out, SPAN("\\\"")); return;
    case '\\': buf_add(out, SPAN("\\\\")); return;
    case '\n': buf_add(out, SPAN("\\n")); return;
    case '\r': buf_add(out, SPAN("\\r")); return;
    case '\t': buf_add(out, SPAN("\\t")); return;
    default: buf_addf(out, "\\u%04x", (unsigned)(unsigned char)c); return;
    }
}

static void put_string(struct buf *out, struct span s)
{
    buf_add_char(out, '"');
    while (s.len) {
        uint32_t cp;
        size_t n = utf8_decode(s, &cp);
        if (n == 0)
            buf_add(out, SPAN("\xef\xbf\xbd"));
        else if (cp < 0x20 || cp == '"' || cp == '\\' || cp == 0x7f)
            put_escaped(out, (char)cp);
        else
            buf_add(out, span_head(s, n));
        s = span_from(s, n ? n : 1);
    }
    buf_add_char(out, '"');
}

static void put_printed(struct buf *out, struct value v)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1 << 20);
    value_print(&text, v);
    out->failed |= text.failed;
    put_string(out, buf_span(&text));
}

static void new_line(struct writer *w, size_t level)
{
    if (w->options.compress)
        return;
    buf_add_char(w->out, '\n');
    while (level--)
        buf_add(w->out, SPAN("  "));
}

static void put_list(struct writer *w, struct value v, size_t level)
{
    buf_add_char(w->out, '[');
    for (size_t i = 0; i < v.list.count; i++) {
        buf_add(w->out, i ? SPAN(",") : SPAN(""));
        new_line(w, level + 1);
        put(w, v.list.items[i], level + 1);
    }
    if (v.list.count)
        new_line(w, level);
    buf_add_char(w->out, ']');
}

static void put_record(struct writer *w, const struct record *r, size_t level)
{
    buf_add_char(w->out, '{');
    for (size_t i = 0; i < r->count; i++) {
        buf_add(w->out, i ? SPAN(",") : SPAN(""));
        new_line(w, level + 1);
        put_string(w->out, r->fields[i].name);
        buf_add(w->out, w->options.compress ? SPAN(":") : SPAN(": "));
        put(w, r->fields[i].value, level + 1);
    }
    if (r->count)
        new_line(w, level);
    buf_add_char(w->out, '}');
}

static void put(struct writer *w, struct value v, size_t level)
{
    bool deep = level > w->options.depth;
    switch (v.kind) {
    case VALUE_NULL:
    case VALUE_SECRET:
    case VALUE_BLOCK: buf_add(w->out, SPAN("null")); return;
    case VALUE_BOOL: buf_add(w->out, v.b ? SPAN("true") : SPAN("false")); return;
    case VALUE_INT:
    case VALUE_SIZE: buf_addf(w->out, "%" PRId64, v.i); return;
    case VALUE_STRING: put_string(w->out, v.s); return;
    case VALUE_TIMESPAN:
    case VALUE_TIME:
    case VALUE_UNLIMITED: put_printed(w->out, v); return;
    case VALUE_LIST:
        if (deep)
            put_printed(w->out, v);
        else
            put_list(w, v, level);
        return;
    case VALUE_RECORD:
        if (deep)
            put_printed(w->out, v);
        else
            put_record(w, v.record, level);
        return;
    }
}

void json_print(struct buf *out, struct value v, struct json_options options)
{
    struct writer w = {out, options};
    if (w.options.depth > JSON_DEPTH_MAX)
        w.options.depth = JSON_DEPTH_MAX;
    put(&w, v, 0);
}
