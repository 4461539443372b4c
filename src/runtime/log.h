/*
 * log.h: the structured log: one line of key=value an event, written whole with a write(2) to standard error (or,
 * under systemd, with its priority prefix for the journal). A line that the reader of a pipe is too slow for is
 * dropped and counted, never waited for. Values are quoted and escaped, so no value can forge a line or a key.
 * Secrets are never passed here; there is no function that would take one.
 *
 *   struct log_line l = log_begin(LOG_INFO, "session-start");
 *   log_span(&l, "remote", text);
 *   log_end(&l);
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING, LOG_ERROR };

enum { LOG_LINE_MAX = 2048 };

struct log_line {
    enum log_level level;
    size_t len;
    bool off; /* below the threshold: nothing is built */
    char text[LOG_LINE_MAX];
};

/* Once, early: the role's name on each line, and our own non-blocking handle on standard error. */
void log_init(const char *role);
void log_set_threshold(enum log_level least);
/*
 * From now on the calling thread's lines below LOG_WARNING are gathered and written together: by log_flush, with
 * the next line that is not below it, at an abort, or when there are many. For a thread that calls log_flush
 * whenever it is about to wait; one thread of a process. Does nothing when the log goes to a pipe, whose reader may
 * be too slow for several lines and not for one.
 */
void log_gather(void);
void log_flush(void);

struct log_line log_begin(enum log_level level, const char *event);
void log_span(struct log_line *l, const char *key, struct span value);
void log_str(struct log_line *l, const char *key, const char *value);
void log_int(struct log_line *l, const char *key, int64_t value);
/* A session or message id: 16 hex digits. */
void log_id(struct log_line *l, const char *key, uint64_t id);
/* error-code=... error="..." */
void log_err(struct log_line *l, const struct err *err);
void log_end(struct log_line *l);

/* An event with one text: log_text(LOG_ERROR, "bind-failed", "cannot listen on %s: %s", ...). */
void log_text(enum log_level level, const char *event, const char *format, ...) PRINTF(3, 4);
