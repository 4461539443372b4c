/*
 * identity_set.h: the certificates that the supervisor hands over (CONTROL_IDENTITY), as a set that is replaced
 * whole. A reader that needs a set for longer than one call takes a reference.
 */
#pragma once

#include "runtime/frame.h"
#include "tls/tls.h"

enum { IDENTITY_SET_MAX = 256 };

struct identity_set {
    unsigned references;
    size_t count;
    struct tls_identity *ids[IDENTITY_SET_MAX];
    uint8_t ticket_keys[TLS_TICKET_KEYS][TLS_TICKET_KEY_LEN];
};

/*
 * Takes one message; true when it completed a set, which identity_set_current then gives. A certificate that does
 * not load is logged and left out.
 */
bool identity_set_receive(const struct frame *f);
/* Takes CONTROL_TICKET_KEYS; they apply to the current set and those after it. */
void identity_set_tickets(const struct frame *f);
/* Never NULL; without a reference of its own. */
struct identity_set *identity_set_current(void);
struct identity_set *identity_set_take(struct identity_set *s);
void identity_set_drop(struct identity_set *s);
