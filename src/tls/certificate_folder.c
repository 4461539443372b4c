/*
 * certificate_folder.c: see certificate_folder.h.
 *
 * Invariants: names come from another process and are checked before they become paths. A file that exists is never
 * written over: what is new gets a name of its own, so a key and its certificate cannot be taken apart by a crash.
 */
#include "tls/certificate_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = 2048, TRUST_FILES_MAX = 256 };

static const char *const endings[] = {".crt", ".crt.disabled", ".csr", ".key"};
enum { ENABLED, DISABLED, REQUEST, KEY };

enum err_code certificate_file_read(const char *path, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "cannot read %s", path);
    buf_init(out, CERTIFICATE_FILE_MAX);
    ssize_t n = 0;
    char *p = buf_reserve(out, CERTIFICATE_FILE_MAX); /* once, so that no copy of a key is left behind by growing */
    while (p && (n = read(fd, p + out->len, CERTIFICATE_FILE_MAX - out->len)) > 0)
        buf_commit(out, (size_t)n);
    int saved = errno;
    close(fd);
    if (!p || n < 0)
        return err_errno(err, p ? saved : ENOMEM, "cannot read %s", path);
    if (out->len == CERTIFICATE_FILE_MAX)
        return err_set(err, ERR_LIMIT, "%s is larger than %d bytes", path, CERTIFICATE_FILE_MAX - 1);
    return ERR_NONE;
}

static bool path_of(const char *folder, struct span name, const char *ending, char out[static PATH_LEN])
{
    int n = snprintf(out, PATH_LEN, "%s/%.*s%s", folder, SPAN_ARG(name), ending);
    return n > 0 && n < PATH_LEN;
}

static bool exists(const char *folder, struct span name, int ending)
{
    char path[PATH_LEN];
    struct stat st;
    return path_of(folder, name, endings[ending], path) && lstat(path, &st) == 0;
}

/* ---- listing ---- */

/* The name before one of the endings but a key's; empty: none of ours. */
static struct span stem_of(const char *file, int *ret_ending)
{
    struct span name = span_of(file);
    for (int e = ENABLED; e <= REQUEST && name.len && name.ptr[0] != '.'; e++)
        if (span_ends(name, span_of(endings[e])) && name.len > strlen(endings[e])) {
            *ret_ending = e;
            return span_head(name, name.len - strlen(endings[e]));
        }
    return SPAN("");
}

static int is_ours(const struct dirent *e)
{
    int ending;
    return stem_of(e->d_name, &ending).len != 0;
}

static struct span read_text(const char *folder, struct span name, int ending, struct arena *arena, struct err *err)
{
    char path[PATH_LEN];
    struct buf text = {0};
    struct span copy = {NULL, 0};
    if (!path_of(folder, name, endings[ending], path))
        err_set(err, ERR_LIMIT, "its path is too long");
    else if (certificate_file_read(path, &text, err) == ERR_NONE)
        copy = arena_dup(arena, buf_span(&text));
    buf_wipe(&text);
    return copy;
}

/* Whether the chain can be used with its key. */
static void try_key(const char *folder, struct certificate *c, struct arena *arena)
{
    char path[PATH_LEN];
    struct buf key = {0};
    struct err err = {0};
    struct tls_identity *id = NULL;
    if (!path_of(folder, c->name, endings[KEY], path))
        err_set(&err, ERR_LIMIT, "its path is too long");
    else if (certificate_file_read(path, &key, &err) == ERR_NONE)
        IGNORE_RESULT(tls_identity_load(c->chain, buf_span(&key), &id, &err));
    buf_wipe(&key);
    if (!id)
        c->problem = arena_dup(arena, span_of(err.text));
    tls_identity_free(id);
}

static bool describe(const char *folder, const char *file, struct arena *arena, struct certificate *ret)
{
    int ending = ENABLED;
    struct err err = {0};
    struct span stem = stem_of(file, &ending), text;
    if ((ending != ENABLED && exists(folder, stem, ENABLED)) ||
        (ending == REQUEST && exists(folder, stem, DISABLED)))
        return false; /* the better one is listed */
    *ret = (struct certificate){.name = arena_dup(arena, stem), .enabled = ending == ENABLED};
    text = read_text(folder, stem, ending, arena, &err);
    if (!text.ptr)
        ret->problem = arena_dup(arena, span_of(err.text[0] ? err.text : "out of memory"));
    else if (ending == REQUEST)
        ret->request = text;
    else
        ret->chain = text;
    if (ret->chain.len || (ending != REQUEST && !ret->problem.len))
        try_key(folder, ret, arena);
    return ret->name.ptr != NULL;
}

