/* grant_usage.c: see grant_usage.h. A sorted array: uses are looked up far more often than entries are new. */
#include "role/common/grant_usage.h"

#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_LEN = GRANT_USAGE_ID_MAX + 48, FILE_MAX = GRANT_USAGE_MAX * LINE_MAX_LEN, PATH_MAX_LEN = 1400 };

static struct span id_of(const struct grant_use *use)
{
    return span_make(use->id, use->len);
}

/* Where the entry is, or belongs. */
static size_t place(const struct grant_usage *u, struct span entry)
{
    size_t low = 0, high = u->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (span_icmp(id_of(&u->uses[middle]), entry) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool find(struct grant_usage_view *v, struct span entry, int64_t *ret_last_ms, uint64_t *ret_count)
{
    const struct grant_usage *u = (const struct grant_usage *)v;
    size_t i = place(u, entry);
    if (i == u->count || !span_ieq(id_of(&u->uses[i]), entry))
        return false;
    *ret_last_ms = u->uses[i].last_ms;
    *ret_count = u->uses[i].count;
    return true;
}

void grant_usage_init(struct grant_usage *u)
{
    *u = (struct grant_usage){.view = {find}};
}

void grant_usage_done(struct grant_usage *u)
{
    free(u->uses);
    u->uses = NULL;
    u->count = u->cap = 0;
}

static void forget_oldest(struct grant_usage *u)
{
    size_t oldest = 0;
    for (size_t i = 1; i < u->count; i++)
        if (u->uses[i].last_ms < u->uses[oldest].last_ms)
            oldest = i;
    memmove(&u->uses[oldest], &u->uses[oldest + 1], (--u->count - oldest) * sizeof *u->uses);
}

static bool make_room(struct grant_usage *u)
{
    if (u->count == GRANT_USAGE_MAX)
        forget_oldest(u);
    if (u->count < u->cap)
        return true;
    size_t cap = u->cap ? u->cap * 2 : 64;
    struct grant_use *grown = realloc(u->uses, cap * sizeof *grown);
    if (!grown)
        return false;
    u->uses = grown;
    u->cap = cap;
    return true;
}

static bool is_id(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alnum(s.ptr[i]) && s.ptr[i] != '-')
            return false;
    return s.len > 0 && s.len <= GRANT_USAGE_ID_MAX;
}

void grant_usage_note(struct grant_usage *u, struct span entry, uint64_t count, int64_t at_ms)
{
    if (!is_id(entry) || at_ms < 0)
        return;
    size_t i = place(u, entry);
    if (i == u->count || !span_ieq(id_of(&u->uses[i]), entry)) {
        if (!make_room(u))
            return;
        i = place(u, entry);
        memmove(&u->uses[i + 1], &u->uses[i], (u->count++ - i) * sizeof *u->uses);
        u->uses[i] = (struct grant_use){.len = entry.len};
        for (size_t k = 0; k < entry.len; k++)
            u->uses[i].id[k] = ascii_lower(entry.ptr[k]);
    }
    if (__builtin_add_overflow(u->uses[i].count, count, &u->uses[i].count) || u->uses[i].count > INT64_MAX)
        u->uses[i].count = INT64_MAX;
    if (at_ms > u->uses[i].last_ms)
        u->uses[i].last_ms = at_ms;
}

/* ---- the file ---- */

void grant_usage_parse(struct grant_usage *u, struct span text)
{
    for (struct span line; span_split(&text, '\n', &line);) {
        struct span id, last, count;
        int64_t last_ms;
        uint64_t n;
        if (span_split(&line, ' ', &id) && span_split(&line, ' ', &last) && span_split(&line, ' ', &count) &&
            !line.ptr && num_parse_i64(last, 0, INT64_MAX, &last_ms) && num_parse_u64(count, INT64_MAX, &n))
            grant_usage_note(u, id, n, last_ms);
    }
}

void grant_usage_print(const struct grant_usage *u, struct buf *out)
{
    for (size_t i = 0; i < u->count; i++)
        buf_addf(out, "%.*s %" PRId64 " %" PRIu64 "\n", SPAN_ARG(id_of(&u->uses[i])), u->uses[i].last_ms,
                 u->uses[i].count);
}

static enum err_code path_of(const char *state, const char *suffix, char *out, struct err *err)
{
    int n = snprintf(out, PATH_MAX_LEN, "%s/grants.usage%s", state, suffix);
    return n > 0 && n < PATH_MAX_LEN ? ERR_NONE
                                     : err_set(err, ERR_LIMIT, "the path of the state folder is too long");
}

enum err_code grant_usage_load(struct grant_usage *u, const char *state, struct err *err)
{
    char path[PATH_MAX_LEN];
    struct stat st;
    enum err_code code = path_of(state, "", path, err);
    if (code)
        return code;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? ERR_NONE : err_errno(err, errno, "cannot open %s", path);
    struct buf b;
    buf_init(&b, FILE_MAX);
    if (fstat(fd, &st) < 0) {
        code = err_errno(err, errno, "cannot read %s", path);
    } else if (st.st_size < 0 || st.st_size > FILE_MAX) {
        code = err_set(err, ERR_LIMIT, "%s is too large to be a table of uses", path);
    } else {
        char *into = buf_reserve(&b, (size_t)st.st_size + 1);
        ssize_t n = into ? read(fd, into, (size_t)st.st_size) : 0;
        if (n < 0)
            code = err_errno(err, errno, "cannot read %s", path);
        else if (into)
            buf_commit(&b, (size_t)n);
    }
    close(fd);
    if (!code)
        grant_usage_parse(u, buf_span(&b));
    buf_done(&b);
    return code;
}

static enum err_code write_all(const char *path, struct span bytes, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(err, errno, "cannot write %s", path);
    while (bytes.len) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            enum err_code code = err_errno(err, errno, "cannot write %s", path);
            close(fd);
            return code;
        }
        bytes = span_from(bytes, (size_t)n);
    }
    close(fd);
    return ERR_NONE;
}

enum err_code grant_usage_save(const struct grant_usage *u, const char *state, struct err *err)
{
    char path[PATH_MAX_LEN], fresh[PATH_MAX_LEN];
    struct buf b;
    enum err_code code = path_of(state, "", path, err);
    if (!code)
        code = path_of(state, ".new", fresh, err);
    buf_init(&b, FILE_MAX);
    grant_usage_print(u, &b);
    if (!code && b.failed)
        code = err_set(err, ERR_NO_MEMORY, "out of memory");
    if (!code)
        code = write_all(fresh, buf_span(&b), err);
    if (!code && rename(fresh, path) < 0)
        code = err_errno(err, errno, "cannot replace %s", path);
    buf_done(&b);
    return code;
}
