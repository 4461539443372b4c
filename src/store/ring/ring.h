/*
 * ring.h: the last so many records of a kind in one file of fixed size: the oldest is overwritten by the newest,
 * and what a crash cut in two is not there. One process writes; others may read at the same time.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct ring;

enum {
    RING_KEY_MAX = 32,      /* octets of a key */
    RING_RECORD_MAX = 4032, /* octets of a record */
    RING_SLOTS_MAX = 1 << 20,
};

/*
 * Opens the file for writing; makes it (mode 0600) with so many slots where there is none. One that is no ring, or
 * of another size, is begun anew: what it held was for people to read, and is not worth refusing to start.
 * ERR_IO, ERR_NO_MEMORY.
 */
enum err_code ring_open(const char *path, uint32_t slots, struct ring **ret, struct err *err);
/* The same for reading only. ERR_NOT_FOUND: there is no such file; ERR_DENIED: not for this user; ERR_INVALID. */
enum err_code ring_open_read(const char *path, struct ring **ret, struct err *err);
void ring_close(struct ring *r); /* NULL allowed */

/* Cut to their limits. ERR_IO: it is not there; the ring goes on. Not flushed to the disk. */
enum err_code ring_add(struct ring *r, struct span key, struct span record, struct err *err);
/* The newest record with that key, appended to out. ERR_NOT_FOUND. */
enum err_code ring_find(struct ring *r, struct span key, struct buf *out, struct err *err);
/*
 * Calls visit for each record, the newest first, until it gives false. The record is valid during the call.
 * ERR_IO.
 */
enum err_code ring_visit(struct ring *r, bool (*visit)(void *context, struct span key, struct span record),
                         void *context, struct err *err);
