/*
 * transaction.c: what is put around a statement: both stores of the context, or the one that is both, what it
 * staged of certificates, and before the commit the guard against open relays. The certificates go first: they are
 * files, whose change can fail, and no object depends on one.
 *
 * Two files cannot be committed as one. The recipients go first: a policy without its mailbox would grant rights to
 * nobody and a mailbox without its policy can do what everybody can, so what a crash leaves between the two is
 * safe.
 */
#include "cmdlet/transaction.h"

#include "cmdlet/context.h"

static enum err_code begin(void *context, struct err *err)
{
    struct cmdlet_context *c = context;
    enum err_code code = object_store_begin(c->recipients, err);
    if (!code && c->policy != c->recipients) {
        code = object_store_begin(c->policy, err);
        if (code)
            object_store_rollback(c->recipients);
    }
    if (!code)
        relay_guard_begin(c);
    return code;
}

static void rollback(void *context)
{
    struct cmdlet_context *c = context;
    if (c->certificates)
        certificate_store_end(c->certificates);
    object_store_rollback(c->recipients);
    object_store_rollback(c->policy);
}

static enum err_code commit(void *context, struct err *err)
{
    struct cmdlet_context *c = context;
    enum err_code code = relay_guard_check(c, err);
    if (!code && c->trial) {
        rollback(c);
        return ERR_NONE;
    }
    if (!code && c->certificates)
        code = certificate_store_commit(c->certificates, err);
    if (!code)
        code = object_store_commit(c->recipients, err);
    if (!code && c->policy != c->recipients)
        code = object_store_commit(c->policy, err);
    if (!code)
        relay_guard_committed(c);
    return code;
}

const struct shell_transaction cmdlet_transaction = {begin, commit, rollback};
