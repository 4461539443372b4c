/* cmd_starttls.c: STARTTLS (RFC 3207). What follows it in the clear is thrown away by smtp_server_feed. */
#include "smtp/server/internal.h"

void cmd_starttls(struct smtp_server *s, struct span argument UNUSED)
{
    if (s->tls) {
        respond_error(s, SMTP_REPLY(503, "5.5.1", "TLS is active already"));
    } else if (!s->profile->starttls_available) {
        respond_error(s, SMTP_REPLY(502, "5.5.1", "STARTTLS is not offered here"));
    } else {
        respond(s, SMTP_REPLY(220, "2.0.0", "SMTP server ready"));
        session_enter(s, PHASE_TLS);
    }
}
