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
    /* The trail; both NULL where there is none: reading it then finds nothing. */
    enum err_code (*trail_add)(struct object_store *s, const struct record *entry, int64_t at_ms, int64_t since_ms,
                               struct err *err);
    enum err_code (*trail_read)(struct object_store *s, uint64_t before, size_t limit, struct arena *arena,
                                struct record ***ret, size_t *ret_count, uint64_t *ret_next, struct err *err);
    /* Notes; both NULL where there are none. */
    enum err_code (*note_set)(struct object_store *s, struct span name, struct span bytes, struct err *err);
    enum err_code (*note_get)(struct object_store *s, struct span name, struct arena *arena, struct span *ret,
                              struct err *err);
};

struct object_store {
    const struct object_store_ops *ops;
    bool changed; /* by the transaction that is open, or that was the last; kept by the calls below */
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

/*
 * The trail: what was done to the objects, written in the transaction that did it; entries are records of any type,
 * without script blocks. Inside a transaction only. at_ms: now; entries of before since_ms go, and so do the oldest
 * beyond OBJECT_TRAIL_MAX: some at a time, so that adding takes no longer the more there are. ERR_LIMIT: the entry
 * is larger than OBJECT_TRAIL_ENTRY_MAX.
 */
enum { OBJECT_TRAIL_MAX = 100000, OBJECT_TRAIL_ENTRY_MAX = 4 << 20 /* bytes */ };
enum err_code object_store_trail_add(struct object_store *s, const struct record *entry, int64_t at_ms,
                                     int64_t since_ms, struct err *err);
/*
 * A page of at most `limit` entries, the newest first, of those before the position `before` (0: from the newest).
 * *ret_next is the position for the next page, 0 when there is none.
 */
enum err_code object_store_trail_read(struct object_store *s, uint64_t before, size_t limit, struct arena *arena,
                                      struct record ***ret, size_t *ret_count, uint64_t *ret_next, struct err *err);

/*
 * Notes: bytes under a name, for what must share a transaction with objects and is none. Setting is for inside a
 * transaction only; empty bytes remove the note. Reading one that is not there gives empty bytes.
 */
enum err_code object_store_note_set(struct object_store *s, struct span name, struct span bytes, struct err *err);
enum err_code object_store_note_get(struct object_store *s, struct span name, struct arena *arena, struct span *ret,
                                    struct err *err);

/* Grows with every commit that changed an object; outlives the process where the objects do. */
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
/* An empty one of the same kind that lives in memory and goes with close: for working something out. */
enum err_code object_store_scratch_open(struct object_store **ret, struct err *err);
/*
 * The same file for reading, whether a server has it open or not; nothing is made or changed, and every change is
 * refused. ERR_NOT_FOUND: there is none; ERR_DENIED: this user may not read it.
 */
enum err_code object_store_sqlite_open_reader(const char *path, struct object_store **ret, struct err *err);
