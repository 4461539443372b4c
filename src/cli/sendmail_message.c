/*
 * sendmail_message.c: from the command line and the header to an envelope and the header that goes out. The server
 * adds what every submission lacks (Message-ID, Date, Received); a From it cannot invent, so that is added here.
 */
#include "cli/sendmail.h"

#include "base/utf8.h"
#include "mail/address.h"
#include "mail/header.h"

enum { SHOWN_MAX = 200 };

struct builder {
    const struct sendmail_options *options;
    const struct sendmail_user *user;
    struct arena *arena;
    struct sendmail_message *message;
    enum sendmail_exit exit;
    struct err *err;
    bool resent; /* the header has fields of RFC 5322 3.6.6: they name the recipients then */
};

static enum err_code no_memory(struct builder *b)
{
    b->exit = SENDMAIL_OSERR;
    return err_set(b->err, ERR_NO_MEMORY, "out of memory");
}

/* Canonical and with a domain. */
static enum err_code complete(struct builder *b, struct span *address)
{
    struct mail_address a;
    struct span text = *address;
    if (span_rfind(text, '@') == SIZE_MAX && b->user->domain.len)
        text = arena_printf(b->arena, "%.*s@%.*s", SPAN_ARG(text), SPAN_ARG(b->user->domain));
    enum address_defect d =
        text.ptr ? address_parse(text, ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_LONG, b->arena, &a) : ADDRESS_MEMORY;
    if (d == ADDRESS_MEMORY)
        return no_memory(b);
    if (d)
        return err_set(b->err, ERR_INVALID, "`%.*s` is no address: %s", SPAN_ARG(span_head(text, SHOWN_MAX)),
                       address_defect_text(d));
    *address = a.text;
    return ERR_NONE;
}

/* Appends the addresses of a list. */
static enum err_code add(struct builder *b, struct span list, const char *where, struct span *to, size_t *count)
{
    size_t n, first = *count;
    bool whole = header_addresses(b->arena, list, to + first, NULL, SENDMAIL_RECIPIENTS_MAX - first, &n);
    *count += n;
    if (!whole)
        return err_set(b->err, ERR_INVALID, "%s: `%.*s` is no list of addresses, or they are more than %d", where,
                       SPAN_ARG(span_head(list, SHOWN_MAX)), SENDMAIL_RECIPIENTS_MAX);
    enum err_code code = ERR_NONE;
    for (size_t i = first; !code && i < *count; i++)
        code = complete(b, &to[i]);
    return code;
}

static bool names_recipients(const struct builder *b, struct span name, bool *ret_hidden)
{
    static const struct span plain[] = {SPAN_INIT("Bcc"), SPAN_INIT("To"), SPAN_INIT("Cc")};
    static const struct span resent[] = {SPAN_INIT("Resent-Bcc"), SPAN_INIT("Resent-To"), SPAN_INIT("Resent-Cc")};
    *ret_hidden = span_ieq(name, plain[0]) || span_ieq(name, resent[0]);
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (span_ieq(name, b->resent ? resent[i] : plain[i]))
            return true;
    return false;
}

static bool contains(const struct span *list, size_t count, struct span address)
{
    for (size_t i = 0; i < count; i++)
        if (address_eq(list[i], address))
            return true;
    return false;
}

/* With -t the addresses of the command line are those who are not to get it, as Sendmail has it. */
static enum err_code leave_out(struct builder *b)
{
    struct sendmail_message *m = b->message;
    struct span *out = ARENA_ARRAY(b->arena, SENDMAIL_RECIPIENTS_MAX, struct span);
    size_t out_count = 0, kept = 0;
    enum err_code code = out ? ERR_NONE : no_memory(b);
    for (int i = 0; !code && i < b->options->recipient_count; i++)
        code = add(b, span_of(b->options->recipients[i]), "recipient", out, &out_count);
    for (size_t i = 0; !code && i < m->recipient_count; i++)
        if (!contains(out, out_count, m->recipients[i]))
            m->recipients[kept++] = m->recipients[i];
    if (!code)
        m->recipient_count = kept;
    return code;
}

static enum err_code find_recipients(struct builder *b, struct span section)
{
    struct sendmail_message *m = b->message;
    struct header_field f;
    bool hidden;
    enum err_code code = ERR_NONE;
    m->recipients = ARENA_ARRAY(b->arena, SENDMAIL_RECIPIENTS_MAX, struct span);
    if (!m->recipients)
        return no_memory(b);
    b->exit = b->options->from_header ? SENDMAIL_DATAERR : SENDMAIL_USAGE;
    for (int i = 0; !code && !b->options->from_header && i < b->options->recipient_count; i++)
        code = add(b, span_of(b->options->recipients[i]), "recipient", m->recipients, &m->recipient_count);
    for (struct span rest = section; !code && b->options->from_header && header_next(&rest, &f);)
        if (names_recipients(b, f.name, &hidden) && span_trim(f.value).len)
            code = add(b, f.value, "the message's header", m->recipients, &m->recipient_count);
    if (!code && b->options->from_header && b->options->recipient_count)
        code = leave_out(b);
    if (!code && !m->recipient_count)
        code = err_set(b->err, ERR_INVALID, "no recipient: %s",
                       b->options->from_header ? "To, Cc and Bcc of the message name none" : "give an address");
    return code;
}

