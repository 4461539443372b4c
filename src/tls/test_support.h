/* test_support.h: certificates and in-memory peers for the tests of this directory. */
#pragma once

#include "tls/openssl.h"

/* 2026-01-01, in milliseconds. */
#define TEST_NOW INT64_C(1767225600000)
#define TEST_DAY INT64_C(86400000)

/* A self-signed ECDSA identity of the adapter's own making, valid for a year from now_ms. */
struct tls_identity *test_self_signed(const char *name, int64_t now_ms);
/* A certificate for the name (a subject CN only, without SAN, when cn_only) issued by the test's own authority. */
struct tls_identity *test_issued(const char *name, int64_t now_ms, bool rsa, bool cn_only);
/* What a TLSA record has of the leaf, or with NULL of that authority; the number of octets. */
size_t test_tlsa_data(const struct tls_identity *id, int selector, int matching, char *out, size_t cap);
/* The PEM of that authority. */
struct span test_authority(void);
/* Frees the authority. */
void test_support_done(void);

/* Moves ciphertext both ways until nothing moves any more. Gives the two last states of tls_input. */
void test_exchange(struct tls_conn *client, struct tls_conn *server, enum tls_status *ret_client,
                   enum tls_status *ret_server);