static enum err_code folder_list(void *context, struct arena *arena, struct certificate **ret, size_t *ret_count,
                                 struct err *err)
{
    const char *folder = context;
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, is_ours, alphasort);
    if (n < 0)
        return err_errno(err, errno, "cannot read the folder %s", folder);
    size_t count = 0;
    struct certificate *list = ARENA_ARRAY(arena, CERTIFICATES_MAX, struct certificate);
    enum err_code code = list ? ERR_NONE : err_set(err, ERR_NO_MEMORY, "out of memory");
    for (int i = 0; i < n; i++) {
        if (!code && count == CERTIFICATES_MAX)
            code = err_set(err, ERR_LIMIT, "more than %d certificates in %s", CERTIFICATES_MAX, folder);
        if (!code && describe(folder, entries[i]->d_name, arena, &list[count]))
            count++;
        free(entries[i]);
    }
    free(entries);
    if (code)
        return code;
    *ret = list;
    *ret_count = count;
    return ERR_NONE;
}

/* ---- changing ---- */

/* Under another name, flushed, then renamed. */
static enum err_code write_whole(const char *folder, struct span name, int ending, struct span text, mode_t mode,
                                 struct err *err)
{
    char path[PATH_LEN], fresh[PATH_LEN];
    int n = snprintf(fresh, sizeof fresh, "%s/.%.*s%s.new", folder, SPAN_ARG(name), endings[ending]);
    if (!path_of(folder, name, endings[ending], path) || n < 0 || n >= PATH_LEN)
        return err_set(err, ERR_LIMIT, "the path of %.*s is too long", SPAN_ARG(name));
    unlink(fresh); /* of a write that was broken off */
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return err_errno(err, errno, "cannot write %s", fresh);
    bool ok = fchmod(fd, mode) == 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len && fsync(fd) == 0;
    int saved = errno;
    close(fd);
    if (ok && rename(fresh, path) == 0)
        return ERR_NONE;
    saved = ok ? errno : saved;
    unlink(fresh);
    return err_errno(err, saved, "cannot write %s", path);
}

static enum err_code check_pair(struct span chain, struct span key, struct err *err)
{
    struct tls_identity *id = NULL;
    enum err_code code = tls_identity_load(chain, key, &id, err);
    tls_identity_free(id);
    return code;
}

static enum err_code add(const char *folder, const struct certificate_change *c, int ending, struct err *err)
{
    for (int e = ENABLED; e <= KEY; e++)
        if (exists(folder, c->name, e))
            return err_set(err, ERR_EXISTS, "%s/%.*s%s exists already", folder, SPAN_ARG(c->name), endings[e]);
    enum err_code code = ending == ENABLED ? check_pair(c->public, c->key, err) : ERR_NONE;
    if (!code)
        code = write_whole(folder, c->name, KEY, c->key, 0600, err);
    if (!code)
        code = write_whole(folder, c->name, ending, c->public, 0644, err);
    return code;
}

static enum err_code move(const char *folder, struct span name, int from, int to, struct err *err)
{
    char old[PATH_LEN], new[PATH_LEN];
    if (!path_of(folder, name, endings[from], old) || !path_of(folder, name, endings[to], new))
        return err_set(err, ERR_LIMIT, "the path of %.*s is too long", SPAN_ARG(name));
    if (exists(folder, name, to) || rename(old, new) == 0)
        return ERR_NONE; /* it is so already */
    return err_errno(err, errno, "cannot rename %s", old);
}

static enum err_code delete (const char *folder, struct span name, int ending, struct err *err) {
    char path[PATH_LEN];
    if (!path_of(folder, name, endings[ending],
                 path)) return err_set(err, ERR_LIMIT, "the path of %.*s is too long", SPAN_ARG(name));
    return unlink(path) == 0 || errno == ENOENT ? ERR_NONE : err_errno(err, errno, "cannot remove %s", path);
}

