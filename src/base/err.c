/* err.c: filling in errors. The text is cut, never overrun; a UTF-8 sequence is not cut in half. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void err_cut(struct err *err, size_t wanted)
{
    if (wanted < sizeof err->text)
        return;
    size_t n = sizeof err->text - 1;
    while (n && ((unsigned char)err->text[n - 1] & 0xc0) == 0x80)
        n--;
    if (n && (unsigned char)err->text[n - 1] >= 0xc0)
        n--;
    err->text[n] = '\0';
}

static void err_format(struct err *err, enum err_code code, const char *format, va_list ap) PRINTF(3, 0);
static void err_format(struct err *err, enum err_code code, const char *format, va_list ap)
{
    err->code = code;
    int n = vsnprintf(err->text, sizeof err->text, format, ap);
    err_cut(err, n < 0 ? 0 : (size_t)n);
}

enum err_code err_set(struct err *err, enum err_code code, const char *format, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, format);
        err_format(err, code, format, ap);
        va_end(ap);
    }
    return code;
}

enum err_code err_errno(struct err *err, int errnum, const char *format, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, format);
        err_format(err, ERR_IO, format, ap);
        va_end(ap);
        size_t at = strlen(err->text);
        int n = snprintf(err->text + at, sizeof err->text - at, ": %s", strerror(errnum));
        err_cut(err, n < 0 ? 0 : at + (size_t)n);
    }
    return ERR_IO;
}

const char *err_code_name(enum err_code code)
{
    static const char *const names[ERR_CODE_MAX] = {
        [ERR_NONE] = "none",     [ERR_INVALID] = "invalid",         [ERR_NOT_FOUND] = "not-found",
        [ERR_EXISTS] = "exists", [ERR_CONFLICT] = "conflict",       [ERR_DENIED] = "denied",
        [ERR_LIMIT] = "limit",   [ERR_UNAVAILABLE] = "unavailable", [ERR_UNKNOWN] = "unknown",
        [ERR_IO] = "io",         [ERR_NO_MEMORY] = "no-memory",     [ERR_INTERNAL] = "internal",
    };
    return (unsigned)code < ERR_CODE_MAX ? names[code] : "invalid-code";
}
