/*
 * directory_check.c: the logon check as a small machine: looked up -> (verified) -> finished.
 *
 * Invariants: every check that does not come from the cache verifies exactly once against some hash of the usual
 * cost, the account's or a decoy, and its verdict is used only when the account may log on. No step between the
 * user's existence and the answer is skipped for one kind of failure alone.
 */
#include "directory/directory_check.h"

#include "base/secret.h"
#include "directory/credential_cache.h"
#include "directory/password.h"

#include <stdlib.h>

enum { ARENA_MAX = 4 << 20, SCRATCH_MAX = 64 << 10 };

enum check_state { CHECK_PENDING, CHECK_READY, CHECK_FINISHED };

struct directory_check {
    struct directory *directory;
    enum check_state state;
    struct secret user, password;
    struct span guid; /* of an account that may log on */
    struct buf hash;  /* what to verify against */
    bool may_log_on;  /* there is an account, enabled, with a password; hash is its own */
    bool remembered;  /* the cache knew; its entry is not renewed, so that a password is verified now and then */
    enum password_verdict verdict;
    enum err_code lookup; /* what the directory said; errors other than ERR_NOT_FOUND end in "unavailable" */
    struct err why;
    struct arena arena;
    struct directory_identity identity;
};

static bool usable(const struct directory_account *a)
{
    return a->enabled && a->password_hash.len > 0;
}

/* Reads the account and decides what to verify against, or that the cache knows already. */
static void look_up(struct directory_check *c, int64_t now_ms)
{
    struct directory *d = c->directory;
    struct directory_account account = {0};
    struct arena scratch;
    arena_init(&scratch, SCRATCH_MAX);
    c->lookup = directory_account(d, secret_reveal(&c->user), &scratch, &account, &c->why);
    if (c->lookup == ERR_NONE || c->lookup == ERR_NOT_FOUND) {
        c->may_log_on = c->lookup == ERR_NONE && usable(&account);
        c->state = CHECK_PENDING;
        if (c->may_log_on) {
            c->guid = arena_dup(&c->arena, account.guid);
            buf_add(&c->hash, account.password_hash);
        } else {
            password_decoy(&c->hash);
        }
        directory_check_recall(c, now_ms);
    }
    arena_clear(&scratch);
}

bool directory_check_recall(struct directory_check *c, int64_t now_ms)
{
    struct credential_cache *cache = c->directory->cache;
    ASSERT(c->state == CHECK_PENDING);
    if (!c->may_log_on || !cache ||
        !credential_cache_has(cache, c->guid, buf_span(&c->hash), secret_reveal(&c->password), now_ms))
        return false;
    c->remembered = true;
    c->verdict = PASSWORD_RIGHT;
    c->state = CHECK_READY;
    return true;
}

struct directory_check *directory_check_new(struct directory *d, struct span user, struct span password,
                                            int64_t now_ms)
{
    struct directory_check *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->directory = d;
    c->state = CHECK_READY;
    secret_init(&c->user, DIRECTORY_NAME_MAX + 1); /* one more, so that too long stays too long */
    secret_init(&c->password, PASSWORD_MAX + 1);
    buf_init(&c->hash, PASSWORD_HASH_MAX);
    arena_init(&c->arena, ARENA_MAX);
    if (!secret_set(&c->user, span_head(user, DIRECTORY_NAME_MAX + 1)) ||
        !secret_set(&c->password, span_head(password, PASSWORD_MAX + 1))) {
        directory_check_free(c);
        return NULL;
    }
    look_up(c, now_ms);
    if (c->hash.failed) {
        directory_check_free(c);
        return NULL;
    }
    return c;
}

bool directory_check_pending(const struct directory_check *c)
{
    return c->state == CHECK_PENDING;
}

void directory_check_verify(struct directory_check *c)
{
    ASSERT(c->state == CHECK_PENDING);
    c->verdict = password_verify(buf_span(&c->hash), secret_reveal(&c->password));
    c->state = CHECK_READY;
}

/* Loads the identity of an account whose password was right, if it is still the account that was verified. */
static enum err_code accept(struct directory_check *c, int64_t now_ms)
{
    struct directory *d = c->directory;
    struct directory_account now = {0};
    struct span user = secret_reveal(&c->user);
    enum err_code code = directory_account(d, user, &c->arena, &now, &c->why);
    if (code == ERR_NONE && (!usable(&now) || !span_eq(now.password_hash, buf_span(&c->hash))))
        code = ERR_NOT_FOUND;
    if (code == ERR_NONE)
        code = directory_identity(d, now.guid, &c->arena, &c->identity, &c->why);
    if (code == ERR_NONE && d->cache && !c->remembered)
        credential_cache_add(d->cache, now.guid, now.password_hash, secret_reveal(&c->password), now_ms);
    return code;
}

enum directory_verdict directory_check_finish(struct directory_check *c, int64_t now_ms, struct err *err)
{
    ASSERT(c->state == CHECK_READY);
    c->state = CHECK_FINISHED;
    enum err_code code = c->lookup;
    bool looked_up = code == ERR_NONE || code == ERR_NOT_FOUND;
    if (looked_up && c->verdict == PASSWORD_UNAVAILABLE) /* of an unknown user as well: the answers stay alike */
        code = err_set(&c->why, ERR_NO_MEMORY, "out of memory while verifying a password");
    else if (code == ERR_NONE && c->may_log_on && c->verdict == PASSWORD_RIGHT)
        code = accept(c, now_ms);
    else if (code == ERR_NONE)
        code = ERR_NOT_FOUND;
    secret_done(&c->password);
    secret_done(&c->user);
    buf_wipe(&c->hash);
    if (code == ERR_NONE)
        return DIRECTORY_ACCEPTED;
    if (code == ERR_NOT_FOUND) {
        err_set(err, ERR_DENIED, "the user name or the password is wrong");
        return DIRECTORY_REFUSED;
    }
    err_set(err, ERR_UNAVAILABLE, "logon cannot be checked now: %s", c->why.text);
    return DIRECTORY_UNAVAILABLE;
}

const struct directory_identity *directory_check_identity(const struct directory_check *c)
{
    ASSERT(c->state == CHECK_FINISHED && c->identity.guid.len);
    return &c->identity;
}

void directory_check_free(struct directory_check *c)
{
    if (!c)
        return;
    secret_done(&c->user);
    secret_done(&c->password);
    buf_wipe(&c->hash);
    arena_clear(&c->arena);
    free(c);
}
