/*
 * objects.h: the port for objects of the policy and for recipients: records of the schema's classes, each with a
 * Guid and a Name, changed in transactions. Adapters: memory (tests) and SQLite below; whoever keeps objects
 * elsewhere fills in a struct object_store_ops.
 *
 * What was committed is on stable storage. Guids, names and texts are compared without regard to ASCII case. A
 * handle belongs to one thread. Records and lists that come out live in the arena given.
 */
#pragma once

#include "base/err.h"
#include "base/value.h"

struct object_store;

struct object_store_ops {
    enum err_code (*begin)(struct object_store *s, struct err *err);
    enum err_code (*commit)(struct object_store *s, struct err *err);
    void (*rollback)(struct object_store *s);
    enum err_code (*put)(struct object_store *s, const struct record *r, struct err *err);
    enum err_code (*remove)(struct object_store *s, struct span class_name, struct span guid, struct err *err);
    enum err_code (*list)(struct object_store *s, struct span class_name, struct arena *arena, struct record ***ret,
                          size_t *ret_count, struct err *err);
    /* Both may be NULL: the port then picks out of a list. */
    enum err_code (*get)(struct object_store *s, struct span class_name, struct span guid, struct arena *arena,
                         struct record **ret, struct err *err);
    enum err_code (*find)(struct object_store *s, struct span class_name, struct span property, struct span text,
                          struct arena *arena, struct record ***ret, size_t *ret_count, struct err *err);
    uint64_t (*generation)(struct object_store *s);
    void (*close)(struct object_store *s);
};

struct object_store {
    const struct object_store_ops *ops;
};

/* For adapters whose source has another order: as list must give them. */
void object_store_sort(struct record **records, size_t count);

/*
 * All changes between begin and commit become visible to others and durable together, or not at all.
 * ERR_UNAVAILABLE: another process holds the store; it may be tried again. ERR_UNKNOWN: a flush failed, and nobody
 * knows whether the change will be there after a crash. ERR_CONFLICT: begin inside, or commit outside a
 * transaction.
 */
enum err_code object_store_begin(struct object_store *s, struct err *err);
enum err_code object_store_commit(struct object_store *s, struct err *err);
/* Undoes what was done since begin; nothing outside a transaction. */
void object_store_rollback(struct object_store *s);

/*
 * Inside a transaction only (ERR_CONFLICT otherwise). Adds the object or replaces the one with its Guid; properties
 * that the schema calls computed are left out, those it calls write-only are used and forgotten. ERR_EXISTS:
 * another object of the class has the Name. ERR_INVALID: no class, Guid or Name, or a property that the class does
 * not have. A failed put changes nothing.
 */
enum err_code object_store_put(struct object_store *s, const struct record *r, struct err *err);
/* Inside a transaction only. ERR_NOT_FOUND. */
enum err_code object_store_remove(struct object_store *s, struct span class_name, struct span guid,
                                  struct err *err);

/* Reading sees the changes of this handle's open transaction. ERR_NOT_FOUND. */
enum err_code object_store_get(struct object_store *s, struct span class_name, struct span guid,
                               struct arena *arena, struct record **ret, struct err *err);
/* All objects of a class in the order of their names. */
enum err_code object_store_list(struct object_store *s, struct span class_name, struct arena *arena,
                                struct record ***ret, size_t *ret_count, struct err *err);
/* Those whose property is this text, or is a list with it as an item; in the order of their names. */
enum err_code object_store_find(struct object_store *s, struct span class_name, struct span property,
                                struct span text, struct arena *arena, struct record ***ret, size_t *ret_count,
                                struct err *err);

/* Grows with every commit that changed something; outlives the process where the objects do. */
uint64_t object_store_generation(struct object_store *s);
void object_store_close(struct object_store *s); /* NULL allowed; rolls an open transaction back */

/* An empty store in memory; NULL when memory is out. */
struct object_store *object_store_memory_new(void);
/*
 * Changes over another store (borrowed, never changed, and read anew by each call) that stay in memory: to try them
 * out. NULL when memory is out.
 */
struct object_store *object_store_overlay_new(struct object_store *base);
/* Whether the overlay has put or removed this object. */
bool object_store_overlay_changed(struct object_store *overlay, struct span class_name, struct span guid);
/*
 * The embedded adapter: SQLite in WAL mode with synchronous=FULL. Makes the file (mode 0600) when there is none.
 * ERR_IO, ERR_UNAVAILABLE, ERR_INVALID: not such a file, or one of a newer version.
 */
enum err_code object_store_sqlite_open(const char *path, struct object_store **ret, struct err *err);
/*
 * The same file for reading, whether a server has it open or not; nothing is made or changed, and every change is
 * refused. ERR_NOT_FOUND: there is none; ERR_DENIED: this user may not read it.
 */
enum err_code object_store_sqlite_open_reader(const char *path, struct object_store **ret, struct err *err);
