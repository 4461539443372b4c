/*
 * sendmail.c: `mailreeve sendmail`, also as sendmail and mailq: what cron, PHP and mail programs call. It has no
 * rights of its own: who the caller is, the server asks the kernel, and what that user may, the policy.
 */
#include "cli/sendmail.h"

#include "cli/cli.h"
#include "mail/header.h"
#include "role/common/state.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static enum sendmail_exit complain(enum sendmail_exit exit, const char *text)
{
    fprintf(stderr, "sendmail: %s\n", text);
    return exit;
}

/* ---- the caller ---- */

/* The domain that init was given completes what has none; an address that says its own is left alone. */
static void find_user(const char *state, struct arena *arena, struct sendmail_user *ret)
{
    static struct node_settings node;
    struct err ignored;
    const struct passwd *p = getpwuid(geteuid());
    struct span gecos = span_of(p ? p->pw_gecos : "");
    *ret = (struct sendmail_user){.full_name = arena_dup(arena, span_head(gecos, span_find(gecos, ',')))};
    ret->name =
        p ? arena_dup(arena, span_of(p->pw_name)) : arena_printf(arena, "uid-%lu", (unsigned long)geteuid());
    if (state_load(state, &node, &ignored) == ERR_NONE)
        ret->domain = span_of(node.domain[0] ? node.domain : node.host);
}

/* ---- -bs ---- */

struct pipe_out {
    int fd;
    bool failed;
};

static void write_out(void *context, struct span bytes)
{
    struct pipe_out *out = context;
    while (bytes.len && !out->failed) {
        ssize_t n = write(out->fd, bytes.ptr, bytes.len);
        out->failed = n < 0 && errno != EINTR;
        bytes = span_from(bytes, n > 0 ? (size_t)n : 0);
    }
}

/* Between standard input and output and the server, until the server ends it. Lines may end in LF alone. */
static enum sendmail_exit relay(int socket)
{
    struct pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {socket, POLLIN, 0}};
    struct pipe_out to_server = {socket, false}, to_caller = {STDOUT_FILENO, false};
    struct line_ends lines = {0};
    char piece[16384];
    while (!to_caller.failed) {
        if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR)
            return SENDMAIL_OSERR;
        if (fds[1].revents) {
            ssize_t n = read(socket, piece, sizeof piece);
            if (n <= 0)
                return SENDMAIL_OK;
            write_out(&to_caller, span_make(piece, (size_t)n));
        }
        if (fds[0].revents) {
            ssize_t n = read(STDIN_FILENO, piece, sizeof piece);
            if (n > 0)
                line_ends_feed(&lines, span_make(piece, (size_t)n), write_out, &to_server);
            if (n <= 0) {
                shutdown(socket, SHUT_WR); /* the server says what is due, and ends it */
                fds[0].fd = -1;
            }
        }
    }
    return SENDMAIL_IOERR;
}

static enum sendmail_exit speak_smtp(const char *state)
{
    struct err err = {0};
    int fd;
    if (sendmail_connect(state, &fd, &err))
        return complain(SENDMAIL_TEMPFAIL, err.text);
    signal(SIGPIPE, SIG_IGN); /* either side may go first */
    enum sendmail_exit exit = relay(fd);
    close(fd);
    return exit;
}

/* ---- -bp ---- */

/* The owner of the state administers it, as root does. */
static bool may_list(const char *state)
{
    char path[1100];
    struct stat st;
    snprintf(path, sizeof path, "%s/queue.db", state);
    return geteuid() == 0 || (stat(path, &st) == 0 && st.st_uid == geteuid());
}

static enum sendmail_exit list_queue(const char *state)
{
    char command[] = "shell", option[] = "--state", what[] = "-c";
    char script[] =
        "Get-Message -ResultSize Unlimited -IncludeRecipientInfo | Format-List Identity, Size, DateReceived, "
        "FromAddress, Recipients, Status, Queue, LastError; Get-Queue | Measure-Object -Property MessageCount -Sum "
        "| Format-List Count, Sum";
    char *copy = strdup(state);
    if (!may_list(state)) {
        free(copy);
        return complain(SENDMAIL_NOPERM,
                        "the queue holds everybody's mail: only root and the server's own user may "
                        "list it (mailreeve shell -c Get-Message)");
    }
    char *args[] = {command, option, copy, what, script, NULL};
    int rc = copy ? cli_shell(5, args) : CLI_FAILED;
    free(copy);
    return rc == CLI_OK ? SENDMAIL_OK : SENDMAIL_UNAVAILABLE;
}

/* ---- sending ---- */

/* Where the header ends in the lines that have come; false: not yet. *ret_body: behind the blank line, if one is
 * there.
 */
static bool find_end(struct span text, size_t *at, size_t *ret_body)
{
    while (*at < text.len) {
        struct span line = span_from(text, *at);
        line = span_head(line, span_find(line, '\n') + 1);
        bool blank = span_eq(line, SPAN("\r\n"));
        bool field = header_name(line).len || (*at && (line.ptr[0] == ' ' || line.ptr[0] == '\t'));
        if (blank || !field) {
            *ret_body = *at + (blank ? line.len : 0);
            return true;
        }
        *at += line.len;
    }
    return false;
}

