/*
 * log.c: building and writing log lines.
 *
 * Invariants: a line is at most LOG_LINE_MAX bytes and ends with LF; every value is either bare
 * [A-Za-z0-9._:/@+\[\]<>-]+ or quoted with \" \\ and \xNN escapes, so it holds no blank, control or quote that is
 * not ours. What is gathered is whole lines of one thread, which alone touches it.
 */
#include "runtime/log.h"

#include "runtime/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { GATHER_MAX = 32 * 1024 };

static struct {
    const char *role;
    int fd;
    bool journal;
    enum log_level least;
    uint64_t dropped;
    struct {
        char text[GATHER_MAX];
        size_t len;
        uint64_t lines;
    } gathered;
} logger = {.role = "mailreeve", .fd = STDERR_FILENO, .least = LOG_INFO};

static const struct {
    const char *name;
    char priority; /* syslog's, for the journal */
} levels[] = {
    [LOG_DEBUG] = {"debug", '7'},     [LOG_INFO] = {"info", '6'},   [LOG_NOTICE] = {"notice", '5'},
    [LOG_WARNING] = {"warning", '4'}, [LOG_ERROR] = {"error", '3'},
};

void log_init(const char *role)
{
    logger.role = role;
    logger.journal = getenv("JOURNAL_STREAM") != NULL;
    /* A handle of our own, so that O_NONBLOCK does not reach the terminal or pipe of whoever started us. */
    int fd = logger.journal ? -1 : open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC);
    logger.fd = fd >= 0 ? fd : STDERR_FILENO;
}

void log_set_threshold(enum log_level least)
{
    logger.least = least;
}

static void add_raw(struct log_line *l, const char *s, size_t n)
{
    size_t room = LOG_LINE_MAX - 1 - l->len; /* one byte stays for the LF */
    if (n > room)
        n = room;
    memcpy(l->text + l->len, s, n);
    l->len += n;
}

static void add_format(struct log_line *l, const char *format, ...) PRINTF(2, 3);
static void add_format(struct log_line *l, const char *format, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (n > 0)
        add_raw(l, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static bool is_bare(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alnum(s.ptr[i]) && !memchr("._:/@+-[]<>", s.ptr[i], 11))
            return false;
    return s.len > 0;
}

static void add_value(struct log_line *l, struct span s)
{
    if (is_bare(s)) {
        add_raw(l, s.ptr, s.len);
        return;
    }
    add_raw(l, "\"", 1);
    for (size_t i = 0; i < s.len && l->len < LOG_LINE_MAX - 8; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\')
            add_format(l, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            add_format(l, "\\x%02x", c);
        else
            add_raw(l, s.ptr + i, 1);
    }
    add_raw(l, "\"", 1);
}

static void add_time(struct log_line *l)
{
    int64_t now = clock_wall_ms();
    time_t t = (time_t)(now / 1000);
    struct tm tm;
    if (gmtime_r(&t, &tm))
        add_format(l, "time=%04d-%02d-%02dT%02d:%02d:%02d.%03dZ ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                   tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(now % 1000));
}

struct log_line log_begin(enum log_level level, const char *event)
{
    struct log_line l;
    l.level = level;
    l.len = 0;
    l.off = level < logger.least;
    if (l.off)
        return l;
    if (logger.journal)
        add_format(&l, "<%c>", levels[level].priority);
    else
        add_time(&l);
    add_format(&l, "level=%s role=%s event=%s", levels[level].name, logger.role, event);
    return l;
}

void log_span(struct log_line *l, const char *key, struct span value)
{
    if (l->off)
        return;
    add_format(l, " %s=", key);
    add_value(l, value);
}

void log_str(struct log_line *l, const char *key, const char *value)
{
    log_span(l, key, span_of(value));
}

void log_int(struct log_line *l, const char *key, int64_t value)
{
    if (!l->off)
        add_format(l, " %s=%" PRId64, key, value);
}

void log_id(struct log_line *l, const char *key, uint64_t id)
{
    if (!l->off)
        add_format(l, " %s=%016" PRIx64, key, id);
}

void log_err(struct log_line *l, const struct err *err)
{
    log_str(l, "error-code", err_code_name(err->code));
    log_str(l, "error", err->text);
}

/* ---- writing ---- */

static _Thread_local bool gathers;

static void write_out(const char *text, size_t len, uint64_t lines)
{
    ssize_t n = write(logger.fd, text, len);
    if (n < 0 && errno == EAGAIN)
        logger.dropped += lines;
    else
        logger.dropped = 0;
}

void log_flush(void)
{
    size_t len = logger.gathered.len;
    if (!gathers || !len)
        return;
    logger.gathered.len = 0; /* first: an abort in the middle must not write it again */
    write_out(logger.gathered.text, len, logger.gathered.lines);
    logger.gathered.lines = 0;
}

static void gather(const struct log_line *l)
{
    if (l->len > GATHER_MAX - logger.gathered.len)
        log_flush();
    memcpy(logger.gathered.text + logger.gathered.len, l->text, l->len);
    logger.gathered.len += l->len;
    logger.gathered.lines++;
    if (l->level >= LOG_WARNING)
        log_flush();
}

/* What led to an assertion that fails must not be lost with it. */
static void on_abort(int sig)
{
    (void)sig;
    log_flush();
}

void log_gather(void)
{
    struct stat st;
    gathers = logger.journal || (fstat(logger.fd, &st) == 0 && S_ISREG(st.st_mode));
    if (gathers)
        signal(SIGABRT, on_abort);
}

void log_end(struct log_line *l)
{
    if (l->off)
        return;
    if (logger.dropped) {
        add_format(l, " dropped-lines=%" PRIu64, logger.dropped);
    }
    l->text[l->len++] = '\n';
    if (gathers)
        gather(l);
    else
        write_out(l->text, l->len, 1);
}

void log_text(enum log_level level, const char *event, const char *format, ...)
{
    struct log_line l = log_begin(level, event);
    if (l.off)
        return;
    char text[1024];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    log_str(&l, "text", text);
    log_end(&l);
}
