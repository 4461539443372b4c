/*
 * plan_desired.c: a policy script, run on an empty policy in memory: a store of its own, a person in front who
 * confirms everything and knows no password, no queues, no files.
 *
 * Invariants: nothing outside is changed; a script that says the policy alone sees the real recipients, and cannot
 * change them. Passwords are kept beside the store, which forgets them as every store does.
 */
#include "cmdlet/bootstrap.h"
#include "cmdlet/plan_internal.h"
#include "shell/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the recipients as the script sees them ---- */

struct desired_recipients {
    struct object_store store;
    struct object_store *inner;
    struct desired *desired;
    bool real; /* and so not to be changed */
};

static struct desired_recipients *of(struct object_store *s)
{
    return (struct desired_recipients *)s;
}

static enum err_code no_transaction(struct object_store *s UNUSED, struct err *err UNUSED)
{
    return ERR_NONE; /* there is one around the whole */
}

static void no_rollback(struct object_store *s UNUSED)
{
}

static enum err_code refuse(struct err *err)
{
    return err_set(err, ERR_DENIED,
                   "this script says the policy alone, and here it would change recipients; where it says all "
                   "recipients too, add --recipients (-Recipients), or else take this statement out");
}

static enum err_code keep_password(struct desired *d, const struct record *r, struct err *err)
{
    const struct value *v = record_get(r, SPAN("Password"));
    struct value kept;
    if (!v || v->kind != VALUE_SECRET || span_eq(v->s, span_of(d->nobody)))
        return ERR_NONE;
    if (d->password_count == d->password_cap) {
        size_t cap = d->password_cap ? d->password_cap * 2 : 16;
        struct desired_password *grown = ARENA_ARRAY(&d->arena, cap, struct desired_password);
        if (!grown)
            return cmdlet_no_memory(err);
        for (size_t i = 0; i < d->password_count; i++)
            grown[i] = d->passwords[i];
        d->passwords = grown;
        d->password_cap = cap;
    }
    struct span guid = arena_dup(&d->arena, record_string(r, SPAN("Guid")));
    if (!guid.ptr || !value_copy(&d->arena, *v, &kept))
        return cmdlet_no_memory(err);
    d->passwords[d->password_count] = (struct desired_password){guid, kept, d->password_count};
    d->password_count++;
    return ERR_NONE;
}

static enum err_code put(struct object_store *s, const struct record *r, struct err *err)
{
    if (of(s)->real)
        return refuse(err);
    enum err_code code = keep_password(of(s)->desired, r, err);
    return code ? code : object_store_put(of(s)->inner, r, err);
}

static enum err_code remove_object(struct object_store *s, struct span class_name, struct span guid,
                                   struct err *err)
{
    return of(s)->real ? refuse(err) : object_store_remove(of(s)->inner, class_name, guid, err);
}

static enum err_code list(struct object_store *s, struct span class_name, struct arena *arena, struct record ***ret,
                          size_t *ret_count, struct err *err)
{
    return object_store_list(of(s)->inner, class_name, arena, ret, ret_count, err);
}

static enum err_code get(struct object_store *s, struct span class_name, struct span guid, struct arena *arena,
                         struct record **ret, struct err *err)
{
    return object_store_get(of(s)->inner, class_name, guid, arena, ret, err);
}

static enum err_code find(struct object_store *s, struct span class_name, struct span property, struct span text,
                          struct arena *arena, struct record ***ret, size_t *ret_count, struct err *err)
{
    return object_store_find(of(s)->inner, class_name, property, text, arena, ret, ret_count, err);
}

static uint64_t generation(struct object_store *s)
{
    return object_store_generation(of(s)->inner);
}

static void close_recipients(struct object_store *s)
{
    free(s);
}

static struct object_store *recipients_new(struct desired *d, struct object_store *inner, bool real)
{
    static const struct object_store_ops ops = {.begin = no_transaction,
                                                .commit = no_transaction,
                                                .rollback = no_rollback,
                                                .put = put,
                                                .remove = remove_object,
                                                .list = list,
                                                .get = get,
                                                .find = find,
                                                .generation = generation,
                                                .close = close_recipients};
    struct desired_recipients *r = calloc(1, sizeof *r);
    if (r)
        *r = (struct desired_recipients){{&ops}, inner, d, real};
    return r ? &r->store : NULL;
}

static int by_guid(const void *a, const void *b)
{
    const struct desired_password *x = a, *y = b;
    int n = span_icmp(x->guid, y->guid);
    return n ? n : (x->order > y->order) - (x->order < y->order);
}

