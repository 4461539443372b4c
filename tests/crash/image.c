/*
 * image.c: see image.h. The record is gone through once: what a flush covers moves from what waits to what is kept,
 * and at the end the kind decides on what still waits.
 *
 * Invariant: the kept state never depends on anything that was not flushed.
 */
#include "image.h"

#include "base/buf.h"
#include "check.h"
#include "store/test_support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, NAMES_MAX = 4096, FILE_BYTES_MAX = 64 << 20, PATH_BYTES = 4096 };

struct content {
    struct buf bytes;
    size_t *waiting; /* places in the record */
    size_t count;
};

struct name {
    struct span name;
    unsigned file; /* 0: a folder */
};

struct image {
    struct disk_log log;
    struct content *files; /* by number */
    size_t file_count;
    struct name names[NAMES_MAX];
    size_t name_count;
    size_t waiting[NAMES_MAX]; /* changes of names, places in the record */
    size_t waiting_count;
    struct draw draw;
};

const char *image_kind_name(enum image_kind k)
{
    static const char *const names[IMAGE_KINDS] = {
        [IMAGE_FLUSHED] = "flushed only", [IMAGE_EVERYTHING] = "everything", [IMAGE_CHANCE] = "by chance"};
    return names[k];
}

/* ---- contents ---- */

static void resize(struct buf *b, size_t length)
{
    if (length > b->len) {
        size_t more = length - b->len;
        char *p = buf_reserve(b, more);
        assert_non_null(p);
        memset(p, 0, more);
        buf_commit(b, more);
    }
    b->len = length;
}

static void put(struct buf *b, uint64_t at, struct span data)
{
    if (at + data.len > b->len)
        resize(b, (size_t)at + data.len);
    memcpy(b->ptr + at, data.ptr, data.len);
}

static void apply(struct content *c, const struct disk_op *op)
{
    if (op->kind == DISK_TRUNCATE)
        resize(&c->bytes, (size_t)op->at);
    else
        put(&c->bytes, op->at, op->data);
}

/* Each sector of a write reaches the medium or does not. */
static void apply_by_chance(struct image *i, struct content *c, const struct disk_op *op)
{
    if (op->kind == DISK_TRUNCATE) {
        if (draw(&i->draw, 2))
            apply(c, op);
        return;
    }
    for (size_t from = 0; from < op->data.len;) {
        size_t to = (size_t)((op->at + from) / SECTOR + 1) * SECTOR - (size_t)op->at;
        to = to < op->data.len ? to : op->data.len;
        if (draw(&i->draw, 2))
            put(&c->bytes, op->at + from, span_make(op->data.ptr + from, to - from));
        from = to;
    }
}

static void flush_content(struct image *i, struct content *c)
{
    for (size_t k = 0; k < c->count; k++)
        apply(c, &i->log.ops[c->waiting[k]]);
    c->count = 0;
}

static void wait_content(struct image *i, size_t place)
{
    struct content *c = &i->files[i->log.ops[place].file];
    c->waiting = realloc(c->waiting, (c->count + 1) * sizeof *c->waiting);
    assert_non_null(c->waiting);
    c->waiting[c->count++] = place;
}

/* ---- names ---- */

static struct name *find(struct image *i, struct span name)
{
    for (size_t k = 0; k < i->name_count; k++)
        if (span_eq(i->names[k].name, name))
            return &i->names[k];
    return NULL;
}

static void apply_name(struct image *i, const struct disk_op *op)
{
    struct name *n = find(i, op->name);
    if (op->kind == DISK_UNLINK) {
        if (n)
            *n = i->names[--i->name_count];
        return;
    }
    assert_true(n || i->name_count < NAMES_MAX);
    if (!n)
        n = &i->names[i->name_count++];
    *n = (struct name){op->name, op->file};
}

static struct span parent(struct span name)
{
    size_t slash = span_rfind(name, '/');
    return span_head(name, slash == SIZE_MAX ? 0 : slash);
}

