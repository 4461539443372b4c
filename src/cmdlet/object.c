/* object.c: small things that every cmdlet needs: the context, arguments, new records, the schema's errors. */
#include "cmdlet/internal.h"

#include <stdarg.h>
#include <stdio.h>

struct cmdlet_context *cmdlet_context(const struct shell_call *call)
{
    return call->context;
}

struct object_store *cmdlet_store(const struct cmdlet_context *c, const struct noun *n)
{
    return n->recipients ? c->recipients : c->policy;
}

const struct value *cmdlet_argument(const struct shell_call *call, const char *name)
{
    return record_get(call->arguments, span_of(name));
}

bool cmdlet_switch(const struct shell_call *call, const char *name)
{
    return record_bool(call->arguments, span_of(name), false);
}

enum err_code cmdlet_no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "out of memory");
}

enum err_code cmdlet_set(struct record *r, const char *name, struct value v, struct err *err)
{
    return record_set(r, span_of(name), v) ? ERR_NONE : cmdlet_no_memory(err);
}

/* A random GUID of RFC 9562, version 4. */
static struct span new_guid(struct cmdlet_context *c, struct arena *arena)
{
    unsigned char b[16];
    c->random(b, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    return arena_printf(arena, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
                        b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

struct record *cmdlet_new_record(struct cmdlet_context *c, const struct schema_class *class, struct arena *arena)
{
    struct record *r = record_new(arena, span_of(class->name));
    struct span guid = new_guid(c, arena);
    struct value now = value_time(c->now_ms());
    if (!r || !guid.ptr || !record_set(r, SPAN("Guid"), value_string(guid)) ||
        !record_set(r, SPAN("WhenCreated"), now) || !record_set(r, SPAN("WhenChanged"), now))
        return NULL;
    return r;
}

enum err_code cmdlet_parameter_error(const struct shell_call *call, struct err *err)
{
    struct err inner = *err;
    return err_set(err, inner.code, "%s -%s", call->command->name, inner.text);
}

enum err_code cmdlet_parse(struct shell_call *call, const struct schema_property *p, struct value given,
                           const struct value *current, struct value *ret, struct err *err)
{
    enum err_code code = schema_parse_property(p, given, current, call->arena, ret, err);
    return code ? cmdlet_parameter_error(call, err) : ERR_NONE;
}

void cmdlet_warn(struct shell_call *call, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    call->host->warn(call->host, span_of(text));
}

void cmdlet_say_what_if(struct shell_call *call, struct span object)
{
    cmdlet_warn(call, "What if: %s on \"%.*s\".", call->command->name, SPAN_ARG(span_head(object, 200)));
}

bool cmdlet_try_what_if(struct shell_call *call, struct span object)
{
    struct cmdlet_context *c = cmdlet_context(call);
    cmdlet_say_what_if(call, object);
    bool undone = !c->secrets_elsewhere; /* a script of `apply` has no transaction of its own */
    c->trial = undone && (c->trial || !(c->policy->changed || c->recipients->changed));
    return c->trial;
}

void cmdlet_note_force(struct shell_call *call)
{
    if (cmdlet_switch(call, "Force"))
        cmdlet_context(call)->forced = call->host;
}

/* The only object of a settings class; NULL where there is none yet. */
static enum err_code settings(struct cmdlet_context *c, const char *class_name, struct arena *arena,
                              struct record **ret, struct err *err)
{
    struct record **all;
    size_t count = 0;
    enum err_code code = object_store_list(c->policy, span_of(class_name), arena, &all, &count, err);
    *ret = code == ERR_NONE && count ? all[0] : NULL;
    return code;
}

enum err_code cmdlet_facts(struct cmdlet_context *c, struct arena *arena, struct schema_facts *ret, struct err *err)
{
    struct record *server, *config = NULL;
    enum err_code code = settings(c, "TransportServer", arena, &server, err);
    if (code == ERR_NONE)
        code = settings(c, "TransportConfig", arena, &config, err);
    if (code)
        return code;
    const struct value *secure = config ? record_get(config, SPAN("TLSReceiveDomainSecureList")) : NULL;
    *ret = (struct schema_facts){
        .edge = c->edge,
        .downgraded_server_auth = server && record_bool(server, SPAN("UseDowngradedExchangeServerAuth"), false),
        .secure_domains = secure && secure->kind == VALUE_LIST ? secure->list.count : 0,
        .secrets_elsewhere = c->secrets_elsewhere,
    };
    return ERR_NONE;
}

bool cmdlet_parse_date(struct span s, int64_t *ret_ms)
{
    struct span rest = s, month, day, year;
    char text[64];
    if (value_parse_time(s, ret_ms))
        return true;
    if (!span_split(&rest, '/', &month) || !span_split(&rest, '/', &day) || rest.len < 4)
        return false;
    year = span_head(rest, 4);
    int n = snprintf(text, sizeof text, "%.*s-%s%.*s-%s%.*s%.*s", SPAN_ARG(year), month.len == 1 ? "0" : "",
                     SPAN_ARG(month), day.len == 1 ? "0" : "", SPAN_ARG(day), SPAN_ARG(span_from(rest, 4)));
    return n > 0 && (size_t)n < sizeof text && value_parse_time(span_of(text), ret_ms);
}

enum err_code cmdlet_date(struct shell_call *call, const char *name, int64_t otherwise, int64_t *ret,
                          struct err *err)
{
    const struct value *v = cmdlet_argument(call, name);
    *ret = otherwise;
    if (!v || (v->kind == VALUE_STRING && cmdlet_parse_date(v->s, ret)))
        return ERR_NONE;
    if (v->kind == VALUE_TIME) {
        *ret = v->i;
        return ERR_NONE;
    }
    return err_set(err, ERR_INVALID,
                   "%s -%s: \"%.*s\" is no date; give one such as 2026-11-24 or 2026-11-24T18:30 (UTC)",
                   call->command->name, name, SPAN_ARG(v->kind == VALUE_STRING ? span_head(v->s, 60) : SPAN("?")));
}
