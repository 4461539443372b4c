/*
 * console_server.c: shells on control.sock.
 *
 * Invariants: only root and the server's own user are served. A statement runs to its end before anything else is
 * read, so there is one at a time in all. Neither statements nor answers are logged or kept: the frame that they
 * came in is wiped, and a memory file beside it goes with its last descriptor. What a shell does not read waits in
 * its link's backlog, of which OUTPUT_WAITING_MAX is for output and the rest for the ends of statements; a shell
 * that fills that too is closed.
 */
#include "role/manage/console_server.h"

#include "base/cursor.h"
#include "role/manage/console_host.h"
#include "runtime/large_body.h"
#include "runtime/link.h"
#include "runtime/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "control.sock"

enum { OUTPUT_PIECE = 60 * 1024, OUTPUT_WAITING_MAX = LINK_BACKLOG_MAX - (4 << 20), SYNTAX_MAX = 64 << 20 };

struct console {
    struct console_server *server;
    struct link *link; /* NULL: free */
    struct ucred peer;
    bool cut, stuck; /* of the statement under way: its output did not fit; not even its end did */
};

struct console_server {
    uv_poll_t poll;
    int fd;
    struct admin *admin;
    void (*after)(void *context);
    const char *(*name_of)(void *context, uid_t uid);
    void *context;
    struct console consoles[CONSOLE_CONNECTIONS_MAX];
};

/* ---- what a shell is told ---- */

static void send_frame(struct console *c, uint16_t type, struct span body)
{
    enum err_code code = link_send(c->link, type, 0, body, NULL, 0);
    c->stuck |= code != ERR_NONE && code != ERR_UNAVAILABLE; /* one that is gone will be reported as lost */
}

static void send_text(struct console *c, uint16_t type, struct span text)
{
    while (text.len && !c->cut && !c->stuck) {
        struct span piece = span_head(text, OUTPUT_PIECE);
        c->cut = link_backlog(c->link) > OUTPUT_WAITING_MAX;
        if (!c->cut)
            send_frame(c, type, piece);
        text = span_from(text, piece.len);
    }
}

static void send_out(void *console, struct span bytes)
{
    send_text(console, CONSOLE_OUT, bytes);
}

static void send_err(void *console, struct span bytes)
{
    send_text(console, CONSOLE_ERR, bytes);
}

/* It may be late, but takes nobody's room: a shell that does not read is not told. */
static void send_progress(void *console, struct span text)
{
    struct console *c = console;
    if (link_backlog(c->link) == 0)
        send_frame(c, CONSOLE_PROGRESS, span_head(text, OUTPUT_PIECE));
}

static void send_end(struct console *c, const char *error)
{
    const char outcome = error != NULL;
    if (error) {
        struct buf b;
        buf_init(&b, 2 * sizeof(struct err));
        buf_addf(&b, "%s\n", error);
        send_frame(c, CONSOLE_ERR, buf_span(&b));
        buf_done(&b);
    }
    send_frame(c, CONSOLE_DONE, span_make(&outcome, 1));
}

static void send_question(struct console *c, const struct console_host *h)
{
    struct buf b;
    buf_init(&b, FRAME_BODY_MAX);
    put_u8(&b, (uint8_t)h->kind);
    put_bytes(&b, buf_span(&h->question));
    send_frame(c, CONSOLE_ASK, buf_span(&b));
    buf_done(&b);
}

static void send_file(struct console *c, const struct console_host *h)
{
    struct buf b;
    struct large_body body;
    struct err err;
    buf_init(&b, CONSOLE_PATH_MAX + CONSOLE_SAVE_MAX + 64);
    put_bytes(&b, buf_span(&h->path));
    put_bytes(&b, buf_span(&h->content));
    enum err_code code = b.failed ? ERR_NO_MEMORY : large_body_pack(buf_span(&b), &body, &err);
    if (!code) {
        code = link_send(c->link, CONSOLE_FILE, 0, body.part, body.fds, body.fd_count);
        large_body_done(&body);
    }
    c->stuck |= code != ERR_NONE && code != ERR_UNAVAILABLE;
    buf_done(&b);
}

/* ---- a statement ---- */

/* Several would be asked for again as a whole although the first of them are done. */
static enum err_code check_single(struct span text, struct err *err)
{
    struct arena arena;
    struct script script;
    arena_init(&arena, SYNTAX_MAX);
    enum err_code code = syntax_parse(text, &arena, &script, NULL, err);
    if (code == ERR_NONE && script.count > 1)
        code = err_set(err, ERR_INVALID, "one statement at a time can be run, and here are %zu", script.count);
    arena_clear(&arena);
    return code;
}

static const char *run(struct console *c, struct span text, struct console_host *h)
{
    const struct shell_output output = {.out = send_out, .err = send_err, .context = c};
    struct err err = {0};
    enum err_code code = check_single(text, &err);
    if (code == ERR_NONE) {
        h->tell_progress = send_progress;
        h->context = c;
        trail_set_caller(&c->server->admin->trail, c->server->name_of(c->server->context, c->peer.uid));
        code = admin_run(c->server->admin, text, &h->host, &output, &err);
        c->server->after(c->server->context);
    }
    if (code == ERR_UNAVAILABLE && h->asks) {
        send_question(c, h);
        return "asked";
    }
    send_err(c, buf_span(&h->warnings));
    if (code == ERR_NONE && h->path.len)
        send_file(c, h);
    if (code == ERR_NONE && c->cut)
        err_set(&err, ERR_LIMIT,
                "the statement was done, but its output was cut off here: the shell reads too slowly");
    send_end(c, code || c->cut ? err.text : NULL);
    return code ? "failed" : "done";
}

