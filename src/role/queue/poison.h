/*
 * poison.h: messages on which a process dies. Only deaths by a fault count, as the supervisor tells them; a process
 * that is ended from outside says nothing about its mail.
 *
 *   The queue itself: what it works on at the moment stands in a file that is mapped, which a death leaves behind
 *   as it was. Deliver: all that it had in hand is suspected, and from then on sent one at a time, so that the next
 *   death names the one.
 *
 * A message that PoisonThreshold deaths are laid to is suspended, in the queue `poison`, until an administrator
 * decides. Counts outlive the process, not the machine; what is delivered, or answered for, is acquitted.
 */
#pragma once

#include "role/queue/transport.h"

NODISCARD enum err_code poison_open(struct transport *t, struct err *err);
/* The supervisor's word, CONTROL_FAULT: before the first policy for this process, before its new link for deliver.
 */
void poison_on_fault(struct transport *t, const struct frame *f);
/* The first policy is there: convicts what it can. True: wait for it, claims are woken when it is done. */
bool poison_begin(struct transport *t);
/* Convictions are on their way to the store: nothing may be claimed. */
bool poison_is_judging(const struct transport *t);

/* The work on a message, on the loop, between the two; nested ones give back what was before. */
NODISCARD uint64_t poison_enter(struct transport *t, uint64_t id);
void poison_leave(struct transport *t, uint64_t before);

/* An attempt for a suspect waits while another one's is under way. */
bool poison_may_send(const struct transport *t, uint64_t id);
void poison_sends(struct transport *t, uint64_t id);
/* It was answered for, or deliver died with it. True: another suspect may have waited for that (destinations_wake).
 */
bool poison_sent(struct transport *t, uint64_t id, bool lost);
/* Deliver is there again. */
void poison_on_deliver(struct transport *t);
/* An administrator lets it go. */
void poison_acquit(struct transport *t, uint64_t id);
