/*
 * directory.c: the directory role: whose an address is, whose a password is. The only process that sees password
 * hashes, and the keys for Kerberos.
 *
 * It takes: DIRECTORY_RESOLVE from receive and queue, DIRECTORY_CHECK, DIRECTORY_SEND_AS, DIRECTORY_GSSAPI* and
 * DIRECTORY_LOCAL_USER from receive, OBJECTS_* from manage, CONTROL_KEYTAB from the supervisor.
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
    if (f->type == DIRECTORY_RESOLVE && (peer == ROLE_RECEIVE || peer == ROLE_QUEUE))
        resolve_serve(directory, link, f);
    else if (f->type == DIRECTORY_SEND_AS && peer == ROLE_RECEIVE)
        send_as_serve(directory, link, f);
    else if (f->type == DIRECTORY_LOCAL_USER && peer == ROLE_RECEIVE)
        local_user_serve(link, f);
    else if (f->type == DIRECTORY_CHECK && peer == ROLE_RECEIVE)
        passwords_check(role, directory, link, f);
    else if (f->type == DIRECTORY_GSSAPI && peer == ROLE_RECEIVE)
        gssapi_step(link, index, f);
    else if (f->type == DIRECTORY_GSSAPI_CANCEL && peer == ROLE_RECEIVE)
        gssapi_cancel(index, f);
    else if (f->type >= OBJECTS_BEGIN && f->type <= OBJECTS_TRAIL_READ && peer == ROLE_MANAGE)
        objects_serve(objects, link, f);
    else
        role_bad_frame(peer, f, "not expected by directory");
}

static void on_control(struct role *role, struct frame *f)
{
    (void)role;
    if (f->type == CONTROL_KEYTAB)
        gssapi_take_keytab(f);
    else if (f->type != CONTROL_RELOAD)
        role_bad_frame(ROLE_KINDS, f, "not expected by directory");
}

static void on_link(struct role *role, enum role_kind peer, uint32_t index, struct link *link)
{
    (void)role;
    (void)link; /* new or lost: the process behind the old one is gone either way */
    if (peer == ROLE_RECEIVE)
        gssapi_peer_gone(index);
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
    code = gssapi_open(role, directory, err);
    if (code)
        return code;
    role_ready(role);
    return ERR_NONE;
}

static const char *const state_paths[] = {"", NULL};
static const char *const system_paths[] = {"/dev/urandom", "/etc", NULL}; /* /etc/passwd, which useradd replaces */

const struct role_main directory_role = {.kind = ROLE_DIRECTORY,
                                         .start = start,
                                         .on_frame = on_frame,
                                         .on_link = on_link,
                                         .on_control = on_control,
                                         .state_paths = state_paths,
                                         .system_paths = system_paths};
