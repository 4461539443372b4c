/* session.h: SMTP sessions: one for each accepted connection, from its first byte to its last. */
#pragma once

#include "role/common/role.h"

/* Accepts what waits on a listening stream. */
void session_accept(struct role *role, uv_stream_t *listener);
/* Asks every session to end at its next safe point. */
void sessions_drain(void);
