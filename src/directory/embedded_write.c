/*
 * embedded_write.c: one recipient into the file and out of it.
 *
 * Invariants: conflicts with other recipients are found before anything is written, so their errors leave the
 * transaction as it was; the rows that lookups use (recipient, address, member, password) always say the same as
 * the property rows that administrators see.
 */
#include "directory/embedded_internal.h"

#include "directory/password.h"

/* ERR_EXISTS when a statement of (guid, name) rows names somebody else than self. Uses up the statement. */
static enum err_code check_free(struct sql *s, sqlite3_stmt *st, struct span self, const char *what,
                                struct span value, struct err *err)
{
    int found = sql_step(s, st, err);
    enum err_code code = found < 0 ? err->code : ERR_NONE;
    if (found > 0 && !span_ieq(sql_text(st, 0), self)) {
        struct span name = sql_text(st, 1);
        code = err_set(err, ERR_EXISTS, "%s %.*s already belongs to \"%.*s\"; it must be unique", what,
                       SPAN_ARG(value), SPAN_ARG(name));
    }
    sql_done(st);
    return code;
}

static enum err_code check_text(struct sql *s, enum sql_id id, struct span self, const char *what,
                                struct span value, struct err *err)
{
    sqlite3_stmt *st = sql_start(s, id, err);
    if (!st)
        return err->code;
    sql_bind(st, 1, value);
    return check_free(s, st, self, what, value, err);
}

static enum err_code check_name(struct sql *s, const struct recipient *x, struct err *err)
{
    sqlite3_stmt *st = sql_start(s, SQL_OWNER_OF_NAME, err);
    if (!st)
        return err->code;
    sql_bind(st, 1, x->name);
    sqlite3_bind_int(st, 2, (int)x->kind);
    return check_free(s, st, x->guid, "the name", x->name, err);
}

/* Addresses and UserPrincipalNames share one space, since both name a user at logon. */
static enum err_code check_conflicts(struct sql *s, const struct recipient *x, struct err *err)
{
    enum err_code code = check_name(s, x, err);
    for (size_t i = 0; code == ERR_NONE && i < x->address_count; i++) {
        code = check_text(s, SQL_OWNER_OF_ADDRESS, x->guid, "the address", x->addresses[i], err);
        if (code == ERR_NONE)
            code = check_text(s, SQL_OWNER_OF_PRINCIPAL, x->guid, "as UserPrincipalName", x->addresses[i], err);
    }
    if (code == ERR_NONE && x->user_principal_name.len)
        code = check_text(s, SQL_OWNER_OF_PRINCIPAL, x->guid, "the UserPrincipalName", x->user_principal_name, err);
    if (code == ERR_NONE && x->user_principal_name.len)
        code = check_text(s, SQL_OWNER_OF_ADDRESS, x->guid, "as an address", x->user_principal_name, err);
    return code;
}

/* The row with this GUID: 1 with its id and class, 0 when there is none, -1 with err set. */
static int find(struct sql *s, struct span guid, int64_t *ret_id, enum directory_kind *ret_kind, struct err *err)
{
    sqlite3_stmt *st = sql_start(s, SQL_FIND, err);
    if (!st)
        return -1;
    sql_bind(st, 1, guid);
    int found = sql_step(s, st, err);
    if (found > 0) {
        *ret_id = sqlite3_column_int64(st, 0);
        *ret_kind = (enum directory_kind)sqlite3_column_int(st, 1);
    }
    sql_done(st);
    return found;
}

static enum err_code write_row(struct sql *s, enum sql_id id, const struct recipient *x, struct err *err)
{
    sqlite3_stmt *st = sql_start(s, id, err);
    if (!st)
        return err->code;
    sql_bind(st, 1, x->guid);
    sqlite3_bind_int(st, 2, (int)x->kind);
    sql_bind(st, 3, x->name);
    sql_bind(st, 4, x->display_name);
    sql_bind(st, 5, x->primary);
    sql_bind(st, 6, x->target);
    if (x->user_principal_name.len) /* otherwise NULL, of which UNIQUE allows any number */
        sql_bind(st, 7, x->user_principal_name);
    sqlite3_bind_int(st, 8, x->enabled);
    return sql_run(s, st, err);
}

/* Runs a statement whose only parameter is the recipient. */
static enum err_code by_id(struct sql *s, enum sql_id id, int64_t recipient, struct err *err)
{
    sqlite3_stmt *st = sql_start(s, id, err);
    if (!st)
        return err->code;
    sqlite3_bind_int64(st, 1, recipient);
    return sql_run(s, st, err);
}

