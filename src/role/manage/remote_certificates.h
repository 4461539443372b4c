/* remote_certificates.h: certificates and keytab as the supervisor keeps them, for the shell's statements. */
#pragma once

#include "cmdlet/context.h"
#include "runtime/frame.h"
#include "tls/certificate_store.h"

struct remote_certificates {
    const int *fd; /* on which the supervisor is asked; -1 while there is none */
    char buffer[FRAME_BUFFER];
};

/* The adapter; its context is a struct remote_certificates, in which fd is filled in. */
extern const struct certificate_adapter remote_certificates;

/* The keytab, asked for on the same link. */
struct remote_keytab {
    struct keytab_view view;
    struct remote_certificates *asks;
};
void remote_keytab_init(struct remote_keytab *k, struct remote_certificates *asks);