static enum err_code complete(const char *folder, const struct certificate_change *c, struct err *err)
{
    char path[PATH_LEN];
    struct buf key = {0};
    if (!exists(folder, c->name, REQUEST) || !path_of(folder, c->name, endings[KEY], path))
        return err_set(err, ERR_NOT_FOUND, "there is no request %.*s in %s", SPAN_ARG(c->name), folder);
    enum err_code code = certificate_file_read(path, &key, err);
    if (!code)
        code = check_pair(c->public, buf_span(&key), err);
    buf_wipe(&key);
    if (!code)
        code = write_whole(folder, c->name, ENABLED, c->public, 0644, err);
    return code ? code : delete (folder, c->name, REQUEST, err);
}

/* The key last: without it nothing that is left could be used. */
static enum err_code remove_all(const char *folder, struct span name, struct err *err)
{
    enum err_code code = ERR_NONE;
    for (int e = ENABLED; e <= KEY && !code; e++)
        code = delete (folder, name, e, err);
    return code;
}

static enum err_code change(const char *folder, const struct certificate_change *c, struct err *err)
{
    if (!certificate_name_valid(c->name))
        return err_set(err, ERR_INVALID, "\"%.*s\" cannot be the name of a certificate's files",
                       SPAN_ARG(span_head(c->name, 100)));
    switch (c->kind) {
    case CERTIFICATE_ADD: return add(folder, c, ENABLED, err);
    case CERTIFICATE_REQUEST: return add(folder, c, REQUEST, err);
    case CERTIFICATE_COMPLETE: return complete(folder, c, err);
    case CERTIFICATE_ENABLE: return move(folder, c->name, DISABLED, ENABLED, err);
    case CERTIFICATE_DISABLE: return move(folder, c->name, ENABLED, DISABLED, err);
    case CERTIFICATE_REMOVE: return remove_all(folder, c->name, err);
    case CERTIFICATE_CHANGES: break;
    }
    return err_set(err, ERR_INTERNAL, "an unknown change of certificates");
}

static enum err_code folder_apply(void *context, const struct certificate_change *changes, size_t count,
                                  struct err *err)
{
    const char *folder = context;
    enum err_code code = ERR_NONE;
    for (size_t i = 0; i < count && !code; i++)
        code = change(folder, &changes[i], err);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        if (fsync(fd) < 0 && !code)
            code = err_errno(err, errno, "cannot flush the folder %s", folder);
        close(fd);
    }
    return code;
}

const struct certificate_adapter certificate_folder = {folder_list, folder_apply};

/* ---- trust ---- */

static int is_trusted(const struct dirent *e)
{
    struct span name = span_of(e->d_name);
    return name.len && name.ptr[0] != '.' && (span_ends(name, SPAN(".pem")) || span_ends(name, SPAN(".crt")));
}

enum err_code certificate_folder_trust(const char *folder, struct buf *out, size_t *ret_count, struct err *err)
{
    char path[PATH_LEN];
    struct dirent **entries = NULL;
    enum err_code code = ERR_NONE;
    snprintf(path, sizeof path, "%s/trusted", folder);
    int n = scandir(path, &entries, is_trusted, alphasort);
    *ret_count = n > 0 ? (size_t)n : 0;
    if (n < 0)
        return errno == ENOENT ? ERR_NONE : err_errno(err, errno, "cannot read the folder %s", path);
    if (n > TRUST_FILES_MAX)
        code = err_set(err, ERR_LIMIT, "more than %d files in %s", TRUST_FILES_MAX, path);
    for (int i = 0; i < n; i++) {
        struct buf text = {0};
        snprintf(path, sizeof path, "%s/trusted/%s", folder, entries[i]->d_name);
        if (!code && (code = certificate_file_read(path, &text, err)) == ERR_NONE) {
            buf_add(out, buf_span(&text));
            buf_add_char(out, '\n');
        }
        buf_done(&text);
        free(entries[i]);
    }
    free(entries);
    return !code && out->failed ? err_set(err, ERR_LIMIT, "the authorities in %s/trusted are too many", folder)
                                : code;
}
