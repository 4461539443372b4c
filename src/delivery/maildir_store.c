/*
 * maildir_store.c: the Maildir protocol: a message exists in new/ complete and flushed, or not at all.
 *
 * The name is the queue's, not the clock's: after a crash between the move and its record the next attempt meets
 * its own file and adds none. renameat2 with RENAME_NOREPLACE decides that without a race; file systems that lack
 * it get link and unlink, which are the same in two steps. Runs on a pool thread: no shared state.
 */
#include "delivery/maildir_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 65536, PATH_LIMIT = 1024, DIRECTORY_NAME_MAX = 255 };

/* ---- names ---- */

static void add_escaped(struct buf *out, unsigned char c)
{
    buf_addf(out, "%%%02X", c);
}

bool maildir_store_directory(struct span mailbox, struct buf *out)
{
    size_t start = out->len;
    for (size_t i = 0; i < mailbox.len; i++) {
        unsigned char c = (unsigned char)mailbox.ptr[i];
        if (c < 0x20 || c == 0x7f || c == '/' || c == '%' || (c == '.' && i == 0))
            add_escaped(out, c);
        else
            buf_add_char(out, ascii_lower((char)c));
    }
    return !out->failed && out->len > start && out->len - start <= DIRECTORY_NAME_MAX;
}

void maildir_store_name(int64_t received_ms, uint64_t message_id, uint32_t index, struct span host, struct buf *out)
{
    buf_addf(out, "%lld.M%lldQ%lluR%u.", (long long)(received_ms / 1000), (long long)(received_ms % 1000 * 1000),
             (unsigned long long)message_id, index);
    host = span_head(host, 100);
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        if (ascii_is_alnum(c) || c == '.' || c == '-')
            buf_add_char(out, c);
        else
            buf_addf(out, "\\%03o", (unsigned char)c); /* the convention for what a Maildir name must not have */
    }
}

/* ---- outcomes ---- */

static void fail_errno(struct maildir_outcome *ret, int error, const char *what)
{
    bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    ret->outcome = DELIVERY_TEMPORARY;
    ret->enhanced = full ? "4.3.1" : "4.3.0";
    snprintf(ret->text, sizeof ret->text, "%s: %s", what,
             strerrordesc_np(error) ? strerrordesc_np(error) : "error");
}

static void succeed(struct maildir_outcome *ret, const char *text)
{
    ret->outcome = DELIVERY_DELIVERED;
    ret->enhanced = "2.0.0";
    snprintf(ret->text, sizeof ret->text, "%s", text);
}

/* ---- the file's content ---- */

struct writer {
    int fd, error; /* error: errno of the first failure */
    bool held_cr;
    size_t len;
    char block[BLOCK];
};

static void writer_flush(struct writer *w)
{
    size_t done = 0;
    while (done < w->len && !w->error) {
        ssize_t n = write(w->fd, w->block + done, w->len - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            w->error = errno;
    }
    w->len = 0;
}

static void writer_add(struct writer *w, struct span s)
{
    while (s.len) {
        if (w->len == BLOCK)
            writer_flush(w);
        struct span piece = span_head(s, BLOCK - w->len);
        memcpy(w->block + w->len, piece.ptr, piece.len);
        w->len += piece.len;
        s = span_from(s, piece.len);
    }
}

/* CRLF becomes LF; a CR at the end of a piece waits for the next. */
static void writer_add_text(struct writer *w, struct span s)
{
    if (w->held_cr && s.len) {
        w->held_cr = false;
        if (s.ptr[0] != '\n')
            writer_add(w, SPAN("\r"));
    }
    while (s.len) {
        size_t cr = span_find(s, '\r');
        writer_add(w, span_head(s, cr));
        if (cr == SIZE_MAX)
            return;
        s = span_from(s, cr + 1);
        if (s.len == 0)
            w->held_cr = true;
        else if (s.ptr[0] != '\n')
            writer_add(w, SPAN("\r"));
    }
}

/* An address in a field of its own: what could end the field becomes '?'. */
static void writer_add_field(struct writer *w, struct span name, struct span value, bool brackets)
{
    writer_add(w, name);
    writer_add(w, brackets ? SPAN(": <") : SPAN(": "));
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        writer_add(w, c < 0x20 || c == 0x7f ? SPAN("?") : span_head(span_from(value, i), 1));
    }
    writer_add(w, brackets ? SPAN(">\n") : SPAN("\n"));
}

static void copy_descriptor(struct writer *w, const struct maildir_letter *l)
{
    char piece[BLOCK];
    uint64_t at = l->body_from;
    while (at < l->size && !w->error) {
        uint64_t left = l->size - at;
        ssize_t n = pread(l->body_fd, piece, left < sizeof piece ? (size_t)left : sizeof piece, (off_t)at);
        if (n > 0) {
            writer_add_text(w, span_make(piece, (size_t)n));
            at += (uint64_t)n;
        } else if (n == 0) {
            w->error = ENODATA; /* the body is shorter than it was said to be */
        } else if (errno != EINTR) {
            w->error = errno;
        }
    }
}

/* Writes and flushes the file; 0 or an errno. */
static int write_letter(int fd, const struct maildir_letter *l)
{
    struct writer *w = malloc(sizeof *w);
    if (!w)
        return ENOMEM;
    w->fd = fd;
    w->error = 0;
    w->held_cr = false;
    w->len = 0;
    writer_add_field(w, SPAN("Return-Path"), l->sender, true);
    writer_add_field(w, SPAN("Delivered-To"), l->mailbox, false);
    writer_add_text(w, l->front);
    if (l->body_fd >= 0)
        copy_descriptor(w, l);
    else
        writer_add_text(w, span_from(l->body, (size_t)l->body_from));
    if (w->held_cr)
        writer_add(w, SPAN("\r"));
    writer_flush(w);
    int error = w->error;
    free(w);
    return error ? error : fsync(fd) < 0 ? errno : 0;
}

