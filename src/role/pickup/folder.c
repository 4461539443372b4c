/*
 * folder.c: the names of files as their state. Invariant: a file changes its name by renameat2 without replacing
 * anything, so no two files ever become one; it is removed only by folder_settle with FOLDER_SENT.
 */
#include "role/pickup/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAD_NAMES_MAX = 100, STEM_SHOWN_MAX = 200 };

static enum err_code check(const char *path, const struct stat *st, struct err *err)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return err_set(err, ERR_DENIED, "%s belongs to user %lu; it must be root's or the server's own", path,
                       (unsigned long)st->st_uid);
    if (st->st_mode & S_IWOTH)
        return err_set(err, ERR_DENIED, "everybody may write to %s, and so relay; chmod o-w %s", path, path);
    return ERR_NONE;
}

enum err_code folder_open(const char *path, struct folder *ret, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0)
        return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "%s does not exist", path)
                               : err_errno(err, errno, "cannot open %s", path);
    enum err_code code =
        fstat(fd, &st) < 0 ? err_errno(err, errno, "cannot look at %s", path) : check(path, &st, err);
    DIR *dir = code ? NULL : fdopendir(fd);
    if (!dir) {
        if (!code)
            code = err_errno(err, errno, "cannot read %s", path);
        close(fd);
        return code;
    }
    *ret = (struct folder){.dir = dir, .fd = fd};
    return ERR_NONE;
}

bool folder_is_current(const struct folder *f, const char *path)
{
    struct stat named, open;
    struct err ignored;
    return lstat(path, &named) == 0 && fstat(f->fd, &open) == 0 && named.st_ino == open.st_ino &&
           named.st_dev == open.st_dev && check(path, &open, &ignored) == ERR_NONE;
}

void folder_close(struct folder *f)
{
    if (f->dir)
        closedir(f->dir);
    *f = (struct folder){.fd = -1};
}

static int rename_in(int fd, const char *from, const char *to)
{
    return renameat2(fd, from, fd, to, RENAME_NOREPLACE);
}

/* NAME without the suffix, which it has; false when it has not, or nothing else. */
static bool stem_of(const char *name, const char *suffix, char stem[static FOLDER_NAME_MAX + 1])
{
    struct span s = span_of(name);
    if (!span_ends(s, span_of(suffix)) || s.len == strlen(suffix) || s.len > FOLDER_NAME_MAX)
        return false;
    snprintf(stem, FOLDER_NAME_MAX + 1, "%.*s", (int)(s.len - strlen(suffix)), name);
    return true;
}

/* Room for any stem and suffix. */
struct name {
    char text[FOLDER_NAME_MAX + 8];
};

static struct name with(const char *stem, const char *suffix)
{
    struct name n;
    snprintf(n.text, sizeof n.text, "%s%s", stem, suffix);
    return n;
}

/* What an earlier process had under way waits again; where a new one of that name waits already, at the next start.
 */
static void bring_back(const struct folder *f, const char *name)
{
    char stem[FOLDER_NAME_MAX + 1];
    if (stem_of(name, ".tmp", stem))
        IGNORE_RESULT(rename_in(f->fd, name, with(stem, ".eml").text));
}

enum folder_step folder_next(struct folder *f, unsigned *budget, char name[static FOLDER_NAME_MAX + 1])
{
    char stem[FOLDER_NAME_MAX + 1];
    for (; *budget; --*budget) {
        const struct dirent *e = readdir(f->dir);
        if (!e) {
            bool first = !f->recovered;
            f->recovered = true;
            rewinddir(f->dir);
            if (!first)
                return FOLDER_END;
        } else if (!f->recovered) {
            bring_back(f, e->d_name);
        } else if (e->d_name[0] != '.' && stem_of(e->d_name, ".eml", stem)) {
            snprintf(name, FOLDER_NAME_MAX + 1, "%s", e->d_name);
            --*budget;
            return FOLDER_FILE;
        }
    }
    return FOLDER_LATER;
}

