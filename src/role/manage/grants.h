/* grants.h: keeps what the receive processes tell of used entries of ACLs (role/common/grant_usage.h). */
#pragma once

#include "cmdlet/context.h"
#include "role/common/role.h"

/* From now on, with what was kept before. Without the file the server runs on, and the log says why. */
void grants_open(struct role *role);
/* Writes what is not written yet. */
void grants_close(void);
struct grant_usage_view *grants_view(void);
