/*
 * submission.h: the envelope of a message on its way from receive to queue (QUEUE_STORE): what was said about it in
 * the session, and nothing of its content. As in messages.h, the decoder takes everything as from an enemy.
 */
#pragma once

#include "base/arena.h"
#include "base/cursor.h"
#include "smtp/server/server.h"

/* An encoded envelope: recipients are bounded by the connector, this bounds what their addresses may add up to. */
enum { SUBMISSION_MAX = 16 << 20 };

struct submission_recipient {
    struct span address; /* with a domain always */
    struct span orcpt;   /* as given; may be empty */
    uint32_t notify;     /* SMTP_NOTIFY_*; 0: not said */
};

struct submission {
    struct span message_id, subject;
    struct span sender; /* empty: <> */
    struct span envid;
    uint64_t size; /* octets of the content as stored */
    enum smtp_body body;
    enum smtp_ret ret;
    bool smtp_utf8;
    bool require_tls, tls_optional; /* RFC 8689 */
    bool eight_bit;                 /* there are octets beyond ASCII in it */
    bool internal;                  /* from a user or a trusted server of the organisation */
    struct span connector, remote_ip, user;
    struct span helo, local_ip, session, tls; /* for tracking: as HELO gave it, 16 hex digits, "TLSv1.3 cipher" */
    const struct submission_recipient *recipients;
    size_t recipient_count;
};

/* Appends; out->failed when it does not fit. */
void submission_put(struct buf *out, const struct submission *s);
/* Reads it. Text stays a view of the bytes, the list of recipients lives in the arena. False: malformed. */
NODISCARD bool submission_get(struct span bytes, struct arena *arena, struct submission *ret);
