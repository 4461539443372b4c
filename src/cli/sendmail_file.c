/*
 * sendmail_file.c: the message that waits for the server as a file. It goes to pickup/ where its header says the
 * same as its envelope, else to replay/ with the envelope in front. Invariant: the server sees a name that ends in
 * .eml only when the file is whole and flushed.
 */
#include "cli/sendmail.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ENVELOPE_MAX = 16 << 20, PATH_BYTES = 1100 };

static enum err_code open_folder(const char *state, const char *name, struct sendmail_file *f, struct stat *ret,
                                 struct err *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", state, name);
    f->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->folder < 0 || fstat(f->folder, ret) < 0)
        return err_errno(err, errno, "cannot open %s", path);
    return ERR_NONE;
}

static enum err_code make_names(struct sendmail_file *f, struct err *err)
{
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return err_errno(err, errno, "no random number");
    snprintf(f->name, sizeof f->name, "sendmail-%" PRIx64 "-%016" PRIx64 ".eml", (uint64_t)time(NULL), random);
    snprintf(f->hidden, sizeof f->hidden, ".%.*s", (int)(strlen(f->name) - 4), f->name);
    return ERR_NONE;
}

/* The server's process must be able to read it: as root it is given away, else to the folder's group. */
static enum err_code hand_over(const struct sendmail_file *f, const struct stat *folder, struct err *err)
{
    int rc = geteuid() == 0                ? fchown(f->fd, folder->st_uid, folder->st_gid)
             : geteuid() == folder->st_uid ? 0
                                           : fchown(f->fd, (uid_t)-1, folder->st_gid);
    return rc < 0 ? err_errno(err, errno, "the server could not read the file") : ERR_NONE;
}

/* As smtp/pickup.h has it: parameters as SMTP writes them. */
static enum err_code put_envelope(struct sendmail_file *f, const struct sendmail_options *o,
                                  const struct sendmail_message *m, struct err *err)
{
    struct buf b;
    buf_init(&b, ENVELOPE_MAX);
    buf_addf(&b, "X-Sender: <%.*s> BODY=%s", SPAN_ARG(m->sender), o->body ? o->body : "8BITMIME");
    if (o->ret)
        buf_addf(&b, " RET=%s", o->ret);
    if (o->envid) {
        buf_add(&b, SPAN(" ENVID="));
        sendmail_put_xtext(&b, o->envid);
    }
    buf_add(&b, SPAN("\r\n"));
    for (size_t i = 0; i < m->recipient_count; i++)
        buf_addf(&b, "X-Receiver: <%.*s>%s%s\r\n", SPAN_ARG(m->recipients[i]), o->notify ? " NOTIFY=" : "",
                 o->notify ? o->notify : "");
    buf_add(&b, SPAN("X-EndOfInjectedXHeaders:\r\n"));
    enum err_code code =
        b.failed ? err_set(err, ERR_LIMIT, "too many recipients") : sendmail_file_write(f, buf_span(&b), err);
    buf_done(&b);
    return code;
}

enum err_code sendmail_file_begin(const char *state, const struct sendmail_options *o,
                                  const struct sendmail_message *m, struct sendmail_file *ret, struct err *err)
{
    struct sendmail_file f = {.folder = -1, .fd = -1};
    struct stat folder;
    enum err_code code = open_folder(state, m->by_header ? "pickup" : "replay", &f, &folder, err);
    if (!code)
        code = make_names(&f, err);
    if (!code) {
        f.fd = openat(f.folder, f.hidden, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
        if (f.fd < 0)
            code = err_errno(err, errno, "this user may not leave a message in %s/%s", state,
                             m->by_header ? "pickup" : "replay");
    }
    if (!code)
        code = hand_over(&f, &folder, err);
    if (!code && !m->by_header)
        code = put_envelope(&f, o, m, err);
    if (!code)
        code = sendmail_file_write(&f, m->by_header ? m->original : m->header, err);
    if (code)
        sendmail_file_done(&f);
    else
        *ret = f;
    return code;
}

enum err_code sendmail_file_write(struct sendmail_file *f, struct span bytes, struct err *err)
{
    while (bytes.len) {
        ssize_t n = write(f->fd, bytes.ptr, bytes.len);
        if (n < 0 && errno != EINTR)
            return err_errno(err, errno, "the message cannot be written");
        bytes = span_from(bytes, n > 0 ? (size_t)n : 0);
    }
    return ERR_NONE;
}

enum err_code sendmail_file_commit(struct sendmail_file *f, struct err *err)
{
    if (fsync(f->fd) < 0 || renameat2(f->folder, f->hidden, f->folder, f->name, RENAME_NOREPLACE) < 0)
        return err_errno(err, errno, "the message cannot be kept");
    f->hidden[0] = '\0';
    return fsync(f->folder) < 0 ? err_errno(err, errno, "the message cannot be kept") : ERR_NONE;
}

void sendmail_file_done(struct sendmail_file *f)
{
    if (f->fd >= 0 && f->hidden[0])
        unlinkat(f->folder, f->hidden, 0);
    if (f->fd >= 0)
        close(f->fd);
    if (f->folder >= 0)
        close(f->folder);
    f->fd = f->folder = -1;
}
