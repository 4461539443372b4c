/*
 * right.h: every extended right, once: its canonical name, other spellings, display name, and its token in the
 * protocol log. Sets of rights are bit sets.
 */
#pragma once

#include "base/buf.h"

enum right {
    /* receive side */
    RIGHT_SUBMIT,
    RIGHT_ACCEPT_ANY_RECIPIENT,
    RIGHT_ACCEPT_ANY_SENDER,
    RIGHT_ACCEPT_AUTHORITATIVE_DOMAIN_SENDER,
    RIGHT_ACCEPT_AUTHENTICATION_FLAG,
    RIGHT_ACCEPT_EXCH50,
    RIGHT_ACCEPT_HEADERS_ROUTING,
    RIGHT_ACCEPT_HEADERS_ORGANIZATION,
    RIGHT_ACCEPT_HEADERS_FOREST,
    RIGHT_BYPASS_ANTI_SPAM,
    RIGHT_BYPASS_MESSAGE_SIZE_LIMIT,
    /* send side */
    RIGHT_SEND_HEADERS_ROUTING,
    RIGHT_SEND_HEADERS_ORGANIZATION,
    RIGHT_SEND_HEADERS_FOREST,
    RIGHT_SEND_EXCH50,
    RIGHT_COUNT,
};

#define RIGHT_BIT(right) (1u << (right))

struct right_info {
    struct span name;    /* "ms-Exch-SMTP-Submit": as it is stored and shown */
    struct span alias;   /* another spelling in use, or empty */
    struct span display; /* "Submit Messages to Server" */
    struct span token;   /* "SMTPSubmit" */
    bool send_side;
};

const struct right_info *right_info(enum right right);
/* By name or alias, case-insensitive; RIGHT_COUNT when there is none. */
enum right right_from_name(struct span name);
/* Appends the tokens of a set of RIGHT_BIT in the table's order, separated by blanks: as the protocol log has them.
 */
void rights_print(struct buf *out, unsigned set);
