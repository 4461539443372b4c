/*
 * keytab.c: the keys for GSSAPI: certs/smtp.keytab, read by the supervisor alone. Its bytes go to the directory
 * process, which checks tickets with them; a receive process is only told that there are some.
 *
 * Invariants: a keytab that is of no use never takes the place of one that is; one that is gone does. Nothing about
 * it keeps the server, or its certificates, from working.
 */
#include "role/supervisor/internal.h"

#include "base/cursor.h"
#include "runtime/log.h"

#include <stdio.h>
#include <string.h>

static bool same_keys(const struct keytab_file *a, const struct keytab_file *b)
{
    return a->usable == b->usable && span_eq(buf_span(&a->bytes), buf_span(&b->bytes));
}

static void log_keytab(const struct keytab_file *k, bool first)
{
    bool quiet = first && k->absent; /* most servers need none */
    struct log_line l = log_begin(k->usable || quiet ? LOG_INFO : LOG_WARNING, k->usable ? "keytab" : "no-keytab");
    log_str(&l, k->usable ? "principals" : "reason", k->text);
    log_end(&l);
}

bool keytab_load(struct supervisor *s)
{
    struct keytab_file found;
    keytab_file_read(s->state, &found);
    s->keytab_problem[0] = '\0';
    if (s->keytab.usable && !found.usable && !found.absent) {
        snprintf(s->keytab_problem, sizeof s->keytab_problem, "%s", found.text);
        log_text(LOG_ERROR, "keytab-refused", "%s; the server goes on with the keys that it had before",
                 found.text);
        keytab_file_done(&found);
        return false;
    }
    bool changed = !same_keys(&found, &s->keytab) || strcmp(found.text, s->keytab.text) != 0;
    if (changed)
        log_keytab(&found, !s->keytab_read);
    s->keytab_read = true;
    keytab_file_done(&s->keytab);
    s->keytab = found;
    return changed;
}

void keytab_hand_over(struct supervisor *s, struct child *c)
{
    if (!c->running || !c->control || (c->kind != ROLE_DIRECTORY && c->kind != ROLE_RECEIVE))
        return;
    struct buf b;
    enum err_code code;
    buf_init(&b, FRAME_BODY_MAX);
    put_bool(&b, s->keytab.usable);
    put_bytes(&b, span_of(s->keytab.text));
    if (c->kind == ROLE_DIRECTORY)
        code = link_send(c->control, CONTROL_KEYTAB, 0, buf_span(&s->keytab.bytes), NULL, 0);
    else
        code = b.failed ? ERR_NO_MEMORY : link_send(c->control, CONTROL_GSSAPI, 0, buf_span(&b), NULL, 0);
    if (code)
        log_text(LOG_ERROR, "control-failed", "%s was not told of the keytab", role_name(c->kind));
    buf_done(&b);
}

void keytab_hand_over_all(struct supervisor *s)
{
    for (size_t i = 0; i < s->child_count; i++) /* first where the keys are used */
        if (s->children[i].kind == ROLE_DIRECTORY)
            keytab_hand_over(s, &s->children[i]);
    for (size_t i = 0; i < s->child_count; i++)
        if (s->children[i].kind == ROLE_RECEIVE)
            keytab_hand_over(s, &s->children[i]);
}

void keytab_describe_to(const struct supervisor *s, struct buf *out)
{
    struct buf text;
    buf_init(&text, 3 * KEYTAB_TEXT_MAX);
    buf_addf(&text, "%s", s->keytab.text);
    if (s->keytab_problem[0])
        buf_addf(&text, " (in use still, as %s)", s->keytab_problem);
    put_bool(out, s->keytab.usable);
    put_bytes(out, buf_span(&text));
    buf_done(&text);
}
