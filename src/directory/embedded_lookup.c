/*
 * embedded_lookup.c: the questions of the running server, each one prepared statement (two for a group) on the
 * reader's connection, so that an administrator's open transaction is neither seen nor waited for.
 *
 * Invariant: a statement is reset before a function returns; one left open would pin an old state of the file.
 */
#include "directory/embedded_internal.h"

static enum err_code no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "the answer is too large");
}

/* A list that grows in an arena. */
struct spans {
    struct span *items;
    size_t count, cap;
};

static bool spans_add(struct spans *list, struct arena *arena, sqlite3_stmt *st)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 8;
        struct span *items = ARENA_ARRAY(arena, cap, struct span);
        if (!items)
            return false;
        for (size_t i = 0; i < list->count; i++)
            items[i] = list->items[i];
        list->items = items;
        list->cap = cap;
    }
    return sql_copy(st, 0, arena, &list->items[list->count++]);
}

/* All rows of a statement whose parameter is bound. */
static enum err_code collect(struct sql *s, sqlite3_stmt *st, struct arena *arena, struct spans *ret,
                             struct err *err)
{
    int more;
    while ((more = sql_step(s, st, err)) > 0)
        if (!spans_add(ret, arena, st)) {
            no_memory(err);
            more = -1;
            break;
        }
    sql_done(st);
    return more < 0 ? err->code : ERR_NONE;
}

static enum err_code collect_by_id(struct sql *s, enum sql_id id, int64_t recipient, struct arena *arena,
                                   struct spans *ret, struct err *err)
{
    sqlite3_stmt *st = sql_start(s, id, err);
    if (!st)
        return err->code;
    sqlite3_bind_int64(st, 1, recipient);
    return collect(s, st, arena, ret, err);
}

/* Starts a statement with one text and makes the first step: 1 with a row, 0 without, -1 with err set. */
static int first_row(struct sql *s, enum sql_id id, struct span text, sqlite3_stmt **ret, struct err *err)
{
    *ret = sql_start(s, id, err);
    if (!*ret)
        return -1;
    sql_bind(*ret, 1, text);
    int found = sql_step(s, *ret, err);
    if (found <= 0)
        sql_done(*ret);
    return found;
}

enum err_code embedded_resolve(struct directory *d, struct span address, struct arena *arena,
                               struct directory_recipient *ret, struct err *err)
{
    struct sql *s = &((struct embedded *)d)->reader;
    sqlite3_stmt *st;
    int found = first_row(s, SQL_RESOLVE, address, &st, err);
    if (found < 0)
        return err->code;
    enum err_code code = ERR_NONE;
    struct directory_recipient r = {.kind = DIRECTORY_NOT_FOUND};
    int64_t id = 0;
    if (found) {
        id = sqlite3_column_int64(st, 0);
        r.kind = (enum directory_kind)sqlite3_column_int(st, 1);
        if (!sql_copy(st, 2, arena, &r.guid) || !sql_copy(st, 3, arena, &r.primary) ||
            !sql_copy(st, 4, arena, &r.target))
            code = no_memory(err);
        r.authenticated_only = sqlite3_column_int(st, 5) != 0;
        sql_done(st);
    }
    if (code == ERR_NONE && r.kind == DIRECTORY_GROUP) {
        struct spans members = {0};
        code = collect_by_id(s, SQL_MEMBERS, id, arena, &members, err);
        r.members = members.items;
        r.member_count = members.count;
    }
    if (code == ERR_NONE)
        *ret = r;
    return code;
}

/* By the first of the ways that finds one. */
static enum err_code find_account(struct sql *s, const enum sql_id *ways, size_t count, struct span user,
                                  struct arena *arena, struct directory_account *ret, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        sqlite3_stmt *st;
        struct directory_account a;
        int found = first_row(s, ways[i], user, &st, err);
        if (found < 0)
            return err->code;
        if (!found)
            continue;
        a.enabled = sqlite3_column_int(st, 1) != 0;
        bool fits = sql_copy(st, 0, arena, &a.guid) && sql_copy(st, 2, arena, &a.password_hash);
        sql_done(st);
        if (!fits)
            return no_memory(err);
        *ret = a;
        return ERR_NONE;
    }
    return err_set(err, ERR_NOT_FOUND, "there is no such user");
}

enum err_code embedded_account(struct directory *d, struct span user, struct arena *arena,
                               struct directory_account *ret, struct err *err)
{
    static const enum sql_id ways[] = {SQL_ACCOUNT_BY_ADDRESS, SQL_ACCOUNT_BY_PRINCIPAL, SQL_ACCOUNT_BY_NAME};
    return find_account(&((struct embedded *)d)->reader, ways, ARRAY_LEN(ways), user, arena, ret, err);
}

enum err_code embedded_principal(struct directory *d, struct span principal, struct arena *arena,
                                 struct directory_account *ret, struct err *err)
{
    static const enum sql_id ways[] = {SQL_ACCOUNT_BY_PRINCIPAL, SQL_ACCOUNT_BY_PRIMARY};
    return find_account(&((struct embedded *)d)->reader, ways, ARRAY_LEN(ways), principal, arena, ret, err);
}

enum err_code embedded_identity(struct directory *d, struct span guid, struct arena *arena,
                                struct directory_identity *ret, struct err *err)
{
    struct sql *s = &((struct embedded *)d)->reader;
    sqlite3_stmt *st;
    int found = first_row(s, SQL_MAILBOX, guid, &st, err);
    if (found < 0)
        return err->code;
    if (!found)
        return err_set(err, ERR_NOT_FOUND, "there is no such mailbox");
    enum err_code code = ERR_NONE;
    struct directory_identity x = {0};
    int64_t id = sqlite3_column_int64(st, 0);
    if (!sql_copy(st, 1, arena, &x.guid) || !sql_copy(st, 2, arena, &x.primary) ||
        !sql_copy(st, 3, arena, &x.display_name))
        code = no_memory(err);
    sql_done(st);
    struct spans addresses = {0}, groups = {0};
    if (code == ERR_NONE)
        code = collect_by_id(s, SQL_ADDRESSES, id, arena, &addresses, err);
    if (code == ERR_NONE) {
        st = sql_start(s, SQL_GROUPS, err);
        if (st)
            sql_bind(st, 1, x.guid);
        code = st ? collect(s, st, arena, &groups, err) : err->code;
    }
    if (code != ERR_NONE)
        return code;
    x.addresses = addresses.items;
    x.address_count = addresses.count;
    x.groups = groups.items;
    x.group_count = groups.count;
    *ret = x;
    return ERR_NONE;
}

enum err_code embedded_send_as(struct directory *d, struct span user, struct span address, bool *ret,
                               struct err *err)
{
    struct sql *s = &((struct embedded *)d)->reader;
    sqlite3_stmt *st = sql_start(s, SQL_SEND_AS, err);
    if (!st)
        return err->code;
    sql_bind(st, 1, user);
    sql_bind(st, 2, address);
    int found = sql_step(s, st, err);
    sql_done(st);
    if (found < 0)
        return err->code;
    *ret = found > 0;
    return ERR_NONE;
}
