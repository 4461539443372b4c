/*
 * marks.h: what a transaction is to each entry of its connector's ACL: which recipients it covers, whether it has
 * decided something. One byte an entry; so the recipients of a message are measured once each, and a question about
 * the whole message takes no longer however many there are.
 *
 * The bytes are the caller's: receive_connector.acl.count of them (at most POLICY_ACL_MAX), zero at MAIL.
 */
#pragma once

#include "policy/decide.h"

enum mark {
    MARK_COVERED = 1 << 0, /* by Recipients: one of the recipients so far */
    MARK_MISSED = 1 << 1,  /* not covered: another */
    MARK_USED = 1 << 2,    /* the entry has decided a question of this transaction */
    MARK_COUNTED = 1 << 3, /* its MessageRate has counted this message */
};

/* Takes a recipient that was accepted into account. */
void marks_add_recipient(const struct policy *p, const struct receive_connector *c, uint8_t *marks,
                         struct span address);
/* The entry is used. Calls fresh (NULL allowed) when it was not before in this transaction. */
typedef void marks_used_fn(void *context, const struct policy_ace *entry);
void marks_use(const struct receive_connector *c, uint8_t *marks, uint32_t index, const struct policy_ace *entry,
               marks_used_fn *fresh, void *context);
/* All entries that decided something in a decision. */
void marks_use_decision(const struct receive_connector *c, uint8_t *marks, const struct decision *d,
                        marks_used_fn *fresh, void *context);
/*
 * Steps through the used entries that count messages and have not counted this one, and marks them as having
 * counted it: each must let the message pass. *at begins with 0. NULL: no further.
 */
const struct policy_ace *marks_next_rated(const struct policy *p, const struct receive_connector *c, uint8_t *marks,
                                          uint32_t *at);
