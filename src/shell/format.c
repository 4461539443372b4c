/* format.c: objects as tables and lists, as PowerShell's people know them. */
#include "base/utf8.h"
#include "shell/internal.h"

enum { COLUMNS_MAX = 64, CELL_MAX = 4096, DEFAULT_TABLE_COLUMNS = 5 };

static size_t width(struct span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
    return n;
}

static void cell_text(struct buf *b, const struct value *v)
{
    buf_clear(b);
    if (v)
        value_print(b, *v);
    for (size_t i = 0; i < b->len; i++)
        if (b->ptr[i] == '\n' || b->ptr[i] == '\r' || b->ptr[i] == '\t')
            b->ptr[i] = ' ';
}

static bool is_numeric(const struct value *v)
{
    return v && (v->kind == VALUE_INT || v->kind == VALUE_SIZE);
}

static const struct value *property(struct value v, struct span name)
{
    return v.kind == VALUE_RECORD ? record_get(v.record, name) : NULL;
}

static void pad(struct buf *out, size_t n, char c)
{
    while (n--)
        buf_add_char(out, c);
}

/* At most `room` characters, "..." where it was cut. */
static void put_cell(struct buf *out, struct span s, size_t room, bool right, bool last)
{
    size_t w = width(s);
    if (w <= room) {
        if (right)
            pad(out, room - w, ' ');
        buf_add(out, s);
        if (!right && !last)
            pad(out, room - w, ' ');
        return;
    }
    size_t keep = room > 3 ? room - 3 : 0, at = 0;
    for (uint32_t cp; keep && at < s.len; keep--) {
        size_t n = utf8_decode(span_from(s, at), &cp);
        at += n ? n : 1;
    }
    buf_add(out, span_head(s, at));
    buf_add(out, span_head(SPAN("..."), room < 3 ? room : 3));
}

static void trim_line(struct buf *out)
{
    while (out->len && out->ptr[out->len - 1] == ' ')
        out->len--;
    buf_add_char(out, '\n');
}

void format_table(struct buf *out, const struct value *items, size_t count, const struct span *columns,
                  size_t column_count)
{
    size_t widths[COLUMNS_MAX], total = 0;
    bool right[COLUMNS_MAX];
    struct buf cell;
    buf_init(&cell, CELL_MAX);
    if (column_count > COLUMNS_MAX)
        column_count = COLUMNS_MAX;
    for (size_t c = 0; c < column_count; c++) {
        widths[c] = width(columns[c]);
        right[c] = count > 0;
        for (size_t i = 0; i < count; i++) {
            cell_text(&cell, property(items[i], columns[c]));
            size_t w = width(buf_span(&cell));
            widths[c] = w > widths[c] ? w : widths[c];
            right[c] = right[c] && is_numeric(property(items[i], columns[c]));
        }
        total += widths[c] + 1;
    }
    while (total > SHELL_TABLE_WIDTH) { /* the widest gives way */
        size_t widest = 0;
        for (size_t c = 1; c < column_count; c++)
            if (widths[c] > widths[widest])
                widest = c;
        if (widths[widest] <= 8)
            break;
        widths[widest]--;
        total--;
    }
    buf_add_char(out, '\n');
    for (int row = 0; row < 2; row++) {
        for (size_t c = 0; c < column_count; c++) {
            if (row == 0)
                put_cell(out, columns[c], widths[c], right[c], c + 1 == column_count);
            else
                pad(out, width(columns[c]) < widths[c] && right[c] ? widths[c] - width(columns[c]) : 0, ' '),
                    pad(out, width(columns[c]) < widths[c] ? width(columns[c]) : widths[c], '-'),
                    pad(out, !right[c] && width(columns[c]) < widths[c] ? widths[c] - width(columns[c]) : 0, ' ');
            buf_add_char(out, ' ');
        }
        trim_line(out);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t c = 0; c < column_count; c++) {
            cell_text(&cell, property(items[i], columns[c]));
            put_cell(out, buf_span(&cell), widths[c], right[c], c + 1 == column_count);
            buf_add_char(out, ' ');
        }
        trim_line(out);
    }
    buf_add_char(out, '\n');
    buf_done(&cell);
}

