/* cmd_misc.c: RSET, NOOP, VRFY, EXPN, HELP, QUIT (RFC 5321 4.1.1.5 to 4.1.1.10). */
#include "smtp/server/internal.h"

void cmd_rset(struct smtp_server *s, struct span argument UNUSED)
{
    session_reset(s);
    respond(s, SMTP_REPLY(250, "2.0.0", "Resetting"));
}

void cmd_noop(struct smtp_server *s, struct span argument UNUSED)
{
    respond(s, SMTP_REPLY(250, "2.0.0", "OK"));
}

void cmd_vrfy(struct smtp_server *s, struct span argument)
{
    session_ask(s, &(struct smtp_ask){.kind = SMTP_ASK_VRFY, .vrfy = argument});
}

void vrfy_answer(struct smtp_server *s, const struct smtp_answer *a)
{
    session_enter(s, PHASE_COMMAND);
    respond_answer_or(s, a, SMTP_REPLY(252, "2.1.5", "Cannot VRFY user"));
}

void cmd_expn(struct smtp_server *s, struct span argument UNUSED)
{
    respond_error(s, SMTP_REPLY(502, "5.5.1", "EXPN is not offered here"));
}

void cmd_help(struct smtp_server *s, struct span argument UNUSED)
{
    respond(s, SMTP_REPLY(214, "2.0.0", "EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT"));
}

void cmd_quit(struct smtp_server *s, struct span argument UNUSED)
{
    respond(s, SMTP_REPLY(221, "2.0.0", "Service closing transmission channel"));
    session_close(s);
}
