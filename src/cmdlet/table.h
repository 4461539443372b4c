/* table.h: all cmdlets, made out of the schema, and the columns that tables show by default. */
#pragma once

#include "cmdlet/context.h"
#include "shell/shell.h"

/*
 * Builds the table that struct shell wants; its context is a struct cmdlet_context. It lives in the arena and can
 * serve any number of statements. ERR_NO_MEMORY.
 */
enum err_code cmdlet_table(struct arena *arena, struct shell_table *ret, struct err *err);
