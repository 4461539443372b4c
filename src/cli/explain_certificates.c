/* explain_certificates.c: the certificates of a state folder, as the supervisor would read them. */
#include "cli/explain_stores.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PEM_MAX = 64 * 1024, PATH_LEN = STATE_PATH_MAX + EXPLAIN_CERTIFICATE_NAME_MAX + 16 };

/* errno is set on failure. */
static bool read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;
    char *p = buf_reserve(out, PEM_MAX);
    while (fd >= 0 && p && (n = read(fd, p + out->len, PEM_MAX - out->len)) > 0)
        buf_commit(out, (size_t)n);
    int saved = fd < 0 || n < 0 ? errno : p ? 0 : ENOMEM;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return saved == 0;
}

static enum err_code load(struct explain_certificates *c, const char *state, const char *file, struct err *err)
{
    char path[PATH_LEN];
    struct buf chain, key;
    enum err_code code = ERR_NONE;
    buf_init(&chain, PEM_MAX);
    buf_init(&key, PEM_MAX);
    snprintf(path, sizeof path, "%s/certs/%s", state, file);
    if (!read_file(path, &chain))
        code = err_errno(err, errno, "cannot read %s", path);
    snprintf(path, sizeof path, "%s/certs/%.*s.key", state, (int)strlen(file) - 4, file);
    bool readable = !code && read_file(path, &key);
    if (!code && !readable && errno != EACCES)
        code = err_errno(err, errno, "cannot read %s", path);
    if (!code && readable)
        code = tls_identity_load(buf_span(&chain), buf_span(&key), &c->ids[c->count], err);
    else if (!code)
        code = tls_identity_load_public(buf_span(&chain), &c->ids[c->count], err);
    if (!code)
        snprintf(c->files[c->count++], EXPLAIN_CERTIFICATE_NAME_MAX, "certs/%s", file);
    buf_done(&chain);
    buf_wipe(&key);
    return code;
}

static int is_certificate(const struct dirent *e)
{
    struct span name = span_of(e->d_name);
    return name.len > 4 && name.len < EXPLAIN_CERTIFICATE_NAME_MAX - 8 && name.ptr[0] != '.' &&
           span_ends(name, SPAN(".crt"));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

void explain_certificates_read(struct explain_certificates *c, const char *state)
{
    char folder[PATH_LEN];
    struct dirent **entries = NULL;
    struct err why = {0};
    *c = (struct explain_certificates){0};
    snprintf(folder, sizeof folder, "%s/certs", state);
    int n = scandir(folder, &entries, is_certificate, by_name);
    if (n < 0)
        err_errno(&c->unreadable, errno, "cannot read the folder %s (root can, as with sudo)", folder);
    else if (n > EXPLAIN_CERTIFICATES_MAX)
        err_set(&c->unreadable, ERR_LIMIT, "more than %d certificates in %s", EXPLAIN_CERTIFICATES_MAX, folder);
    for (int i = 0; i < n; i++) {
        if (!c->unreadable.code && load(c, state, entries[i]->d_name, &why))
            err_set(&c->unreadable, why.code, "the certificate %s cannot be used: %s", entries[i]->d_name,
                    why.text);
        free(entries[i]);
    }
    free(entries);
}

void explain_certificates_free(struct explain_certificates *c)
{
    for (size_t i = 0; i < c->count; i++)
        tls_identity_free(c->ids[i]);
    c->count = 0;
}

size_t explain_certificate_names(const struct tls_identity *id, struct arena *arena, struct span **ret)
{
    struct buf b;
    size_t n = 0;
    buf_init(&b, PEM_MAX);
    tls_identity_names(id, &b);
    struct span rest = arena_dup(arena, buf_span(&b)), name;
    *ret = ARENA_ARRAY(arena, rest.len / 2 + 1, struct span);
    while (*ret && rest.len && span_split(&rest, ',', &name))
        (*ret)[n++] = span_trim(name);
    buf_done(&b);
    return n;
}
