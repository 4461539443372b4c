/*
 * shell_local.c: statements over the stores of a stopped server.
 *
 * Invariants: the stores are open only while the state's lock is held, so no server and no second command works on
 * them. As root, all work on them is done with the effective user of the state's owner, so that what SQLite makes
 * beside its files can be opened by the roles; only asks (which read the person's files) have root's rights back.
 */
#include "cli/shell.h"
#include "directory/embedded.h"
#include "role/common/directory_objects.h"
#include "role/common/keytab_file.h"
#include "tls/certificate_folder.h"

#include <errno.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- rights ---- */

static enum err_code take_owner(struct shell_local *l, const struct stat *owner, struct err *err)
{
    if (geteuid() != 0 || owner->st_uid == 0)
        return ERR_NONE;
    if (setegid(owner->st_gid) < 0 || seteuid(owner->st_uid) < 0)
        return err_errno(err, errno, "cannot take the rights of the state's owner");
    l->changed = true;
    return ERR_NONE;
}

/* Root's rights again. That cannot fail, as the real user is still root. */
static void leave_owner(struct shell_local *l)
{
    if (l->changed)
        ASSERT(seteuid(getuid()) == 0 && setegid(getgid()) == 0);
    l->changed = false;
}

static enum err_code local_ask(struct shell_host *host, enum shell_ask_kind kind, struct span text,
                               struct arena *arena, struct span *ret_answer, struct err *err)
{
    struct shell_local *l = (struct shell_local *)host;
    struct stat owner = {.st_uid = geteuid(), .st_gid = getegid()};
    bool changed = l->changed;
    leave_owner(l);
    enum err_code code = l->person->ask(l->person, kind, text, arena, ret_answer, err);
    enum err_code back = changed ? take_owner(l, &owner, err) : ERR_NONE;
    return code ? code : back;
}

static enum err_code local_save(struct shell_host *host, struct span path, struct span content, struct err *err)
{
    return shell_saved_put(&((struct shell_local *)host)->saved, path, content, err);
}

static void local_warn(struct shell_host *host, struct span text)
{
    struct shell_local *l = (struct shell_local *)host;
    l->person->warn(l->person, text);
}

static void local_progress(struct shell_host *host, struct span text)
{
    struct shell_local *l = (struct shell_local *)host;
    if (l->person->progress)
        l->person->progress(l->person, text);
}

/* ---- the certificates: with the rights that the command was started with, since certs/ is the supervisor's ----
 */

static enum err_code local_list(void *context, struct arena *arena, struct certificate **ret, size_t *ret_count,
                                struct err *err)
{
    struct shell_local *l = context;
    struct stat owner = {.st_uid = geteuid(), .st_gid = getegid()};
    bool changed = l->changed;
    leave_owner(l);
    enum err_code code = certificate_folder.list(l->certs, arena, ret, ret_count, err);
    enum err_code back = changed ? take_owner(l, &owner, err) : ERR_NONE;
    return code ? code : back;
}

static enum err_code local_apply(void *context, const struct certificate_change *changes, size_t count,
                                 struct err *err)
{
    struct shell_local *l = context;
    struct stat owner = {.st_uid = geteuid(), .st_gid = getegid()};
    bool changed = l->changed;
    leave_owner(l);
    enum err_code code = certificate_folder.apply(l->certs, changes, count, err);
    enum err_code back = changed ? take_owner(l, &owner, err) : ERR_NONE;
    return code ? code : back;
}

static const struct certificate_adapter local_certificates = {local_list, local_apply};

/* Likewise the keytab. */
static enum err_code local_describe(struct keytab_view *v, struct arena *arena, bool *ret_usable,
                                    struct span *ret_text, struct err *err)
{
    struct shell_local *l = (struct shell_local *)((char *)v - offsetof(struct shell_local, keytab));
    struct stat owner = {.st_uid = geteuid(), .st_gid = getegid()};
    struct keytab_file file;
    bool changed = l->changed;
    leave_owner(l);
    keytab_file_read(l->state, &file);
    enum err_code code = changed ? take_owner(l, &owner, err) : ERR_NONE;
    keytab_file_done(&file);
    if (!code && file.unknown)
        code = err_set(err, ERR_UNAVAILABLE, "%s", file.text);
    if (code)
        return code;
    *ret_usable = file.usable;
    *ret_text = arena_dup(arena, span_of(file.text));
    return ERR_NONE;
}

/* ---- the stores ---- */

/* Before anything is opened or made: what the lock's and SQLite's errors would not say is who may. */
static enum err_code check_owner(const char *state, struct stat *ret, struct err *err)
{
    char path[STATE_PATH_MAX + 64];
    enum err_code code = state_path(state, "policy.db", path, sizeof path, err);
    if (code)
        return code;
    if (stat(path, ret) < 0)
        return err_errno(err, errno, "cannot open %s", path);
    if (geteuid() == 0 || geteuid() == ret->st_uid)
        return ERR_NONE;
    const struct passwd *owner = getpwuid(ret->st_uid);
    return err_set(err, ERR_DENIED, "this user may not administer %s; root and %s may, as with sudo", state,
                   owner ? owner->pw_name : "its owner");
}

