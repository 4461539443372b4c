/*
 * grants.h: uses of entries of ACLs (permissions), over all sessions of this process: gathered and told to manage
 * at most once a second.
 */
#pragma once

#include "role/common/role.h"

void grants_init(struct role *role);
/* An entry (its Guid) was used in one more transaction. Takes a copy; never blocks. */
void grants_used(struct span entry);
/* Tells what was gathered: before the process ends. */
void grants_flush(void);
