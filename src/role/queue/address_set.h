/* address_set.h: addresses that were seen, compared without regard to ASCII case. */
#pragma once

#include "base/arena.h"

struct address_set {
    void *tree;
};

/*
 * True when the address was not in it; it is now. The span itself and its text are borrowed for the set's life. The
 * time taken grows with the logarithm of the number of addresses.
 */
NODISCARD bool address_set_add(struct address_set *s, const struct span *address);
/*
 * The address in the set that is the same: the given one where there was none, borrowed as above. For sets whose
 * members are all the caller's to change.
 */
struct span *address_set_enter(struct address_set *s, struct span *address);
/* Calls each(context, address) for all of them. */
void address_set_each(const struct address_set *s, void (*each)(void *context, const struct span *address),
                      void *context);
void address_set_clear(struct address_set *s);
