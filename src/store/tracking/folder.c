/*
 * folder.c: the folder of the log as a list of files with their indexes. An index belongs to a file when it begins
 * where the one before it ends, and ends within the file.
 */
#include "store/tracking/internal.h"

#include "base/num.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILES_MAX = 100000, STEM_LEN = 6 + 8 + 1 };
#define PREFIX "MSGTRK"

/* An index as its name says. */
struct index_name {
    uint32_t day, number;
    struct tracking_slice slice;
    char name[TRACKING_NAME_MAX];
};

int64_t tracking_day_ms(uint32_t day)
{
    struct tm tm = {
        .tm_year = (int)(day / 10000) - 1900, .tm_mon = (int)(day / 100 % 100) - 1, .tm_mday = (int)(day % 100)};
    return (int64_t)timegm(&tm) * 1000;
}

/* MSGTRKyyyymmdd-n off the front; n ends at the first of `ends`. */
static bool parse_stem(struct span *name, const char *ends, uint32_t *ret_day, uint32_t *ret_number)
{
    struct span rest = span_from(*name, STEM_LEN);
    size_t n = 0;
    if (!span_starts(*name, SPAN(PREFIX)) || name->len <= STEM_LEN || name->ptr[STEM_LEN - 1] != '-' ||
        !num_parse_u32(span_head(span_from(*name, 6), 8), 99991231, ret_day))
        return false;
    while (n < rest.len && !strchr(ends, rest.ptr[n]))
        n++;
    *name = span_from(rest, n);
    return num_parse_u32(span_head(rest, n), UINT32_MAX, ret_number);
}

static bool parse_hex(struct span s, uint64_t *ret)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        int d = num_hex_digit(s.ptr[i]);
        if (d < 0)
            return false;
        v = v << 4 | (unsigned)d;
    }
    *ret = v;
    return true;
}

/* -FIRST-END.idx */
static bool parse_index(struct span name, struct index_name *ret)
{
    return parse_stem(&name, "-", &ret->day, &ret->number) && name.len == 1 + 12 + 1 + 12 + 4 &&
           name.ptr[13] == '-' && span_ends(name, SPAN(".idx")) &&
           parse_hex(span_head(span_from(name, 1), 12), &ret->slice.first) &&
           parse_hex(span_head(span_from(name, 14), 12), &ret->slice.end) && ret->slice.first < ret->slice.end;
}

bool tracking_log_path(const struct tracking_folder *f, const struct tracking_file *file,
                       char out[static TRACKING_PATH_MAX])
{
    int n = snprintf(out, TRACKING_PATH_MAX, "%s/" PREFIX "%08" PRIu32 "-%04" PRIu32 ".log", f->path, file->day,
                     file->number);
    return n > 0 && n < TRACKING_PATH_MAX;
}

bool tracking_slice_path(const struct tracking_folder *f, const struct tracking_file *file,
                         const struct tracking_slice *s, char out[static TRACKING_PATH_MAX])
{
    int n = snprintf(out, TRACKING_PATH_MAX,
                     "%s/index/" PREFIX "%08" PRIu32 "-%04" PRIu32 "-%012" PRIx64 "-%012" PRIx64 ".idx", f->path,
                     file->day, file->number, s->first, s->end);
    return n > 0 && n < TRACKING_PATH_MAX;
}

/* ---- lists ---- */

/* One more item; NULL when memory is out. */
static void *grow(void **list, size_t *cap, size_t count, size_t size)
{
    if (count == *cap) {
        size_t more = *cap ? 2 * *cap : 64;
        void *grown = reallocarray(*list, more, size);
        if (!grown)
            return NULL;
        *list = grown;
        *cap = more;
    }
    return (char *)*list + count * size;
}

static int older_first(const void *a, const void *b)
{
    const struct tracking_file *x = a, *y = b;
    int c = (x->day > y->day) - (x->day < y->day);
    return c ? c : (x->number > y->number) - (x->number < y->number);
}

static int in_order(const void *a, const void *b)
{
    const struct index_name *x = a, *y = b;
    int c = (x->day > y->day) - (x->day < y->day);
    c = c ? c : (x->number > y->number) - (x->number < y->number);
    c = c ? c : (x->slice.first > y->slice.first) - (x->slice.first < y->slice.first);
    return c ? c : (x->slice.end > y->slice.end) - (x->slice.end < y->slice.end);
}

static enum err_code open_folder(const char *path, DIR **ret, struct err *err)
{
    *ret = opendir(path);
    return *ret || errno == ENOENT ? ERR_NONE : err_errno(err, errno, "cannot read %s", path);
}

