/*
 * keys.c: certificates, private keys and ticket keys. Only the supervisor reads them from disk; the processes that
 * need them get them over their control links.
 *
 * Invariants: a set of certificates is replaced whole or not at all, and only by one in which each certificate can
 * be read and fits its key: whoever gets the set can use all of it, so no reload takes TLS away unnoticed. PEM of
 * private keys is wiped when replaced. A file is at most PEM_MAX bytes, so that a certificate with its key always
 * fits in one frame.
 */
#include "role/supervisor/internal.h"

#include "base/cursor.h"
#include "runtime/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { PEM_MAX = 64 * 1024 };

static enum err_code read_file(const char *path, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "cannot read %s", path);
    buf_init(out, PEM_MAX);
    ssize_t n = 0;
    char *p = buf_reserve(out, PEM_MAX); /* once, so that no copy of a key is left behind by growing */
    while (p && (n = read(fd, p + out->len, PEM_MAX - out->len)) > 0)
        buf_commit(out, (size_t)n);
    int saved = errno;
    close(fd);
    if (!p || n < 0)
        return err_errno(err, p ? saved : ENOMEM, "cannot read %s", path);
    if (out->len == PEM_MAX)
        return err_set(err, ERR_LIMIT, "%s is larger than %d bytes", path, PEM_MAX - 1);
    return ERR_NONE;
}

static void wipe_set(struct identity_pem *set, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_wipe(&set[i].chain);
        buf_wipe(&set[i].key);
    }
}

static enum err_code read_pair(const char *folder, const char *name, struct identity_pem *ret, struct err *err)
{
    char path[2048];
    size_t stem = strlen(name) - 4;
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(err, ERR_LIMIT, "the path of %s is too long", name);
    enum err_code code = read_file(path, &ret->chain, err);
    if (code)
        return code;
    snprintf(path, sizeof path, "%s/%.*s.key", folder, (int)stem, name);
    return read_file(path, &ret->key, err);
}

/* The processes that get a pair can only leave out what they cannot use; so it is tried here first. */
static enum err_code check_pair(const char *folder, const char *name, const struct identity_pem *id,
                                struct err *err)
{
    struct tls_identity *loaded = NULL;
    struct err why = {0};
    enum err_code code = tls_identity_load(buf_span(&id->chain), buf_span(&id->key), &loaded, &why);
    tls_identity_free(loaded);
    return code ? err_set(err, code, "the certificate %s with its key %.*s.key cannot be used: %s (folder %s)",
                          name, (int)strlen(name) - 4, name, why.text, folder)
                : ERR_NONE;
}

/* What was read before a failure is wiped. */
static enum err_code read_set(const char *folder, struct dirent *const *entries, size_t count,
                              struct identity_pem *ret, struct err *err)
{
    enum err_code code = ERR_NONE;
    if (count > SUPERVISOR_IDENTITIES_MAX)
        return err_set(err, ERR_LIMIT, "more than %d certificates in %s", SUPERVISOR_IDENTITIES_MAX, folder);
    memset(ret, 0, count * sizeof *ret);
    for (size_t i = 0; !code && i < count; i++) {
        code = read_pair(folder, entries[i]->d_name, &ret[i], err);
        if (!code)
            code = check_pair(folder, entries[i]->d_name, &ret[i], err);
    }
    if (code)
        wipe_set(ret, count);
    return code;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_certificate(const struct dirent *e)
{
    struct span name = span_of(e->d_name);
    return name.len > 4 && name.ptr[0] != '.' && span_ends(name, SPAN(".crt"));
}

enum err_code keys_load(struct supervisor *s, struct err *err)
{
    static struct identity_pem fresh[SUPERVISOR_IDENTITIES_MAX];
    char folder[1280];
    struct dirent **entries = NULL;
    snprintf(folder, sizeof folder, "%s/certs", s->state);
    int n = scandir(folder, &entries, is_certificate, by_name);
    if (n < 0)
        return err_errno(err, errno, "cannot read the folder %s", folder);
    size_t count = (size_t)n;
    enum err_code code = read_set(folder, entries, count, fresh, err);
    for (size_t i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    if (code)
        return code;
    if (count == 0)
        log_text(LOG_WARNING, "no-certificate", "no certificate in %s: STARTTLS and implicit TLS are not offered",
                 folder);
    wipe_set(s->identities, s->identity_count);
    memcpy(s->identities, fresh, count * sizeof *fresh);
    s->identity_count = count;
    return ERR_NONE;
}

enum err_code keys_make_tickets(struct supervisor *s, struct err *err)
{
    /* The newest key stands first; the one before it still decrypts. */
    char fresh[TLS_TICKET_KEY_LEN];
    if (getrandom(fresh, sizeof fresh, 0) != (ssize_t)sizeof fresh)
        return err_errno(err, errno, "no random bytes for ticket keys");
    memcpy(s->ticket_keys + sizeof fresh, s->ticket_keys, sizeof fresh);
    memcpy(s->ticket_keys, fresh, sizeof fresh);
    explicit_bzero(fresh, sizeof fresh);
    return ERR_NONE;
}

static void send_identity(struct child *c, const struct identity_pem *id, bool first, bool last)
{
    struct buf b;
    buf_init(&b, FRAME_BODY_MAX);
    put_bool(&b, first);
    put_bool(&b, last);
    put_bytes(&b, id ? buf_span(&id->chain) : SPAN(""));
    put_bytes(&b, id ? buf_span(&id->key) : SPAN(""));
    if (b.failed || link_send(c->control, CONTROL_IDENTITY, 0, buf_span(&b), NULL, 0))
        log_text(LOG_ERROR, "control-failed", "%s did not get a certificate", role_name(c->kind));
    buf_wipe(&b);
}

void keys_hand_over(struct supervisor *s, struct child *c)
{
    if (!c->running || !c->control)
        return;
    if (s->identity_count == 0)
        send_identity(c, NULL, true, true);
    for (size_t i = 0; i < s->identity_count; i++)
        send_identity(c, &s->identities[i], i == 0, i + 1 == s->identity_count);
    if (c->kind == ROLE_RECEIVE &&
        link_send(c->control, CONTROL_TICKET_KEYS, 0, span_make(s->ticket_keys, sizeof s->ticket_keys), NULL, 0))
        log_text(LOG_ERROR, "control-failed", "a receive process did not get the ticket keys");
}

void keys_wipe(struct supervisor *s)
{
    wipe_set(s->identities, s->identity_count);
    s->identity_count = 0;
    explicit_bzero(s->ticket_keys, sizeof s->ticket_keys);
}
