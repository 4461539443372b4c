/*
 * relay_guard.c: see relay_guard.h.
 *
 * Invariant: `present` belongs to the store's generation that it is marked with; when another hand has changed the
 * store, or nobody knows what is there, it is made anew before a statement can change anything.
 */
#include "cmdlet/relay_guard.h"

#include "audit/audit.h"
#include "cmdlet/context.h"
#include "cmdlet/policy_block.h"
#include "shell/command.h"

/* ---- auditing what the store holds ---- */

/* The open relays of the store's policy, in the arena; the block must outlive them. */
static enum err_code audit_store(struct cmdlet_context *c, struct buf *block, struct policy **ret_policy,
                                 struct arena *arena, struct audit_report *ret, struct err *err)
{
    const struct audit_facts facts = {.now_ms = c->now_ms(), .host = c->host};
    enum err_code code = cmdlet_policy_block(c->policy, 0, block, err);
    if (!code)
        code = policy_open(buf_span(block), ret_policy, err);
    return code ? code : audit_run(*ret_policy, &facts, AUDIT_RELAYS, arena, ret, err);
}

static struct relay_guard_list list_of(const struct audit_report *r)
{
    struct relay_guard_list l = {.sound = true};
    for (size_t i = 0; i < r->count && l.count < RELAY_GUARD_MAX; i++) {
        l.items[l.count].key = r->findings[i].key;
        l.items[l.count++].extent = r->findings[i].extent;
    }
    return l;
}

/* Not there yet, or open to more addresses than it was. */
static bool is_new(const struct relay_guard_list *present, const struct audit_finding *f)
{
    for (size_t i = 0; i < present->count; i++)
        if (present->items[i].key == f->key)
            return audit_extent_has_grown(f->extent, present->items[i].extent);
    return true;
}

/* ---- the answer ---- */

static enum err_code refuse(const struct audit_finding *f, struct err *err)
{
    bool domain = span_eq(span_of(f->class_name), SPAN("AcceptedDomain"));
    return err_set(err, ERR_DENIED,
                   "\"%.*s\" would %s an open relay: %.*s, or add -Force. To see it: mailreeve "
                   "explain %.*s",
                   SPAN_ARG(span_head(f->object, 64)), domain ? "make" : "be", SPAN_ARG(f->text),
                   SPAN_ARG(f->witness));
}

static void warn(struct shell_host *host, const struct audit_finding *f)
{
    struct buf b;
    bool domain = span_eq(span_of(f->class_name), SPAN("AcceptedDomain"));
    buf_init(&b, 2048);
    buf_addf(&b, "\"%.*s\" %s an open relay now: %.*s. `mailreeve audit` shows it as long as it is one.",
             SPAN_ARG(f->object), domain ? "makes" : "is", SPAN_ARG(f->text));
    host->warn(host, buf_span(&b));
    buf_done(&b);
}

static enum err_code judge(struct cmdlet_context *c, const struct audit_report *r, struct err *err)
{
    for (size_t i = 0; i < r->count; i++) {
        if (!is_new(&c->relays.present, &r->findings[i]))
            continue;
        if (!c->forced)
            return refuse(&r->findings[i], err);
        warn(c->forced, &r->findings[i]);
    }
    return ERR_NONE;
}

/* ---- around a transaction ---- */

void relay_guard_begin(struct cmdlet_context *c)
{
    struct relay_guard *g = &c->relays;
    struct policy *policy = NULL;
    struct audit_report r = {0};
    struct arena arena;
    struct buf block;
    struct err ignored;
    c->forced = NULL;
    c->trial = false;
    if (g->known && g->generation == object_store_generation(c->policy))
        return;
    arena_init(&arena, 0);
    buf_init(&block, POLICY_BLOCK_MAX);
    bool sound = audit_store(c, &block, &policy, &arena, &r, &ignored) == ERR_NONE;
    g->present = sound ? list_of(&r) : (struct relay_guard_list){0};
    g->generation = object_store_generation(c->policy);
    g->known = true;
    policy_close(policy);
    buf_wipe(&block); /* it holds the passwords of smart hosts */
    arena_clear(&arena);
}

enum err_code relay_guard_check(struct cmdlet_context *c, struct err *err)
{
    struct relay_guard *g = &c->relays;
    struct policy *policy = NULL;
    struct audit_report r = {0};
    struct arena arena;
    struct buf block;
    struct err why = {0};
    if (!c->policy->changed)
        return ERR_NONE;
    arena_init(&arena, 0);
    buf_init(&block, POLICY_BLOCK_MAX);
    enum err_code code = audit_store(c, &block, &policy, &arena, &r, &why);
    if (!code) {
        g->next = list_of(&r);
        code = judge(c, &r, err);
    } else if (!g->present.sound) { /* it must be possible to repair it in steps */
        g->next = (struct relay_guard_list){0};
        code = ERR_NONE;
    } else {
        err_set(err, code, "%s", why.text);
    }
    policy_close(policy);
    buf_wipe(&block);
    arena_clear(&arena);
    return code;
}

void relay_guard_committed(struct cmdlet_context *c)
{
    if (!c->policy->changed)
        return;
    c->relays.present = c->relays.next;
    c->relays.generation = object_store_generation(c->policy);
}
