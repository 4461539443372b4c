/*
 * show.c: what of a client's line may be shown to people (the protocol log).
 *
 * Invariant: a password never is. It can stand in a response of AUTH, behind AUTH's mechanism, in the mechanism's
 * place, and, when the client goes on after a refused AUTH, in a line that is no command.
 */
#include "smtp/server/internal.h"

/* Mechanisms that may be named, whether or not they are offered: other words behind AUTH could be anything. */
static const struct span mechanisms[] = {
    SPAN_INIT("LOGIN"),       SPAN_INIT("PLAIN"),       SPAN_INIT("NTLM"),          SPAN_INIT("GSSAPI"),
    SPAN_INIT("CRAM-MD5"),    SPAN_INIT("DIGEST-MD5"),  SPAN_INIT("EXTERNAL"),      SPAN_INIT("XOAUTH2"),
    SPAN_INIT("OAUTHBEARER"), SPAN_INIT("SCRAM-SHA-1"), SPAN_INIT("SCRAM-SHA-256"), SPAN_INIT("SCRAM-SHA-256-PLUS"),
};

static struct span shown_auth(struct smtp_server *s, struct span argument)
{
    struct span name = span_head(argument, span_find(argument, ' '));
    const char *rest = name.len < argument.len ? " (initial response not shown)" : "";
    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
        if (span_ieq(name, mechanisms[i]))
            return arena_printf(&s->scratch, "AUTH %.*s%s", SPAN_ARG(mechanisms[i]), rest);
    return argument.len ? SPAN("AUTH (argument not shown)") : SPAN("AUTH");
}

static struct span shown(struct smtp_server *s, const struct line *line)
{
    if (s->phase == PHASE_AUTH)
        return span_eq(line->text, SPAN("*")) ? line->text : SPAN("(authentication response not shown)");
    if (line->defect)
        return arena_printf(&s->scratch, "(not a line: %.*s)", SPAN_ARG(line_defect_text(line->defect)));
    struct smtp_command c = smtp_command_parse(line->text);
    if (c.verb == SMTP_VERB_UNKNOWN)
        return arena_printf(&s->scratch, "(not a command: %zu octets)", line->text.len);
    return c.verb == SMTP_VERB_AUTH ? shown_auth(s, c.argument) : line->text;
}

void show_line(struct smtp_server *s, const struct line *line)
{
    if (s->output->line)
        s->output->line(s->context, shown(s, line));
}
