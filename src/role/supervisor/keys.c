/*
 * keys.c: certificates, private keys and ticket keys. Only the supervisor reads them from disk; the processes that
 * need them get them over their control links.
 *
 * Invariants: a set of certificates is replaced whole or not at all, and only by one in which each certificate can
 * be read and fits its key: whoever gets the set can use all of it, so no reload takes TLS away unnoticed. PEM of
 * private keys is wiped when replaced. A file is at most CERTIFICATE_FILE_MAX bytes, so that a certificate with its
 * key always fits in one frame.
 */
#include "role/supervisor/internal.h"

#include "base/cursor.h"
#include "runtime/large_body.h"
#include "runtime/log.h"
#include "tls/certificate_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { TRUST_MAX = 8 << 20 };

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
    enum err_code code = certificate_file_read(path, &ret->chain, err);
    if (code)
        return code;
    snprintf(path, sizeof path, "%s/%.*s.key", folder, (int)stem, name);
    return certificate_file_read(path, &ret->key, err);
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

static enum err_code append_file(const char *path, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0) {
        char *p = buf_reserve(out, 65536);
        n = p ? read(fd, p, 65536) : 0;
        if (n > 0)
            buf_commit(out, (size_t)n);
    }
    int saved = errno;
    if (fd >= 0)
        close(fd);
    if (out->failed)
        return err_set(err, ERR_LIMIT, "%s is larger than %d bytes", path, TRUST_MAX);
    return n < 0 ? err_errno(err, saved, "cannot read %s", path) : ERR_NONE;
}

/*
 * What partners' certificates are verified against: the authorities in certs/trusted/, when there are any: then
 * they alone; otherwise the system's bundle. None at all is no error: then no client certificate is verified.
 */
static enum err_code read_trust(const char *folder, struct buf *out, struct err *err)
{
    size_t files = 0;
    struct tls_trust *trust = NULL;
    struct err why = {0};
    const char *bundle = tls_system_trust_path();
    buf_init(out, TRUST_MAX);
    enum err_code code = certificate_folder_trust(folder, out, &files, err);
    if (!code && !files && bundle)
        code = append_file(bundle, out, err);
    if (!code && out->len && tls_trust_new(buf_span(out), &trust, &why))
        code = files ? err_set(err, why.code, "an authority in %s/trusted cannot be used: %s", folder, why.text)
                     : err_set(err, why.code, "the system's authorities (%s) cannot be used: %s", bundle, why.text);
    tls_trust_free(trust);
    if (code)
        buf_done(out);
    return code;
}

static enum err_code read_identities(const char *folder, struct identity_pem *ret, size_t *ret_count,
                                     struct err *err)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, is_certificate, by_name);
    if (n < 0)
        return err_errno(err, errno, "cannot read the folder %s", folder);
    enum err_code code = read_set(folder, entries, (size_t)n, ret, err);
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
    *ret_count = (size_t)n;
    return code;
}

enum err_code keys_load(struct supervisor *s, struct err *err)
{
    static struct identity_pem fresh[SUPERVISOR_IDENTITIES_MAX];
    struct buf trust;
    size_t count = 0;
    snprintf(s->certs, sizeof s->certs, "%s/certs", s->state);
    enum err_code code = read_trust(s->certs, &trust, err);
    if (code)
        return code;
    code = read_identities(s->certs, fresh, &count, err);
    if (code) {
        buf_done(&trust);
        return code;
    }
    if (count == 0)
        log_text(LOG_WARNING, "no-certificate", "no certificate in %s: STARTTLS and implicit TLS are not offered",
                 s->certs);
    wipe_set(s->identities, s->identity_count);
    memcpy(s->identities, fresh, count * sizeof *fresh);
    s->identity_count = count;
    buf_done(&s->trust);
    s->trust = trust;
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

static void send_trust(struct supervisor *s, struct child *c)
{
    struct large_body body = {0};
    struct err err = {0};
    enum err_code code = large_body_pack(buf_span(&s->trust), &body, &err);
    if (code || link_send(c->control, CONTROL_TRUST, 0, body.part, body.fds, body.fd_count))
        log_text(LOG_ERROR, "control-failed", "%s did not get the authorities of partners' certificates",
                 role_name(c->kind));
    large_body_done(&body);
}

void keys_hand_over(struct supervisor *s, struct child *c)
{
    if (!c->running || !c->control)
        return;
    send_trust(s, c);
    if (s->identity_count == 0)
        send_identity(c, NULL, true, true);
    for (size_t i = 0; i < s->identity_count; i++)
        send_identity(c, &s->identities[i], i == 0, i + 1 == s->identity_count);
    if (c->kind == ROLE_RECEIVE &&
        link_send(c->control, CONTROL_TICKET_KEYS, 0, span_make(s->ticket_keys, sizeof s->ticket_keys), NULL, 0))
        log_text(LOG_ERROR, "control-failed", "a receive process did not get the ticket keys");
}

void keys_hand_over_all(struct supervisor *s)
{
    for (size_t i = 0; i < s->child_count; i++)
        if (s->children[i].kind == ROLE_RECEIVE || s->children[i].kind == ROLE_DELIVER)
            keys_hand_over(s, &s->children[i]);
}

void keys_wipe(struct supervisor *s)
{
    buf_done(&s->trust);
    wipe_set(s->identities, s->identity_count);
    s->identity_count = 0;
    explicit_bzero(s->ticket_keys, sizeof s->ticket_keys);
}
