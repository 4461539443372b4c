/*
 * log_files.h: a folder of comma-separated log files as Exchange keeps them: PREFIXyyyymmdd-nnnn.log by the UTC
 * day, each with a head of five # lines, the oldest deleted when the folder or their age goes beyond its limit.
 *
 * A row that cannot be written (a full disk) is lost and said in the log once an hour; nothing waits for it.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

struct log_files;

struct log_limits {
    uint64_t file_bytes, folder_bytes; /* UINT64_MAX: no limit */
    int64_t age_ms;                    /* by the file's last change; INT64_MAX: for ever */
};

struct log_format {
    const char *prefix; /* "RECV" */
    const char *type;   /* "SMTP Receive Protocol Log" */
    const char *fields; /* the names of the columns behind date-time, comma-separated */
};

/* Makes the folder (and its parents) when the first row comes. format must outlive it. NULL when memory is out. */
struct log_files *log_files_new(const char *folder, const struct log_format *format);
/* Flushes and closes; NULL allowed. */
void log_files_free(struct log_files *l);
/* Holds from the next file on. */
void log_files_limit(struct log_files *l, const struct log_limits *limits);
/* Adds a row; at_ms since 1970. Fields are quoted where they must be (RFC 4180); line ends become blanks. */
void log_files_add(struct log_files *l, int64_t at_ms, const struct span *fields, size_t count);
/* What was added reaches the file. */
void log_files_flush(struct log_files *l);
