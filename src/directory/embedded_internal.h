/*
 * embedded_internal.h: what the files of the embedded directory share. Private to src/directory. In here err is
 * never NULL (the ports see to that), so a function that gives no code leaves it in err->code.
 */
#pragma once

#include "base/value.h"
#include "directory/directory.h"
#include "directory/recipient.h"

#include <sqlite3.h>

/* Every statement that is ever run but for the schema's; the texts are in embedded_sql.c. */
enum sql_id {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_SAVEPOINT,
    SQL_RELEASE,
    SQL_ROLLBACK_TO,
    /* questions */
    SQL_RESOLVE,
    SQL_MEMBERS,
    SQL_ACCOUNT_BY_ADDRESS,
    SQL_ACCOUNT_BY_PRINCIPAL,
    SQL_ACCOUNT_BY_NAME,
    SQL_ACCOUNT_BY_PRIMARY,
    SQL_MAILBOX,
    SQL_ADDRESSES,
    SQL_GROUPS,
    SQL_SEND_AS,
    /* administration */
    SQL_FIND,
    SQL_LIST,
    SQL_FIND_TEXT,
    SQL_PROPERTIES,
    SQL_OWNER_OF_ADDRESS,
    SQL_OWNER_OF_NAME,
    SQL_OWNER_OF_PRINCIPAL,
    SQL_INSERT,
    SQL_UPDATE,
    SQL_DELETE,
    SQL_DELETE_PROPERTIES,
    SQL_DELETE_ADDRESSES,
    SQL_DELETE_MEMBERS,
    SQL_DELETE_PASSWORD,
    SQL_ADD_PROPERTY,
    SQL_ADD_ADDRESS,
    SQL_ADD_MEMBER,
    SQL_SET_PASSWORD,
    /* the trail */
    SQL_TRAIL_ADD,
    SQL_TRAIL_DROP_MANY,
    SQL_TRAIL_DROP_OLD,
    SQL_TRAIL_READ,
    SQL_COUNT,
};

/* One connection with its prepared statements. */
struct sql {
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_COUNT];
};

/* Opens the file; the writer also makes or checks the schema. */
enum err_code sql_open(struct sql *s, const char *path, bool writer, struct err *err);
/* Opens the file as it is, for questions only: nothing is made or changed. */
enum err_code sql_open_reader(struct sql *s, const char *path, struct err *err);
void sql_close(struct sql *s);
/* The connection's last error as ours: busy is ERR_UNAVAILABLE, a full disk ERR_IO, and so on. */
enum err_code sql_err(struct sql *s, struct err *err);
/* A statement ready to be bound and stepped; NULL with err set. Give it back with sql_done as soon as possible. */
sqlite3_stmt *sql_start(struct sql *s, enum sql_id id, struct err *err);
/* Ends a statement's use: an open one would keep the file from being checkpointed. NULL allowed. */
void sql_done(sqlite3_stmt *st);
/* Binds and forgets: text must stay until the statement was stepped. */
void sql_bind(sqlite3_stmt *st, int n, struct span text);
/* SQLITE_ROW is 1, SQLITE_DONE 0, anything else -1 with err set. */
int sql_step(struct sql *s, sqlite3_stmt *st, struct err *err);
/* Runs a statement without results and ends its use. */
enum err_code sql_run(struct sql *s, sqlite3_stmt *st, struct err *err);
/* Starts and runs one without parameters. */
enum err_code sql_do(struct sql *s, enum sql_id id, struct err *err);
/* A text column, valid until the next step. */
struct span sql_text(sqlite3_stmt *st, int column);
/* The same copied into the arena; false when it is full. NULL gives the empty span. */
NODISCARD bool sql_copy(sqlite3_stmt *st, int column, struct arena *arena, struct span *ret);

enum { CHANGED_MAX = 16, CHANGED_GUID_MAX = 64, RECIPIENT_ARENA_MAX = 64 << 20 };

struct embedded {
    struct directory base;
    struct sql reader; /* questions: sees what is committed */
    struct sql writer; /* administration: sees its own transaction as well; closed in a read-only directory */
    bool in_transaction;
    uint64_t generation;
    /* the accounts of the open transaction */
    struct {
        char text[CHANGED_GUID_MAX];
        size_t len;
    } changed[CHANGED_MAX];
    size_t changed_count;
    bool changed_all; /* too many to count */
};

enum err_code embedded_resolve(struct directory *d, struct span address, struct arena *arena,
                               struct directory_recipient *ret, struct err *err);
enum err_code embedded_account(struct directory *d, struct span user, struct arena *arena,
                               struct directory_account *ret, struct err *err);
enum err_code embedded_principal(struct directory *d, struct span principal, struct arena *arena,
                                 struct directory_account *ret, struct err *err);
enum err_code embedded_identity(struct directory *d, struct span guid, struct arena *arena,
                                struct directory_identity *ret, struct err *err);
enum err_code embedded_send_as(struct directory *d, struct span user, struct span address, bool *ret,
                               struct err *err);

/* Writes a recipient with its record, inside a transaction. Finds conflicts before it changes anything. */
enum err_code embedded_write(struct sql *s, const struct record *r, const struct recipient *x, struct err *err);
/* Removes it; ERR_NOT_FOUND. Inside a transaction. */
enum err_code embedded_remove(struct sql *s, enum directory_kind kind, struct span guid, struct err *err);

/* Adds the property rows of a record; Password is left out. */
enum err_code embedded_properties_write(struct sql *s, int64_t recipient, const struct record *r, struct err *err);
/* Reads them back in their order. */
enum err_code embedded_properties_read(struct sql *s, int64_t recipient, struct record *r, struct err *err);
