/*
 * queue_sqlite.h: the embedded queue: one SQLite file, WAL, synchronous=FULL. One process has it open
 * at a time.
 */
#pragma once

#include "store/queue.h"

/*
 * Opens the queue at path and makes it when there is none (its folder must exist). What is there is
 * checked first: ERR_INVALID when it is another program's or a newer version's; ERR_UNAVAILABLE when another
 * process holds it; ERR_IO when it is damaged or the system refuses, as on a read-only medium. A file above 64 MiB
 * is not read through.
 */
enum err_code queue_sqlite_open(const char *path, struct queue **ret, struct err *err);
