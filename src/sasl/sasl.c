/*
 * sasl.c: the mechanisms by name, and the rules that hold for all of them.
 *
 * PLAIN and LOGIN are written here and not taken from GNU SASL, tried at 2.2.0: its LOGIN server prompts with
 * "User Name" and "Password" where clients in the field wait for "Username:" and "Password:", it takes no initial
 * response there, and it leaves passwords unwiped in the heap. Mechanisms with cryptography (SCRAM, GSSAPI) belong
 * to it and come in as further rows of the table.
 *
 * Invariants: credentials are complete and checked for size, NUL and UTF-8 before SASL_CREDENTIALS is said; an
 * exchange that has ended stays ended.
 */
#include "sasl/internal.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

static const struct sasl_mechanism mechanisms[] = {
    {SPAN_INIT("PLAIN"), sasl_plain_step},
    {SPAN_INIT("LOGIN"), sasl_login_step},
};

static const struct sasl_mechanism *find(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
        if (span_ieq(mechanisms[i].name, name))
            return &mechanisms[i];
    return NULL;
}

bool sasl_supported(struct span mechanism)
{
    return find(mechanism) != NULL;
}

struct sasl *sasl_start(struct span mechanism)
{
    const struct sasl_mechanism *m = find(mechanism);
    struct sasl *s = m ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return NULL;
    s->mechanism = m;
    secret_init(&s->authorization_id, SASL_USER_MAX);
    secret_init(&s->authentication_id, SASL_USER_MAX);
    secret_init(&s->password, SASL_PASSWORD_MAX);
    return s;
}

void sasl_free(struct sasl *s)
{
    if (!s)
        return;
    secret_done(&s->authorization_id);
    secret_done(&s->authentication_id);
    secret_done(&s->password);
    free(s);
}

enum sasl_status sasl_step(struct sasl *s, const struct span *response, struct buf *challenge)
{
    if (s->state == SASL_STATE_ENDED)
        return SASL_FAILED;
    enum sasl_status st = SASL_FAILED;
    if (response || s->state == SASL_STATE_BEGIN)
        st = s->mechanism->step(s, response, challenge);
    if (st != SASL_CONTINUE)
        s->state = SASL_STATE_ENDED;
    s->complete = st == SASL_CREDENTIALS;
    return st;
}

struct sasl_credentials sasl_credentials(const struct sasl *s)
{
    ASSERT(s->complete);
    return (struct sasl_credentials){
        .authorization_id = secret_reveal(&s->authorization_id),
        .authentication_id = secret_reveal(&s->authentication_id),
        .password = &s->password,
    };
}

bool sasl_keep(struct secret *to, struct span text)
{
    return text.len > 0 && !memchr(text.ptr, '\0', text.len) && utf8_valid(text) && secret_set(to, text);
}
