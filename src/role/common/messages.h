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

/* ---- DIRECTORY_GSSAPI: exchange, token -> a step's outcome ---- */

/* A token is at most what a line of SMTP can carry (RFC 4954 4) or the directory's library makes. */
enum { MESSAGE_GSSAPI_TOKEN_MAX = 12288 };

enum gssapi_verdict {
    GSSAPI_ANSWER_REFUSED,
    GSSAPI_ANSWER_ACCEPTED,
    GSSAPI_ANSWER_UNAVAILABLE, /* nobody knows now, or the exchange is not known (any more) */
    GSSAPI_ANSWER_CONTINUE,
    GSSAPI_VERDICTS,
};
enum gssapi_reason { /* of a refusal, for the administrator alone */
                     GSSAPI_REASON_TICKET,
                     GSSAPI_REASON_REPLAY,
                     GSSAPI_REASON_MESSAGE,
                     GSSAPI_REASON_NO_MAILBOX,
                     GSSAPI_REASON_DISABLED,
                     GSSAPI_REASON_OTHER_IDENTITY, /* the client asks to act as somebody else */
                     GSSAPI_REASONS,
};
struct gssapi_answer {
    enum gssapi_verdict verdict;
    uint64_t exchange;                  /* continue: not 0 */
    struct span challenge;              /* continue: may be empty */
    enum gssapi_reason reason;          /* refused */
    struct span principal;              /* refused: who it was, where a ticket was accepted; otherwise empty */
    struct directory_identity identity; /* accepted */
};

void message_put_gssapi_step(struct buf *out, uint64_t exchange, struct span token);
/* Views of the body. False: malformed. */
NODISCARD bool message_get_gssapi_step(struct span body, uint64_t *ret_exchange, struct span *ret_token);
void message_put_gssapi(struct buf *out, const struct gssapi_answer *a);
/* A malformed answer, or none (NULL), is "unavailable". challenge and principal are views of the frame. */
void message_get_gssapi(const struct frame *f, struct arena *arena, struct gssapi_answer *ret);

/* ---- DIRECTORY_CHECK: user, password -> verdict, identity ---- */

/* What directory_check.h says: refused, accepted, unavailable. */
void message_put_identity(struct buf *out, uint8_t verdict, const struct directory_identity *id);
/* Gives the verdict; a malformed answer is "unavailable". */
uint8_t message_get_identity(struct span body, struct arena *arena, struct directory_identity *ret);
