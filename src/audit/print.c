/* print.c: the report for people: a paragraph a finding, the worst first, and a line that sums up. */
#include "audit/audit.h"

enum { WIDTH = 100, INDENT = 4 };

static void indent(struct buf *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_add_char(out, ' ');
}

/* Words up to WIDTH characters a line. */
static void wrap(struct buf *out, struct span text)
{
    size_t column = 0;
    for (struct span rest = text, part; span_split(&rest, ' ', &part);) {
        if (column && INDENT + column + 1 + part.len > WIDTH) {
            buf_add_char(out, '\n');
            column = 0;
        }
        if (column == 0)
            indent(out, INDENT);
        else
            buf_add_char(out, ' ');
        buf_add(out, part);
        column += part.len + (column != 0);
    }
    buf_add_char(out, '\n');
}

static void line(struct buf *out, const char *label, struct span before, struct span text)
{
    if (text.len)
        buf_addf(out, "    %s: %.*s%s%.*s\n", label, SPAN_ARG(before), before.len ? " " : "", SPAN_ARG(text));
}

static void print_finding(struct buf *out, const struct audit_finding *f, struct span explain)
{
    static const char *const severities[AUDIT_SEVERITIES] = {"note", "warning", "DANGER"};
    const struct audit_kind_info *kind = audit_kind_info(f->kind);
    buf_addf(out, "%s  %s  %s \"%.*s\"\n", severities[f->severity], kind->name, f->class_name, SPAN_ARG(f->object));
    struct buf sentence;
    buf_init(&sentence, 8192);
    if (f->text.len)
        buf_add_char(&sentence, ascii_upper(f->text.ptr[0]));
    buf_addf(&sentence, "%.*s.", SPAN_ARG(span_from(f->text, 1)));
    wrap(out, buf_span(&sentence));
    buf_done(&sentence);
    wrap(out, span_of(kind->why));
    line(out, "see", explain, f->witness);
    line(out, "mend", SPAN(""), f->remedy);
    buf_add_char(out, '\n');
}

static void count(struct buf *out, size_t n, const char *what, const char *end)
{
    buf_addf(out, "%zu %s%s%s", n, what, n == 1 ? "" : "s", end);
}

void audit_print(struct buf *out, const struct audit_report *r, struct span explain)
{
    for (size_t i = 0; i < r->count; i++)
        print_finding(out, &r->findings[i], explain);
    count(out, r->by_severity[AUDIT_DANGER], "danger", ", ");
    count(out, r->by_severity[AUDIT_WARNING], "warning", ", ");
    count(out, r->by_severity[AUDIT_NOTE], "note", ".\n");
}
