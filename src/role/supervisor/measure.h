/* measure.h: the machine's resources, as the supervisor can see them. */
#pragma once

#include "policy/pressure.h"

#include <sys/types.h>

/*
 * The free space of the file system that holds a path, and its size. What is kept for root does not count as free;
 * without a free inode nothing does. A path that is not there is measured at its parent. Not known: it cannot be
 * asked.
 */
struct pressure_reading measure_disk(const char *path);
/* Of two file systems the one that has less free; one that is not known does not count. */
struct pressure_reading measure_worse(struct pressure_reading a, struct pressure_reading b);
/*
 * The memory that belongs to these processes alone (private bytes: neither shared nor files), and how much there
 * is: the machine's, or the control group's limit where that is less. A process that is gone counts nothing.
 */
struct pressure_reading measure_memory(const pid_t *pids, size_t count);

/* "size resident shared ..." of /proc/PID/statm, in pages: resident less shared; 0 when it is none. For tests. */
uint64_t measure_statm(struct span text);
/* A line of /proc/PID/cgroup. False: it is not about memory. *ret_path: "/a/b", or "" for the root. */
bool measure_group(struct span line, bool *ret_unified, struct span *ret_path);
/* A control group's limit ("max", or bytes); UINT64_MAX: none. */
uint64_t measure_limit(struct span text);
