/*
 * err.h: an error in two parts: a code for the program's logic and a sentence for people. Libraries fill one and
 * return; only programs log. A sentence names what was wrong and what would be right; it never holds a secret.
 */
#pragma once

#include "base/span.h"

enum err_code {
    ERR_NONE = 0,
    ERR_INVALID,     /* the input breaks a rule */
    ERR_NOT_FOUND,   /* no such object */
    ERR_EXISTS,      /* there is one already */
    ERR_CONFLICT,    /* contradicts another object or property */
    ERR_DENIED,      /* not allowed */
    ERR_LIMIT,       /* a stated limit is reached */
    ERR_UNAVAILABLE, /* try again later: a peer or store cannot answer now */
    ERR_UNKNOWN,     /* the outcome is not known (a commit whose answer was lost) */
    ERR_IO,          /* the system refused; the text has its reason */
    ERR_NO_MEMORY,
    ERR_INTERNAL, /* our own defect */
    ERR_CODE_MAX,
};

struct err {
    enum err_code code;
    char text[504]; /* NUL-terminated, truncated at a character boundary where it would be longer */
};

/* Sets code and text (err may be NULL: the text is then dropped) and returns the code, so: return err_set(...). */
enum err_code err_set(struct err *err, enum err_code code, const char *format, ...) PRINTF(3, 4);
/* ERR_IO with ": <strerror(errnum)>" behind the text. */
enum err_code err_errno(struct err *err, int errnum, const char *format, ...) PRINTF(3, 4);
/* The code's stable short name, such as "not-found". */
const char *err_code_name(enum err_code code);
