/*
 * spool.c: large bodies as files.
 *
 * Invariants: a name is made of an id alone and only names of that form are opened or removed, so no caller's text
 * becomes a path. A file is made in the folder in which it will be named: linking it is no move, which a sandbox
 * may forbid. Where O_TMPFILE is unknown the file has a name of its own kind ("new.<inode>") until it is published;
 * the sweep removes those.
 */
#include "store/spool.h"

#include "base/num.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHARDS = 256, ID_DIGITS = 16, NAME_LEN = 3 + ID_DIGITS, TRIES = 100 };

enum err_code spool_open(const char *folder, struct spool *ret, struct err *err)
{
    if (strlen(folder) >= sizeof ret->folder)
        return err_set(err, ERR_INVALID, "the spool folder's name is longer than %zu bytes",
                       sizeof ret->folder - 1);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "cannot open the spool folder %s", folder);
    *ret = (struct spool){.folder_fd = fd};
    memcpy(ret->folder, folder, strlen(folder) + 1);
    return ERR_NONE;
}

void spool_close(struct spool *s)
{
    close(s->folder_fd);
    s->folder_fd = -1;
}

static void name_of(uint64_t id, char out[static SPOOL_NAME_MAX])
{
    snprintf(out, SPOOL_NAME_MAX, "%02x/%0*" PRIx64, (unsigned)(id % SHARDS), ID_DIGITS, id);
}

static bool is_lower_hex(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (num_hex_digit(s.ptr[i]) < 0 || s.ptr[i] != ascii_lower(s.ptr[i]))
            return false;
    return true;
}

/* "3f/000000000000013f": what name_of makes, and nothing else. */
static bool is_name(struct span s)
{
    return s.len == NAME_LEN && s.ptr[2] == '/' && is_lower_hex(span_head(s, 2)) && is_lower_hex(span_from(s, 3)) &&
           memcmp(s.ptr, s.ptr + NAME_LEN - 2, 2) == 0;
}

/* The folder of an id, made and flushed into its parent when it is new; -1. */
static int open_shard(const struct spool *s, uint64_t id, struct err *err)
{
    char shard[4];
    snprintf(shard, sizeof shard, "%02x", (unsigned)(id % SHARDS));
    bool made = mkdirat(s->folder_fd, shard, 0700) == 0;
    int fd = made || errno == EEXIST ? openat(s->folder_fd, shard, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0 && (!made || fsync(s->folder_fd) == 0))
        return fd;
    err_errno(err, errno, "cannot make or open the spool folder %s/%s", s->folder, shard);
    if (fd >= 0)
        close(fd);
    return -1;
}

/* The name that a file has until it is published where O_TMPFILE is unknown: of its inode, so that it can be found
 * again. */
static bool temporary_name(int fd, char out[static SPOOL_NAME_MAX])
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_nlink == 0)
        return false;
    snprintf(out, SPOOL_NAME_MAX, "new.%016" PRIx64, (uint64_t)st.st_ino);
    return true;
}

static int create_named(int shard)
{
    for (unsigned i = 0; i < TRIES; i++) {
        char first[SPOOL_NAME_MAX], then[SPOOL_NAME_MAX];
        snprintf(first, sizeof first, "new.%u-%u", (unsigned)getpid(), i);
        int fd = openat(shard, first, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 && errno == EEXIST)
            continue;
        if (fd < 0 || (temporary_name(fd, then) && renameat(shard, first, shard, then) == 0))
            return fd;
        int saved = errno;
        unlinkat(shard, first, 0);
        close(fd);
        errno = saved;
        return -1;
    }
    return -1;
}

