/*
 * export.h: the whole policy as one script of cmdlets, which `plan` and `apply` read back. The text depends on the
 * policy alone: no dates, no Guids, a fixed order; so it can live in a version control system.
 */
#pragma once

#include "cmdlet/context.h"

enum { EXPORT_MAX = 256 << 20 /* bytes of a script */ };

/*
 * Appends the script to out, which should be allowed EXPORT_MAX bytes. recipients: mailboxes, contacts, groups and
 * their members as well. No secret is written. ERR_LIMIT: it does not fit; else the errors of the stores.
 */
enum err_code export_policy(struct cmdlet_context *c, bool recipients, struct buf *out, struct err *err);
