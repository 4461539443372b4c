/*
 * spool.h: large bodies, a file each. A body is written into a file without a name; publishing flushes it, names it
 * and flushes the folder. So a name that a committed transaction holds always leads to a whole file, provided that
 * spool_publish returned before the transaction began.
 *
 * The functions keep no state but the folder: any thread may call them. All of them may block on the disk.
 */
#pragma once

#include "base/err.h"

enum { SPOOL_NAME_MAX = 32 }; /* with the NUL */

struct spool {
    char folder[1024];
    int folder_fd;
};

/* The folder must exist. */
enum err_code spool_open(const char *folder, struct spool *ret, struct err *err);
void spool_close(struct spool *s);
/*
 * A descriptor for writing and reading the body of that id. It has no name (where the file system knows O_TMPFILE)
 * and vanishes with the last descriptor.
 */
enum err_code spool_create(const struct spool *s, uint64_t id, int *ret_fd, struct err *err);
/*
 * Makes the body of spool_create durable under its name, made of id, such as "3f/000000000000013f". Whoever else
 * wrote to the descriptor must have finished. ERR_EXISTS: that id has a body. fd stays the caller's.
 */
enum err_code spool_publish(const struct spool *s, int fd, uint64_t id, char ret_name[static SPOOL_NAME_MAX],
                            struct err *err);
/* Lets go of a body that is not published: closes fd. */
void spool_discard(const struct spool *s, int fd, uint64_t id);
/* A descriptor for reading, the file offset 0. ERR_NOT_FOUND. ERR_INVALID: no such name can be. */
enum err_code spool_open_read(const struct spool *s, struct span name, int *ret_fd, struct err *err);
/* Gone already is fine. Not flushed: what a crash brings back, spool_sweep removes. */
enum err_code spool_remove(const struct spool *s, struct span name, struct err *err);
/*
 * Removes the files that no message names, and unfinished ones: after a crash, before anything new is published.
 * named answers for one name; when it fails the sweep ends with its error. *ret_removed: how many went.
 */
enum err_code spool_sweep(const struct spool *s,
                          enum err_code (*named)(void *context, struct span name, bool *ret, struct err *err),
                          void *context, size_t *ret_removed, struct err *err);
