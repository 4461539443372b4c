/* explain_client.h: the certificate that a client would show, as a TLS session would find it. */
#pragma once

#include "explain/explain.h"
#include "tls/tls.h"

struct explain_client {
    struct tls_identity *id; /* NULL: none was read */
};

/*
 * Reads a certificate (PEM, with what belongs to its chain) and fills in the session's client and certificate. It
 * is verified as the server of the state folder would do it: by certs/trusted/, else by the system's authorities.
 * That it belongs to the client is taken for granted. ERR_IO, ERR_INVALID: the file. Where the authorities cannot
 * be read, it counts as not trusted, and the text says so. The client must outlive the session.
 */
enum err_code explain_client_read(struct explain_client *c, const char *file, const char *state,
                                  struct arena *arena, struct explain_session *session, struct err *err);
void explain_client_free(struct explain_client *c); /* safe on a zeroed one */
