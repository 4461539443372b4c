/*
 * pickup.h: what a file in the pickup or the replay folder says of its own envelope. The two differ in whom they
 * trust: a file to be picked up is sent to whom its header names; one to be replayed begins with fields that say
 * the envelope word for word, and that are not part of the message:
 *
 *     X-Sender: <alice@example.com> BODY=8bitmime RET=HDRS ENVID=x
 *     X-Receiver: <bob@far.test> NOTIFY=NEVER ORcpt=rfc822;bob@far.test
 *     X-EndOfInjectedXHeaders:
 */
#pragma once

#include "base/err.h"
#include "smtp/server/server.h"

struct pickup_recipient {
    struct span address; /* canonical, with a domain */
    struct span orcpt;   /* as RFC 3461 writes it; or empty */
    unsigned notify;     /* SMTP_NOTIFY_*; 0: not said */
};

struct pickup_envelope {
    struct span sender; /* canonical, with a domain; empty: <> (replay only) */
    enum smtp_body body;
    enum smtp_ret ret;
    bool smtp_utf8;    /* it was said, or an address needs it */
    struct span envid; /* as written; or empty */
    struct pickup_recipient *recipients;
    size_t recipient_count; /* at least 1 */
    /*
     * Replay: X-CreatedBy names a server of this kind, so the fields of the guarded classes that the file has are
     * kept.
     */
    bool created_by_server;
    struct span source_ip; /* X-SourceIPAddress, for people; or empty */
    bool undisclosed;      /* pickup: only Bcc names anybody, and To is to say so */
    struct span header;    /* the header section without what belongs to the envelope */
};

enum { PICKUP_REPLAY_RECIPIENTS_MAX = 50000 };

/*
 * Reads the header section of a file (CRLF line ends) in the pickup folder: the sender from From, or from Sender
 * where there is one, which there must be when From names several; the recipients from To, Cc and Bcc, at most
 * max_recipients. default_domain completes an address without domain; empty: such an address is an error.
 * ERR_INVALID names the field and what is wrong with it, ERR_LIMIT: too many recipients, ERR_NO_MEMORY. Texts live
 * in the arena or are views of the section.
 */
NODISCARD enum err_code pickup_parse(struct span section, struct span default_domain, size_t max_recipients,
                                     struct arena *arena, struct pickup_envelope *ret, struct err *err);
/* The same of a file in the replay folder. */
NODISCARD enum err_code pickup_parse_replay(struct span section, struct span default_domain, struct arena *arena,
                                            struct pickup_envelope *ret, struct err *err);
