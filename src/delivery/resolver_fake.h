/* resolver_fake.h: the resolver for tests: a table of records behind the same port, answering from the loop. */
#pragma once

#include "delivery/resolver.h"

#include <uv.h>

/* One record; a name without a row of any type does not exist. Rows of one name and type form the set, in order. */
struct resolver_fake_row {
    const char *name;
    enum resolver_type type;
    /* An address; "10 mx.test", "0 ." for null MX; TLSA: in hex; TXT: the text, of at most 255 octets; NULL: status
     * instead of a record. */
    const char *data;
    enum resolver_status status;
    bool silent; /* the question is never answered */
    bool secure; /* the answer is, when each row of it is; also that of an absent name or type below secure.test */
    const char *canonical;
};

/* The rows are borrowed. NULL when memory is out. */
struct resolver *resolver_fake_new(uv_loop_t *loop, const struct resolver_fake_row *rows, size_t count);
/* Questions asked so far. */
size_t resolver_fake_asked(const struct resolver *r);
