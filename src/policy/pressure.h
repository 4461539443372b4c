/*
 * pressure.h: back pressure: what the server still takes when a resource runs short. Pure: readings, limits and the
 * time come from the caller.
 *
 * Each resource has three numbers. Past `medium` its level is medium, past `high` it is high; it leaves high only
 * behind `medium`, and medium only behind `normal`, so that a value at a bound does not make the level flutter.
 *
 * What is kept from growing are new messages only. What was accepted is delivered at every level, and reports are
 * made: that is what frees the resource again.
 *
 * Exchange's version buckets (uncommitted work of its database engine) have no counterpart: a batch that the store
 * cannot take is refused at once, and nothing gathers.
 */
#pragma once

#include "base/buf.h"
#include "base/cursor.h"

enum pressure_level { PRESSURE_NORMAL, PRESSURE_MEDIUM, PRESSURE_HIGH, PRESSURE_LEVELS };

/* In the order in which they are named where several are short. */
enum pressure_resource {
    PRESSURE_QUEUE_DISK,   /* bytes free where queue.db and the spool lie, whichever has less */
    PRESSURE_MEMORY,       /* bytes that belong to the server's processes alone */
    PRESSURE_QUEUE_LENGTH, /* recipients that wait */
    PRESSURE_LOG_DISK,     /* bytes free where the logs lie. It is told and refuses nothing: mail needs no log */
    PRESSURE_RESOURCES,
};

/* Exchange's way to know its resources, 11.4. */
enum { PRESSURE_POLL_MS = 2000 };

/* "Normal", "Medium", "High". */
const char *pressure_level_name(enum pressure_level level);
/* "QueueDisk", ...: as Get-ResourcePressure has it. */
const char *pressure_resource_name(enum pressure_resource r);
/* "queue disk", ...: for people. */
const char *pressure_resource_text(enum pressure_resource r);
/* Whether its level makes the server refuse mail. */
bool pressure_refuses(enum pressure_resource r);

/* ---- limits ---- */

#define PRESSURE_AUTOMATIC UINT64_MAX

/*
 * As the policy has them. Disks: bytes that must be free, or PRESSURE_AUTOMATIC. Memory: percent of what there is.
 * Queue length: recipients; UINT64_MAX: no limit.
 */
struct pressure_limits {
    struct {
        uint64_t medium, high;
    } of[PRESSURE_RESOURCES];
};

/* Those of an untouched TransportServer. */
struct pressure_limits pressure_default_limits(void);
/* Percents are such. */
bool pressure_limits_ok(const struct pressure_limits *l);
void pressure_put_limits(struct buf *out, const struct pressure_limits *l);
/* Check the cursor, then pressure_limits_ok. */
struct pressure_limits pressure_get_limits(struct cursor *c);

/* ---- a resource ---- */

struct pressure_reading {
    bool known;     /* false: it could not be measured; the level stays */
    uint64_t value; /* in the resource's unit */
    uint64_t total; /* size of the file system, memory that there is; 0: none */
};

struct pressure_state {
    enum pressure_level level;
    bool known; /* it was ever measured */
    uint64_t value, total;
    uint64_t normal, medium, high; /* in the unit of value; UINT64_MAX for a queue length: none */
    int64_t since_ms;              /* of the level, since 1970; 0: since the start */
};

/* All of them. Zeroed: nothing is known, and everything is normal. */
struct pressure {
    struct pressure_state of[PRESSURE_RESOURCES];
};

/*
 * Takes a reading of a resource. True: its level has changed.
 *
 * Automatic limits of a disk are Exchange's for small ones and keep to absolute numbers on large ones: high is 500
 * MB free, or a tenth of a file system that is smaller than 5 GB; medium and normal are at two further steps of 500
 * MB, or of 2 % of a smaller one than 25 GB.
 */
bool pressure_step(struct pressure *p, enum pressure_resource r, const struct pressure_limits *limits,
                   const struct pressure_reading *reading, int64_t now_ms);
/* The highest level of those that refuse mail. */
enum pressure_level pressure_overall(const struct pressure *p);
/* The first that has this level and refuses mail; PRESSURE_RESOURCES: none. */
enum pressure_resource pressure_first(const struct pressure *p, enum pressure_level level);

/* ---- what it means ---- */

/* Whose message it is. */
enum pressure_source {
    PRESSURE_FROM_OUTSIDE, /* anonymous clients, partners, the folders Pickup and Replay */
    PRESSURE_FROM_INSIDE,  /* users who have logged on, this organisation's servers, externally secured ones */
    PRESSURE_FROM_SELF,    /* reports */
};

/* Whether a new message is taken at a level: exchange-fidelity.md has the table. */
bool pressure_admits(enum pressure_level level, enum pressure_source source);

/*
 * "queue disk: 312 MB free, 500 MB wanted": the value, and the threshold that it must pass for the level to change:
 * that of the level while it is past it, otherwise that behind which the level ends.
 */
void pressure_print(struct buf *out, enum pressure_resource r, const struct pressure_state *s);
/* The property of TransportServer behind a level: "QueueDiskHighThreshold"; NULL for normal. */
const char *pressure_property(enum pressure_resource r, enum pressure_level level);
/* What an administrator can do about it: a sentence. */
const char *pressure_remedy(enum pressure_resource r);

/* The largest number of bytes that pressure_put writes. */
enum { PRESSURE_BYTES = PRESSURE_RESOURCES * (1 + 1 + 6 * 8) };
void pressure_put(struct buf *out, const struct pressure *p);
/* Check the cursor; levels that are none make it bad. */
void pressure_get(struct cursor *c, struct pressure *ret);
