/*
 * fact_table.h: what clients do, gathered and counted for a second before it is told to manage, so that a client
 * that does the same thing a thousand times costs one event.
 *
 * Bounded whatever clients do: one of them (a network and a user) has FACTS_OF_CLIENT rows a second at each level
 * of store/facts/facts.h; all together have FACTS_MAX. What finds no room is dropped and counted.
 */
#pragma once

#include "role/common/role.h"
#include "store/facts/facts.h"

enum { FACTS_MAX = 1024, FACTS_OF_CLIENT = 16 };

void fact_table_init(struct role *role);
/* Counts one; the texts are copied. network: as fact_print_network gives it. count and times are filled in. */
void fact_table_add(const struct fact *f, struct span network);
/* Tells what has gathered. */
void fact_table_flush(void);