/* The changes of one folder, in their order; those of others go on waiting. */
static void flush_names(struct image *i, struct span folder)
{
    size_t kept = 0;
    for (size_t k = 0; k < i->waiting_count; k++) {
        const struct disk_op *op = &i->log.ops[i->waiting[k]];
        if (span_eq(parent(op->name), folder))
            apply_name(i, op);
        else
            i->waiting[kept++] = i->waiting[k];
    }
    i->waiting_count = kept;
}

/* ---- the record ---- */

static void go_through(struct image *i, size_t until, bool all)
{
    for (size_t k = 0; k < until; k++) {
        const struct disk_op *op = &i->log.ops[k];
        switch (op->kind) {
        case DISK_WRITE:
        case DISK_TRUNCATE: wait_content(i, k); break;
        case DISK_FLUSH: flush_content(i, &i->files[op->file]); break;
        case DISK_FLUSH_FAILED:
            if (!all)
                i->files[op->file].count = 0;
            break;
        case DISK_CREATE:
        case DISK_LINK:
        case DISK_UNLINK:
        case DISK_MAKE_FOLDER:
            assert_true(i->waiting_count < NAMES_MAX);
            i->waiting[i->waiting_count++] = k;
            break;
        case DISK_FLUSH_FOLDER: flush_names(i, op->name); break;
        case DISK_MARK: break;
        }
    }
}

/* The first changes of names that waited, as many as chance wants: a journal keeps their order. */
static void settle(struct image *i, enum image_kind kind)
{
    size_t names = kind == IMAGE_FLUSHED      ? 0
                   : kind == IMAGE_EVERYTHING ? i->waiting_count
                                              : (size_t)draw(&i->draw, i->waiting_count + 1);
    for (size_t k = 0; k < names; k++)
        apply_name(i, &i->log.ops[i->waiting[k]]);
    for (size_t f = 0; kind != IMAGE_FLUSHED && f < i->file_count; f++) {
        struct content *c = &i->files[f];
        for (size_t k = 0; k < c->count; k++)
            if (kind == IMAGE_EVERYTHING)
                apply(c, &i->log.ops[c->waiting[k]]);
            else
                apply_by_chance(i, c, &i->log.ops[c->waiting[k]]);
    }
}

/* ---- the folder ---- */

static void write_file(const char *path, struct span bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (bytes.len) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        assert_true(n > 0);
        bytes = span_from(bytes, (size_t)n);
    }
    close(fd);
}

/* Folders first; what lies in a folder whose own name is lost is lost with it. */
static void write_folder(struct image *i, const char *folder)
{
    char path[PATH_BYTES];
    for (int folders = 1; folders >= 0; folders--)
        for (size_t k = 0; k < i->name_count; k++) {
            const struct name *n = &i->names[k];
            if ((n->file == 0) != folders || (parent(n->name).len && !find(i, parent(n->name))))
                continue;
            snprintf(path, sizeof path, "%s/%.*s", folder, SPAN_ARG(n->name));
            if (folders)
                assert_int_equal(mkdir(path, 0700), 0);
            else
                write_file(path, buf_span(&i->files[n->file].bytes));
        }
}

void image_make(struct disk_log log, size_t until, enum image_kind kind, uint64_t seed, const char *folder)
{
    static struct image i;
    i = (struct image){.log = log, .draw = {seed * 2 + 1}};
    for (size_t k = 0; k < until; k++)
        i.file_count = log.ops[k].file >= i.file_count ? log.ops[k].file + 1 : i.file_count;
    i.files = calloc(i.file_count + 1, sizeof *i.files);
    assert_non_null(i.files);
    for (size_t f = 0; f < i.file_count; f++)
        buf_init(&i.files[f].bytes, FILE_BYTES_MAX);
    go_through(&i, until, kind == IMAGE_EVERYTHING);
    settle(&i, kind);
    write_folder(&i, folder);
    for (size_t f = 0; f < i.file_count; f++) {
        buf_done(&i.files[f].bytes);
        free(i.files[f].waiting);
    }
    free(i.files);
}
