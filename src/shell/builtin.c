/* builtin.c: what the shell's own commands share: reading arguments, gathering all objects, printing text. */
#include "shell/internal.h"

#include "base/num.h"

const struct value *builtin_argument(const struct shell_call *call, const char *name)
{
    return record_get(call->arguments, span_of(name));
}

bool builtin_flag(const struct shell_call *call, const char *name)
{
    return record_bool(call->arguments, span_of(name), false);
}

enum err_code builtin_count(const struct shell_call *call, const char *name, size_t *ret, struct err *err)
{
    const struct value *v = builtin_argument(call, name);
    uint64_t n;
    if (!v)
        return ERR_NONE;
    if (v->kind == VALUE_INT && v->i >= 0)
        n = (uint64_t)v->i;
    else if (v->kind != VALUE_STRING || !num_parse_u64(v->s, INT64_MAX, &n))
        return err_set(err, ERR_INVALID, "%s: -%s wants a whole number, 0 or more", call->command->name, name);
    *ret = (size_t)n;
    return ERR_NONE;
}

struct collector *builtin_gathered(struct shell_call *call)
{
    if (!*call->state) {
        struct collector *c = ARENA_NEW(call->arena, struct collector);
        if (c)
            c->arena = call->arena;
        *call->state = c;
    }
    return *call->state;
}

enum err_code builtin_gather(struct shell_call *call, struct err *err)
{
    struct collector *c = builtin_gathered(call);
    if (c && call->input)
        collector_add(c, *call->input);
    return c && !c->failed ? ERR_NONE : run_no_memory(err);
}

enum err_code builtin_emit_text(struct shell_call *call, struct buf *b, struct err *err)
{
    struct span s = b->failed ? (struct span){NULL, 0} : arena_dup(call->arena, buf_span(b));
    buf_done(b);
    if (!s.ptr)
        return err_set(err, ERR_LIMIT, "%s: the output is too large", call->command->name);
    call->emit(call, value_string(s));
    return ERR_NONE;
}
