/* format.c: the default form of results, and Format-List's. */
#include "shell/format.h"

#include "base/utf8.h"

enum { VALUE_TEXT_MAX = 16 << 20 };

size_t format_width(struct span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
    return n;
}

void format_pad(struct buf *out, size_t n, char c)
{
    while (n--)
        buf_add_char(out, c);
}

/* Controls of ASCII and of Latin-1, and those that turn the direction of writing round. */
static bool is_control(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x202a && cp <= 0x202e) ||
           (cp >= 0x2066 && cp <= 0x2069);
}

void format_clean(struct buf *out, struct span s, bool lines)
{
    while (s.len) {
        uint32_t cp;
        size_t n = utf8_decode(s, &cp);
        if (n == 0) {
            buf_add(out, SPAN("\xef\xbf\xbd"));
            n = 1;
        } else if (cp == '\n' || cp == '\t') {
            buf_add_char(out, lines ? (char)cp : ' ');
        } else if (is_control(cp)) {
            buf_add_char(out, cp == '\r' ? ' ' : '?');
        } else {
            buf_add(out, span_head(s, n));
        }
        s = span_from(s, n);
    }
}

void format_value(struct buf *out, const struct value *v)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, VALUE_TEXT_MAX);
    if (v)
        value_print(&text, *v);
    out->failed |= text.failed;
    format_clean(out, buf_span(&text), false);
}

const struct value *format_property(struct value v, struct span name)
{
    return v.kind == VALUE_RECORD ? record_get(v.record, name) : NULL;
}

void format_list(struct buf *out, const struct value *items, size_t count, const struct columns *columns)
{
    size_t widest = 0;
    for (size_t c = 0; c < columns->count; c++) {
        size_t w = format_width(columns->names[c]);
        widest = w > widest ? w : widest;
    }
    for (size_t i = 0; i < count; i++) {
        buf_add_char(out, '\n');
        for (size_t c = 0; c < columns->count; c++) {
            format_clean(out, columns->names[c], false);
            format_pad(out, widest - format_width(columns->names[c]), ' ');
            buf_add(out, SPAN(" : "));
            format_value(out, format_property(items[i], columns->names[c]));
            buf_add_char(out, '\n');
        }
    }
    buf_add_char(out, '\n');
}

const struct shell_view *format_view(const struct shell_table *table, struct span type)
{
    for (size_t i = 0; i < table->view_count; i++)
        if (span_ieq(span_of(table->views[i].type), type))
            return &table->views[i];
    return NULL;
}

/* Records of one type. */
static void format_records(struct buf *out, const struct shell *shell, struct arena *arena,
                           const struct value *items, size_t count)
{
    const struct record *first = items[0].record;
    const struct shell_view *view = format_view(shell->table, first->type);
    struct columns columns;
    if (view ? !columns_of_view(arena, view, &columns) : !columns_all(arena, first, &columns))
        out->failed = true;
    else if (!view && first->count > FORMAT_TABLE_PROPERTIES)
        format_list(out, items, count, &columns);
    else
        format_table(out, items, count, &columns, shell->output.width ? shell->output.width : SHELL_WIDTH);
}

static void format_plain(struct buf *out, const struct value *v)
{
    if (v->kind == VALUE_NULL)
        return;
    if (v->kind == VALUE_STRING)
        format_clean(out, v->s, true);
    else
        format_value(out, v);
    if (v->kind != VALUE_STRING || !span_ends(v->s, SPAN("\n")))
        buf_add_char(out, '\n');
}

void format_default(struct buf *out, const struct shell *shell, struct arena *arena, const struct value *items,
                    size_t count)
{
    for (size_t i = 0; i < count;) {
        size_t n = 1;
        if (items[i].kind != VALUE_RECORD) {
            format_plain(out, &items[i]);
        } else {
            while (i + n < count && items[i + n].kind == VALUE_RECORD &&
                   span_ieq(items[i + n].record->type, items[i].record->type))
                n++;
            format_records(out, shell, arena, items + i, n);
        }
        i += n;
    }
}
