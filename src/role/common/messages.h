/*
 * messages.h: the bodies of the messages between roles that carry more than one number, encoded and decoded.
 * Decoders take everything from the sender's bytes as from an enemy; what they give lives in the arena.
 */
#pragma once

#include "base/cursor.h"
#include "directory/directory.h"
#include "runtime/frame.h"

/* ---- DIRECTORY_RESOLVE: address -> outcome, recipient ---- */

void message_put_resolution(struct buf *out, enum err_code outcome, const struct directory_recipient *r);
/* ERR_UNAVAILABLE (also for a malformed answer, after which the cursor is bad): nobody knows now. */
enum err_code message_get_resolution(struct span body, struct arena *arena, struct directory_recipient *ret);
/* The same out of the frame that answers, whose body is a large one; NULL for no answer. */
enum { MESSAGE_RESOLUTION_MAX = 16 * 1024 * 1024 };
enum err_code message_take_resolution(const struct frame *f, struct arena *arena, struct directory_recipient *ret);

/* ---- DIRECTORY_SEND_AS: user, address -> outcome, may ---- */

/* The outcome, ERR_UNAVAILABLE for one that cannot be told or read, or for no answer (NULL). */
enum err_code message_get_send_as(const struct frame *f, bool *ret);

/* ---- DIRECTORY_CHECK: user, password -> verdict, identity ---- */

/* What directory_check.h says: refused, accepted, unavailable. */
void message_put_identity(struct buf *out, uint8_t verdict, const struct directory_identity *id);
/* Gives the verdict; a malformed answer is "unavailable". */
uint8_t message_get_identity(struct span body, struct arena *arena, struct directory_identity *ret);
