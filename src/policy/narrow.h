/*
 * narrow.h: when a narrowed entry of an ACL applies: only where all that it is narrowed by is met. Denying entries
 * are narrowed in the same way.
 *
 *   Senders     cover the sender: the envelope's, or, for the rights to a sender at the end of the data, the
 * address in From or Sender that is asked about Recipients  cover the recipient that is asked about; where a
 * message as a whole is asked about, an entry that allows must cover every recipient, one that denies any
 *   RequireTls  the connection is encrypted
 *   Expires     it is earlier
 *   MessageRate is not a condition: the decision names the entry, whoever asked counts the message (marks.h)
 *
 * What is not known yet is neither met nor unmet: the decision engine says what follows (decide.h).
 *
 * Measuring one entry takes the logarithm of its patterns for each label of a domain. Entries for other rights and
 * other principals are not measured; an ACL has a few dozen entries, and its owner alone makes it longer.
 */
#pragma once

#include "policy/policy.h"

/* What a question is asked under. */
struct conditions {
    bool tls;                  /* the connection is encrypted */
    int64_t now_ms;            /* since 1970 */
    const struct span *sender; /* MAIL's address, empty for <>; NULL: not known yet */
    /* Where a message is asked about: what its recipients are to each entry (marks.h); NULL: not known yet. */
    const uint8_t *marks;
    unsigned pending; /* RCPT: what MAIL's decision left open (struct decision) */
};

/* What an entry is narrowed by and is not met. */
enum unmet {
    UNMET_EXPIRED = 1 << 0,
    UNMET_TLS = 1 << 1,
    UNMET_SENDER = 1 << 2,
    UNMET_RECIPIENT = 1 << 3,
    UNMET_ALL = (1 << 4) - 1,   /* each of these is for certain: the entry does not apply */
    UNMET_SENDER_OPEN = 1 << 4, /* the sender is not known yet */
    UNMET_RECIPIENT_OPEN = 1 << 5,
};

/*
 * What of an entry is not met, as a set of enum unmet; 0: it applies to those whom it is for. index: its place in
 * its connector's ACL. recipient: the one that is asked about, or NULL. sender: likewise.
 */
unsigned narrow_unmet(const struct policy *p, const struct policy_ace *e, uint32_t index,
                      const struct conditions *when, const struct span *sender, const struct span *recipient);
/* Whether one of the patterns covers the address (canonical; empty: the null sender). */
bool narrow_covers(const struct policy *p, struct policy_list patterns, struct span address);
/* Whether it is narrowed by anything at all. */
bool narrow_is_narrowed(const struct policy_ace *e);
/* Appends what is not met, for people: "it has expired, it is not for this sender". */
void narrow_print(struct buf *out, unsigned unmet);
