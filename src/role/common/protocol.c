/* protocol.c: the roles' names. */
#include "role/common/protocol.h"

static const char *const names[ROLE_KINDS] = {
    [ROLE_RECEIVE] = "receive", [ROLE_DIRECTORY] = "directory", [ROLE_QUEUE] = "queue",
    [ROLE_DELIVER] = "deliver", [ROLE_MANAGE] = "manage",       [ROLE_PICKUP] = "pickup",
};

const char *role_name(enum role_kind kind)
{
    return (unsigned)kind < ROLE_KINDS ? names[kind] : "unknown";
}

enum role_kind role_from_name(struct span name)
{
    for (unsigned i = 0; i < ROLE_KINDS; i++)
        if (span_eq(name, span_of(names[i])))
            return (enum role_kind)i;
    return ROLE_KINDS;
}
