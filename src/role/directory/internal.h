/* internal.h: what the files of the directory role share. */
#pragma once

#include "directory/directory.h"
#include "role/common/role.h"

/* ---- passwords.c: DIRECTORY_CHECK, hashing on the thread pool with bounded concurrency ---- */
void passwords_check(struct role *role, struct directory *directory, struct link *link, struct frame *f);

/* ---- gssapi.c: AUTH GSSAPI, its exchanges and the keys for them ---- */
enum err_code gssapi_open(struct role *role, struct directory *directory, struct err *err);
/* CONTROL_KEYTAB; exchanges under way end with the keys that they began with. Wipes the frame's body. */
void gssapi_take_keytab(const struct frame *f);
/* DIRECTORY_GSSAPI and DIRECTORY_GSSAPI_CANCEL, from the receive process with that index. */
void gssapi_step(struct link *link, uint32_t peer, struct frame *f);
void gssapi_cancel(uint32_t peer, const struct frame *f);
/* A receive process has died, or its link is another: forgets its exchanges. */
void gssapi_peer_gone(uint32_t peer);

/* ---- resolve.c: DIRECTORY_RESOLVE, answered at once ---- */
void resolve_serve(struct directory *directory, struct link *link, const struct frame *f);
/* DIRECTORY_SEND_AS, likewise. */
void send_as_serve(struct directory *directory, struct link *link, const struct frame *f);

/* ---- local_user.c: DIRECTORY_LOCAL_USER, likewise ---- */
void local_user_serve(struct link *link, const struct frame *f);

/* ---- objects.c: OBJECTS_*, the recipients as the cmdlets administer them ---- */
struct object_store;
void objects_serve(struct object_store *store, struct link *link, struct frame *f);