static void name_caller(char *out, size_t cap)
{
    const struct passwd *user = getpwuid(getuid()); /* the real one: who has started the command */
    if (user)
        snprintf(out, cap, "%s", user->pw_name);
    else
        snprintf(out, cap, "uid %lu", (unsigned long)getuid());
}

static enum err_code open_stores(struct shell_local *l, const char *state, struct err *err)
{
    char policy[STATE_PATH_MAX + 64], recipients[STATE_PATH_MAX + 64], caller[TRAIL_CALLER_MAX];
    enum err_code code = state_path(state, "policy.db", policy, sizeof policy, err);
    if (!code)
        code = state_path(state, "directory.db", recipients, sizeof recipients, err);
    if (!code)
        code = object_store_sqlite_open(policy, &l->policy, err);
    if (!code)
        code = directory_embedded_open(recipients, &l->directory, err);
    if (!code && !(l->recipients = directory_objects_new(l->directory)))
        code = err_set(err, ERR_NO_MEMORY, "out of memory");
    if (!code) {
        name_caller(caller, sizeof caller);
        admin_watch(&l->admin, l->policy, l->recipients, caller);
    }
    return code;
}

/* A policy whose time to be confirmed ended while the server was stopped. */
static enum err_code roll_back_due(struct shell_local *l, struct err *err)
{
    bool done = false;
    int64_t deadline;
    enum err_code code = admin_roll_back_due(&l->admin, &done, &deadline, err);
    if (done)
        l->person->warn(l->person,
                        SPAN("The policy that was applied was not confirmed in time; it was rolled back."));
    return code;
}

enum err_code shell_local_open(struct shell_local *l, const char *state, const struct node_settings *node,
                               struct shell_host *person, struct err *err)
{
    struct stat owner;
    *l = (struct shell_local){
        .host = {.ask = local_ask, .warn = local_warn, .save = local_save, .progress = local_progress},
        .person = person,
        .lock = -1};
    shell_saved_init(&l->saved);
    enum err_code code = check_owner(state, &owner, err);
    if (!code)
        code = state_lock(state, &l->lock, err);
    /* A lock file that root has just made must not be in the way of a server that its owner starts. */
    if (!code && geteuid() == 0 && fchown(l->lock, owner.st_uid, owner.st_gid) < 0)
        code = err_errno(err, errno, "cannot give the lock of %s to the state's owner", state);
    if (!code)
        code = take_owner(l, &owner, err);
    if (!code)
        code = admin_init(&l->admin, err);
    if (!code) {
        struct cmdlet_context *c = &l->admin.context;
        c->edge = node->edge;
        c->host = span_of(node->host);
        c->port_offset = node->port_offset;
        denials_init(&l->denials, state);
        c->denials = &l->denials.view;
        facts_reader_init(&l->facts, state);
        c->facts = &l->facts.view;
        tracking_reader_init(&l->tracking, state);
        c->tracking = &l->tracking.view;
        grant_usage_init(&l->usage);
        struct err ignored; /* without it nothing but LastUsed is missing */
        if (!grant_usage_load(&l->usage, state, &ignored))
            c->usage = &l->usage.view;
        l->state = state;
        l->keytab.describe = local_describe;
        c->keytab = &l->keytab;
        c->certificates = certificate_store_new(&local_certificates, l);
        code = c->certificates ? state_path(state, "certs", l->certs, sizeof l->certs, err)
                               : err_set(err, ERR_NO_MEMORY, "out of memory");
    }
    if (!code)
        code = open_stores(l, state, err);
    if (!code)
        code = roll_back_due(l, err);
    if (code)
        shell_local_close(l);
    return code;
}

enum err_code shell_local_run(struct shell_local *l, const struct statement *statement,
                              const struct shell_output *output, struct err *err)
{
    struct stat owner = {.st_uid = geteuid(), .st_gid = getegid()};
    shell_saved_done(&l->saved); /* of a statement that failed */
    enum err_code code = admin_run(&l->admin, statement->source, &l->host, output, err);
    if (code || !l->saved.path.len)
        return code;
    bool changed = l->changed;
    leave_owner(l);
    code = shell_saved_write(&l->saved, l->person, err);
    enum err_code back = changed ? take_owner(l, &owner, err) : ERR_NONE;
    return code ? code : back;
}

void shell_local_close(struct shell_local *l)
{
    shell_saved_done(&l->saved);
    certificate_store_free(l->admin.context.certificates);
    admin_done(&l->admin);
    object_store_close(l->recipients);
    object_store_close(l->policy);
    directory_close(l->directory);
    grant_usage_done(&l->usage);
    leave_owner(l);
    if (l->lock >= 0)
        close(l->lock);
    *l = (struct shell_local){.lock = -1};
}
