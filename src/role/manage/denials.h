/* denials.h: keeps the refusals that the receive processes tell, in the ring of role/common/denial.h. */
#pragma once

#include "role/common/role.h"

/* From now on. Without the file (a full disk) the server runs on, and the log says why. */
void denials_open(const struct role *role);
void denials_close(void);
