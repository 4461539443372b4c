/* internal.h: what the files of the gate share. */
#pragma once

#include "gate/gate.h"

/* The answer that a decision means. */
struct gate_verdict gate_verdict(const struct decision *d);
/* Whom the user may send as. */
struct owned_addresses gate_owned(const struct gate *g);
