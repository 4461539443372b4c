/* listener.h: the listening sockets that the supervisor handed over, accepting once there is a policy. */
#pragma once

#include "role/common/role.h"

/* CONTROL_LISTEN and CONTROL_UNLISTEN. */
void listener_add(struct role *role, struct frame *f);
void listener_remove(struct frame *f);
/* Begins accepting on all sockets, those that come later included. */
void listeners_open(void);
/* Closes all: draining. */
void listeners_close_all(void);
