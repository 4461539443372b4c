/*
 * embedded.h: the directory in a file of its own (SQLite), the default adapter, and its administration.
 */
#pragma once

#include "base/value.h"
#include "directory/directory.h"

/*
 * Opens the file, making it when there is none. ERR_IO, ERR_UNAVAILABLE (somebody else holds it), ERR_INVALID (not
 * a directory, or one of a newer version). What is committed is on stable storage. One process at a time should
 * administer it; another that reads sees each change when it is committed.
 */
enum err_code directory_embedded_open(const char *path, struct directory **ret, struct err *err);
/*
 * The same file for questions and for get, list and find, whether a server has it open or not; nothing is made or
 * changed, and nothing else may be called. ERR_NOT_FOUND: there is none; ERR_DENIED: this user may not read it.
 */
enum err_code directory_embedded_open_reader(const char *path, struct directory **ret, struct err *err);

/*
 * Administration of the recipients as records of the classes Mailbox, MailContact and DistributionGroup. Resolving
 * and logging on see a change when it is committed, and the credential cache forgets the account then. Outside
 * begin and commit each put and remove is a transaction of its own.
 */
/* ERR_CONFLICT: one is open already; ERR_UNAVAILABLE: another process holds the file. */
enum err_code directory_embedded_begin(struct directory *d, struct err *err);
/* ERR_UNAVAILABLE leaves it open for another try; ERR_UNKNOWN when a flush failed; it is over otherwise. */
enum err_code directory_embedded_commit(struct directory *d, struct err *err);
/* Undoes what was done since begin; nothing when none is open. */
void directory_embedded_rollback(struct directory *d);
/*
 * Adds a recipient or replaces the one with its Guid. ERR_EXISTS names another recipient that has the name (within
 * the class), an address or the UserPrincipalName; ERR_CONFLICT: the Guid is of another class; ERR_INVALID. A
 * property Password (VALUE_SECRET, Mailbox only) is kept as its hash, which takes 20 ms, and never given back; a
 * record without one keeps the present password. A failed put changes nothing.
 */
enum err_code directory_embedded_put(struct directory *d, const struct record *r, struct err *err);
/* ERR_NOT_FOUND. Groups that have it as a member keep its Guid, which then means nobody. */
enum err_code directory_embedded_remove(struct directory *d, struct span class_name, struct span guid,
                                        struct err *err);
/* The record, in the arena. ERR_NOT_FOUND, ERR_NO_MEMORY. */
enum err_code directory_embedded_get(struct directory *d, struct span class_name, struct span guid,
                                     struct arena *arena, struct record **ret, struct err *err);
/*
 * A page: up to limit records of the class in the order of their GUIDs, from the first after `after` (empty: from
 * the start), into ret[0..*ret_count); *ret_more tells whether there are others.
 */
enum err_code directory_embedded_list(struct directory *d, struct span class_name, struct span after, size_t limit,
                                      struct arena *arena, struct record **ret, size_t *ret_count, bool *ret_more,
                                      struct err *err);
/*
 * All records of the class whose property is this text, or is a list with it as an item, in the arena and in no
 * order; by an index, so it takes as long as what it finds.
 */
enum err_code directory_embedded_find(struct directory *d, struct span class_name, struct span property,
                                      struct span text, struct arena *arena, struct record ***ret,
                                      size_t *ret_count, struct err *err);
/*
 * What was done to the recipients, in the transaction that did it: as object_store_trail_add and
 * object_store_trail_read, with at most `keep` entries.
 */
enum { DIRECTORY_TRAIL_ENTRY_MAX = 4 << 20 /* bytes */ };
enum err_code directory_embedded_trail_add(struct directory *d, const struct record *entry, int64_t at_ms,
                                           int64_t since_ms, uint64_t keep, struct err *err);
enum err_code directory_embedded_trail_read(struct directory *d, uint64_t before, size_t limit, struct arena *arena,
                                            struct record ***ret, size_t *ret_count, uint64_t *ret_next,
                                            struct err *err);
/* Grows with every commit of this handle. */
uint64_t directory_embedded_generation(const struct directory *d);
