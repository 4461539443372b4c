/* sqlite_internal.h: what the files of the SQLite adapter share. */
#pragma once

#include "store/objects/internal.h"

#include <sqlite3.h>

enum statement {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_SAVEPOINT,
    SQL_RELEASE,
    SQL_ROLLBACK_TO,
    SQL_NAME_TAKEN,
    SQL_PUT,
    SQL_DROP_PROPERTIES,
    SQL_ADD_PROPERTY,
    SQL_REMOVE,
    SQL_LIST,
    SQL_GET,
    SQL_FIND_NAME,
    SQL_FIND,
    SQL_BUMP,
    SQL_GENERATION,
    SQL_TRAIL_ADD,
    SQL_TRAIL_DROP_MANY,
    SQL_TRAIL_DROP_OLD,
    SQL_TRAIL_READ,
    SQL_NOTE_SET,
    SQL_NOTE_DROP,
    SQL_NOTE_GET,
    STATEMENTS,
};

struct sqlite_store {
    struct object_store store;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    bool changed; /* something, since begin */
};

/* The prepared statement, reset; its parameters are bound with bind_text and used up by run or a loop of steps. */
sqlite3_stmt *objects_statement(struct sqlite_store *s, enum statement id);
void objects_bind(sqlite3_stmt *st, int index, struct span text);
/* Runs a statement; what rows it gives are not wanted. */
enum err_code objects_run(struct sqlite_store *s, sqlite3_stmt *st, struct err *err);
/* The same for one without parameters. */
enum err_code objects_run_id(struct sqlite_store *s, enum statement id, struct err *err);
bool objects_in_transaction(const struct sqlite_store *s);
/* The error that SQLite has just given. */
enum err_code objects_fail(struct sqlite_store *s, struct err *err);
/* The statement's rows (object id, class, guid, name, property, item, value) as records; resets it. */
enum err_code objects_read(struct sqlite_store *s, sqlite3_stmt *st, struct arena *arena, struct record ***ret,
                           size_t *ret_count, struct err *err);

/* The port's put and remove (sqlite_write.c). */
enum err_code objects_put(struct object_store *store, const struct record *r, struct err *err);
enum err_code objects_remove(struct object_store *store, struct span class_name, struct span guid, struct err *err);

/* The port's trail and notes (sqlite_trail.c). */
enum err_code objects_trail_add(struct object_store *store, const struct record *entry, int64_t at_ms,
                                int64_t since_ms, struct err *err);
enum err_code objects_trail_read(struct object_store *store, uint64_t before, size_t limit, struct arena *arena,
                                 struct record ***ret, size_t *ret_count, uint64_t *ret_next, struct err *err);
enum err_code objects_note_set(struct object_store *store, struct span name, struct span bytes, struct err *err);
enum err_code objects_note_get(struct object_store *store, struct span name, struct arena *arena, struct span *ret,
                               struct err *err);
