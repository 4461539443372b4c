/* receive.h: what the files of the receive role share. */
#pragma once

#include "role/common/role.h"

/* Sessions that are open; draining ends the process when there are none. */
void receive_session_opened(void);
void receive_session_closed(struct role *role);
