/*
 * transaction.c: what is put around a statement: both stores of the context, or the one that is both, and what it
 * staged of certificates. Those go first: they are files, whose change can fail, and no object depends on one.
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
    if (code || c->policy == c->recipients)
        return code;
    code = object_store_begin(c->policy, err);
    if (code)
        object_store_rollback(c->recipients);
    return code;
}

static enum err_code commit(void *context, struct err *err)
{
    struct cmdlet_context *c = context;
    enum err_code code = c->certificates ? certificate_store_commit(c->certificates, err) : ERR_NONE;
    if (!code)
        code = object_store_commit(c->recipients, err);
    return code || c->policy == c->recipients ? code : object_store_commit(c->policy, err);
}

static void rollback(void *context)
{
    struct cmdlet_context *c = context;
    if (c->certificates)
        certificate_store_end(c->certificates);
    object_store_rollback(c->recipients);
    object_store_rollback(c->policy);
}

const struct shell_transaction cmdlet_transaction = {begin, commit, rollback};
