/* kerberos.c: see kerberos.h. Nothing here is a key. */
#include "role/receive/kerberos.h"

#include "base/cursor.h"
#include "role/common/keytab_file.h"
#include "role/common/role.h"
#include "runtime/log.h"

#include <stdio.h>

static struct {
    bool usable;
    bool said;
    char text[KEYTAB_TEXT_MAX];
} kerberos = {.text = "the keytab was not read yet"};

void kerberos_take(const struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    bool usable = cursor_bool(&c);
    struct span text = cursor_bytes(&c, KEYTAB_TEXT_MAX - 1);
    if (!cursor_done(&c)) {
        role_bad_frame(ROLE_KINDS, f, "malformed state of the keytab");
        return;
    }
    kerberos.usable = usable;
    kerberos.said = false;
    snprintf(kerberos.text, sizeof kerberos.text, "%.*s", SPAN_ARG(text));
}

bool kerberos_usable(struct span connector)
{
    if (kerberos.usable || kerberos.said)
        return kerberos.usable;
    kerberos.said = true;
    struct log_line l = log_begin(LOG_WARNING, "no-keytab");
    log_span(&l, "connector", connector);
    log_str(&l, "reason", kerberos.text);
    log_str(&l, "text",
            "AUTH GSSAPI is not offered by connectors with EnableAuthGSSAPI; put a keytab with a key of smtp/HOST "
            "into " KEYTAB_FILE_NAME " of the state folder");
    log_end(&l);
    return false;
}

const char *kerberos_why_not(void)
{
    return kerberos.usable ? "" : kerberos.text;
}
