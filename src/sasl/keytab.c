/*
 * keytab.c: see keytab.h. The file: 0x05 0x02, then records: i32 length (negative: a hole of that size; 0: the
 * end), and in it u16 count of components, realm and components as counted text (u16 length), u32 type of the name,
 * u32 time, u8 version, u16 type of the key, the key as counted text, and, where there is room, u32 version, which
 * counts instead of the first one unless it is 0. All numbers have the most significant octet first.
 *
 * Invariants: every length is checked against what is left of its record; no key is copied or shown.
 */
#include "sasl/keytab.h"

#include <string.h>

/* A reader with a sticky error: out of range gives zeros. */
struct reader {
    struct span rest;
    bool bad;
};

static struct span take(struct reader *r, size_t n)
{
    if (r->bad || n > r->rest.len) {
        r->bad = true;
        return SPAN("");
    }
    struct span s = span_head(r->rest, n);
    r->rest = span_from(r->rest, n);
    return s;
}

static uint32_t number(struct reader *r, size_t octets)
{
    struct span s = take(r, octets);
    uint32_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n = n << 8 | (unsigned char)s.ptr[i];
    return n;
}

static struct span counted(struct reader *r)
{
    return take(r, number(r, 2));
}

static bool read_entry(struct span record, struct keytab_entry *e)
{
    struct reader r = {.rest = record};
    *e = (struct keytab_entry){.component_count = number(&r, 2)};
    if (r.bad || e->component_count > KEYTAB_COMPONENTS_MAX)
        return false;
    e->realm = counted(&r);
    for (size_t i = 0; i < e->component_count; i++)
        e->components[i] = counted(&r);
    take(&r, 4 + 4); /* type of the name, time */
    e->kvno = number(&r, 1);
    e->enctype = (uint16_t)number(&r, 2);
    e->key = counted(&r);
    bool good = !r.bad;
    if (good && r.rest.len >= 4) {
        uint32_t wide = number(&r, 4);
        e->kvno = wide ? wide : e->kvno;
    }
    return good;
}

enum err_code keytab_read(struct span file, keytab_each_fn *each, void *context, struct err *err)
{
    struct reader r = {.rest = file};
    if (file.len > KEYTAB_FILE_MAX)
        return err_set(err, ERR_LIMIT, "is larger than %d bytes", KEYTAB_FILE_MAX);
    if (!span_eq(take(&r, 2), SPAN("\x05\x02")))
        return err_set(err, ERR_INVALID, "is no keytab of version 2");
    for (size_t n = 0; r.rest.len;) {
        uint32_t head = number(&r, 4);
        bool hole = head > INT32_MAX;
        struct keytab_entry e;
        if (!r.bad && head == 0)
            break;
        struct span record = take(&r, hole ? (size_t)UINT32_MAX - head + 1 : head);
        if (r.bad || (!hole && !read_entry(record, &e)))
            return err_set(err, ERR_INVALID, "is malformed behind its entry %zu", n);
        if (hole)
            continue;
        if (n++ == KEYTAB_ENTRIES_MAX)
            return err_set(err, ERR_LIMIT, "has more than %d entries", KEYTAB_ENTRIES_MAX);
        each(context, &e);
    }
    return ERR_NONE;
}

/* ---- what is of use ---- */

static bool is_for_smtp(const struct keytab_entry *e)
{
    return e->component_count == 2 && e->realm.len && e->components[1].len &&
           (span_ieq(e->components[0], SPAN("smtp")) || span_ieq(e->components[0], SPAN("smtpsvc")));
}

/* RFC 3962, 8009, 6803: with the lengths of their keys. */
static bool is_safe(const struct keytab_entry *e)
{
    static const struct {
        uint16_t enctype;
        size_t octets;
    } types[] = {{17, 16}, {18, 32}, {19, 16}, {20, 32}, {25, 16}, {26, 32}};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (types[i].enctype == e->enctype)
            return types[i].octets == e->key.len;
    return false;
}

static bool is_printable(const struct keytab_entry *e)
{
    return span_is_printable_ascii(e->realm) && span_is_printable_ascii(e->components[1]);
}

bool keytab_entry_usable(const struct keytab_entry *e)
{
    return is_for_smtp(e) && is_safe(e) && is_printable(e);
}

/* ---- describing ---- */

enum { SHOWN_MAX = 16, OTHER_MAX = 100 };

struct summary {
    struct keytab_entry shown[SHOWN_MAX]; /* principals, each with its newest version */
    size_t shown_count;
    bool more;       /* there are others */
    bool weak;       /* a key for SMTP of a type that is not safe */
    struct span any; /* the first service that it has keys for */
};

static bool same_principal(const struct keytab_entry *a, const struct keytab_entry *b)
{
    return span_ieq(a->components[0], b->components[0]) && span_ieq(a->components[1], b->components[1]) &&
           span_eq(a->realm, b->realm);
}

static void note(void *context, const struct keytab_entry *e)
{
    struct summary *s = context;
    if (!s->any.len && e->component_count)
        s->any = e->components[0];
    s->weak |= is_for_smtp(e) && !is_safe(e);
    if (!keytab_entry_usable(e))
        return;
    for (size_t i = 0; i < s->shown_count; i++)
        if (same_principal(&s->shown[i], e)) {
            s->shown[i].kvno = e->kvno > s->shown[i].kvno ? e->kvno : s->shown[i].kvno;
            return;
        }
    if (s->shown_count == SHOWN_MAX)
        s->more = true;
    else
        s->shown[s->shown_count++] = *e;
}

static enum err_code of_no_use(const struct summary *s, struct err *err)
{
    if (s->weak)
        return err_set(err, ERR_NOT_FOUND,
                       "has keys for smtp/HOST of unsafe types only (RC4, DES, or damaged ones); AES is needed");
    if (s->any.len && span_is_printable_ascii(s->any))
        return err_set(err, ERR_NOT_FOUND, "has no key for smtp/HOST (but one for %.*s/...)",
                       SPAN_ARG(span_head(s->any, OTHER_MAX)));
    return err_set(err, ERR_NOT_FOUND, "has no key for smtp/HOST");
}

enum err_code keytab_describe(struct span file, struct buf *out, struct err *err)
{
    struct summary s = {.shown_count = 0};
    enum err_code code = keytab_read(file, note, &s, err);
    if (code)
        return code;
    if (!s.shown_count)
        return of_no_use(&s, err);
    for (size_t i = 0; i < s.shown_count; i++) {
        const struct keytab_entry *e = &s.shown[i];
        size_t before = out->len;
        buf_addf(out, "%s%.*s/%.*s@%.*s (version %u)", i ? ", " : "", SPAN_ARG(e->components[0]),
                 SPAN_ARG(e->components[1]), SPAN_ARG(e->realm), e->kvno);
        if (out->failed) {
            out->len = before;
            out->failed = false;
            s.more = true;
            break;
        }
    }
    if (s.more)
        buf_add(out, SPAN(", ..."));
    out->failed = false;
    return ERR_NONE;
}
