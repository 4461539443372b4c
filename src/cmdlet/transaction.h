/* transaction.h: a statement is one transaction over the policy and the recipients. */
#pragma once

#include "shell/shell.h"

/* For struct shell; its context is a struct cmdlet_context. See transaction.c for what holds between the two
 * stores. */
extern const struct shell_transaction cmdlet_transaction;
