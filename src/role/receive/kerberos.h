/* kerberos.h: whether the directory process has keys for AUTH GSSAPI, as the supervisor said last. */
#pragma once

#include "runtime/frame.h"

/* CONTROL_GSSAPI. Sessions that have begun keep offering what they offer. */
void kerberos_take(const struct frame *f);
/* False: GSSAPI is not to be offered by this connector; the log says why, once for each state of the keytab. */
bool kerberos_usable(struct span connector);
/* Why not: the end of a sentence; empty where it is usable. */
const char *kerberos_why_not(void);
