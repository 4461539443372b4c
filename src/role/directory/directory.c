/*
 * directory.c: the directory role: whose an address is, whose a password is. The only process that sees password
 * hashes.
 *
 * It takes: DIRECTORY_RESOLVE from receive and queue, DIRECTORY_CHECK and DIRECTORY_SEND_AS from receive, OBJECTS_*
 * from manage.
 */
#include "directory/embedded.h"

#include "directory/credential_cache.h"
#include "role/common/directory_objects.h"
#include "role/common/roles.h"
#include "role/directory/internal.h"

enum { CACHE_ENTRIES = 65536 };

static struct directory *directory;
static struct object_store *objects; /* the same, for administration */

static void on_frame(struct role *role, enum role_kind peer, uint32_t index, struct link *link, struct frame *f)
{
    (void)index;
    if (f->type == DIRECTORY_RESOLVE && (peer == ROLE_RECEIVE || peer == ROLE_QUEUE))
        resolve_serve(directory, link, f);
    else if (f->type == DIRECTORY_SEND_AS && peer == ROLE_RECEIVE)
        send_as_serve(directory, link, f);
    else if (f->type == DIRECTORY_CHECK && peer == ROLE_RECEIVE)
        passwords_check(role, directory, link, f);
    else if (f->type >= OBJECTS_BEGIN && f->type <= OBJECTS_TRAIL_READ && peer == ROLE_MANAGE)
        objects_serve(objects, link, f);
    else
        role_bad_frame(peer, f, "not expected by directory");
}

static enum err_code start(struct role *role, struct err *err)
{
    char path[1200];
    if (!role_state_path(role, "directory.db", path, sizeof path))
        return err_set(err, ERR_LIMIT, "the path of the state folder is too long");
    enum err_code code = directory_embedded_open(path, &directory, err);
    if (code)
        return code;
    struct credential_cache *cache = credential_cache_new(CACHE_ENTRIES, CREDENTIAL_CACHE_LIFETIME_MS);
    if (!cache)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    directory_use_cache(directory, cache);
    objects = directory_objects_new(directory);
    if (!objects)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    role_ready(role);
    return ERR_NONE;
}

static const char *const state_paths[] = {"", NULL};
static const char *const system_paths[] = {"/dev/urandom", NULL};

const struct role_main directory_role = {.kind = ROLE_DIRECTORY,
                                         .start = start,
                                         .on_frame = on_frame,
                                         .state_paths = state_paths,
                                         .system_paths = system_paths};
