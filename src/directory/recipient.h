/*
 * recipient.h: what a directory must know of a recipient, read out of its record (classes Mailbox, MailContact and
 * DistributionGroup, properties as the schema spells them). Shared by the adapters.
 */
#pragma once

#include "base/value.h"
#include "directory/directory.h"

struct recipient {
    enum directory_kind kind;
    struct span guid, name, display_name, primary, user_principal_name;
    struct span target;           /* as in struct directory_recipient */
    const struct span *addresses; /* that resolve to it: the primary first, none twice */
    size_t address_count;
    const struct span *members; /* group: GUIDs */
    size_t member_count;
    const struct span *send_as; /* who may send as it: "user:GUID" or "group:GUID" */
    size_t send_as_count;
    bool enabled;
    bool authenticated_only;      /* as in struct directory_recipient */
    const struct value *password; /* VALUE_SECRET, or NULL when the record says nothing about it */
};

/* DIRECTORY_NOT_FOUND for a class that is none of a recipient's. */
enum directory_kind recipient_kind(struct span class_name);
/* "Mailbox", ...; the empty span for DIRECTORY_NOT_FOUND. */
struct span recipient_class(enum directory_kind kind);

/*
 * Reads a record; *ret holds views into it, and lists in the arena. An address may carry the prefix "smtp:", which
 * is dropped; those of other kinds ("X500:...") do not resolve. ERR_INVALID names the property that is missing or
 * malformed, ERR_NO_MEMORY.
 */
enum err_code recipient_read(const struct record *r, struct arena *arena, struct recipient *ret, struct err *err);

/* True when it has the address. */
bool recipient_owns(const struct recipient *r, struct span address);