static size_t all_columns(const struct record *r, struct span *columns)
{
    size_t n = 0;
    for (; n < r->count && n < 256; n++)
        columns[n] = r->fields[n].name;
    return n;
}

void format_list(struct buf *out, const struct value *items, size_t count, const struct span *columns,
                 size_t column_count)
{
    for (size_t i = 0; i < count; i++) {
        struct span own[256];
        const struct span *names = columns;
        size_t n = column_count, widest = 0;
        if (items[i].kind != VALUE_RECORD)
            continue;
        if (n == 0) {
            n = all_columns(items[i].record, own);
            names = own;
        }
        for (size_t c = 0; c < n; c++)
            widest = names[c].len > widest ? names[c].len : widest;
        buf_add_char(out, '\n');
        for (size_t c = 0; c < n; c++) {
            const struct value *v = property(items[i], names[c]);
            buf_add(out, names[c]);
            pad(out, widest - names[c].len, ' ');
            buf_add(out, SPAN(" : "));
            if (v)
                value_print(out, *v);
            buf_add_char(out, '\n');
        }
    }
    buf_add_char(out, '\n');
}

static const struct shell_view *find_view(const struct shell_table *t, struct span type)
{
    for (size_t i = 0; i < t->view_count; i++)
        if (span_ieq(span_of(t->views[i].type), type))
            return &t->views[i];
    return NULL;
}

/* One run of records of a type. */
static void format_run(struct buf *out, const struct shell_table *t, const struct value *items, size_t count)
{
    const struct record *first = items[0].record;
    const struct shell_view *view = find_view(t, first->type);
    struct span columns[256];
    size_t n = 0;
    if (view)
        for (; view->columns[n] && n < COLUMNS_MAX; n++)
            columns[n] = span_of(view->columns[n]);
    else
        n = all_columns(first, columns);
    if (!view && n > DEFAULT_TABLE_COLUMNS)
        format_list(out, items, count, NULL, 0);
    else
        format_table(out, items, count, columns, n);
}

void format_default(struct buf *out, const struct shell_table *t, const struct value *items, size_t count)
{
    for (size_t i = 0; i < count;) {
        size_t n = 1;
        if (items[i].kind != VALUE_RECORD) {
            value_print(out, items[i]);
            if (out->len && out->ptr[out->len - 1] != '\n')
                buf_add_char(out, '\n');
        } else {
            while (i + n < count && items[i + n].kind == VALUE_RECORD &&
                   span_ieq(items[i + n].record->type, items[i].record->type))
                n++;
            format_run(out, t, items + i, n);
        }
        i += n;
    }
}

size_t format_columns(struct arena *arena, const struct value *names, const struct record *sample,
                      struct span **ret)
{
    const struct value *list = names && names->kind == VALUE_LIST ? names->list.items : names;
    size_t n = 0, count = !names ? 0 : names->kind == VALUE_LIST ? names->list.count : 1;
    struct span *out = ARENA_ARRAY(arena, 256, struct span);
    for (size_t i = 0; out && i < count; i++) {
        if (list[i].kind != VALUE_STRING)
            continue;
        bool wild = span_find(list[i].s, '*') != SIZE_MAX, known = false;
        for (size_t k = 0; sample && k < sample->count && n < 256; k++)
            if (wild ? shell_like(sample->fields[k].name, list[i].s)
                     : span_ieq(sample->fields[k].name, list[i].s)) {
                out[n++] = sample->fields[k].name;
                known = true;
            }
        if (!known && !wild && n < 256)
            out[n++] = list[i].s;
    }
    *ret = out;
    return n;
}
