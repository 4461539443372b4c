/*
 * fact.h: what clients did (store/facts/facts.h), on its way from the receive processes to manage, which keeps it
 * in facts.db in the state folder, and from there to whoever asks: Get-ClientInventory, `mailreeve plan --replay`.
 */
#pragma once

#include "cmdlet/context.h"
#include "role/common/event.h"

/* Tells manage; at_ms of the event is the fact's last_ms. */
void fact_send(const struct fact *f);
/* The fact that an EVENT_FACT tells; its texts are views. False: it is none. */
bool fact_of_event(const struct event *e, struct fact *ret);

/* The file's path; false when it is too long. */
NODISCARD bool facts_path(const char *state, char *out, size_t cap);

/* The facts of a state folder behind the port of the cmdlets. */
struct facts_reader {
    struct fact_view view; /* first */
    const char *state;     /* must outlive it */
    struct facts *open;    /* of the process that writes them, which sees what is not committed; NULL: the file */
};
void facts_reader_init(struct facts_reader *r, const char *state);