static void log_outcome(const struct console *c, const char *outcome)
{
    struct log_line l = log_begin(LOG_INFO, "shell");
    log_int(&l, "uid", c->peer.uid);
    log_int(&l, "pid", c->peer.pid);
    log_str(&l, "outcome", outcome);
    log_end(&l);
}

static void console_close(struct console *c)
{
    link_close(c->link);
    c->link = NULL;
}

static void on_frame(void *context, struct frame *f)
{
    struct console *c = context;
    struct console_host host;
    struct large_body_view body = {0};
    struct err unwanted;
    bool whole = large_body_open(f, CONSOLE_RUN_MAX, &body, &unwanted) == ERR_NONE;
    struct cursor in = cursor_of(body.bytes);
    struct span text = cursor_bytes(&in, SIZE_MAX);
    bool sound = console_host_init(&host, &in) && whole && f->type == CONSOLE_RUN;
    const char *outcome = "refused";
    c->cut = c->stuck = false;
    if (!sound)
        send_end(c, "the shell and the server do not understand each other; are both of the same version?");
    else if (text.len > CONSOLE_STATEMENT_MAX)
        send_end(c, "the statement is too long: at most 64 KB can be run while the server runs");
    else
        outcome = run(c, text, &host);
    console_host_done(&host);
    large_body_close(&body);
    explicit_bzero((char *)(uintptr_t)f->body.ptr, f->body.len);
    log_outcome(c, c->stuck ? "closed" : outcome);
    if (c->stuck)
        console_close(c);
}

static void on_lost(void *context)
{
    struct console *c = context;
    c->link = NULL;
}

/* ---- connections ---- */

static bool may_use(int fd, struct ucred *ret)
{
    socklen_t len = sizeof *ret;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &len) == 0 && (ret->uid == 0 || ret->uid == geteuid());
}

static struct console *find_free(struct console_server *s)
{
    for (size_t i = 0; i < CONSOLE_CONNECTIONS_MAX; i++)
        if (!s->consoles[i].link)
            return &s->consoles[i];
    return NULL;
}

static void refuse(int fd, struct span text)
{
    const struct span failed = SPAN("\1");
    if (frame_send(fd, CONSOLE_ERR, 0, &text, 1, NULL, 0) == FRAME_OK)
        frame_send(fd, CONSOLE_DONE, 0, &failed, 1, NULL, 0);
    close(fd);
}

static void take(struct console_server *s, int fd)
{
    struct console *c = find_free(s);
    struct ucred peer;
    if (!may_use(fd, &peer)) {
        refuse(fd, SPAN("only root and the server's own user may administer it\n"));
        return;
    }
    if (!c) {
        refuse(fd, SPAN("too many shells are open at once; close one\n"));
        return;
    }
    *c = (struct console){.server = s, .peer = peer};
    c->link = link_open(s->poll.loop, fd, on_frame, on_lost, c);
    if (!c->link)
        log_text(LOG_ERROR, "shell-refused", "out of memory");
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct console_server *s = poll->data;
    (void)status;
    (void)events;
    int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        take(s, fd);
}

/* ---- the socket ---- */

/* By its name alone, from within the folder: the path of a socket may have 107 bytes, a folder's more. */
static enum err_code listen_in(const char *folder, int *ret_fd, struct err *err)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET_NAME};
    if (chdir(folder) < 0 || (unlink(SOCKET_NAME) < 0 && errno != ENOENT))
        return err_errno(err, errno, "cannot make %s/%s", folder, SOCKET_NAME);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask = umask(0177); /* never open to others, not even for a moment */
    bool made = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
                listen(fd, CONSOLE_CONNECTIONS_MAX) == 0;
    int saved = errno;
    umask(mask);
    if (!made) {
        if (fd >= 0)
            close(fd);
        return err_errno(err, saved, "cannot make %s/%s", folder, SOCKET_NAME);
    }
    *ret_fd = fd;
    return ERR_NONE;
}

enum err_code console_server_open(uv_loop_t *loop, const char *folder, struct admin *admin,
                                  void (*after)(void *context), const char *(*name_of)(void *context, uid_t uid),
                                  void *context, struct console_server **ret, struct err *err)
{
    int fd;
    enum err_code code = listen_in(folder, &fd, err);
    if (code)
        return code;
    struct console_server *s = calloc(1, sizeof *s);
    if (!s || uv_poll_init(loop, &s->poll, fd) < 0) {
        free(s);
        close(fd);
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    }
    s->fd = fd;
    s->admin = admin;
    s->after = after;
    s->name_of = name_of;
    s->context = context;
    s->poll.data = s;
    uv_poll_start(&s->poll, UV_READABLE, on_connection);
    *ret = s;
    return ERR_NONE;
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void console_server_close(struct console_server *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < CONSOLE_CONNECTIONS_MAX; i++)
        if (s->consoles[i].link)
            console_close(&s->consoles[i]);
    uv_poll_stop(&s->poll);
    unlink(SOCKET_NAME);
    close(s->fd);
    uv_close((uv_handle_t *)&s->poll, on_closed);
}
