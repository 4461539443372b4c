/*
 * denial.h: refusals that bear a code ("mr-..." at the end of a reply), kept in a ring in the state folder
 * (log/denials.ring) for whoever asks about them afterwards: Get-Denial, `mailreeve explain CODE`.
 */
#pragma once

#include "base/arena.h"
#include "cmdlet/context.h"
#include "role/common/event.h"

enum { DENIALS_KEPT = 10000 };

/* Whether it has the form of a code. */
bool denial_is_code(struct span text);
/* Appends a code for a random number, of which 40 bits count: "mr-" and 8 letters and digits. */
void denial_print_code(struct buf *out, uint64_t random);

/* The ring's record of an EVENT_DENIAL: its fields are cut so that it fits. */
void denial_put(struct buf *out, const struct event *e);
/* false: it is none. The fields are views. */
bool denial_get(struct span record, struct event *ret);

/* A record of the type Denial for the shell; NULL when memory is out. */
struct record *denial_record(const struct event *e, struct arena *arena);

/* The ring of a state folder behind the port of the cmdlets; the folder's path must outlive it. */
struct denials {
    struct denial_view view; /* first */
    const char *state;
};
void denials_init(struct denials *d, const char *state);
/* The ring's path; false when it is too long. */
NODISCARD bool denials_path(const char *state, char *out, size_t cap);
