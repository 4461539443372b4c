/*
 * shell_remote.c: statements in a running server, over its control.sock (role/common/console.h).
 *
 * Invariants: one statement is under way at a time, and the link is used again only when it has ended with
 * CONSOLE_DONE or CONSOLE_ASK. The server is not trusted with this side's rights: a file is read for it only when
 * the statement names that file. Answers are wiped when the statement has ended.
 */
#include "base/cursor.h"
#include "cli/shell.h"
#include "role/common/console.h"
#include "runtime/large_body.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECT_SECONDS = 5 };

/* ---- connecting ---- */

static enum err_code denied(const char *path, const char *state, struct err *err)
{
    struct stat st;
    const struct passwd *owner = stat(path, &st) == 0 || stat(state, &st) == 0 ? getpwuid(st.st_uid) : NULL;
    bool other = owner && owner->pw_uid != 0;
    return err_set(err, ERR_DENIED, "this user may not administer the server of %s; root%s%s may, as with sudo",
                   state, other ? " and " : "", other ? owner->pw_name : "");
}

/* The address of a socket may be 108 bytes long only; through a descriptor of its folder any path is short. */
static bool make_address(const char *state, struct sockaddr_un *ret, int *ret_folder)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    *ret_folder = -1;
    int n = snprintf(ret->sun_path, sizeof ret->sun_path, "%s/control.sock", state);
    if (n > 0 && (size_t)n < sizeof ret->sun_path)
        return true;
    *ret_folder = open(state, O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/control.sock", *ret_folder);
    return *ret_folder >= 0;
}

enum err_code shell_remote_connect(const char *state, int *ret_fd, struct err *err)
{
    struct sockaddr_un address;
    int folder;
    if (!make_address(state, &address, &folder))
        return err_errno(err, errno, "cannot open %s", state);
    const struct timeval patience = {.tv_sec = CONNECT_SECONDS}; /* connect waits while the queue is full */
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), saved = 0;
    enum err_code code = ERR_NONE;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        saved = errno;
    if (saved == ENOENT || saved == ECONNREFUSED)
        code = err_set(err, ERR_NOT_FOUND, "no server listens on %s/control.sock", state);
    else if (saved == EACCES || saved == EPERM)
        code = denied(address.sun_path, state, err);
    else if (saved)
        code = err_errno(err, saved, "cannot connect to the server of %s", state);
    if (folder >= 0)
        close(folder);
    if (code && fd >= 0)
        close(fd);
    if (!code)
        *ret_fd = fd;
    return code;
}

/* ---- one statement ---- */

struct run {
    int fd;
    const struct statement *statement;
    struct shell_host *host;
    const struct shell_output *output;
    struct arena arena; /* of the answers */
    struct buf answers; /* as CONSOLE_RUN has them */
    uint32_t count;
    bool told;      /* the server wrote to standard error */
    bool line_open; /* and ended in the middle of a line */
    char *buffer;
    struct shell_saved saved;
};

static enum err_code lost(struct err *err)
{
    return err_set(err, ERR_UNKNOWN,
                   "the server ended while the statement ran; whether it was done is not known: check before you "
                   "repeat it");
}

static enum err_code malformed(struct err *err)
{
    return err_set(err, ERR_INTERNAL,
                   "the server's answer is not understood (is it of another version?); whether the statement was "
                   "done is not known: check before you repeat it");
}

static void wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    IGNORE_RESULT(poll(&p, 1, -1));
}

static enum err_code send_statement(struct run *r, struct err *err)
{
    struct buf body;
    struct large_body packed = {0};
    enum frame_status st;
    /* All of the room at once: growing would leave passwords behind in freed memory. */
    size_t size = r->statement->source.len + r->answers.len + 16;
    buf_init(&body, size);
    IGNORE_RESULT(buf_reserve(&body, size));
    put_bytes(&body, r->statement->source);
    put_u32(&body, r->count);
    buf_add(&body, buf_span(&r->answers));
    enum err_code code = ERR_NONE;
    if (body.failed)
        code = err_set(err, ERR_NO_MEMORY, "out of memory");
    else if (size > CONSOLE_RUN_MAX)
        code = err_set(err, ERR_LIMIT, "the answers to this statement are more than %d MB; make it smaller",
                       CONSOLE_RUN_MAX >> 20);
    else
        code = large_body_pack(buf_span(&body), &packed, err);
    while (!code &&
           (st = frame_send(r->fd, CONSOLE_RUN, 1, &packed.part, 1, packed.fds, packed.fd_count)) != FRAME_OK) {
        if (st != FRAME_AGAIN)
            code =
                err_set(err, ERR_UNAVAILABLE, "the server ended before the statement was sent; nothing was done");
        else
            wait_for(r->fd, POLLOUT);
    }
    large_body_done(&packed);
    buf_wipe(&body);
    return code;
}

