/*
 * relay_guard.h: no statement makes an open relay by accident, by whatever cmdlet. Before a statement that changed
 * the policy is committed, the policy that it would give is audited: an open relay that was not there before, or
 * one that would be open to more addresses, refuses the statement unless -Force was given. Those that are there
 * already are in nobody's way.
 *
 * Part of the transaction (transaction.h), so it is the same in a running server and in the shell of a stopped one.
 */
#pragma once

#include "audit/address.h"
#include "base/err.h"

struct cmdlet_context;

enum { RELAY_GUARD_MAX = 64 };

struct relay_guard_list {
    struct {
        uint64_t key; /* of the finding */
        struct audit_extent extent;
    } items[RELAY_GUARD_MAX]; /* further ones count as new each time */
    size_t count;
    bool sound; /* the policy can be used at all; otherwise it has no relays that anybody knows of */
};

struct relay_guard {
    bool known;
    uint64_t generation;             /* of the store that `present` is of */
    struct relay_guard_list present; /* as it was committed */
    struct relay_guard_list next;    /* as the open transaction would make it */
};

/* After the transaction has begun: what is there already, unless that is known. */
void relay_guard_begin(struct cmdlet_context *c);
/*
 * Before the commit. ERR_DENIED: an open relay; the text names the connector or domain, what would be better,
 * -Force and a session that shows it. With -Force it is a warning. Also the errors of a policy that could not be
 * used, where it can be used now.
 */
enum err_code relay_guard_check(struct cmdlet_context *c, struct err *err);
/* After the commit. */
void relay_guard_committed(struct cmdlet_context *c);
