/*
 * params.h: what stands behind the path of MAIL and RCPT: esmtp-param (RFC 5321 4.1.2), the values of the DSN
 * extension (RFC 3461), and xtext.
 */
#pragma once

#include "base/buf.h"

struct smtp_param {
    struct span name; /* when malformed: the word as it stands */
    struct span value;
    bool has_value;
};

enum smtp_param_status { SMTP_PARAM_END, SMTP_PARAM_OK, SMTP_PARAM_MALFORMED };

/* Cuts the next parameter off *rest; blanks in front are skipped. */
NODISCARD enum smtp_param_status smtp_param_next(struct span *rest, struct smtp_param *ret);

/*
 * Appends what xtext (RFC 3461 4) stands for. False when it is malformed, or stands for a control character: what
 * is decoded may be shown and passed on in one line. Octets beyond ASCII may come out only of "+XX".
 */
NODISCARD bool smtp_xtext_decode(struct buf *out, struct span s);

enum { SMTP_ENVID_MAX = 100, SMTP_ORCPT_MAX = 500 }; /* octets as written (RFC 3461 4.4, 4.2) */

/* ENVID=: xtext of printable ASCII. */
bool smtp_envid_valid(struct span s);
/* ORCPT=: "type;xtext"; the type utf-8 (RFC 6533 3) with UTF-8 as it is, where the caller allows it. */
bool smtp_orcpt_valid(struct span s, bool allow_utf8);

enum {
    SMTP_NOTIFY_NEVER = 1 << 0,
    SMTP_NOTIFY_SUCCESS = 1 << 1,
    SMTP_NOTIFY_FAILURE = 1 << 2,
    SMTP_NOTIFY_DELAY = 1 << 3
};

/* NOTIFY=: NEVER alone, or a list of the others. */
NODISCARD bool smtp_notify_parse(struct span s, unsigned *ret);