/* With its descriptors, which the caller closes. */
static enum err_code receive(struct run *r, struct frame *ret, struct err *err)
{
    bool closed = false;
    for (;;) {
        switch (frame_receive(r->fd, r->buffer, ret)) {
        case FRAME_OK: return ERR_NONE;
        case FRAME_AGAIN: wait_for(r->fd, POLLIN); break;
        case FRAME_BAD: return malformed(err);
        case FRAME_CLOSED:
            if (closed)
                return lost(err);
            closed = true; /* a reset is told once, before what the server said when it closed the link */
            break;
        }
    }
}

static bool names_file(const struct pipeline *p, struct span name)
{
    for (size_t i = 0; i < p->count; i++)
        for (size_t k = 0; k < p->calls[i].count; k++) {
            const struct expr *e = p->calls[i].arguments[k].value;
            if (e && e->kind == EXPR_LITERAL && e->value.kind == VALUE_STRING && span_eq(e->value.s, name))
                return true;
        }
    return false;
}

static enum err_code ask(struct run *r, enum shell_ask_kind kind, struct span text, struct span *ret,
                         struct err *err)
{
    if (kind == SHELL_ASK_FILE && !names_file(&r->statement->pipeline, text))
        return err_set(
            err, ERR_DENIED,
            "the server asks for the file %.*s, which the statement does not name as it stands; give its "
            "name as text, in quotes",
            SPAN_ARG(span_head(text, 200)));
    return r->host->ask(r->host, kind, text, &r->arena, ret, err);
}

/* Growing in place would leave passwords behind in freed memory. */
static void make_room(struct buf *b, size_t more)
{
    struct buf grown;
    if (b->failed || b->cap - b->len >= more)
        return;
    buf_init(&grown, b->max);
    IGNORE_RESULT(buf_reserve(&grown, b->len + more));
    buf_add(&grown, buf_span(b));
    buf_wipe(b);
    *b = grown;
}

/* CONSOLE_ASK: the person's answer is added to those that go with the statement. */
static enum err_code answer(struct run *r, struct span body, struct err *err)
{
    struct cursor c = cursor_of(body);
    uint8_t kind = cursor_u8(&c);
    struct span text = cursor_bytes(&c, CONSOLE_STATEMENT_MAX), given;
    if (!cursor_done(&c) || kind > SHELL_ASK_FILE)
        return malformed(err);
    if (r->count == CONSOLE_ANSWERS_MAX)
        return err_set(err, ERR_LIMIT, "a statement may ask %d times; nothing was done: add -Confirm:$false",
                       CONSOLE_ANSWERS_MAX);
    enum err_code code = ask(r, (enum shell_ask_kind)kind, text, &given, err);
    if (code)
        return code;
    make_room(&r->answers, text.len + given.len + 16);
    put_u8(&r->answers, kind);
    put_bytes(&r->answers, text);
    put_bytes(&r->answers, given);
    explicit_bzero((void *)(uintptr_t)given.ptr, given.len);
    r->count++;
    return r->answers.failed ? err_set(err, ERR_LIMIT, "the answers are too large; make the statement smaller")
                             : ERR_NONE;
}

/* CONSOLE_FILE: written when the statement is done. */
static enum err_code keep_file(struct run *r, struct span body, struct err *err)
{
    struct cursor c = cursor_of(body);
    struct span path = cursor_bytes(&c, CONSOLE_PATH_MAX), content = cursor_bytes(&c, CONSOLE_SAVE_MAX);
    if (!cursor_done(&c))
        return malformed(err);
    if (!names_file(&r->statement->pipeline, path))
        return err_set(
            err, ERR_DENIED,
            "the server wants the file %.*s written, which the statement does not name as it stands; give "
            "its name as text, in quotes",
            SPAN_ARG(span_head(path, 200)));
    return shell_saved_put(&r->saved, path, content, err);
}

