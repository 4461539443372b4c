/*
 * password.h: passwords at rest: Argon2id (RFC 9106) in its usual encoding, "$argon2id$v=19$m=...,t=...,p=...$salt
 * $hash", so that costs can be raised for new passwords while old ones still verify.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* The costs of new hashes: OWASP's second choice, which a machine that hashes on several threads can afford. */
enum { PASSWORD_MEMORY_KIB = 19 * 1024, PASSWORD_PASSES = 2, PASSWORD_LANES = 1 };
/* Octets of a password, and of an encoded hash. */
enum { PASSWORD_MAX = 1024, PASSWORD_HASH_MAX = 255 };

enum password_verdict {
    PASSWORD_WRONG, /* also: the encoding cannot be read */
    PASSWORD_RIGHT,
    PASSWORD_UNAVAILABLE, /* memory is out; says nothing about the password */
};

/*
 * Appends the encoded hash of a password. ERR_INVALID: empty, longer than PASSWORD_MAX, not UTF-8, or with a NUL,
 * since no client could send it. Takes about 20 ms and PASSWORD_MEMORY_KIB.
 */
enum err_code password_hash(struct span password, struct buf *out, struct err *err);

/* Compares. A pure function for any thread; as slow as password_hash whatever the verdict. */
enum password_verdict password_verify(struct span encoded, struct span password);

/*
 * An encoded hash of the present costs that no password is known for: verifying against it where there is no user
 * makes an unknown user cost what a known one does. Appends to out.
 */
void password_decoy(struct buf *out);
