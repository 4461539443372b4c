/*
 * password.c: Argon2id through its reference library, which wipes its working memory.
 *
 * Invariants: no function keeps a copy of a password; nothing but an encoded hash leaves this file.
 */
#include "directory/password.h"

#include "base/utf8.h"

#include <argon2.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum { SALT_LEN = 16, HASH_LEN = 32 };

static bool acceptable(struct span password)
{
    return password.len > 0 && password.len <= PASSWORD_MAX && !memchr(password.ptr, '\0', password.len) &&
           utf8_valid(password);
}

enum err_code password_hash(struct span password, struct buf *out, struct err *err)
{
    if (!acceptable(password))
        return err_set(err, ERR_INVALID, "a password must be 1 to %d octets of UTF-8 without NUL", PASSWORD_MAX);
    uint8_t salt[SALT_LEN];
    if (getrandom(salt, sizeof salt, 0) != (ssize_t)sizeof salt)
        return err_errno(err, errno, "no random salt");
    char encoded[PASSWORD_HASH_MAX + 1];
    int rc = argon2id_hash_encoded(PASSWORD_PASSES, PASSWORD_MEMORY_KIB, PASSWORD_LANES, password.ptr, password.len,
                                   salt, sizeof salt, HASH_LEN, encoded, sizeof encoded);
    if (rc == ARGON2_MEMORY_ALLOCATION_ERROR)
        return err_set(err, ERR_NO_MEMORY, "out of memory while hashing a password");
    if (rc != ARGON2_OK)
        return err_set(err, ERR_INTERNAL, "a password cannot be hashed: %s", argon2_error_message(rc));
    buf_add(out, span_of(encoded));
    return out->failed ? err_set(err, ERR_NO_MEMORY, "out of memory for a password hash") : ERR_NONE;
}

enum password_verdict password_verify(struct span encoded, struct span password)
{
    char text[PASSWORD_HASH_MAX + 1];
    if (encoded.len > PASSWORD_HASH_MAX)
        return PASSWORD_WRONG;
    if (encoded.len)
        memcpy(text, encoded.ptr, encoded.len);
    text[encoded.len] = '\0';
    int rc = argon2id_verify(text, password.len ? password.ptr : "", password.len);
    explicit_bzero(text, sizeof text);
    if (rc == ARGON2_MEMORY_ALLOCATION_ERROR)
        return PASSWORD_UNAVAILABLE;
    return rc == ARGON2_OK && acceptable(password) ? PASSWORD_RIGHT : PASSWORD_WRONG;
}

void password_decoy(struct buf *out)
{
    /* 16 octets of salt and 32 of hash in unpadded base64; that no password gives the latter is as sure as that
     * nobody can find one. */
    buf_addf(out, "$argon2id$v=19$m=%d,t=%d,p=%d$%.22s$%.43s", PASSWORD_MEMORY_KIB, PASSWORD_PASSES, PASSWORD_LANES,
             "bm9ib2R5IGxpdmVzIGhlcg", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
}
