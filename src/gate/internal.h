/* internal.h: what the files of the gate share. */
#pragma once

#include "gate/gate.h"

/* The token of the gate as if this were its user. */
struct token gate_token(const struct gate *g, const struct gate_user *user);
/* The answer that a decision means. */
struct gate_verdict gate_verdict(const struct decision *d);
/* Whom the user may send as, as far as this address is concerned, which must outlive it. */
struct owned_addresses gate_owned(const struct gate *g, const struct span *address);
/* The verdict of a decision about a sender, or the question to the directory that it depends on. */
struct gate_verdict gate_sender_verdict(const struct gate *g, const struct decision *d, struct span address);
/* What narrowed entries are measured against. sender: of the envelope; must outlive it. NULL: not known. */
struct conditions gate_conditions(const struct gate *g, const struct span *sender);
/* Marks the entries that decided. */
void gate_use(struct gate *g, const struct decision *d);
