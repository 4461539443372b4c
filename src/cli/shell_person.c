/*
 * shell_person.c: asking the person in front. Questions go to /dev/tty and not to standard output, which may be a
 * file.
 *
 * Invariants: the terminal echoes again when an ask has ended, whatever ended it; bytes of a typed password are
 * nowhere left but in the answer.
 */
#include "cli/shell.h"
#include "role/common/console.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static volatile sig_atomic_t caught_signal;

static void note_signal(int number)
{
    caught_signal = number;
}

/* Writes the question; control characters in it could move the cursor and make it look like another one. */
static void show(int tty, struct span text, const char *behind)
{
    struct buf b;
    buf_init(&b, CONSOLE_STATEMENT_MAX + 256);
    for (size_t i = 0; i < text.len; i++)
        buf_add_char(&b, (unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f ? ' ' : text.ptr[i]);
    buf_add(&b, span_of(behind));
    IGNORE_RESULT(write(tty, b.ptr, b.len));
    buf_done(&b);
}

/* Reads up to the line's end, which is left out. Byte by byte: what follows is for whoever reads next. */
static enum err_code read_line(int tty, struct buf *out, struct err *err)
{
    for (;;) {
        char c;
        ssize_t n = read(tty, &c, 1);
        if (n <= 0)
            return err_set(err, ERR_DENIED, "the question was not answered, so nothing was done");
        if (c == '\n')
            break;
        buf_add_char(out, c);
        c = 0;
    }
    if (out->failed)
        return err_set(err, ERR_LIMIT, "the answer is longer than %d bytes", CONSOLE_ANSWER_MAX);
    return ERR_NONE;
}

/* Reads a line with the terminal's echo off or on; it is as before when this returns. */
static enum err_code read_answer(int tty, bool echo, struct buf *out, struct err *err)
{
    struct sigaction old[ARRAY_LEN(caught)];
    const struct sigaction sa = {.sa_handler = note_signal}; /* without SA_RESTART: the read must end */
    struct termios before, quiet;
    if (tcgetattr(tty, &before) < 0)
        return err_errno(err, errno, "cannot ask on the terminal");
    quiet = before;
    quiet.c_lflag |= ICANON | ISIG;
    quiet.c_cc[VSUSP] = _POSIX_VDISABLE; /* a stopped command would leave the terminal without echo */
    if (!echo)
        quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    caught_signal = 0;
    for (size_t i = 0; i < ARRAY_LEN(caught); i++)
        sigaction(caught[i], &sa, &old[i]);
    enum err_code code = tcsetattr(tty, TCSAFLUSH, &quiet) < 0 ? err_errno(err, errno, "cannot ask on the terminal")
                                                               : read_line(tty, out, err);
    tcsetattr(tty, TCSANOW, &before);
    for (size_t i = 0; i < ARRAY_LEN(caught); i++)
        sigaction(caught[i], &old[i], NULL);
    if (code || !echo)
        IGNORE_RESULT(write(tty, "\n", 1));
    if (caught_signal && caught_signal != SIGINT)
        raise(caught_signal); /* not for the question alone */
    return code;
}

static enum err_code ask_secret(int tty, struct span text, struct buf *out, struct err *err)
{
    show(tty, text, ": ");
    return read_answer(tty, false, out, err);
}

static enum err_code ask_confirm(int tty, struct span text, struct buf *out, struct err *err)
{
    static const char *const yes[] = {"", "y", "yes"}, *const no[] = {"n", "no"};
    for (;;) {
        buf_clear(out);
        show(tty, text, "\n[Y] Yes  [N] No  (default is Y): ");
        enum err_code code = read_answer(tty, true, out, err);
        if (code)
            return code;
        struct span given = span_trim(buf_span(out));
        bool is_yes = false, is_no = false;
        for (size_t i = 0; i < ARRAY_LEN(yes); i++)
            is_yes |= span_ieq(given, span_of(yes[i]));
        for (size_t i = 0; i < ARRAY_LEN(no); i++)
            is_no |= span_ieq(given, span_of(no[i]));
        if (!is_yes && !is_no)
            continue;
        buf_clear(out);
        buf_add_char(out, is_yes ? 'y' : 'n');
        return ERR_NONE;
    }
}

/* Room for more; what there is moves into it and is wiped, since it may be a password. NULL: too much. */
static char *grow(struct buf *b, size_t more)
{
    struct buf grown;
    if (b->cap - b->len < more) {
        buf_init(&grown, b->max);
        IGNORE_RESULT(buf_reserve(&grown, 2 * b->cap + more));
        buf_add(&grown, buf_span(b));
        buf_wipe(b);
        *b = grown;
    }
    return buf_reserve(b, more);
}

static enum err_code read_file(struct span name, struct buf *out, struct err *err)
{
    char path[4096];
    if (!name.len || name.len >= sizeof path || memchr(name.ptr, '\0', name.len))
        return err_set(err, ERR_INVALID, "the name of a file is expected");
    snprintf(path, sizeof path, "%.*s", SPAN_ARG(name));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_errno(err, errno, "cannot read %s", path);
    ssize_t n = 1;
    while (out->len <= CONSOLE_FILE_MAX && n > 0) {
        char *room = grow(out, 64 * 1024);
        n = room ? read(fd, room, 64 * 1024) : 0;
        if (n > 0)
            buf_commit(out, (size_t)n);
    }
    int saved = errno;
    close(fd);
    if (n < 0)
        return err_errno(err, saved, "cannot read %s", path);
    return out->failed || out->len > CONSOLE_FILE_MAX
               ? err_set(err, ERR_LIMIT, "%s is longer than %d MB", path, CONSOLE_FILE_MAX >> 20)
               : ERR_NONE;
}

static enum err_code nobody(enum shell_ask_kind kind, struct span text, struct err *err)
{
    text = span_head(text, 300);
    if (kind == SHELL_ASK_CONFIRM)
        return err_set(err, ERR_UNAVAILABLE, "%.*s: nobody is there to confirm it; add -Confirm:$false",
                       SPAN_ARG(text));
    return err_set(err, ERR_UNAVAILABLE,
                   "%.*s: nobody is there to type it; add -Password 'text' or -PasswordFile FILE", SPAN_ARG(text));
}

static enum err_code ask_terminal(enum shell_ask_kind kind, struct span text, struct buf *out, struct err *err)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0)
        return nobody(kind, text, err);
    enum err_code code =
        kind == SHELL_ASK_CONFIRM ? ask_confirm(tty, text, out, err) : ask_secret(tty, text, out, err);
    close(tty);
    return code;
}

