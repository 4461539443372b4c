/*
 * directory_check.h: is this the user's password? In three steps, so that the directory's thread never hashes:
 *
 *   struct directory_check *c = directory_check_new(d, user, password, now_ms);   the directory's thread
 *   if (directory_check_pending(c)) directory_check_verify(c);                    any thread, about 20 ms
 *   switch (directory_check_finish(c, now_ms, &err)) ...                          the directory's thread
 *   directory_check_free(c);
 *
 * Unknown user, disabled user, user without password and wrong password give the same verdict and the same text,
 * and each costs exactly one verification.
 */
#pragma once

#include "directory/directory.h"

struct directory_check;

enum directory_verdict {
    DIRECTORY_REFUSED,
    DIRECTORY_ACCEPTED,
    DIRECTORY_UNAVAILABLE, /* nobody knows now: a temporary failure for the client, never counted against it */
};

/*
 * Looks the account up and the credentials in the directory's cache. Copies user and password; the copies are wiped
 * by directory_check_finish or _free. NULL when memory is out (treat as DIRECTORY_UNAVAILABLE).
 */
struct directory_check *directory_check_new(struct directory *d, struct span user, struct span password,
                                            int64_t now_ms);
/* True while directory_check_verify is still wanted. Bound how many run at once: each takes 19 MiB. */
bool directory_check_pending(const struct directory_check *c);
/*
 * For a check that had to wait for its turn: asks the cache once more, on the directory's thread. True when another
 * check has verified the same credentials meanwhile, so that nothing is pending any more.
 */
bool directory_check_recall(struct directory_check *c, int64_t now_ms);
/* The slow part. Touches nothing but c, so it may run on another thread as long as nobody else uses c. */
void directory_check_verify(struct directory_check *c);
/*
 * The verdict, once, not while pending. What changed meanwhile counts: an account that was disabled or got another
 * password while the old one was being verified is refused. A success goes into the cache. err: for
 * DIRECTORY_UNAVAILABLE what is wrong, for DIRECTORY_REFUSED always the same sentence; never a name or secret.
 */
enum directory_verdict directory_check_finish(struct directory_check *c, int64_t now_ms, struct err *err);
/* After DIRECTORY_ACCEPTED: who it is; valid until directory_check_free. */
const struct directory_identity *directory_check_identity(const struct directory_check *c);
void directory_check_free(struct directory_check *c); /* NULL allowed */