/* The header into `text`, with whatever of the body came along; *ret_end and *ret_body: as find_end. */
static enum err_code read_header(struct sendmail_input *in, struct buf *text, size_t *ret_end, size_t *ret_body,
                                 struct err *err)
{
    struct span lines;
    size_t at = 0;
    enum err_code code;
    while (!(code = sendmail_input_next(in, &lines, err))) {
        if (text->len == 0 && span_starts(lines, SPAN("From "))) /* the envelope of a mailbox file */
            lines = span_from(lines, span_find(lines, '\n') + 1);
        buf_add(text, lines);
        if (text->failed)
            return err_set(err, ERR_LIMIT, "the header is larger than %d bytes", SENDMAIL_HEADER_MAX);
        if (find_end(buf_span(text), &at, ret_body) || !lines.len)
            break;
    }
    *ret_end = at;
    if (*ret_body < at)
        *ret_body = at;
    return code;
}

/* A message under way: its body goes on where its header went. */
struct sending {
    struct sendmail_options options;
    const char *state;
    struct sendmail_input input;
    struct sendmail_message message;
    struct span begun; /* of the body: what came with the header */
    struct err err;
};

static enum sendmail_exit to_server(struct sending *s, int fd)
{
    struct sendmail_smtp smtp;
    sendmail_smtp_init(&smtp, fd);
    enum sendmail_exit exit = sendmail_smtp_begin(&smtp, &s->options, &s->message, &s->err);
    struct span lines = s->begun;
    bool sent = exit == SENDMAIL_OK && sendmail_smtp_data(&smtp, s->message.header);
    while (sent && sendmail_smtp_data(&smtp, lines) && !exit) {
        if (sendmail_input_next(&s->input, &lines, &s->err))
            exit = SENDMAIL_IOERR; /* the connection is closed within the data, so that nothing of it is sent */
        else if (!lines.len)
            break;
    }
    if (!exit)
        exit = sendmail_smtp_end(&smtp, &s->err);
    sendmail_smtp_done(&smtp);
    return exit;
}

static enum sendmail_exit to_file(struct sending *s)
{
    struct sendmail_file file;
    struct err err = {0};
    enum err_code code = sendmail_file_begin(s->state, &s->options, &s->message, &file, &err);
    if (code) {
        struct err first = s->err;
        err_set(&s->err, code, "%s, and %s", first.text, err.text);
        return SENDMAIL_TEMPFAIL;
    }
    struct span lines = s->begun;
    do
        code = sendmail_file_write(&file, lines, &err);
    while (!code && !(code = sendmail_input_next(&s->input, &lines, &err)) && lines.len);
    if (!code)
        code = sendmail_file_commit(&file, &err);
    sendmail_file_done(&file);
    s->err = err;
    return code ? SENDMAIL_TEMPFAIL : SENDMAIL_OK;
}

static enum sendmail_exit send_message(struct sending *s, struct arena *arena)
{
    struct buf text;
    struct sendmail_user user;
    size_t end = 0, body = 0;
    enum sendmail_exit exit = SENDMAIL_OK;
    int fd;
    buf_init(&text, SENDMAIL_HEADER_MAX);
    enum err_code code = read_header(&s->input, &text, &end, &body, &s->err);
    if (code)
        exit = code == ERR_LIMIT ? SENDMAIL_DATAERR : SENDMAIL_IOERR;
    find_user(s->state, arena, &user);
    if (!exit)
        code =
            sendmail_build(&s->options, &user, span_head(buf_span(&text), end), arena, &s->message, &exit, &s->err);
    s->begun = span_from(buf_span(&text), body);
    if (!exit)
        code = sendmail_connect(s->state, &fd, &s->err);
    if (!exit)
        exit = code == ERR_NONE ? to_server(s, fd) : code == ERR_NOT_FOUND ? to_file(s) : SENDMAIL_TEMPFAIL;
    buf_done(&text);
    return exit;
}

int cli_sendmail(int argc, char **argv)
{
    struct sending s = {0};
    struct arena arena;
    enum sendmail_exit exit;
    if (sendmail_parse(argc, argv, &s.options, &s.err))
        return (int)complain(SENDMAIL_USAGE, s.err.text);
    s.state = cli_state(s.options.state);
    if (s.options.mode == SENDMAIL_SMTP)
        return (int)speak_smtp(s.state);
    if (s.options.mode == SENDMAIL_QUEUE)
        return (int)list_queue(s.state);
    if (s.options.mode == SENDMAIL_IDLE)
        return SENDMAIL_OK;
    arena_init(&arena, 0);
    sendmail_input_init(&s.input, STDIN_FILENO, s.options.dot_is_text);
    exit = send_message(&s, &arena);
    if (exit)
        complain(exit, s.err.text);
    sendmail_input_done(&s.input);
    arena_clear(&arena);
    return (int)exit;
}
