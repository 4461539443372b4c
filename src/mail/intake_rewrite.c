/*
 * intake_rewrite.c: one header section in, the guarded one out.
 *
 * Invariants: a field that is kept is kept to the byte, in its place; runs of kept fields go out in one piece; no
 * field that the options remove gets out. Two passes: what is to be added depends on all fields, and nothing may
 * come out of a message that is refused.
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

static void note_from(struct intake_result *r, struct arena *arena, struct span value)
{
    size_t n;
    if (!header_addresses(arena, value, r->from + r->from_count, INTAKE_FROM_MAX - r->from_count, &n))
        r->authors_complete = false;
    r->from_count += n;
}

/* RFC 5322 3.6.2: one Sender field with one mailbox. */
static void note_sender(struct intake_result *r, struct arena *arena, struct span value)
{
    struct span address;
    size_t n;
    if (!header_addresses(arena, value, &address, 1, &n) || n != 1 || r->sender.ptr)
        r->authors_complete = false;
    if (n == 1 && !r->sender.ptr)
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

static void note_fields(struct intake *i, struct span section, struct missing *ret)
{
    struct intake_result *r = &i->result;
    struct header_field f;
    r->authors_complete = true;
    *ret = (struct missing){.message_id = true, .date = true, .auth_as = true};
    for (struct span rest = section; header_next(&rest, &f);)
        switch (known_field(f.name)) {
        case FIELD_RECEIVED: note_received(i, f.value); break;
        case FIELD_MESSAGE_ID:
            ret->message_id = false;
            note_text(i, f.value, INTAKE_MESSAGE_ID_MAX, &r->message_id);
            break;
        case FIELD_DATE: ret->date = false; break;
        case FIELD_AUTH_AS: ret->auth_as = i->options.remove_organization; break;
        case FIELD_SUBJECT: note_text(i, f.value, INTAKE_SUBJECT_MAX, &r->subject); break;
        case FIELD_FROM: note_from(r, i->arena, f.value); break;
        case FIELD_SENDER: note_sender(r, i->arena, f.value); break;
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

static void emit_kept(struct intake *i, struct span section)
{
    struct header_field f;
    size_t run = 0, at = 0; /* fields from run up to at are kept and not yet out */
    for (struct span rest = section; header_next(&rest, &f); at += f.whole.len)
        if (!keeps(&i->options, &f)) {
            intake_emit(i, span_from(span_head(section, at), run));
            run = at + f.whole.len;
        }
    struct span last = span_from(section, run);
    intake_emit(i, last);
    if (last.len && !span_ends(last, SPAN("\n")))
        intake_emit(i, SPAN("\r\n"));
}

void intake_rewrite(struct intake *i, struct span section)
{
    struct missing missing;
    note_fields(i, section, &missing);
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
    emit_kept(i, section);
    intake_emit(i, SPAN("\r\n"));
}
