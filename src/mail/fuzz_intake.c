/*
 * Any bytes as a message, under options and cuts taken from the first bytes: the output and the result do not
 * depend on the cuts; no guarded field gets out, the lines of the output's header section are beyond doubt, and the
 * body is the input's. Whoever reads the output finds the authors that were found, each with a domain.
 */
#include "mail/header.h"
#include "mail/intake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PREFIX = 4 };

static void append(void *context, struct span bytes)
{
    buf_add(context, bytes);
}

/* Cuts the message into pieces of 1..step bytes, by a generator seeded with step; step 0 is one piece. */
static void run(const struct intake_options *o, struct span message, unsigned step, struct arena *arena,
                struct buf *out, struct intake_result *ret)
{
    struct intake i;
    uint32_t seed = step;
    intake_init(&i, o, arena, append, out);
    while (message.len) {
        seed = seed * 1664525u + 1013904223u;
        struct span piece = span_head(message, step ? 1 + (seed >> 16) % step : message.len);
        intake_feed(&i, piece);
        message = span_from(message, piece.len);
    }
    intake_finish(&i, ret);
    intake_done(&i);
}

static void check_same(const struct intake_result *a, const struct intake_result *b)
{
    ASSERT(a->problem == b->problem);
    if (a->problem)
        return;
    ASSERT(span_eq(a->message_id, b->message_id) && span_eq(a->subject, b->subject) &&
           span_eq(a->sender, b->sender));
    ASSERT(a->from_count == b->from_count && a->authors_complete == b->authors_complete && a->hops == b->hops);
    ASSERT(a->local_hops == b->local_hops && a->local_hops <= a->hops);
    for (size_t i = 0; i < a->from_count; i++)
        ASSERT(span_eq(a->from[i], b->from[i]));
    ASSERT(a->eight_bit_header == b->eight_bit_header && a->eight_bit_body == b->eight_bit_body);
    ASSERT(a->header_bytes == b->header_bytes && a->bytes_out == b->bytes_out);
}

static bool is_removed(const struct intake_options *o, struct span name)
{
    static const struct span bcc = SPAN_INIT("Bcc");
    enum header_class c = header_class(name);
    return (c == HEADER_ROUTING && o->remove_routing) || (c == HEADER_ORGANIZATION && o->remove_organization) ||
           (c == HEADER_FOREST && o->remove_forest) || (o->remove_bcc && span_ieq(name, bcc)) ||
           span_ieq(name, SPAN("Return-Path"));
}

static void check_output(const struct intake_options *o, struct span message, const struct intake_result *r,
                         struct span out)
{
    ASSERT(r->bytes_out == out.len && span_starts(out, o->trace));
    struct span rest = span_from(out, o->trace.len), line = {NULL, 0};
    ASSERT(!o->stamp.len || !o->remove_organization || span_starts(rest, o->stamp));
    if (o->stamp.len && span_starts(rest, o->stamp))
        rest = span_from(rest, o->stamp.len);
    while (span_split(&rest, '\n', &line) && !span_eq(line, SPAN("\r"))) {
        ASSERT(rest.ptr && span_find(line, '\r') + 1 == line.len && span_find(line, '\0') == SIZE_MAX);
        bool continues = line.ptr[0] == ' ' || line.ptr[0] == '\t';
        struct span name = header_name(line);
        ASSERT(continues || (name.len && !is_removed(o, name)));
    }
    ASSERT(span_eq(line, SPAN("\r")));
    struct span body = span_from(message, r->header_bytes);
    if (!span_eq(rest, body)) /* the blank line was there, in one of its two forms */
        ASSERT(span_ends(body, rest) && (span_eq(span_head(body, body.len - rest.len), SPAN("\r\n")) ||
                                         span_eq(span_head(body, body.len - rest.len), SPAN("\n"))));
}

static void check_authors(const struct intake_result *r, struct span out, struct arena *arena)
{
    const struct intake_options o = {.max_header = 1 << 24, .max_hops = UINT32_MAX};
    struct intake_result again;
    struct buf copy;
    if (!r->authors_complete)
        return;
    buf_init(&copy, out.len + 200);
    run(&o, out, 0, arena, &copy, &again);
    ASSERT(!again.problem && again.authors_complete && again.from_count == r->from_count);
    ASSERT(span_eq(again.sender, r->sender));
    for (size_t i = 0; i < r->from_count; i++)
        ASSERT(span_eq(again.from[i], r->from[i]) && span_find(r->from[i], '@') != SIZE_MAX);
    buf_done(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < PREFIX)
        return 0;
    const struct intake_options o = {
        .trace = SPAN("Received: by us\r\n"),
        .stamp = data[2] & 4 ? SPAN("X-MS-Exchange-Organization-AuthAs: Anonymous\r\n") : SPAN(""),
        .remove_routing = data[0] & 1,
        .remove_organization = data[0] & 2,
        .remove_forest = data[0] & 4,
        .remove_bcc = data[0] & 8,
        .add_message_id = data[0] & 16,
        .add_date = data[0] & 32,
        .message_id = SPAN("<i@us>"),
        .date = SPAN("now"),
        .default_domain = data[2] & 32 ? SPAN("d.test") : SPAN(""),
        .max_header = data[1] * 16u,
        .max_hops = data[2] & 3u,
        .max_local_hops = data[2] >> 2 & 3u,
        .local_names = {SPAN("us"), SPAN("mail.example.com")},
    };
    const struct span message = span_make(data + PREFIX, size - PREFIX);
    struct arena arena;
    struct buf whole, cut;
    struct intake_result a, b;
    arena_init(&arena, 0);
    buf_init(&whole, size + 200);
    buf_init(&cut, size + 200);
    run(&o, message, 0, &arena, &whole, &a);
    run(&o, message, data[3] ? data[3] : 1, &arena, &cut, &b);
    ASSERT(!whole.failed && span_eq(buf_span(&whole), buf_span(&cut)));
    check_same(&a, &b);
    if (!a.problem && o.default_domain.len)
        check_authors(&a, buf_span(&whole), &arena);
    if (a.problem)
        ASSERT(whole.len == 0);
    else
        check_output(&o, message, &a, buf_span(&whole));
    buf_done(&whole);
    buf_done(&cut);
    arena_clear(&arena);
    return 0;
}
