/*
 * build.c: one index that is missing: the rows of a stretch read, their keys sorted and written. What is in hand is
 * bounded by the stretch (TRACKING_SLICE_MAX bytes of log), however long the log is.
 */
#include "store/tracking/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct builder {
    const atomic_bool *stop;
    struct buf scratch;
    struct tracking_entry *entries;
    size_t count, cap;
    uint64_t offset; /* of the row in hand */
    struct tracking_facts facts;
    bool no_memory;
};

/* ---- which ---- */

/* The file that is written to now is the last one. */
static bool is_due(const struct tracking_folder *f, size_t i)
{
    uint64_t rest = f->files[i].size - f->files[i].covered;
    return rest >= TRACKING_SLICE_MAX || (rest > 0 && i + 1 < f->count);
}

static struct tracking_file *choose(struct tracking_folder *f, uint64_t *ret_left)
{
    struct tracking_file *chosen = NULL;
    *ret_left = 0;
    for (size_t i = f->count; i-- > 0;)
        if (is_due(f, i)) {
            *ret_left += f->files[i].size - f->files[i].covered;
            chosen = chosen ? chosen : &f->files[i];
        }
    return chosen;
}

/* ---- one ---- */

static bool add(void *context, uint64_t hash)
{
    struct builder *b = context;
    if (b->count == b->cap) {
        size_t cap = b->cap ? 2 * b->cap : 16384;
        struct tracking_entry *grown = reallocarray(b->entries, cap, sizeof *grown);
        b->no_memory = !grown;
        if (!grown)
            return false;
        b->entries = grown;
        b->cap = cap;
    }
    b->entries[b->count++] = (struct tracking_entry){hash, b->offset};
    return true;
}

static bool add_line(void *context, uint64_t offset, struct span line)
{
    struct builder *b = context;
    struct tracking_row r;
    if (atomic_load_explicit(b->stop, memory_order_relaxed))
        return false;
    if (!tracking_parse(line, &b->scratch, &r))
        return true;
    b->offset = offset;
    b->facts.rows++;
    b->facts.oldest_ms = r.at_ms < b->facts.oldest_ms ? r.at_ms : b->facts.oldest_ms;
    b->facts.newest_ms = r.at_ms > b->facts.newest_ms ? r.at_ms : b->facts.newest_ms;
    return tracking_row_hashes(&r, add, b);
}

static int in_order(const void *a, const void *b)
{
    const struct tracking_entry *x = a, *y = b;
    int c = (x->hash > y->hash) - (x->hash < y->hash);
    return c ? c : (x->offset > y->offset) - (x->offset < y->offset);
}

static void sort(struct builder *b)
{
    size_t kept = 0;
    if (b->count)
        qsort(b->entries, b->count, sizeof *b->entries, in_order);
    for (size_t i = 0; i < b->count; i++) /* a row may name the same address twice */
        if (!kept || in_order(&b->entries[kept - 1], &b->entries[i]))
            b->entries[kept++] = b->entries[i];
    b->count = kept;
}

/* *ret_end is where the stretch ends: behind a whole row, or at the end of a file that grows no more. */
static enum err_code gather(struct builder *b, int fd, const struct tracking_file *file, bool grows,
                            uint64_t *ret_end, struct err *err)
{
    uint64_t to = file->covered + TRACKING_SLICE_MAX;
    enum err_code code =
        tracking_read_lines(fd, file->covered, to < file->size ? to : file->size, add_line, b, ret_end, err);
    if (!code && atomic_load(b->stop))
        code = err_set(err, ERR_UNAVAILABLE, "the server is ending");
    if (!code && b->no_memory)
        code = err_set(err, ERR_NO_MEMORY, "out of memory");
    if (!code && !grows && to >= file->size)
        *ret_end = file->size;
    b->facts.mark = tracking_file_mark(fd);
    return code;
}

static enum err_code build(struct tracking_folder *f, const struct tracking_file *file, struct tracking_step *step,
                           struct builder *b, struct err *err)
{
    char log[TRACKING_PATH_MAX], path[TRACKING_PATH_MAX];
    struct tracking_slice slice = {file->covered, file->covered};
    bool named = tracking_log_path(f, file, log);
    ASSERT(named); /* tracking_folder_read left room */
    int fd = open(log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? ERR_NONE : err_errno(err, errno, "cannot read %s", log);
    enum err_code code = gather(b, fd, file, file == &f->files[f->count - 1], &slice.end, err);
    close(fd);
    named = tracking_slice_path(f, file, &slice, path);
    ASSERT(named);
    if (code || slice.end == slice.first)
        return code;
    sort(b);
    code = tracking_index_write(path, &b->facts, b->entries, b->count, err);
    step->built = !code;
    step->rows = b->facts.rows;
    step->left -= slice.end - slice.first;
    return code;
}

static enum err_code make_folder(const char *folder, struct err *err)
{
    char path[TRACKING_PATH_MAX];
    snprintf(path, sizeof path, "%s/index", folder);
    return mkdir(path, 0750) == 0 || errno == EEXIST ? ERR_NONE : err_errno(err, errno, "cannot make %s", path);
}

enum err_code tracking_index_step(const char *folder, const atomic_bool *stop, struct tracking_step *ret,
                                  struct err *err)
{
    struct tracking_folder f;
    struct builder b = {.stop = stop, .facts = {.oldest_ms = INT64_MAX, .newest_ms = INT64_MIN}};
    struct tracking_step step = {0};
    enum err_code code = tracking_folder_read(&f, folder, true, err);
    if (code)
        return code;
    step.removed = f.removed;
    const struct tracking_file *file = choose(&f, &step.left);
    buf_init(&b.scratch, TRACKING_LINE_MAX);
    if (file)
        code = make_folder(folder, err);
    if (!code && file)
        code = build(&f, file, &step, &b, err);
    buf_done(&b.scratch);
    free(b.entries);
    tracking_folder_done(&f);
    if (!code)
        *ret = step;
    return code;
}
