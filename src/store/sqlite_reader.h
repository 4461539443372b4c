/*
 * sqlite_reader.h: opening an SQLite file for reading only, whether or not another process has it open. Inline, as
 * the adapters that share it are libraries that do not know each other.
 *
 * Nothing below the state folder is changed: with a log beside the file (somebody has it open, or did not end well)
 * it is read as one reader among others; without one it is read as a file that does not change, since SQLite would
 * make a log and its index otherwise.
 */
#pragma once

#include <sqlite3.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SQLITE_READER_PATH_MAX = 4096 };

static inline bool sqlite_reader_has_log(const char *path)
{
    char log[SQLITE_READER_PATH_MAX];
    int n = snprintf(log, sizeof log, "%s-wal", path);
    return n < 0 || (size_t)n >= sizeof log || access(log, F_OK) == 0;
}

static inline int sqlite_reader_try(const char *path, bool log, sqlite3 **ret)
{
    char uri[3 * SQLITE_READER_PATH_MAX];
    size_t n = (size_t)snprintf(uri, sizeof uri, "file:");
    for (const char *c = path; *c && n + 64 < sizeof uri; c++)
        n += (size_t)snprintf(uri + n, sizeof uri - n, strchr("%?#", *c) ? "%%%02x" : "%c", (unsigned char)*c);
    snprintf(uri + n, sizeof uri - n, "?mode=ro%s", log ? "" : "&immutable=1");
    return sqlite3_open_v2(uri, ret, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
}

/* As sqlite3_open_v2: *ret is to be closed also after a failure. */
static inline int sqlite_reader_open(const char *path, sqlite3 **ret)
{
    bool log = sqlite_reader_has_log(path);
    int rc = sqlite_reader_try(path, log, ret);
    if (log || rc != SQLITE_OK || !sqlite_reader_has_log(path))
        return rc;
    sqlite3_close(*ret); /* a server has just begun to write */
    return sqlite_reader_try(path, true, ret);
}
