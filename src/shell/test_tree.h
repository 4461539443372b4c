/* test_tree.h: the syntax tree as text, for tests. */
#pragma once

#include "shell/syntax.h"

/* Each statement on its own: (Name -Param 'text' 12 [a b] {k=v} ...) with | between, and expressions in brackets.
 */
void tree_print(struct buf *out, const struct pipeline *p);
