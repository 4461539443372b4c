/* internal.h: what a mechanism is to the table in sasl.c. Private to src/sasl. */
#pragma once

#include "sasl/sasl.h"

enum sasl_state {
    SASL_STATE_BEGIN,    /* nothing was said yet */
    SASL_STATE_FIRST,    /* the first prompt is out: PLAIN's only message, LOGIN's user name */
    SASL_STATE_PASSWORD, /* LOGIN: the second prompt is out */
    SASL_STATE_ENDED,
};

struct sasl {
    const struct sasl_mechanism *mechanism;
    enum sasl_state state;
    bool complete;
    /* Names are kept like secrets: people type passwords into the wrong field. */
    struct secret authorization_id, authentication_id, password;
};

struct sasl_mechanism {
    struct span name;
    /* response is NULL only in SASL_STATE_BEGIN. */
    enum sasl_status (*step)(struct sasl *s, const struct span *response, struct buf *challenge);
};

enum sasl_status sasl_plain_step(struct sasl *s, const struct span *response, struct buf *challenge);
enum sasl_status sasl_login_step(struct sasl *s, const struct span *response, struct buf *challenge);

/* Keeps a name or password. False when it is empty, too long, no UTF-8 or holds NUL. */
NODISCARD bool sasl_keep(struct secret *to, struct span text);
