/*
 * sendmail_smtp.c: the client's side of SMTP at submit.sock: one message, one command at a time, on a blocking
 * socket. The envelope is all or nothing: a recipient that is refused ends it before anybody gets the message, so
 * that whoever is told that it failed can send it again.
 */
#include "cli/sendmail.h"

#include "base/num.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { REPLY_MAX = 64 * 1024, COMMAND_MAX = 8192, WAIT_S = 600, ADDRESS_SHOWN_MAX = 400 };

enum err_code sendmail_connect(const char *state, int *ret_fd, struct err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const struct timeval wait = {.tv_sec = WAIT_S};
    int n = snprintf(a.sun_path, sizeof a.sun_path, "%s/submit.sock", state);
    if (n < 0 || (size_t)n >= sizeof a.sun_path)
        return err_set(err, ERR_LIMIT, "%s/submit.sock is too long for the path of a socket", state);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, errno, "cannot make a socket");
    if (connect(fd, (const struct sockaddr *)&a, sizeof a) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0) {
        int saved = errno;
        close(fd);
        return saved == ENOENT || saved == ECONNREFUSED
                   ? err_set(err, ERR_NOT_FOUND, "no server listens at %s", a.sun_path)
                   : err_errno(err, saved, "cannot connect to %s", a.sun_path);
    }
    *ret_fd = fd;
    return ERR_NONE;
}

void sendmail_smtp_init(struct sendmail_smtp *s, int fd)
{
    *s = (struct sendmail_smtp){.fd = fd, .at_line_start = true};
    buf_init(&s->in, REPLY_MAX);
    buf_init(&s->reply, REPLY_MAX);
}

void sendmail_smtp_done(struct sendmail_smtp *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    buf_done(&s->in);
    buf_done(&s->reply);
}

static bool send_all(struct sendmail_smtp *s, struct span bytes)
{
    while (bytes.len) {
        ssize_t n = send(s->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return false;
        bytes = span_from(bytes, n > 0 ? (size_t)n : 0);
    }
    return true;
}

/* ---- replies ---- */

static bool read_some(struct sendmail_smtp *s)
{
    char *room = buf_reserve(&s->in, 4096);
    ssize_t n = room ? recv(s->fd, room, 4096, 0) : -1;
    if (n > 0)
        buf_commit(&s->in, (size_t)n);
    return n > 0;
}

/* A line without its end, kept behind the others; false: none comes. */
static bool read_line(struct sendmail_smtp *s, struct span *ret)
{
    size_t end;
    while ((end = span_find(buf_span(&s->in), '\n')) == SIZE_MAX)
        if (!read_some(s))
            return false;
    size_t begin = s->reply.len;
    buf_add(&s->reply, span_trim(span_head(buf_span(&s->in), end)));
    *ret = span_from(buf_span(&s->reply), begin);
    buf_add_char(&s->reply, '\n');
    buf_consume(&s->in, end + 1);
    return !s->reply.failed;
}

/* The whole reply; 0 when the server says none, or nonsense. */
static int read_reply(struct sendmail_smtp *s)
{
    struct span line;
    uint32_t code = 0;
    buf_clear(&s->reply);
    do {
        if (!read_line(s, &line) || !num_parse_u32(span_head(line, 3), 599, &code) || code < 200)
            return s->code = 0;
    } while (line.len > 3 && line.ptr[3] == '-');
    return s->code = (int)code;
}

static struct span last_line(const struct sendmail_smtp *s)
{
    struct span text = span_trim(buf_span(&s->reply));
    size_t at = span_rfind(text, '\n');
    return at == SIZE_MAX ? text : span_from(text, at + 1);
}

static bool offers(const struct sendmail_smtp *s, struct span keyword)
{
    struct span rest = buf_span(&s->reply), line;
    while (span_split(&rest, '\n', &line))
        if (span_ieq(span_from(line, 4), keyword))
            return true;
    return false;
}

/* The enhanced status code behind a reply's code (RFC 2034); empty: none. */
static struct span enhanced_of(struct span line)
{
    struct span word = span_from(line, 4);
    word = span_head(word, span_find(word, ' '));
    for (size_t i = 0; i < word.len; i++)
        if (!ascii_is_digit(word.ptr[i]) && word.ptr[i] != '.')
            return SPAN("");
    return word.len >= 5 ? word : SPAN("");
}

enum sendmail_exit sendmail_exit_of(int code, struct span enhanced)
{
    static const struct {
        const char *enhanced; /* what it begins with */
        enum sendmail_exit exit;
    } rows[] = {{"5.1.1", SENDMAIL_NOUSER},  {"5.1.2", SENDMAIL_NOHOST},  {"5.1.3", SENDMAIL_DATAERR},
                {"5.1.7", SENDMAIL_DATAERR}, {"5.1.8", SENDMAIL_DATAERR}, {"5.2.", SENDMAIL_UNAVAILABLE},
                {"5.6.", SENDMAIL_DATAERR},  {"5.7.", SENDMAIL_NOPERM}};
    if (code < 500)
        return SENDMAIL_TEMPFAIL;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (span_starts(enhanced, span_of(rows[i].enhanced)))
            return rows[i].exit;
    return code == 501 || code == 553 ? SENDMAIL_DATAERR : SENDMAIL_UNAVAILABLE;
}

static enum sendmail_exit refused(const struct sendmail_smtp *s, const char *what, struct err *err)
{
    struct span line = last_line(s);
    if (!s->code) {
        err_set(err, ERR_UNAVAILABLE, "the server does not answer %s", what);
        return SENDMAIL_TEMPFAIL;
    }
    err_set(err, ERR_DENIED, "%s: the server says: %.*s", what, SPAN_ARG(line));
    return sendmail_exit_of(s->code, enhanced_of(line));
}

/* ---- the dialogue ---- */

/* The command's reply is of this hundred. */
static enum sendmail_exit command(struct sendmail_smtp *s, const struct buf *line, int hundred, const char *what,
                                  struct err *err)
{
    if (line->failed) {
        err_set(err, ERR_LIMIT, "%s: too long for a command", what);
        return SENDMAIL_DATAERR;
    }
    if (!send_all(s, buf_span(line)))
        s->code = 0;
    else if (read_reply(s) / 100 == hundred)
        return SENDMAIL_OK;
    return refused(s, what, err);
}

static enum sendmail_exit plain(struct sendmail_smtp *s, struct span line, int hundred, const char *what,
                                struct err *err)
{
    struct buf b;
    buf_init(&b, 64);
    buf_add(&b, line);
    enum sendmail_exit exit = command(s, &b, hundred, what, err);
    buf_done(&b);
    return exit;
}

static enum sendmail_exit greet(struct sendmail_smtp *s, struct err *err)
{
    if (read_reply(s) / 100 != 2)
        return refused(s, "the connection", err);
    enum sendmail_exit exit = plain(s, SPAN("EHLO localhost\r\n"), 2, "EHLO", err);
    s->dsn = offers(s, SPAN("DSN"));
    s->utf8 = offers(s, SPAN("SMTPUTF8"));
    s->eight_bit = offers(s, SPAN("8BITMIME"));
    return exit;
}

void sendmail_put_xtext(struct buf *b, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c <= ' ' || c >= 0x7f || c == '+' || c == '=')
            buf_addf(b, "+%02X", c);
        else
            buf_add_char(b, *text);
    }
}

