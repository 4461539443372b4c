/* roles.h: the roles by name. */
#pragma once

#include "role/common/role.h"

extern const struct role_main receive_role;
extern const struct role_main directory_role;
extern const struct role_main queue_role;
extern const struct role_main deliver_role;
extern const struct role_main manage_role;
extern const struct role_main pickup_role;

/* Runs the role of that name as this process; its exit status. */
int roles_run(struct span name);