static enum err_code find_sender(struct builder *b)
{
    struct span given = span_of(b->options->sender), *sender = &b->message->sender;
    size_t n = 0;
    b->exit = SENDMAIL_USAGE;
    if (b->options->sender && (!given.len || span_eq(given, SPAN("<>"))))
        return ERR_NONE;
    if (b->options->sender && (!header_addresses(b->arena, given, sender, NULL, 1, &n) || n != 1))
        return err_set(b->err, ERR_INVALID, "-f %.*s is not one address", SPAN_ARG(span_head(given, SHOWN_MAX)));
    if (!b->options->sender)
        *sender = b->user->name;
    return complete(b, sender);
}

/* A name as a quoted string or, beyond ASCII, as it is; controls do not get into a header. */
static void put_phrase(struct buf *out, struct span name)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"' || name.ptr[i] == '\\')
            buf_add_char(out, '\\');
        if ((unsigned char)name.ptr[i] >= 0x20 && name.ptr[i] != 0x7f)
            buf_add_char(out, name.ptr[i]);
    }
    buf_add_char(out, '"');
}

static void put_from(struct builder *b, struct buf *out)
{
    struct span name = b->options->full_name ? span_of(b->options->full_name) : b->user->full_name;
    struct span address = b->message->sender;
    if (!address.len)
        return; /* a report says itself who it is from */
    buf_add(out, SPAN("From: "));
    if (name.len)
        put_phrase(out, name);
    buf_addf(out, "%s<%.*s>\r\n", name.len ? " " : "", SPAN_ARG(address));
}

static struct span print_header(struct builder *b, struct span section, bool with_hidden)
{
    struct buf out;
    struct header_field f;
    bool from = header_find(section, SPAN("From"), &f), hidden;
    buf_init(&out, SENDMAIL_HEADER_MAX + 4096);
    if (!from)
        put_from(b, &out);
    for (struct span rest = section; header_next(&rest, &f);) {
        names_recipients(b, f.name, &hidden);
        if (with_hidden || !hidden)
            buf_add(&out, f.whole);
    }
    buf_add(&out, SPAN("\r\n"));
    struct span text = out.failed ? (struct span){NULL, 0} : arena_dup(b->arena, buf_span(&out));
    buf_done(&out);
    return text;
}

/* Whether a file that is picked up by its header goes to the same, from the same. */
static bool is_by_header(struct builder *b, struct span section)
{
    const struct sendmail_options *o = b->options;
    struct header_field f;
    struct span from[2];
    size_t n = 0;
    if (!o->from_header || o->recipient_count || o->notify || o->ret || o->envid || b->resent ||
        !b->message->sender.len)
        return false;
    if (header_find(section, SPAN("Sender"), &f))
        return false;
    if (!header_find(section, SPAN("From"), &f))
        return true;
    return header_addresses(b->arena, f.value, from, NULL, ARRAY_LEN(from), &n) && n == 1 &&
           !complete(b, &from[0]) && address_eq(from[0], b->message->sender);
}

static bool has_resent(struct span section)
{
    struct header_field f;
    for (struct span rest = section; header_next(&rest, &f);)
        if (span_istarts(f.name, SPAN("Resent-")))
            return true;
    return false;
}

enum err_code sendmail_build(const struct sendmail_options *o, const struct sendmail_user *user,
                             struct span section, struct arena *arena, struct sendmail_message *ret,
                             enum sendmail_exit *ret_exit, struct err *err)
{
    struct sendmail_message m = {0};
    struct builder b = {
        .options = o, .user = user, .arena = arena, .message = &m, .err = err, .resent = has_resent(section)};
    enum err_code code = find_recipients(&b, section);
    if (!code)
        code = find_sender(&b);
    if (!code) {
        m.utf8 = !utf8_is_ascii(m.sender);
        for (size_t i = 0; !m.utf8 && i < m.recipient_count; i++)
            m.utf8 = !utf8_is_ascii(m.recipients[i]);
        m.by_header = is_by_header(&b, section);
        m.header = print_header(&b, section, false);
        m.original = print_header(&b, section, true);
        if (!m.header.ptr || !m.original.ptr)
            code = no_memory(&b);
    }
    *ret_exit = code ? b.exit : SENDMAIL_OK;
    if (!code)
        *ret = m;
    return code;
}
