/* keytab_file.h: the keys for GSSAPI as they lie on disk: certs/smtp.keytab of the state folder, which is the
 * supervisor's. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define KEYTAB_FILE_NAME "certs/smtp.keytab"

enum { KEYTAB_TEXT_MAX = 600 };

struct keytab_file {
    bool unknown;               /* it cannot be read, by this user or at all */
    bool absent;                /* there is none */
    bool usable;                /* it has keys of use */
    char text[KEYTAB_TEXT_MAX]; /* the principals that it has keys for; otherwise why there are none, for people */
    struct buf bytes;           /* a secret; with `usable` only */
};

/* Reads the keytab of a state folder. Fills in all of *ret, whatever is found. */
void keytab_file_read(const char *state, struct keytab_file *ret);
/* Wipes the keys; the text stays. */
void keytab_file_done(struct keytab_file *k);
