/* internal.h: what the files of the directory role share. */
#pragma once

#include "directory/directory.h"
#include "role/common/role.h"

/* ---- passwords.c: DIRECTORY_CHECK, hashing on the thread pool with bounded concurrency ---- */
void passwords_check(struct role *role, struct directory *directory, struct link *link, struct frame *f);

/* ---- resolve.c: DIRECTORY_RESOLVE, answered at once ---- */
void resolve_serve(struct directory *directory, struct link *link, const struct frame *f);
/* DIRECTORY_SEND_AS, likewise. */
void send_as_serve(struct directory *directory, struct link *link, const struct frame *f);

/* ---- objects.c: OBJECTS_*, the recipients as the cmdlets administer them ---- */
struct object_store;
void objects_serve(struct object_store *store, struct link *link, struct frame *f);
