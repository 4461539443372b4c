/*
 * trust.h: the authorities that servers are verified by. Partners of domain security: those that the supervisor
 * names (CONTROL_TRUST: certs/trusted, or the system's where it has none). Anybody else: the system's and those as
 * well. And the trust anchors of the DNS.
 */
#pragma once

#include "base/err.h"
#include "runtime/frame.h"

struct tls_trust;

/* Reads the system's bundle, while files can be read. Without one, those of certs/trusted are all there are. */
void trust_prepare(void);
/* Reads the DNSSEC trust anchors; path "": there are none. ERR_IO and its like. */
enum err_code trust_read_anchors(const char *path, struct err *err);
struct span trust_anchors(void);
/* CONTROL_TRUST. What cannot be used leaves partners nobody, and everybody else the system's. */
void trust_take(const struct frame *f);
/* For new connections (delivery_options.trust); the context is not read. NULL: there are none, or none has come
 * yet; the context has none either. */
struct tls_trust *trust_for(void *context, bool partner);
/* Those for anybody, as PEM, for fetches by HTTPS; valid until the next trust_take. */
struct span trust_pem(void *context);