static enum err_code take_file(struct run *r, struct frame *f, struct err *err)
{
    struct large_body_view body = {0};
    enum err_code code = large_body_open(f, CONSOLE_PATH_MAX + CONSOLE_SAVE_MAX + 64, &body, err)
                             ? malformed(err)
                             : keep_file(r, body.bytes, err);
    large_body_close(&body);
    return code;
}

static void tell(struct run *r, struct span bytes)
{
    if (!r->output->err || !bytes.len)
        return;
    r->output->err(r->output->context, bytes);
    r->told = true;
    r->line_open = bytes.ptr[bytes.len - 1] != '\n';
}

static enum err_code done(struct run *r, struct span body, struct err *err)
{
    struct cursor c = cursor_of(body);
    bool failed = cursor_bool(&c);
    if (!cursor_done(&c))
        return malformed(err);
    if (r->line_open)
        tell(r, SPAN("\n"));
    if (failed && !r->told)
        return err_set(err, ERR_INVALID, "the statement failed, and the server did not say why; see its log");
    return failed ? ERR_INVALID : shell_saved_write(&r->saved, r->host, err);
}

/* Until the statement has ended or asks; *ret_again in the latter case. */
static enum err_code follow(struct run *r, bool *ret_again, struct err *err)
{
    struct frame f;
    for (;;) {
        enum err_code code = receive(r, &f, err);
        if (code)
            return code;
        if (f.type != CONSOLE_FILE)
            frame_close_fds(&f);
        if (f.type == CONSOLE_OUT)
            r->output->out(r->output->context, f.body);
        else if (f.type == CONSOLE_ERR)
            tell(r, f.body);
        else if (f.type == CONSOLE_PROGRESS) {
            if (r->host->progress)
                r->host->progress(r->host, f.body);
        } else if (f.type == CONSOLE_FILE) {
            code = take_file(r, &f, err);
            frame_close_fds(&f);
            if (code)
                return code;
        } else if (f.type == CONSOLE_DONE)
            return done(r, f.body, err);
        else if (f.type != CONSOLE_ASK)
            return malformed(err);
        else {
            *ret_again = true;
            return answer(r, f.body, err);
        }
    }
}

/* A server that closes the link at once, because it has too many for example, has said why. */
static enum err_code read_refusal(struct run *r, struct err *err)
{
    struct err unsent = *err;
    bool again = false;
    *err = (struct err){0};
    enum err_code code = follow(r, &again, err);
    if (code != ERR_UNKNOWN) /* lost: nothing more was said */
        return code;
    *err = unsent;
    return ERR_UNAVAILABLE;
}

enum err_code shell_remote_run(int fd, const struct statement *statement, struct shell_host *host,
                               const struct shell_output *output, struct err *err)
{
    struct run r = {.fd = fd, .statement = statement, .host = host, .output = output};
    enum { ANSWERS_ARENA_MAX = 2 * CONSOLE_RUN_MAX };
    bool again = true;
    *err = (struct err){0};
    if (statement->source.len > CONSOLE_STATEMENT_MAX)
        return err_set(err, ERR_LIMIT,
                       "the statement has %zu bytes, and a running server takes %d KB in one; write it as several",
                       statement->source.len, CONSOLE_STATEMENT_MAX / 1024);
    arena_init(&r.arena, ANSWERS_ARENA_MAX);
    shell_saved_init(&r.saved);
    buf_init(&r.answers, CONSOLE_RUN_MAX);
    r.buffer = malloc(FRAME_BUFFER);
    enum err_code code = r.buffer ? ERR_NONE : err_set(err, ERR_NO_MEMORY, "out of memory");
    while (!code && again) {
        again = false;
        code = send_statement(&r, err);
        if (!code)
            code = follow(&r, &again, err);
        else if (code == ERR_UNAVAILABLE)
            code = read_refusal(&r, err);
    }
    free(r.buffer);
    shell_saved_done(&r.saved);
    buf_wipe(&r.answers);
    arena_clear(&r.arena);
    return code;
}
