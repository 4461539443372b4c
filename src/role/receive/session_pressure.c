/*
 * session_pressure.c: back pressure, as a session obeys it: at MAIL, when it is known who the client is.
 *
 * Invariant: while nothing is short a message costs the load of one word. What a transaction was begun with holds
 * for its whole MAIL, also where the directory is asked in between.
 */
#include "role/receive/session_internal.h"

#include "role/common/pressure_page.h"

enum { DETAIL_MAX = 400 };

void session_pressure(struct session *s)
{
    s->gate.pressure = NULL;
    if (pressure_page_level() == PRESSURE_NORMAL)
        return;
    struct pressure *p = ARENA_NEW(&s->transaction, struct pressure);
    if (p && pressure_page_read(p))
        s->gate.pressure = p;
}

/* The ring of denials and the log name the property to set, and the numbers; the decision there says "allowed". */
void session_short_of(struct session *s, struct span sender, struct gate_verdict *v)
{
    const struct pressure_state *state = &s->gate.pressure->of[v->short_of];
    struct buf detail;
    buf_init(&detail, DETAIL_MAX);
    buf_addf(&detail, "%s (", pressure_property(v->short_of, state->level));
    pressure_print(&detail, v->short_of, state);
    buf_add_char(&detail, ')');
    session_deny(s, &v->decision, sender, pressure_remedy(v->short_of));
    session_deny_limit(s, buf_span(&detail));
    buf_done(&detail);
    v->answer.reply.text = gate_pressure_text(&s->gate, &s->transaction, v->answer.reply.text, v->short_of);
}
