/* json.c: values as JSON (RFC 8259). What is not UTF-8 becomes U+FFFD; a secret is null. */
#include "base/utf8.h"
#include "shell/internal.h"

#include <inttypes.h>

static void put_string(struct buf *out, struct span s)
{
    buf_add_char(out, '"');
    while (s.len) {
        uint32_t cp;
        size_t n = utf8_decode(s, &cp);
        if (n == 0) {
            buf_add(out, SPAN("\xef\xbf\xbd"));
            n = 1;
        } else if (cp == '"' || cp == '\\') {
            buf_addf(out, "\\%c", (int)cp);
        } else if (cp < 0x20 || cp == 0x7f) {
            buf_addf(out, "\\u%04x", cp);
        } else {
            buf_add(out, span_head(s, n));
        }
        s = span_from(s, n);
    }
    buf_add_char(out, '"');
}

static void new_line(struct buf *out, int indent, bool compress)
{
    if (compress)
        return;
    buf_add_char(out, '\n');
    for (int i = 0; i < indent; i++)
        buf_add(out, SPAN("  "));
}

static void put_record(struct buf *out, const struct record *r, int indent, bool compress)
{
    buf_add_char(out, '{');
    for (size_t i = 0; i < r->count; i++) {
        if (i)
            buf_add_char(out, ',');
        new_line(out, indent + 1, compress);
        put_string(out, r->fields[i].name);
        buf_add(out, compress ? SPAN(":") : SPAN(": "));
        json_print(out, r->fields[i].value, indent + 1, compress);
    }
    if (r->count)
        new_line(out, indent, compress);
    buf_add_char(out, '}');
}

void json_print(struct buf *out, struct value v, int indent, bool compress)
{
    switch (v.kind) {
    case VALUE_NULL:
    case VALUE_SECRET:
    case VALUE_BLOCK: buf_add(out, SPAN("null")); return;
    case VALUE_BOOL: buf_add(out, v.b ? SPAN("true") : SPAN("false")); return;
    case VALUE_INT:
    case VALUE_SIZE: buf_addf(out, "%" PRId64, v.i); return;
    case VALUE_STRING: put_string(out, v.s); return;
    case VALUE_RECORD: put_record(out, v.record, indent, compress); return;
    case VALUE_TIMESPAN:
    case VALUE_TIME:
    case VALUE_UNLIMITED: {
        struct buf b;
        buf_init(&b, 128);
        value_print(&b, v);
        put_string(out, buf_span(&b));
        buf_done(&b);
        return;
    }
    case VALUE_LIST: break;
    }
    buf_add_char(out, '[');
    for (size_t i = 0; i < v.list.count; i++) {
        if (i)
            buf_add_char(out, ',');
        new_line(out, indent + 1, compress);
        json_print(out, v.list.items[i], indent + 1, compress);
    }
    if (v.list.count)
        new_line(out, indent, compress);
    buf_add_char(out, ']');
}
