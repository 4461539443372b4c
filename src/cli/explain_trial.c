/*
 * explain_trial.c: changes tried on a copy: overlays over both stores, and the shell over these.
 *
 * Invariant: what the trial holds belongs to its last apply, and goes with the next.
 */
#include "cli/explain_stores.h"
#include "role/common/admin.h"

#include <stdlib.h>

struct explain_trial_run {
    const struct explain_stores *real;
    struct admin admin;
    struct explain_stores stores; /* the copy */
    struct explain_facts facts;
    struct shell_host host;
    struct buf block;
    struct policy *policy;
};

static void forget(struct explain_trial_run *t)
{
    policy_close(TAKE_PTR(t->policy));
    buf_done(&t->block);
    object_store_close(TAKE_PTR(t->stores.policy));
    object_store_close(TAKE_PTR(t->stores.recipients));
}

/* New mailboxes want a password; nobody will ever log on with this one. */
static enum err_code ask(struct shell_host *host UNUSED, enum shell_ask_kind kind, struct span text UNUSED,
                         struct arena *arena, struct span *ret_answer, struct err *err)
{
    if (kind != SHELL_ASK_SECRET)
        return err_set(err, ERR_UNAVAILABLE, "nobody is there to be asked");
    *ret_answer = arena_dup(arena, SPAN("tried on a copy"));
    return ret_answer->ptr ? ERR_NONE : err_set(err, ERR_NO_MEMORY, "out of memory");
}

static void drop(void *context UNUSED, struct span bytes UNUSED)
{
}

static void warn(struct shell_host *host UNUSED, struct span text UNUSED)
{
}

static enum err_code apply(void *context, struct span lines, const struct policy **ret_policy,
                           const struct explain_facts **ret_facts, struct err *err)
{
    struct explain_trial_run *t = context;
    const struct shell_output nowhere = {.out = drop};
    forget(t);
    t->stores = *t->real;
    t->stores.policy = object_store_overlay_new(t->real->policy);
    t->stores.recipients = object_store_overlay_new(t->real->recipients);
    t->stores.overlay = t->stores.recipients;
    if (!t->stores.policy || !t->stores.recipients)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    t->admin.context.policy = t->stores.policy;
    t->admin.context.recipients = t->stores.recipients;
    enum err_code code = admin_run(&t->admin, lines, &t->host, &nowhere, err);
    if (!code)
        code = explain_stores_compile(t->stores.policy, &t->block, &t->policy, err);
    if (code)
        return code;
    t->facts = explain_stores_facts(&t->stores);
    *ret_policy = t->policy;
    *ret_facts = &t->facts;
    return ERR_NONE;
}

struct explain_trial_run *explain_trial_new(const struct explain_stores *stores)
{
    struct explain_trial_run *t = calloc(1, sizeof *t);
    struct err err;
    if (!t)
        return NULL;
    t->real = stores;
    t->host = (struct shell_host){.ask = ask, .warn = warn};
    if (admin_init(&t->admin, &err)) {
        explain_trial_free(t);
        return NULL;
    }
    t->admin.context.edge = stores->node->edge;
    t->admin.context.host = span_of(stores->node->host);
    t->admin.context.port_offset = stores->node->port_offset;
    return t;
}

struct explain_trial explain_trial_of(struct explain_trial_run *t)
{
    return (struct explain_trial){.context = t, .apply = apply};
}

void explain_trial_free(struct explain_trial_run *t)
{
    if (!t)
        return;
    forget(t);
    admin_done(&t->admin);
    free(t);
}