/* ---- directories ---- */

struct paths {
    char mailbox[PATH_LIMIT], tmp_dir[PATH_LIMIT], new_dir[PATH_LIMIT], cur_dir[PATH_LIMIT];
    char tmp[PATH_LIMIT], new[PATH_LIMIT];
};

static bool make_paths(const struct maildir_letter *l, struct paths *p)
{
    int longest = snprintf(p->tmp, PATH_LIMIT, "%s/tmp/%s", l->directory, l->name);
    snprintf(p->new, PATH_LIMIT, "%s/new/%s", l->directory, l->name);
    snprintf(p->mailbox, PATH_LIMIT, "%s", l->directory);
    snprintf(p->tmp_dir, PATH_LIMIT, "%s/tmp", l->directory);
    snprintf(p->new_dir, PATH_LIMIT, "%s/new", l->directory);
    snprintf(p->cur_dir, PATH_LIMIT, "%s/cur", l->directory);
    return longest > 0 && longest < PATH_LIMIT;
}

static int flush_directory(int root, const char *path)
{
    int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = fsync(fd) < 0 ? errno : 0;
    close(fd);
    return error;
}

static int make_directory(int root, const char *path)
{
    return mkdirat(root, path, 0700) < 0 && errno != EEXIST ? errno : 0;
}

/*
 * The mailbox and its three directories; 0 or an errno. tmp/ comes last, when the others are durable: deliveries
 * beside this one that find it need not look for them.
 */
static int make_mailbox(int root, const struct paths *p)
{
    const char *const all[] = {p->mailbox, p->new_dir, p->cur_dir};
    int error = 0;
    for (size_t i = 0; i < ARRAY_LEN(all) && !error; i++)
        error = make_directory(root, all[i]);
    error = error ? error : flush_directory(root, p->mailbox);
    error = error ? error : flush_directory(root, ".");
    return error ? error : make_directory(root, p->tmp_dir);
}

static int create(int root, const struct paths *p)
{
    for (int tries = 0;; tries++) {
        int fd = openat(root, p->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0)
            return fd;
        int error = errno;
        if (tries == 0 && error == ENOENT)
            error = make_mailbox(root, p);
        else if (tries == 0 && error == EEXIST) /* left behind by a crash */
            error = unlinkat(root, p->tmp, 0) < 0 ? errno : 0;
        if (error || tries) {
            errno = error;
            return -1;
        }
    }
}

/* 1 when a file of this name, with any flags behind a ':', is in the directory; 0 when not; -errno. */
static int find_in(int root, const char *directory, const char *name)
{
    int fd = openat(root, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    DIR *d = fdopendir(fd);
    if (!d) {
        int error = errno;
        close(fd);
        return -error;
    }
    size_t len = strlen(name);
    int found = 0;
    errno = 0;
    for (struct dirent *e; !found && (e = readdir(d));)
        found = strncmp(e->d_name, name, len) == 0 && (e->d_name[len] == '\0' || e->d_name[len] == ':');
    if (!found && errno)
        found = -errno;
    closedir(d);
    return found;
}

/* Moves from tmp/ to new/ without replacing; 0 or an errno, EEXIST when it is there. */
static int move(int root, const struct paths *p)
{
    if (renameat2(root, p->tmp, root, p->new, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    return linkat(root, p->tmp, root, p->new, 0) < 0 ? errno : unlinkat(root, p->tmp, 0) < 0 ? errno : 0;
}

/* ---- delivery ---- */

/* True when ret is settled: an earlier attempt was delivered, or that cannot be found out. */
static bool settled_before(const struct maildir_letter *l, const struct paths *p, struct maildir_outcome *ret)
{
    if (l->first_attempt)
        return false;
    int found = faccessat(l->root, p->new, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (!found) /* in this order: a mail reader moves from new/ to cur/ */
        found = find_in(l->root, p->cur_dir, l->name);
    if (found < 0) {
        fail_errno(ret, -found, "cannot look for an earlier delivery");
        return true;
    }
    if (found == 0)
        return false;
    int error = flush_directory(l->root, p->new_dir);
    if (error)
        fail_errno(ret, error, "cannot flush the mailbox");
    else
        succeed(ret, "delivered to the mailbox by an earlier attempt");
    return true;
}

void maildir_store(const struct maildir_letter *letter, struct maildir_outcome *ret)
{
    struct paths p;
    if (!make_paths(letter, &p)) {
        fail_errno(ret, ENAMETOOLONG, "cannot name the message's file");
        return;
    }
    if (settled_before(letter, &p, ret))
        return;
    int fd = create(letter->root, &p);
    if (fd < 0) {
        fail_errno(ret, errno, "cannot create the message in the mailbox");
        return;
    }
    const char *what = "cannot write the message to the mailbox";
    int error = write_letter(fd, letter);
    if (close(fd) < 0 && !error)
        error = errno;
    if (!error) {
        what = "cannot move the message to new/ in the mailbox";
        error = move(letter->root, &p);
    }
    bool there = error == EEXIST;
    if (error) /* a file that stays is removed by the next attempt */
        IGNORE_RESULT(unlinkat(letter->root, p.tmp, 0));
    if (!error || there) {
        what = "cannot flush the mailbox";
        error = flush_directory(letter->root, p.new_dir);
    }
    if (error)
        fail_errno(ret, error, what);
    else
        succeed(ret, there ? "delivered to the mailbox by an earlier attempt" : "delivered to the mailbox");
}