static enum sendmail_exit mail(struct sendmail_smtp *s, const struct sendmail_options *o,
                               const struct sendmail_message *m, struct err *err)
{
    struct buf b;
    char what[ADDRESS_SHOWN_MAX];
    buf_init(&b, COMMAND_MAX);
    buf_addf(&b, "MAIL FROM:<%.*s>", SPAN_ARG(m->sender));
    if (s->eight_bit)
        buf_addf(&b, " BODY=%s", o->body ? o->body : "8BITMIME");
    if (m->utf8 && s->utf8)
        buf_add(&b, SPAN(" SMTPUTF8"));
    if (o->ret && s->dsn)
        buf_addf(&b, " RET=%s", o->ret);
    if (o->envid && s->dsn) {
        buf_add(&b, SPAN(" ENVID="));
        sendmail_put_xtext(&b, o->envid);
    }
    buf_add(&b, SPAN("\r\n"));
    snprintf(what, sizeof what, "sender <%.*s>", SPAN_ARG(m->sender));
    enum sendmail_exit exit = command(s, &b, 2, what, err);
    buf_done(&b);
    return exit;
}

static enum sendmail_exit rcpt(struct sendmail_smtp *s, const struct sendmail_options *o, struct span address,
                               struct err *err)
{
    struct buf b;
    char what[ADDRESS_SHOWN_MAX];
    buf_init(&b, COMMAND_MAX);
    buf_addf(&b, "RCPT TO:<%.*s>", SPAN_ARG(address));
    if (o->notify && s->dsn)
        buf_addf(&b, " NOTIFY=%s", o->notify);
    buf_add(&b, SPAN("\r\n"));
    snprintf(what, sizeof what, "recipient <%.*s>", SPAN_ARG(address));
    enum sendmail_exit exit = command(s, &b, 2, what, err);
    buf_done(&b);
    return exit;
}

enum sendmail_exit sendmail_smtp_begin(struct sendmail_smtp *s, const struct sendmail_options *o,
                                       const struct sendmail_message *m, struct err *err)
{
    enum sendmail_exit exit = greet(s, err);
    if (!exit)
        exit = mail(s, o, m, err);
    for (size_t i = 0; !exit && i < m->recipient_count; i++)
        exit = rcpt(s, o, m->recipients[i], err);
    return exit ? exit : plain(s, SPAN("DATA\r\n"), 3, "DATA", err);
}

bool sendmail_smtp_data(struct sendmail_smtp *s, struct span lines)
{
    struct buf b;
    buf_init(&b, 2 * lines.len + 2);
    while (lines.len) {
        size_t end = span_find(lines, '\n'), n = end == SIZE_MAX ? lines.len : end + 1;
        if (s->at_line_start && lines.ptr[0] == '.')
            buf_add_char(&b, '.');
        buf_add(&b, span_head(lines, n));
        s->at_line_start = end != SIZE_MAX;
        lines = span_from(lines, n);
    }
    bool sent = !b.failed && send_all(s, buf_span(&b));
    buf_done(&b);
    return sent;
}

enum sendmail_exit sendmail_smtp_end(struct sendmail_smtp *s, struct err *err)
{
    struct err ignored;
    enum sendmail_exit exit = plain(s, SPAN(".\r\n"), 2, "the message", err);
    if (!exit)
        IGNORE_RESULT(plain(s, SPAN("QUIT\r\n"), 2, "QUIT", &ignored));
    return exit;
}
