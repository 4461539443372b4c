/* directory.c: what is common to all adapters: names that cannot exist do not reach them, and err is never NULL. */
#include "directory/directory.h"

#include "directory/credential_cache.h"

#include <string.h>

static bool name_ok(struct span name)
{
    return name.len > 0 && name.len <= DIRECTORY_NAME_MAX && !memchr(name.ptr, '\0', name.len);
}

enum err_code directory_resolve(struct directory *d, struct span address, struct arena *arena,
                                struct directory_recipient *ret, struct err *err)
{
    struct err unwanted;
    if (name_ok(address))
        return d->ops->resolve(d, address, arena, ret, err ? err : &unwanted);
    *ret = (struct directory_recipient){.kind = DIRECTORY_NOT_FOUND};
    return ERR_NONE;
}

enum err_code directory_account(struct directory *d, struct span user, struct arena *arena,
                                struct directory_account *ret, struct err *err)
{
    struct err unwanted;
    if (name_ok(user))
        return d->ops->account(d, user, arena, ret, err ? err : &unwanted);
    return err_set(err, ERR_NOT_FOUND, "there is no such user");
}

enum err_code directory_principal(struct directory *d, struct span principal, struct arena *arena,
                                  struct directory_account *ret, struct err *err)
{
    struct err unwanted;
    if (name_ok(principal))
        return d->ops->principal(d, principal, arena, ret, err ? err : &unwanted);
    return err_set(err, ERR_NOT_FOUND, "there is no such user");
}

enum err_code directory_identity(struct directory *d, struct span guid, struct arena *arena,
                                 struct directory_identity *ret, struct err *err)
{
    struct err unwanted;
    return d->ops->identity(d, guid, arena, ret, err ? err : &unwanted);
}

enum err_code directory_send_as(struct directory *d, struct span user, struct span address, bool *ret,
                                struct err *err)
{
    struct err unwanted;
    if (name_ok(user) && name_ok(address))
        return d->ops->send_as(d, user, address, ret, err ? err : &unwanted);
    *ret = false;
    return ERR_NONE;
}

void directory_close(struct directory *d)
{
    if (d)
        d->ops->close(d);
}

void directory_use_cache(struct directory *d, struct credential_cache *cache)
{
    d->cache = cache;
}

void directory_changed(struct directory *d, struct span guid)
{
    if (!d->cache)
        return;
    if (guid.len)
        credential_cache_forget(d->cache, guid);
    else
        credential_cache_clear(d->cache);
}