static enum err_code read_logs(struct tracking_folder *f, struct err *err)
{
    DIR *d;
    size_t cap = 0;
    void *list = NULL;
    enum err_code code = open_folder(f->path, &d, err);
    for (struct dirent *e; !code && d && f->count < FILES_MAX && (e = readdir(d));) {
        struct tracking_file file = {0}, *slot;
        struct span name = span_of(e->d_name);
        struct stat st;
        if (!parse_stem(&name, ".", &file.day, &file.number) || !span_eq(name, SPAN(".log")) ||
            fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
            continue;
        file.size = (uint64_t)st.st_size;
        slot = grow(&list, &cap, f->count, sizeof file);
        if (!slot)
            code = err_set(err, ERR_NO_MEMORY, "out of memory");
        else
            *slot = file, f->count++;
    }
    if (d)
        closedir(d);
    f->files = list;
    if (f->count)
        qsort(f->files, f->count, sizeof *f->files, older_first);
    return code;
}

/* What a crash left of tracking_index_write; everything else in the folder is somebody else's. */
static bool is_unfinished(struct span name)
{
    struct index_name x;
    return name.len < sizeof x.name && span_ends(name, SPAN(".new")) &&
           parse_index(span_head(name, name.len - 4), &x);
}

static enum err_code read_names(const char *path, bool clean, struct index_name **ret, size_t *ret_count,
                                struct err *err)
{
    DIR *d;
    size_t cap = 0, count = 0;
    void *list = NULL;
    enum err_code code = open_folder(path, &d, err);
    for (struct dirent *e; !code && d && (e = readdir(d));) {
        struct index_name x, *slot;
        struct span name = span_of(e->d_name);
        if (span_starts(name, SPAN(".")))
            continue;
        if (name.len >= sizeof x.name || !parse_index(name, &x)) {
            if (clean && is_unfinished(name))
                unlinkat(dirfd(d), e->d_name, 0);
            continue;
        }
        memcpy(x.name, e->d_name, name.len + 1);
        slot = grow(&list, &cap, count, sizeof x);
        if (!slot)
            code = err_set(err, ERR_NO_MEMORY, "out of memory");
        else
            *slot = x, count++;
    }
    if (d)
        closedir(d);
    if (count)
        qsort(list, count, sizeof(struct index_name), in_order);
    *ret = list;
    *ret_count = count;
    return code;
}

static struct tracking_file *file_of(struct tracking_folder *f, const struct index_name *x)
{
    struct tracking_file key = {.day = x->day, .number = x->number};
    return f->count ? bsearch(&key, f->files, f->count, sizeof key, older_first) : NULL;
}

/* Each index to its file; the names are in order, so a chain without gaps is seen in one pass. */
static enum err_code join(struct tracking_folder *f, const struct index_name *names, size_t count, const char *path,
                          bool clean, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct tracking_file *file = file_of(f, &names[i]);
        char unlinked[TRACKING_PATH_MAX + TRACKING_NAME_MAX];
        if (file && names[i].slice.first == file->covered && names[i].slice.end <= file->size) {
            struct tracking_slice *grown = reallocarray(file->slices, file->slice_count + 1, sizeof *file->slices);
            if (!grown)
                return err_set(err, ERR_NO_MEMORY, "out of memory");
            file->slices = grown;
            file->slices[file->slice_count++] = names[i].slice;
            file->covered = names[i].slice.end;
        } else if (clean) {
            snprintf(unlinked, sizeof unlinked, "%s/%s", path, names[i].name);
            f->removed += unlink(unlinked) == 0;
        }
    }
    return ERR_NONE;
}

enum err_code tracking_folder_read(struct tracking_folder *f, const char *path, bool clean, struct err *err)
{
    struct index_name *names = NULL;
    size_t count = 0;
    char indexes[TRACKING_PATH_MAX];
    *f = (struct tracking_folder){.path = path};
    if (snprintf(indexes, sizeof indexes, "%s/index", path) >= TRACKING_PATH_MAX - TRACKING_NAME_MAX)
        return err_set(err, ERR_LIMIT, "the path of the message tracking log is too long: %s", path);
    /* The indexes first: one that is made meanwhile has its file among those that are read then. */
    enum err_code code = read_names(indexes, clean, &names, &count, err);
    if (!code)
        code = read_logs(f, err);
    if (!code)
        code = join(f, names, count, indexes, clean, err);
    free(names);
    if (code)
        tracking_folder_done(f);
    return code;
}

void tracking_folder_done(struct tracking_folder *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->files[i].slices);
    free(f->files);
    f->files = NULL;
    f->count = 0;
}
