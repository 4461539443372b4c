/*
 * login.c: LOGIN: two prompts, two answers. The prompts are those that clients compare with; an initial response is
 * the user name. An empty initial response ("AUTH LOGIN =") says nothing and is answered with the first prompt.
 */
#include "sasl/internal.h"

static enum sasl_status take_user(struct sasl *s, struct span user, struct buf *challenge)
{
    if (!sasl_keep(&s->authentication_id, user))
        return SASL_FAILED;
    buf_add(challenge, SPAN("Password:"));
    s->state = SASL_STATE_PASSWORD;
    return challenge->failed ? SASL_FAILED : SASL_CONTINUE;
}

enum sasl_status sasl_login_step(struct sasl *s, const struct span *response, struct buf *challenge)
{
    switch (s->state) {
    case SASL_STATE_BEGIN:
        if (response && response->len)
            return take_user(s, *response, challenge);
        buf_add(challenge, SPAN("Username:"));
        s->state = SASL_STATE_FIRST;
        return challenge->failed ? SASL_FAILED : SASL_CONTINUE;
    case SASL_STATE_FIRST: return take_user(s, *response, challenge);
    case SASL_STATE_PASSWORD: return sasl_keep(&s->password, *response) ? SASL_CREDENTIALS : SASL_FAILED;
    case SASL_STATE_ENDED: break;
    }
    return SASL_FAILED;
}
