/* fact_keeper.h: keeps what the receive processes tell of their clients, in facts.db (role/common/fact.h). */
#pragma once

#include "cmdlet/context.h"
#include "role/common/role.h"

/* From now on. Without the file (a full disk) the server runs on, and the log says why. */
void fact_keeper_open(struct role *role);
/* What has been kept so far, that which is not committed included. Valid from open on. */
struct fact_view *fact_keeper_view(void);
void fact_keeper_close(void);
