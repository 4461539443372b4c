/* roles.c: from a name on the command line to a role. */
#include "role/common/roles.h"

#include <stdio.h>

static const struct role_main *const mains[ROLE_KINDS] = {
    [ROLE_RECEIVE] = &receive_role, [ROLE_DIRECTORY] = &directory_role, [ROLE_QUEUE] = &queue_role,
    [ROLE_DELIVER] = &deliver_role, [ROLE_MANAGE] = &manage_role,       [ROLE_PICKUP] = &pickup_role,
};

int roles_run(struct span name)
{
    enum role_kind kind = role_from_name(name);
    if (kind == ROLE_KINDS) {
        fprintf(stderr, "mailreeve: there is no role `%.*s`\n", SPAN_ARG(name));
        return 2;
    }
    return role_run(mains[kind]);
}