const struct value *desired_password(const struct desired *d, struct span guid)
{
    size_t low = 0, high = d->password_count; /* the last one given counts */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (span_icmp(d->passwords[middle].guid, guid) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low && span_ieq(d->passwords[low - 1].guid, guid) ? &d->passwords[low - 1].value : NULL;
}

/* ---- the person in front ---- */

struct desired_host {
    struct shell_host host;
    struct shell_host *real; /* or NULL */
    const struct desired *desired;
    const struct plan_script *script;
    size_t line;
};

static enum err_code ask(struct shell_host *host, enum shell_ask_kind kind, struct span text, struct arena *arena,
                         struct span *ret, struct err *err)
{
    const struct desired_host *h = (const struct desired_host *)host;
    if (kind == SHELL_ASK_FILE)
        return err_set(err, ERR_DENIED,
                       "a policy script cannot read other files (%.*s); give the value itself, or set it with the "
                       "shell afterwards",
                       SPAN_ARG(span_head(text, 100)));
    *ret = arena_dup(arena, kind == SHELL_ASK_CONFIRM ? SPAN("y") : span_of(h->desired->nobody));
    return ret->ptr ? ERR_NONE : cmdlet_no_memory(err);
}

static void warn(struct shell_host *host, struct span text)
{
    const struct desired_host *h = (const struct desired_host *)host;
    struct buf b;
    if (!h->real)
        return;
    buf_init(&b, 4096);
    buf_addf(&b, "%.*s, line %zu: %.*s", SPAN_ARG(span_head(h->script->name, 200)), h->line,
             SPAN_ARG(span_head(text, 3000)));
    h->real->warn(h->real, buf_span(&b));
    buf_done(&b);
}

/* ---- running ---- */

/* Where a statement begins; the place before it is moved on, so that a script is walked through once. */
struct place {
    const char *at;
    size_t line, column;
};

static void move_to(struct place *p, const char *to)
{
    for (; p->at < to; p->at++) {
        bool end = *p->at == '\n', inside = ((unsigned char)*p->at & 0xc0) == 0x80; /* of a character */
        p->line += end;
        p->column = end ? 1 : p->column + !inside;
    }
}

/* By its commands: New-Mailbox would otherwise find the address of one that is there taken. */
static bool changes_recipients(const struct shell_table *table, const struct statement *statement)
{
    for (size_t i = 0; i < statement->pipeline.count; i++) {
        const struct shell_command *c = shell_find_command(table, statement->pipeline.calls[i].name);
        bool members = c && c >= member_commands && c < member_commands + MEMBER_COMMANDS;
        bool generic = c && (c->run == cmdlet_run_new || c->run == cmdlet_run_set || c->run == cmdlet_run_remove);
        if (c && (c->changes || c->confirms) &&
            (members || (generic && ((const struct noun *)c->data)->recipients)))
            return true;
    }
    return false;
}

static enum err_code run_statements(const struct plan_script *script, const struct script *parsed,
                                    const struct shell *shell, struct desired_host *h, struct err *err)
{
    struct place p = {script->text.ptr, 1, 1};
    enum err_code code = ERR_NONE;
    for (size_t i = 0; !code && i < parsed->count; i++) {
        move_to(&p, parsed->statements[i].source.ptr);
        h->line = p.line;
        code = !script->recipients && changes_recipients(shell->table, &parsed->statements[i])
                   ? refuse(err)
                   : shell_execute(shell, &parsed->statements[i], err);
    }
    if (code) {
        struct err inner = *err;
        err_set(err, code, "%.*s, line %zu, column %zu: %s", SPAN_ARG(span_head(script->name, 120)), p.line,
                p.column, inner.text);
    }
    return code;
}

static enum err_code run_script(struct desired *d, const struct plan_script *script, struct shell_host *host,
                                struct err *err)
{
    struct shell_table table;
    struct script parsed;
    struct desired_host h = {.host = {ask, warn}, .real = host, .desired = d, .script = script};
    enum err_code code = cmdlet_table(&d->arena, &table, err);
    if (!code)
        code = syntax_parse(script->text, &d->arena, &parsed, NULL, err);
    if (code) {
        struct err inner = *err;
        return err_set(err, code, "%.*s, %s", SPAN_ARG(span_head(script->name, 120)), inner.text);
    }
    const struct shell shell = {.table = &table, .host = &h.host, .context = &d->context};
    return run_statements(script, &parsed, &shell, &h, err);
}

static void make_nobody(struct desired *d, struct cmdlet_context *c)
{
    unsigned char bytes[16];
    c->random(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(d->nobody + 2 * i, 3, "%02x", bytes[i]);
}

enum err_code desired_run(struct desired *d, struct cmdlet_context *real, const struct plan_script *script,
                          struct shell_host *host, struct err *err)
{
    *d = (struct desired){.context = {.edge = real->edge,
                                      .host = real->host,
                                      .port_offset = real->port_offset,
                                      .secrets_elsewhere = true,
                                      .now_ms = real->now_ms,
                                      .random = real->random}};
    arena_init(&d->arena, SHELL_STATEMENT_ARENA_MAX);
    make_nobody(d, real);
    enum err_code code = object_store_scratch_open(&d->policy, err);
    if (code)
        return code;
    d->recipients = recipients_new(d, script->recipients ? d->policy : real->recipients, !script->recipients);
    if (!d->recipients)
        return cmdlet_no_memory(err);
    d->context.policy = d->policy;
    d->context.recipients = d->recipients;
    code = object_store_begin(d->policy, err);
    if (!code)
        code = cmdlet_init_settings(&d->context, err);
    if (!code)
        code = run_script(d, script, host, err);
    if (!code && d->password_count)
        qsort(d->passwords, d->password_count, sizeof *d->passwords, by_guid);
    return code;
}

void desired_done(struct desired *d)
{
    for (size_t i = 0; i < d->password_count; i++)
        explicit_bzero((void *)(uintptr_t)d->passwords[i].value.s.ptr, d->passwords[i].value.s.len);
    object_store_close(d->recipients);
    object_store_close(d->policy);
    arena_clear(&d->arena);
    *d = (struct desired){0};
}
