/* status.h: enhanced mail system status codes (RFC 3463), such as 5.1.1. */
#pragma once

#include "base/buf.h"

enum status_class { STATUS_SUCCESS = 2, STATUS_TRANSIENT = 4, STATUS_PERMANENT = 5 };

struct status {
    enum status_class class;
    uint16_t subject, detail; /* 0..999 */
};

/* The whole span is a code: class "." subject "." detail, one to three digits each without leading zeros. */
NODISCARD bool status_parse(struct span s, struct status *ret);
/*
 * A code at the start of a text, ended by a blank or the end of the text. *ret_rest is what follows the blanks; it
 * may be empty, for a reply can consist of its code.
 */
NODISCARD bool status_parse_start(struct span s, struct status *ret, struct span *ret_rest);
void status_print(struct buf *out, struct status s);
