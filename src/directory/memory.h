/*
 * memory.h: a directory in memory, for tests. It passes the same conformance suite as the others; lookups are
 * linear.
 */
#pragma once

#include "base/value.h"
#include "directory/directory.h"

/* NULL when memory is out. */
struct directory *directory_memory_new(void);
/* Adds a recipient, or replaces the one with its Guid; a Password is hashed and dropped. Errors of recipient_read.
 */
enum err_code directory_memory_put(struct directory *d, const struct record *r, struct err *err);
/* From now on (until false) every question is answered with ERR_UNAVAILABLE. */
void directory_memory_fail(struct directory *d, bool unavailable);
