/* command.h: a command line taken apart into its verb and its argument (RFC 5321 4.1.1). */
#pragma once

#include "base/span.h"

enum smtp_verb {
    SMTP_VERB_EHLO,
    SMTP_VERB_HELO,
    SMTP_VERB_STARTTLS,
    SMTP_VERB_AUTH,
    SMTP_VERB_MAIL,
    SMTP_VERB_RCPT,
    SMTP_VERB_DATA,
    SMTP_VERB_BDAT,
    SMTP_VERB_RSET,
    SMTP_VERB_NOOP,
    SMTP_VERB_VRFY,
    SMTP_VERB_EXPN,
    SMTP_VERB_HELP,
    SMTP_VERB_QUIT,
    SMTP_VERB_COUNT,
    SMTP_VERB_UNKNOWN = SMTP_VERB_COUNT,
};

struct smtp_command {
    enum smtp_verb verb;
    struct span argument; /* part of the line, without blanks at its ends */
};

/* Never fails: what is no verb is SMTP_VERB_UNKNOWN. The line comes without its CRLF. */
struct smtp_command smtp_command_parse(struct span line);
/* "EHLO". Not for SMTP_VERB_UNKNOWN. */
struct span smtp_verb_name(enum smtp_verb verb);