static enum err_code person_ask(struct shell_host *host, enum shell_ask_kind kind, struct span text,
                                struct arena *arena, struct span *ret_answer, struct err *err)
{
    const struct shell_person *p = (const struct shell_person *)host;
    struct buf answer;
    if (kind != SHELL_ASK_FILE && !p->present)
        return nobody(kind, text, err);
    buf_init(&answer, kind == SHELL_ASK_FILE ? 4 * (size_t)CONSOLE_FILE_MAX : CONSOLE_ANSWER_MAX + 1);
    /* All of it at once: growing would leave pieces of a password behind in freed memory. */
    char *room = buf_reserve(&answer, CONSOLE_ANSWER_MAX + 1);
    enum err_code code = !room                    ? err_set(err, ERR_NO_MEMORY, "out of memory")
                         : kind == SHELL_ASK_FILE ? read_file(text, &answer, err)
                                                  : ask_terminal(kind, text, &answer, err);
    struct span copy = code ? SPAN("") : arena_dup(arena, buf_span(&answer));
    buf_wipe(&answer);
    if (!code && !copy.ptr)
        code = err_set(err, ERR_NO_MEMORY, "out of memory");
    if (!code)
        *ret_answer = copy;
    return code;
}

static void person_warn(struct shell_host *host UNUSED, struct span text)
{
    fprintf(stderr, "WARNING: %.*s\n", SPAN_ARG(text));
}

/* Over itself, in one line of a terminal. What a server says is text, but may hold anything. */
static void person_progress(struct shell_host *host UNUSED, struct span text)
{
    enum { LINE_MAX_SHOWN = 78 };
    if (!isatty(STDERR_FILENO))
        return;
    fputs("\r\033[K", stderr);
    for (size_t i = 0; i < text.len && i < LINE_MAX_SHOWN; i++)
        fputc(text.ptr[i] < 0x20 || text.ptr[i] == 0x7f ? '?' : text.ptr[i], stderr);
    fflush(stderr);
}

static bool write_all(int fd, struct span bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno != EINTR)
            return false;
        bytes = span_from(bytes, n > 0 ? (size_t)n : 0);
    }
    return true;
}

/* A new file: what is there already is nobody's to overwrite from here. */
static enum err_code person_save(struct shell_host *host UNUSED, struct span name, struct span content,
                                 struct err *err)
{
    char path[CONSOLE_PATH_MAX];
    if (!name.len || name.len >= sizeof path || memchr(name.ptr, '\0', name.len))
        return err_set(err, ERR_INVALID, "the name of a file is expected");
    snprintf(path, sizeof path, "%.*s", SPAN_ARG(name));
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0644);
    if (fd < 0)
        return err_errno(err, errno, "cannot write %s", path);
    int saved = write_all(fd, content) ? 0 : errno;
    if (close(fd) < 0 && !saved)
        saved = errno;
    return saved ? err_errno(err, saved, "cannot write %s", path) : ERR_NONE;
}

void shell_person_init(struct shell_person *p, bool present)
{
    *p = (struct shell_person){
        .host = {.ask = person_ask, .warn = person_warn, .save = person_save, .progress = person_progress},
        .present = present};
}

void shell_saved_init(struct shell_saved *s)
{
    buf_init(&s->path, CONSOLE_PATH_MAX);
    buf_init(&s->content, CONSOLE_SAVE_MAX);
}

void shell_saved_done(struct shell_saved *s)
{
    buf_done(&s->path);
    buf_done(&s->content);
}

enum err_code shell_saved_put(struct shell_saved *s, struct span path, struct span content, struct err *err)
{
    if (s->path.len)
        return err_set(err, ERR_LIMIT, "a statement can write one file; make it several");
    buf_add(&s->path, path);
    buf_add(&s->content, content);
    return path.len && !s->path.failed && !s->content.failed
               ? ERR_NONE
               : err_set(err, ERR_LIMIT, "a file of at most %d bytes with a name is expected", CONSOLE_SAVE_MAX);
}

enum err_code shell_saved_write(struct shell_saved *s, struct shell_host *person, struct err *err)
{
    struct err why = {0};
    if (!s->path.len)
        return ERR_NONE;
    enum err_code code = person->save ? person->save(person, buf_span(&s->path), buf_span(&s->content), &why)
                                      : err_set(&why, ERR_UNAVAILABLE, "nobody is there to write a file");
    buf_clear(&s->path);
    buf_clear(&s->content);
    return code ? err_set(err, code, "the statement is done, but its file was not written: %s", why.text)
                : ERR_NONE;
}
