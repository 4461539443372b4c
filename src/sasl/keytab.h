/*
 * keytab.h: a Kerberos keytab file (MIT's version 2) as bytes. Read here and not by the Kerberos library, so that
 * whoever must only know whether a keytab is of use (the supervisor, `explain`, the audit) needs neither the
 * library nor a file by name, and so that only the keys that this server needs reach it.
 *
 * Of use for SMTP are keys of SERVICE/HOST@REALM where SERVICE is smtp (RFC 4954 4) or SMTPSVC (what Windows
 * clients ask for), in any case, of a type that is still safe: AES and Camellia, not RC4 and DES.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* One more is ERR_LIMIT. Bytes of the file; entries in it; components of a principal. */
enum { KEYTAB_FILE_MAX = 64 * 1024, KEYTAB_ENTRIES_MAX = 1024, KEYTAB_COMPONENTS_MAX = 8 };

struct keytab_entry {
    struct span realm;
    struct span components[KEYTAB_COMPONENTS_MAX];
    size_t component_count;
    uint32_t kvno;    /* the key's version */
    uint16_t enctype; /* RFC 3961's number */
    struct span key;  /* a secret */
};

typedef void keytab_each_fn(void *context, const struct keytab_entry *e);

/*
 * Calls each for every entry, in the file's order; the entry is a view into the file. ERR_INVALID: no keytab, or a
 * malformed one; ERR_LIMIT. Entries before the one that is malformed were given.
 */
NODISCARD enum err_code keytab_read(struct span file, keytab_each_fn *each, void *context, struct err *err);
/* Whether an entry is of use for SMTP. */
bool keytab_entry_usable(const struct keytab_entry *e);
/*
 * Appends the principals that the keytab has usable keys for, each once and with its newest version, for people:
 * "smtp/mail.example.com@EXAMPLE.COM (version 3)". Otherwise nothing is appended and err says why it is of no use,
 * as the end of a sentence that begins with the keytab's name: ERR_INVALID, ERR_LIMIT, or ERR_NOT_FOUND: it has no
 * such key. What is appended is cut at a principal where the buffer is full.
 */
NODISCARD enum err_code keytab_describe(struct span file, struct buf *out, struct err *err);
