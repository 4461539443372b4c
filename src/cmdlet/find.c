/*
 * find.c: which object an identity means. Text is compared with the name first, so a name that looks like something
 * else still works; then with the Guid, the noun's keys, and the name behind this server's.
 */
#include "base/utf8.h"
#include "cmdlet/internal.h"

enum { NAMED_MAX = 8 };

bool cmdlet_is_pattern(const struct value *v)
{
    return v && v->kind == VALUE_STRING && (span_find(v->s, '*') != SIZE_MAX || span_find(v->s, '?') != SIZE_MAX);
}

static bool is_this_server(const struct cmdlet_context *c, struct span name)
{
    return span_ieq(name, c->host) || span_ieq(name, span_head(c->host, span_find(c->host, '.')));
}

enum err_code cmdlet_check_server(struct shell_call *call, struct err *err)
{
    const struct value *given = cmdlet_argument(call, "Server");
    struct cmdlet_context *c = cmdlet_context(call);
    struct span name = given && given->kind == VALUE_STRING ? given->s : SPAN("");
    if (!given || is_this_server(c, name))
        return ERR_NONE;
    return err_set(err, ERR_NOT_FOUND, "%s -Server: \"%.*s\" is not this server, which is %.*s",
                   call->command->name, SPAN_ARG(span_head(name, 100)), SPAN_ARG(c->host));
}

static enum err_code by_property(struct shell_call *call, const struct noun *n, struct span property,
                                 struct span text, struct record **ret, struct err *err)
{
    struct record **found;
    size_t count = 0;
    struct object_store *s = cmdlet_store(cmdlet_context(call), n);
    enum err_code code =
        object_store_find(s, span_of(n->class->name), property, text, call->arena, &found, &count, err);
    *ret = code == ERR_NONE && count ? found[0] : NULL;
    return code;
}

/* An identity as the property keeps it: a name beyond ASCII is kept as the DNS has it. */
static struct span key_text(struct shell_call *call, const struct schema_property *p, struct span text)
{
    struct value v;
    struct err ignored;
    if (!utf8_is_ascii(text) && !schema_parse_text(p, text, call->arena, &v, &ignored) && v.kind == VALUE_STRING)
        return v.s;
    return text;
}

/* *ret is NULL when there is none. */
static enum err_code by_text(struct shell_call *call, const struct noun *n, struct span text, struct record **ret,
                             struct err *err)
{
    size_t slash = span_rfind(text, '\\');
    enum err_code code = by_property(call, n, SPAN("Name"), text, ret, err);
    if (code == ERR_NONE && !*ret)
        code = by_property(call, n, SPAN("Guid"), text, ret, err);
    for (const char *const *k = n->keys; k && *k && code == ERR_NONE && !*ret; k++)
        code = by_property(call, n, span_of(*k), key_text(call, schema_property(n->class, span_of(*k)), text), ret,
                           err);
    if (code == ERR_NONE && !*ret && slash != SIZE_MAX &&
        is_this_server(cmdlet_context(call), span_head(text, slash)))
        code = by_property(call, n, SPAN("Name"), span_from(text, slash + 1), ret, err);
    return code;
}

static enum err_code not_found(struct shell_call *call, const struct noun *n, struct span identity, struct err *err)
{
    struct record **all;
    size_t count = 0;
    struct buf b;
    struct object_store *s = cmdlet_store(cmdlet_context(call), n);
    enum err_code code = object_store_list(s, span_of(n->class->name), call->arena, &all, &count, err);
    if (code)
        return code;
    buf_init(&b, 1024);
    for (size_t i = 0; i < count && i < NAMED_MAX; i++)
        buf_addf(&b, "%s\"%.*s\"", i ? ", " : "", SPAN_ARG(span_head(record_string(all[i], SPAN("Name")), 40)));
    struct span names = buf_span(&b);
    err_set(err, ERR_NOT_FOUND, "%s: the %s \"%.*s\" could not be found; %s%.*s%s", call->command->name,
            n->class->label, SPAN_ARG(span_head(identity, 80)), count ? "there are " : "there is none at all",
            SPAN_ARG(names), count > NAMED_MAX ? " and others" : "");
    buf_done(&b);
    return ERR_NOT_FOUND;
}

