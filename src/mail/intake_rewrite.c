/*
 * intake_rewrite.c: one header section in, the guarded one out.
 *
 * Invariants: a field that is kept is kept to the byte, in its place, but for the domains that authors without one
 * get; runs of kept fields go out in one piece; no field that the options remove gets out. Two passes: what is to
 * be added depends on all fields, and nothing may come out of a message that is refused.
 */
#include "mail/address.h"
#include "mail/header.h"
#include "mail/intake_internal.h"
#include "mail/received.h"

enum known_field {
    FIELD_OTHER,
    FIELD_RECEIVED,
    FIELD_MESSAGE_ID,
    FIELD_DATE,
    FIELD_SUBJECT,
    FIELD_FROM,
    FIELD_SENDER,
    FIELD_BCC,
    FIELD_RETURN_PATH,
    FIELD_AUTH_AS,
    FIELD_TLS_REQUIRED,
};

static enum known_field known_field(struct span name)
{
    static const struct {
        struct span name;
        enum known_field field;
    } table[] = {
        {SPAN_INIT("Received"), FIELD_RECEIVED},
        {SPAN_INIT("Message-ID"), FIELD_MESSAGE_ID},
        {SPAN_INIT("Date"), FIELD_DATE},
        {SPAN_INIT("Subject"), FIELD_SUBJECT},
        {SPAN_INIT("From"), FIELD_FROM},
        {SPAN_INIT("Sender"), FIELD_SENDER},
        {SPAN_INIT("Bcc"), FIELD_BCC},
        {SPAN_INIT("Resent-Bcc"), FIELD_BCC},
        {SPAN_INIT("Return-Path"), FIELD_RETURN_PATH},
        {SPAN_INIT("X-MS-Exchange-Organization-AuthAs"), FIELD_AUTH_AS},
        {SPAN_INIT("TLS-Required"), FIELD_TLS_REQUIRED},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (span_ieq(name, table[i].name))
            return table[i].field;
    return FIELD_OTHER;
}

static void note_text(struct intake *i, struct span value, size_t max, struct span *ret)
{
    if (ret->ptr)
        return; /* the first counts */
    *ret = header_unfold(i->arena, value, max);
    if (!ret->ptr)
        i->result.problem = INTAKE_NO_MEMORY;
}

/* A section, and where its authors get a domain: places in it, ascending. */
struct rewriting {
    struct span section;
    size_t bare[INTAKE_FROM_MAX + 1];
    size_t bare_count;
};

/* Gives an author the default domain, here and, by a note, where it stands. False: that makes no address. */
static bool complete(struct intake *i, struct rewriting *w, struct span value, size_t bare, struct span *address)
{
    const unsigned flags = ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_LONG;
    struct mail_address a;
    struct span full = arena_printf(i->arena, "%.*s@%.*s", SPAN_ARG(*address), SPAN_ARG(i->options.default_domain));
    if (!full.ptr || address_parse(full, flags, i->arena, &a))
        return false;
    ASSERT(w->bare_count < ARRAY_LEN(w->bare));
    w->bare[w->bare_count++] = (size_t)(value.ptr - w->section.ptr) + bare;
    *address = a.text;
    return true;
}

/* The addresses of a field of authors, at most max; false: not all of them. */
static bool read_authors(struct intake *i, struct rewriting *w, struct span value, struct span *ret, size_t max,
                         size_t *ret_count)
{
    size_t bare[INTAKE_FROM_MAX];
    bool whole = header_addresses(i->arena, value, ret, bare, max, ret_count);
    for (size_t k = 0; i->options.default_domain.len && k < *ret_count; k++)
        if (bare[k] && !complete(i, w, value, bare[k], &ret[k]))
            whole = false;
    return whole;
}

static void note_from(struct intake *i, struct rewriting *w, struct span value)
{
    struct intake_result *r = &i->result;
    size_t n;
    if (!read_authors(i, w, value, r->from + r->from_count, INTAKE_FROM_MAX - r->from_count, &n))
        r->authors_complete = false;
    r->from_count += n;
}

/* RFC 5322 3.6.2: one Sender field with one mailbox; a further one is not read. */
static void note_sender(struct intake *i, struct rewriting *w, struct span value)
{
    struct intake_result *r = &i->result;
    struct span address;
    size_t n = 0;
    if (r->sender.ptr || !read_authors(i, w, value, &address, 1, &n) || n != 1)
        r->authors_complete = false;
    if (n == 1)
        r->sender = address;
}

static bool is_local(const struct intake_options *o, struct span name)
{
    for (size_t i = 0; name.len && i < INTAKE_NAMES_MAX; i++)
        if (span_ieq(name, o->local_names[i]))
            return true;
    return false;
}

static void note_received(struct intake *i, struct span value)
{
    struct intake_result *r = &i->result;
    r->hops += r->hops < UINT32_MAX;
    if (i->options.max_local_hops && r->hops <= i->options.max_hops && is_local(&i->options, received_by(value)))
        r->local_hops++;
}

struct missing {
    bool message_id, date, auth_as;
};

static void note_fields(struct intake *i, struct rewriting *w, struct missing *ret)
{
    struct intake_result *r = &i->result;
    struct header_field f;
    r->authors_complete = true;
    *ret = (struct missing){.message_id = true, .date = true, .auth_as = true};
    for (struct span rest = w->section; header_next(&rest, &f);)
        switch (known_field(f.name)) {
        case FIELD_RECEIVED: note_received(i, f.value); break;
        case FIELD_MESSAGE_ID:
            ret->message_id = false;
            note_text(i, f.value, INTAKE_MESSAGE_ID_MAX, &r->message_id);
            break;
        case FIELD_DATE: ret->date = false; break;
        case FIELD_AUTH_AS: ret->auth_as = i->options.remove_organization; break;
        case FIELD_SUBJECT: note_text(i, f.value, INTAKE_SUBJECT_MAX, &r->subject); break;
        case FIELD_FROM: note_from(i, w, f.value); break;
        case FIELD_SENDER: note_sender(i, w, f.value); break;
        case FIELD_TLS_REQUIRED: r->tls_optional |= span_ieq(span_trim(f.value), SPAN("No")); break;
        case FIELD_BCC:
        case FIELD_RETURN_PATH:
        case FIELD_OTHER: break;
        }
    if (r->message_id.len == 0)
        r->message_id = i->options.message_id;
}

static bool keeps(const struct intake_options *o, const struct header_field *f)
{
    switch (header_class(f->name)) {
    case HEADER_ROUTING:
        if (o->remove_routing)
            return false;
        break;
    case HEADER_ORGANIZATION: return !o->remove_organization;
    case HEADER_FOREST: return !o->remove_forest;
    case HEADER_ORDINARY: break;
    }
    enum known_field k = known_field(f->name);
    return k != FIELD_RETURN_PATH && !(k == FIELD_BCC && o->remove_bcc);
}

static void emit_field(struct intake *i, struct span name, struct span value)
{
    intake_emit(i, name);
    intake_emit(i, value);
    intake_emit(i, SPAN("\r\n"));
}

/* What of the section stands from run up to at, with the domains that its authors get. */
static void emit_run(struct intake *i, const struct rewriting *w, size_t run, size_t at)
{
    for (size_t k = 0; k < w->bare_count; k++) {
        if (w->bare[k] <= run || w->bare[k] > at)
            continue;
        intake_emit(i, span_from(span_head(w->section, w->bare[k]), run));
        intake_emit(i, SPAN("@"));
        intake_emit(i, i->options.default_domain);
        run = w->bare[k];
    }
    intake_emit(i, span_from(span_head(w->section, at), run));
}

static void emit_kept(struct intake *i, const struct rewriting *w)
{
    struct header_field f;
    size_t run = 0, at = 0; /* fields from run up to at are kept and not yet out */
    for (struct span rest = w->section; header_next(&rest, &f); at += f.whole.len)
        if (!keeps(&i->options, &f)) {
            emit_run(i, w, run, at);
            run = at + f.whole.len;
        }
    struct span last = span_from(w->section, run);
    emit_run(i, w, run, w->section.len);
    if (last.len && !span_ends(last, SPAN("\n")))
        intake_emit(i, SPAN("\r\n"));
}

void intake_rewrite(struct intake *i, struct span section)
{
    struct rewriting w = {.section = section};
    struct missing missing;
    note_fields(i, &w, &missing);
    if (i->result.hops > i->options.max_hops)
        i->result.problem = INTAKE_TOO_MANY_HOPS;
    else if (i->options.max_local_hops && i->result.local_hops > i->options.max_local_hops)
        i->result.problem = INTAKE_TOO_MANY_LOCAL_HOPS;
    if (i->result.problem)
        return;
    intake_emit(i, i->options.trace);
    if (missing.auth_as)
        intake_emit(i, i->options.stamp);
    if (missing.message_id && i->options.add_message_id)
        emit_field(i, SPAN("Message-ID: "), i->options.message_id);
    if (missing.date && i->options.add_date)
        emit_field(i, SPAN("Date: "), i->options.date);
    emit_kept(i, &w);
    intake_emit(i, SPAN("\r\n"));
}
