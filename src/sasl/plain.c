/*
 * plain.c: PLAIN (RFC 4616): one message, [authzid] NUL authcid NUL password.
 *
 * Acting as somebody else is not offered: an authorization identity must be the authentication identity (ASCII case
 * aside) or absent.
 */
#include "sasl/internal.h"

static enum sasl_status take_message(struct sasl *s, struct span message)
{
    size_t first = span_find(message, '\0');
    if (first == SIZE_MAX)
        return SASL_FAILED;
    struct span rest = span_from(message, first + 1);
    size_t second = span_find(rest, '\0');
    if (second == SIZE_MAX)
        return SASL_FAILED;
    struct span authorization = span_head(message, first);
    struct span authentication = span_head(rest, second);
    struct span password = span_from(rest, second + 1); /* a third NUL is refused with it */
    if (!sasl_keep(&s->authentication_id, authentication) || !sasl_keep(&s->password, password))
        return SASL_FAILED;
    if (authorization.len &&
        (!span_ieq(authorization, authentication) || !sasl_keep(&s->authorization_id, authorization)))
        return SASL_FAILED;
    return SASL_CREDENTIALS;
}

enum sasl_status sasl_plain_step(struct sasl *s, const struct span *response, struct buf *challenge)
{
    (void)challenge; /* the prompt of PLAIN is empty */
    if (response)
        return take_message(s, *response);
    s->state = SASL_STATE_FIRST;
    return SASL_CONTINUE;
}