/* The text by which a value from a command line or the pipeline identifies an object of the class. */
static enum err_code identity_text(struct shell_call *call, const struct noun *n, struct value v, struct span *ret,
                                   struct err *err)
{
    struct span text = v.kind == VALUE_STRING ? v.s : SPAN("");
    if (v.kind == VALUE_INT)
        text = arena_printf(call->arena, "%lld", (long long)v.i);
    if (v.kind == VALUE_RECORD) {
        bool member = span_ieq(record_string(v.record, SPAN("RecipientType")), span_of(n->class->name));
        if (!span_ieq(v.record->type, span_of(n->class->name)) && !member)
            return err_set(err, ERR_INVALID, "%s: a %s is expected, not an object of the type %.*s",
                           call->command->name, n->class->label, SPAN_ARG(v.record->type));
        text = record_string(v.record, SPAN("Guid"));
        if (!text.len) /* what Select-Object has left of it */
            text = record_string(v.record, SPAN("Name"));
    }
    if (!text.len)
        return err_set(err, ERR_INVALID, "%s -Identity: the name of a %s is expected", call->command->name,
                       n->class->label);
    *ret = text;
    return ERR_NONE;
}

enum err_code cmdlet_find(struct shell_call *call, const struct noun *n, struct value identity, struct record **ret,
                          struct err *err)
{
    struct span text;
    struct record *found = NULL;
    enum err_code code = identity_text(call, n, identity, &text, err);
    if (code == ERR_NONE)
        code = by_text(call, n, text, &found, err);
    if (code == ERR_NONE && !found)
        code = not_found(call, n, text, err);
    if (code == ERR_NONE)
        *ret = found;
    return code;
}

static enum err_code find_singleton(struct shell_call *call, const struct noun *n, const struct value *identity,
                                    struct record **ret, struct err *err)
{
    struct record **all;
    size_t count = 0;
    struct cmdlet_context *c = cmdlet_context(call);
    enum err_code code =
        object_store_list(cmdlet_store(c, n), span_of(n->class->name), call->arena, &all, &count, err);
    if (code == ERR_NONE && count == 0)
        code = err_set(err, ERR_NOT_FOUND, "%s: there is no %s; the state folder is not complete",
                       call->command->name, n->class->label);
    if (code)
        return code;
    struct span text = identity && identity->kind == VALUE_STRING ? identity->s : SPAN("");
    if (text.len && !span_ieq(record_string(all[0], SPAN("Name")), text) && !is_this_server(c, text) &&
        !span_ieq(record_string(all[0], SPAN("Guid")), text))
        return not_found(call, n, text, err);
    *ret = all[0];
    return ERR_NONE;
}

enum err_code cmdlet_target(struct shell_call *call, const struct noun *n, struct record **ret, struct err *err)
{
    const struct value *identity = cmdlet_argument(call, "Identity");
    if (!identity)
        identity = call->input;
    if (n->singleton)
        return find_singleton(call, n, identity, ret, err);
    if (!identity)
        return err_set(err, ERR_INVALID, "%s: which %s? Give -Identity NAME, or pipe it in", call->command->name,
                       n->class->label);
    return cmdlet_find(call, n, *identity, ret, err);
}

static const struct noun *const kinds[] = {&noun_mailbox, &noun_mail_contact, &noun_distribution_group};

enum err_code cmdlet_recipient_by_guid(struct shell_call *call, struct span guid, struct record **ret,
                                       const struct noun **ret_noun, struct err *err)
{
    enum err_code code = ERR_NOT_FOUND;
    struct object_store *s = cmdlet_context(call)->recipients;
    for (size_t k = 0; k < ARRAY_LEN(kinds) && code == ERR_NOT_FOUND; k++) {
        code = object_store_get(s, span_of(kinds[k]->class->name), guid, call->arena, ret, err);
        if (code == ERR_NONE)
            *ret_noun = kinds[k];
    }
    return code;
}

enum err_code cmdlet_find_recipient(struct shell_call *call, struct value identity, struct record **ret,
                                    const struct noun **ret_noun, struct err *err)
{
    bool record = identity.kind == VALUE_RECORD;
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        struct span class = span_of(kinds[k]->class->name), text;
        struct record *found = NULL;
        if (record && !span_ieq(identity.record->type, class) &&
            !span_ieq(record_string(identity.record, SPAN("RecipientType")), class))
            continue;
        enum err_code code = identity_text(call, kinds[k], identity, &text, err);
        if (code == ERR_NONE)
            code = by_text(call, kinds[k], text, &found, err);
        if (code)
            return code;
        if (found) {
            *ret = found;
            *ret_noun = kinds[k];
            return ERR_NONE;
        }
    }
    struct span text = record ? record_string(identity.record, SPAN("Name")) : identity.s;
    return err_set(err, ERR_NOT_FOUND, "%s: no mailbox, contact or group is called \"%.*s\"", call->command->name,
                   SPAN_ARG(span_head(text, 100)));
}