static enum err_code judge(const struct stat *st, struct err *err)
{
    if (!S_ISREG(st->st_mode))
        return err_set(err, ERR_INVALID, "it is no ordinary file");
    if (st->st_nlink != 1)
        return err_set(err, ERR_INVALID, "it has other names elsewhere (hard links)");
    return ERR_NONE;
}

static enum err_code open_claimed(struct folder_file *file, struct err *err)
{
    const struct name tmp = with(file->stem, ".tmp");
    /* Without waiting: the other end of a pipe may never come. */
    file->fd = openat(file->folder_fd, tmp.text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file->fd < 0 && (errno == ELOOP || errno == EMLINK))
        return err_set(err, ERR_INVALID, "it is a symbolic link");
    if (file->fd < 0 && (errno == EACCES || errno == EPERM || errno == ENXIO))
        return err_set(err, ERR_INVALID, "it cannot be read: %s", strerror(errno));
    if (file->fd < 0)
        return err_errno(err, errno, "cannot open it");
    if (fstat(file->fd, &file->claimed) < 0)
        return err_errno(err, errno, "cannot look at it");
    return judge(&file->claimed, err);
}

enum err_code folder_claim(struct folder *f, const char *name, struct folder_file *ret, struct err *err)
{
    struct folder_file file = {.fd = -1};
    struct err ignored;
    if (!stem_of(name, ".eml", file.stem))
        return err_set(err, ERR_NOT_FOUND, "no .eml");
    file.folder_fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
    if (file.folder_fd < 0)
        return err_errno(err, errno, "cannot hold the folder");
    if (rename_in(f->fd, name, with(file.stem, ".tmp").text) < 0) {
        int saved = errno;
        close(file.folder_fd);
        return saved == ENOENT   ? err_set(err, ERR_NOT_FOUND, "it is gone")
               : saved == EEXIST ? err_set(err, ERR_EXISTS, "a file of that name is under way")
                                 : err_errno(err, saved, "cannot rename it");
    }
    enum err_code code = open_claimed(&file, err);
    if (code) {
        folder_settle(&file, code == ERR_INVALID ? FOLDER_BAD : FOLDER_BACK, &ignored);
        return code;
    }
    *ret = file;
    return ERR_NONE;
}

enum err_code folder_flush(const struct folder *f, struct err *err)
{
    return fsync(f->fd) < 0 ? err_errno(err, errno, "cannot flush the folder") : ERR_NONE;
}

bool folder_file_changed(const struct folder_file *file)
{
    struct stat now;
    return fstat(file->fd, &now) < 0 || now.st_size != file->claimed.st_size ||
           now.st_mtim.tv_sec != file->claimed.st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != file->claimed.st_mtim.tv_nsec;
}

/* To NAME.bad, or NAME-1.bad and so on: none that people have not looked at yet is replaced. */
static int make_bad(const struct folder_file *file)
{
    int rc = rename_in(file->folder_fd, with(file->stem, ".tmp").text, with(file->stem, ".bad").text);
    for (int n = 1; rc < 0 && errno == EEXIST && n < BAD_NAMES_MAX; n++) {
        char name[FOLDER_NAME_MAX + 1];
        snprintf(name, sizeof name, "%.*s-%d.bad", STEM_SHOWN_MAX, file->stem, n);
        rc = rename_in(file->folder_fd, with(file->stem, ".tmp").text, name);
    }
    return rc;
}

enum err_code folder_settle(struct folder_file *file, enum folder_outcome outcome, struct err *err)
{
    const struct name tmp = with(file->stem, ".tmp");
    int rc = outcome == FOLDER_SENT  ? unlinkat(file->folder_fd, tmp.text, 0)
             : outcome == FOLDER_BAD ? make_bad(file)
                                     : rename_in(file->folder_fd, tmp.text, with(file->stem, ".eml").text);
    enum err_code code =
        rc < 0 ? err_errno(err, errno, "%s cannot be %s", tmp.text, outcome == FOLDER_SENT ? "removed" : "renamed")
               : ERR_NONE;
    if (file->fd >= 0)
        close(file->fd);
    close(file->folder_fd);
    file->fd = file->folder_fd = -1;
    return code;
}
