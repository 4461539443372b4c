/*
 * disk.h: a disk that fails on demand and remembers what was asked of it. It stands between this process and the
 * file system for one folder, below SQLite and the spool alike: disk.c defines the C library's own calls (open,
 * pwrite, fdatasync, linkat, ...), which the program and its libraries then use. What lies outside the folder goes
 * through untouched.
 *
 * A flush takes no time here: what survives a power cut is worked out from the record (image.h), not by the medium.
 * One thread.
 */
#pragma once

#include "base/span.h"

enum disk_op_kind {
    DISK_WRITE,        /* file, at, data */
    DISK_TRUNCATE,     /* file, at: its new length */
    DISK_FLUSH,        /* file */
    DISK_FLUSH_FAILED, /* file: the system takes its pages for clean, and they never reach the medium */
    DISK_CREATE,       /* name, file: it exists now, empty */
    DISK_LINK,         /* name, file */
    DISK_UNLINK,       /* name */
    DISK_MAKE_FOLDER,  /* name */
    DISK_FLUSH_FOLDER, /* name: of the folder, "" for the watched one */
    DISK_MARK,         /* at: the number that disk_mark was given */
};

struct disk_op {
    enum disk_op_kind kind;
    unsigned file; /* 1, 2, ...: a number for each file that ever was, also when its inode is used again */
    uint64_t at;
    struct span data; /* the record's */
    struct span name; /* relative to the folder; the record's */
};

struct disk_log {
    const struct disk_op *ops;
    size_t count;
};

enum disk_fault {
    DISK_SOUND,
    DISK_FAILS,      /* EIO once; nothing of it is done */
    DISK_TEARS,      /* of a write its first half is done, then EIO; anything else fails */
    DISK_FULL,       /* ENOSPC once for what takes space; a flush fails with EIO */
    DISK_STAYS_FULL, /* from then on whatever takes space fails with ENOSPC */
    DISK_DIES,       /* from then on everything fails with EIO */
    DISK_FAULTS,
};
const char *disk_fault_name(enum disk_fault f);

/* Begins an empty record of this folder, which exists and is empty. */
void disk_watch(const char *folder);
/* Ends it; the record is freed. */
void disk_unwatch(void);
/* What was recorded so far; valid until the next call that touches the folder. */
struct disk_log disk_record(void);
/* A line in the record: what came before it had been acknowledged. */
void disk_mark(uint64_t number);
/* The n-th change from now on (1: the next) meets the fault. */
void disk_fail(size_t n, enum disk_fault fault);
/* Sound from now on. */
void disk_heal(void);
/* A fault was met since disk_watch. */
bool disk_has_failed(void);
/* What is done from now on is not recorded any more. */
void disk_stop(void);
