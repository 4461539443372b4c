/*
 * internal.h: what the parts of the tracking log share: the folder as a list of files, each with the stretches that
 * have an index, and the port of one such index (index_sqlite.c is its adapter). Private to src/store/tracking.
 */
#pragma once

#include "store/tracking/tracking.h"

enum { TRACKING_PATH_MAX = 1400, TRACKING_NAME_MAX = 96 };

/* ---- folder.c ---- */

/* An index in the folder index/: MSGTRKyyyymmdd-nnnn-FIRST-END.idx, both 12 hex digits. */
struct tracking_slice {
    uint64_t first, end; /* the bytes of the log that it covers */
};

struct tracking_file {
    uint32_t day; /* 20261124 */
    uint32_t number;
    uint64_t size;
    /* Without gaps from 0 to covered. */
    struct tracking_slice *slices;
    size_t slice_count;
    uint64_t covered;
};

struct tracking_folder {
    const char *path;
    struct tracking_file *files; /* the oldest first */
    size_t count;
    size_t removed; /* indexes that belonged to nothing */
};

/* Reads the folder; with `clean`, indexes that belong to no stretch of a file are removed. path must outlive it. */
enum err_code tracking_folder_read(struct tracking_folder *f, const char *path, bool clean, struct err *err);
void tracking_folder_done(struct tracking_folder *f);
/* False: too long. */
NODISCARD bool tracking_log_path(const struct tracking_folder *f, const struct tracking_file *file,
                                 char out[static TRACKING_PATH_MAX]);
NODISCARD bool tracking_slice_path(const struct tracking_folder *f, const struct tracking_file *file,
                                   const struct tracking_slice *s, char out[static TRACKING_PATH_MAX]);
/* Milliseconds since 1970 of the day's beginning. */
int64_t tracking_day_ms(uint32_t day);

/* ---- read.c: the rows of a stretch of a file ---- */

/* The line is without its end; offset is where it begins. False ends the reading. */
typedef bool tracking_line_fn(void *context, uint64_t offset, struct span line);
/* Every whole line from `from` to `to`; *ret_end (may be NULL) is where the last one ended. ERR_IO. */
enum err_code tracking_read_lines(int fd, uint64_t from, uint64_t to, tracking_line_fn *each, void *context,
                                  uint64_t *ret_end, struct err *err);
/* The row that begins at offset, into line (cleared) and scratch; false: there is none. */
bool tracking_read_row(int fd, uint64_t offset, struct buf *line, struct buf *scratch, struct tracking_row *ret);
/* What tells a file from another one that had its name before: a hash of how it begins. */
uint64_t tracking_file_mark(int fd);

/* ---- keys.c ---- */

enum tracking_key {
    TRACKING_KEY_MESSAGE,
    TRACKING_KEY_INTERNAL,
    TRACKING_KEY_REFERENCE,
    TRACKING_KEY_RECIPIENT,
    TRACKING_KEY_SENDER,
};
/* 47 bits, ASCII case folded. Different texts may have the same: whoever finds by it looks at the row. */
uint64_t tracking_hash(enum tracking_key key, struct span text);
typedef bool tracking_hash_fn(void *context, uint64_t hash);
/* Calls each for every key by which the row is found; false ends it and is given back. */
bool tracking_row_hashes(const struct tracking_row *r, tracking_hash_fn *each, void *context);
/* Whether one of the recipients joined in the list is this one. */
bool tracking_has_recipient(struct span list, struct span recipient);

/* ---- the port of an index ---- */

struct tracking_entry {
    uint64_t hash, offset;
};
struct tracking_facts {
    uint64_t mark; /* of its file */
    uint64_t rows;
    int64_t oldest_ms, newest_ms; /* of the rows; oldest > newest: there are none */
};

struct tracking_index;

/* Writes the file whole and flushed or not at all. The entries are in order (hash, offset). ERR_IO. */
enum err_code tracking_index_write(const char *path, const struct tracking_facts *facts,
                                   const struct tracking_entry *entries, size_t count, struct err *err);
/* ERR_INVALID: damaged or of another format; ERR_NOT_FOUND; ERR_IO; ERR_NO_MEMORY. */
enum err_code tracking_index_open(const char *path, struct tracking_index **ret, struct tracking_facts *ret_facts,
                                  struct err *err);
/* Calls each with the offsets under the hash, the greatest first, until it gives false. ERR_INVALID, ERR_IO. */
enum err_code tracking_index_find(struct tracking_index *x, uint64_t hash,
                                  bool (*each)(void *context, uint64_t offset), void *context, struct err *err);
void tracking_index_close(struct tracking_index *x); /* NULL allowed */
