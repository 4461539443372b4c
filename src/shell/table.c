/*
 * table.c: Format-Table. A column is as wide as its widest cell; when the line would be too long, the widest
 * columns give way first and what does not fit is cut with "...".
 */
#include "shell/format.h"

#include "base/utf8.h"

enum { COLUMN_MIN = 8 };

struct table {
    const struct value *items;
    size_t count;
    const struct span *names;
    size_t columns;
    size_t widths[FORMAT_COLUMNS_MAX];
    bool right[FORMAT_COLUMNS_MAX]; /* numbers are aligned to the right */
    struct buf cell;                /* scratch */
};

static struct span cell(struct table *t, size_t row, size_t column)
{
    buf_clear(&t->cell);
    format_value(&t->cell, format_property(t->items[row], t->names[column]));
    return buf_span(&t->cell);
}

static bool is_number(const struct value *v)
{
    return v->kind == VALUE_INT || v->kind == VALUE_SIZE;
}

/* Numbers, with nothing or Unlimited among them. */
static bool is_numeric(const struct table *t, size_t column)
{
    bool any = false;
    for (size_t i = 0; i < t->count; i++) {
        const struct value *v = format_property(t->items[i], t->names[column]);
        if (v && !is_number(v) && v->kind != VALUE_NULL && v->kind != VALUE_UNLIMITED)
            return false;
        any |= v && is_number(v);
    }
    return any;
}

static void measure(struct table *t, size_t column, size_t line)
{
    size_t w = format_width(t->names[column]);
    for (size_t i = 0; i < t->count && w < line; i++) {
        size_t c = format_width(cell(t, i, column));
        w = c > w ? c : w;
    }
    t->widths[column] = w < line ? w : line;
    t->right[column] = is_numeric(t, column);
}

/* Makes the widest column narrower until the line fits. */
static void shrink(struct table *t, size_t line)
{
    size_t total = t->columns ? t->columns - 1 : 0;
    for (size_t c = 0; c < t->columns; c++)
        total += t->widths[c];
    while (total > line) {
        size_t widest = 0;
        for (size_t c = 1; c < t->columns; c++)
            widest = t->widths[c] > t->widths[widest] ? c : widest;
        if (t->widths[widest] <= COLUMN_MIN)
            return;
        t->widths[widest]--;
        total--;
    }
}

/* The first n characters. */
static struct span first_characters(struct span s, size_t n)
{
    size_t at = 0;
    uint32_t cp;
    while (n-- && at < s.len)
        at += utf8_decode(span_from(s, at), &cp);
    return span_head(s, at);
}

static void put_cell(struct buf *out, const struct table *t, size_t column, struct span s)
{
    size_t room = t->widths[column], w = format_width(s);
    if (w > room) {
        size_t kept = room > 3 ? room - 3 : 0;
        buf_add(out, first_characters(s, kept));
        buf_add(out, span_head(SPAN("..."), room - kept));
        return;
    }
    if (t->right[column])
        format_pad(out, room - w, ' ');
    buf_add(out, s);
    if (!t->right[column])
        format_pad(out, room - w, ' ');
}

/* Between columns a blank, behind the last none, nor the blanks that filled it up. */
static void end_cell(struct buf *out, const struct table *t, size_t column)
{
    if (column + 1 < t->columns) {
        buf_add_char(out, ' ');
        return;
    }
    while (!out->failed && out->len && out->ptr[out->len - 1] == ' ')
        out->len--;
    buf_add_char(out, '\n');
}

static void put_header(struct buf *out, struct table *t)
{
    for (size_t c = 0; c < t->columns; c++) {
        buf_clear(&t->cell);
        format_clean(&t->cell, t->names[c], false);
        put_cell(out, t, c, buf_span(&t->cell));
        end_cell(out, t, c);
    }
    for (size_t c = 0; c < t->columns; c++) {
        size_t w = format_width(t->names[c]);
        buf_clear(&t->cell);
        format_pad(&t->cell, w < t->widths[c] ? w : t->widths[c], '-');
        put_cell(out, t, c, buf_span(&t->cell));
        end_cell(out, t, c);
    }
}

void format_table(struct buf *out, const struct value *items, size_t count, const struct columns *columns,
                  size_t width)
{
    struct table t = {.items = items, .count = count, .names = columns->names, .columns = columns->count};
    if (t.columns > FORMAT_COLUMNS_MAX)
        t.columns = FORMAT_COLUMNS_MAX;
    buf_init(&t.cell, SHELL_OUTPUT_MAX);
    for (size_t c = 0; c < t.columns; c++)
        measure(&t, c, width);
    shrink(&t, width);
    buf_add_char(out, '\n');
    put_header(out, &t);
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < t.columns; c++) {
            put_cell(out, &t, c, cell(&t, i, c));
            end_cell(out, &t, c);
        }
    buf_add_char(out, '\n');
    buf_done(&t.cell);
}