static enum err_code delete_parts(struct sql *s, int64_t id, struct err *err)
{
    static const enum sql_id parts[] = {SQL_DELETE_PROPERTIES, SQL_DELETE_ADDRESSES, SQL_DELETE_MEMBERS};
    enum err_code code = ERR_NONE;
    for (size_t i = 0; code == ERR_NONE && i < ARRAY_LEN(parts); i++)
        code = by_id(s, parts[i], id, err);
    return code;
}

static enum err_code write_addresses(struct sql *s, int64_t id, const struct recipient *x, struct err *err)
{
    for (size_t i = 0; i < x->address_count; i++) {
        sqlite3_stmt *st = sql_start(s, SQL_ADD_ADDRESS, err);
        if (!st)
            return err->code;
        sql_bind(st, 1, x->addresses[i]);
        sqlite3_bind_int64(st, 2, id);
        sqlite3_bind_int64(st, 3, (int64_t)i);
        if (sql_run(s, st, err) != ERR_NONE)
            return err->code;
    }
    return ERR_NONE;
}

static enum err_code write_members(struct sql *s, int64_t id, const struct recipient *x, struct err *err)
{
    for (size_t i = 0; i < x->member_count; i++) {
        sqlite3_stmt *st = sql_start(s, SQL_ADD_MEMBER, err);
        if (!st)
            return err->code;
        sqlite3_bind_int64(st, 1, id);
        sqlite3_bind_int64(st, 2, (int64_t)i);
        sql_bind(st, 3, x->members[i]);
        if (sql_run(s, st, err) != ERR_NONE)
            return err->code;
    }
    return ERR_NONE;
}

static enum err_code write_password(struct sql *s, int64_t id, struct span hash, struct err *err)
{
    sqlite3_stmt *st = sql_start(s, SQL_SET_PASSWORD, err);
    if (!st)
        return err->code;
    sqlite3_bind_int64(st, 1, id);
    sql_bind(st, 2, hash);
    return sql_run(s, st, err);
}

enum err_code embedded_write(struct sql *s, const struct record *r, const struct recipient *x, struct err *err)
{
    int64_t id = 0;
    enum directory_kind kind = x->kind;
    struct buf hash;
    enum err_code code = check_conflicts(s, x, err);
    int found = code == ERR_NONE ? find(s, x->guid, &id, &kind, err) : 0;
    if (code != ERR_NONE || found < 0)
        return err->code;
    if (found && kind != x->kind)
        return err_set(err, ERR_CONFLICT, "the Guid belongs to a %.*s", SPAN_ARG(recipient_class(kind)));
    buf_init(&hash, PASSWORD_HASH_MAX);
    if (x->password)
        code = password_hash(x->password->s, &hash, err);
    if (code == ERR_NONE && found)
        code = delete_parts(s, id, err);
    if (code == ERR_NONE)
        code = write_row(s, found ? SQL_UPDATE : SQL_INSERT, x, err);
    if (code == ERR_NONE && !found)
        id = sqlite3_last_insert_rowid(s->db);
    if (code == ERR_NONE)
        code = write_addresses(s, id, x, err);
    if (code == ERR_NONE)
        code = write_members(s, id, x, err);
    if (code == ERR_NONE && hash.len)
        code = write_password(s, id, buf_span(&hash), err);
    if (code == ERR_NONE)
        code = embedded_properties_write(s, id, r, err);
    buf_wipe(&hash);
    return code;
}

enum err_code embedded_remove(struct sql *s, enum directory_kind kind, struct span guid, struct err *err)
{
    int64_t id = 0;
    enum directory_kind found_kind = kind;
    int found = find(s, guid, &id, &found_kind, err);
    if (found < 0)
        return err->code;
    if (!found || found_kind != kind) {
        struct span class_name = recipient_class(kind);
        return err_set(err, ERR_NOT_FOUND, "there is no %.*s with the Guid %.*s", SPAN_ARG(class_name),
                       SPAN_ARG(guid));
    }
    enum err_code code = delete_parts(s, id, err);
    if (code == ERR_NONE)
        code = by_id(s, SQL_DELETE_PASSWORD, id, err);
    if (code == ERR_NONE)
        code = by_id(s, SQL_DELETE, id, err);
    return code;
}
