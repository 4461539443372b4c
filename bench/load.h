/* load.h: the modes of smtp-load. Each runs to its end and appends its summary, one JSON object, to out. */
#pragma once

#include "options.h"

/*
 * MODE_LOAD and MODE_IDLE. *ret_complete: every message (with seconds: every one begun) was answered (whatever the
 * answer), or every session held to the end, before the deadline. idle says "holding N" on standard output when all
 * are up and holds until the end of standard input. Errors: the system or TLS refuses, the ledger cannot be
 * written.
 */
NODISCARD enum err_code load_run(const struct options *o, struct buf *out, bool *ret_complete, struct err *err);

/*
 * MODE_SINK: an SMTP server that takes everything, keeps nothing and counts, until SIGTERM or SIGINT. Says
 * "listening PORT" and, with expect, "complete" on standard output.
 */
NODISCARD enum err_code sink_run(const struct options *o, struct buf *out, struct err *err);