enum err_code spool_create(const struct spool *s, uint64_t id, int *ret_fd, struct err *err)
{
    int shard = open_shard(s, id, err);
    if (shard < 0)
        return ERR_IO;
    int fd = openat(shard, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
        fd = create_named(shard);
    int saved = errno;
    close(shard);
    if (fd < 0)
        return err_errno(err, saved, "cannot make a spool file in %s", s->folder);
    *ret_fd = fd;
    return ERR_NONE;
}

/* Names the file within its folder. */
static enum err_code give_name(int fd, int shard, const char *name, struct err *err)
{
    char from[32], temporary[SPOOL_NAME_MAX];
    bool named = temporary_name(fd, temporary);
    snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
    int rc = named ? linkat(shard, temporary, shard, name + 3, 0)
                   : linkat(AT_FDCWD, from, shard, name + 3, AT_SYMLINK_FOLLOW);
    if (rc < 0 && errno == EEXIST)
        return err_set(err, ERR_EXISTS, "there is a spool file %s already", name);
    if (rc < 0 || (named && unlinkat(shard, temporary, 0) < 0))
        return err_errno(err, errno, "cannot name the spool file %s", name);
    return ERR_NONE;
}

enum err_code spool_publish(const struct spool *s, int fd, uint64_t id, char ret_name[static SPOOL_NAME_MAX],
                            struct err *err)
{
    char name[SPOOL_NAME_MAX];
    name_of(id, name);
    if (fdatasync(fd) < 0)
        return err_errno(err, errno, "cannot flush the spool file of message %" PRIu64, id);
    int shard = open_shard(s, id, err);
    if (shard < 0)
        return ERR_IO;
    enum err_code code = give_name(fd, shard, name, err);
    if (code == ERR_NONE && fsync(shard) < 0)
        code = err_errno(err, errno, "cannot flush the spool folder of %s", name);
    close(shard);
    if (code == ERR_NONE)
        memcpy(ret_name, name, sizeof name);
    return code;
}

void spool_discard(const struct spool *s, int fd, uint64_t id)
{
    char name[SPOOL_NAME_MAX], path[2 * SPOOL_NAME_MAX];
    if (temporary_name(fd, name)) {
        snprintf(path, sizeof path, "%02x/%s", (unsigned)(id % SHARDS), name);
        unlinkat(s->folder_fd, path, 0); /* what stays, the sweep removes */
    }
    close(fd);
}

/* A name as a path below the folder. */
static enum err_code path_of(struct span name, char out[static SPOOL_NAME_MAX], struct err *err)
{
    if (!is_name(name))
        return err_set(err, ERR_INVALID, "no spool file has the name \"%.*s\"", SPAN_ARG(span_head(name, 64)));
    memcpy(out, name.ptr, NAME_LEN);
    out[NAME_LEN] = '\0';
    return ERR_NONE;
}

enum err_code spool_open_read(const struct spool *s, struct span name, int *ret_fd, struct err *err)
{
    char path[SPOOL_NAME_MAX];
    enum err_code code = path_of(name, path, err);
    if (code != ERR_NONE)
        return code;
    int fd = openat(s->folder_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "the spool file %s is missing", path);
    if (fd < 0)
        return err_errno(err, errno, "cannot open the spool file %s", path);
    *ret_fd = fd;
    return ERR_NONE;
}

enum err_code spool_remove(const struct spool *s, struct span name, struct err *err)
{
    char path[SPOOL_NAME_MAX];
    enum err_code code = path_of(name, path, err);
    if (code == ERR_NONE && unlinkat(s->folder_fd, path, 0) < 0 && errno != ENOENT)
        code = err_errno(err, errno, "cannot remove the spool file %s", path);
    return code;
}

struct sweep {
    const struct spool *spool;
    enum err_code (*named)(void *context, struct span name, bool *ret, struct err *err);
    void *context;
    size_t removed;
};

static enum err_code sweep_entry(struct sweep *w, unsigned shard, const char *entry, struct err *err)
{
    char path[4 + sizeof((struct dirent *)0)->d_name];
    snprintf(path, sizeof path, "%02x/%s", shard, entry);
    struct span name = span_of(path);
    bool keep = !span_starts(span_of(entry), SPAN("new."));
    if (keep && is_name(name)) {
        enum err_code code = w->named(w->context, name, &keep, err);
        if (code != ERR_NONE)
            return code;
    }
    if (keep)
        return ERR_NONE;
    if (unlinkat(w->spool->folder_fd, path, 0) < 0 && errno != ENOENT)
        return err_errno(err, errno, "cannot remove the spool file %s", path);
    w->removed++;
    return ERR_NONE;
}

static enum err_code sweep_shard(struct sweep *w, unsigned shard, struct err *err)
{
    char name[4];
    snprintf(name, sizeof name, "%02x", shard);
    int fd = openat(w->spool->folder_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return ERR_NONE;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        enum err_code code = err_errno(err, errno, "cannot read the spool folder %s/%s", w->spool->folder, name);
        if (fd >= 0)
            close(fd);
        return code;
    }
    enum err_code code = ERR_NONE;
    struct dirent *entry;
    while (errno = 0, code == ERR_NONE && (entry = readdir(d)))
        if (entry->d_name[0] != '.')
            code = sweep_entry(w, shard, entry->d_name, err);
    if (code == ERR_NONE && errno)
        code = err_errno(err, errno, "cannot read the spool folder %s/%s", w->spool->folder, name);
    closedir(d);
    return code;
}

enum err_code spool_sweep(const struct spool *s,
                          enum err_code (*named)(void *context, struct span name, bool *ret, struct err *err),
                          void *context, size_t *ret_removed, struct err *err)
{
    struct sweep w = {.spool = s, .named = named, .context = context};
    enum err_code code = ERR_NONE;
    for (unsigned shard = 0; shard < SHARDS && code == ERR_NONE; shard++)
        code = sweep_shard(&w, shard, err);
    if (code == ERR_NONE)
        *ret_removed = w.removed;
    return code;
}
