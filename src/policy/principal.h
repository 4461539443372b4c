/*
 * principal.h: who a right can be granted to. The well-known principals have a fixed identity (and mostly a SID);
 * users and groups are known by the GUID of their object, written "user:GUID" and "group:GUID".
 */
#pragma once

#include "base/buf.h"

enum principal {
    PRINCIPAL_ANONYMOUS,
    PRINCIPAL_AUTHENTICATED_USERS,
    PRINCIPAL_EVERYONE,
    PRINCIPAL_EXCHANGE_SERVERS, /* the group */
    PRINCIPAL_LEGACY_INTEROP,   /* the group ExchangeLegacyInterop */
    PRINCIPAL_PARTNER_SERVERS,
    PRINCIPAL_HUB_SERVERS,
    PRINCIPAL_EDGE_SERVERS,
    PRINCIPAL_EXTERNALLY_SECURED,
    PRINCIPAL_LEGACY_SERVERS,
    PRINCIPAL_WELL_KNOWN,
    PRINCIPAL_USER = PRINCIPAL_WELL_KNOWN, /* one mailbox, by GUID */
    PRINCIPAL_GROUP,                       /* one distribution group, by GUID */
    PRINCIPAL_KINDS,
};

/* Sets of well-known principals. */
#define PRINCIPAL_BIT(principal) (1u << (principal))

/* Canonical name of a well-known principal, as it is stored and shown: "NT AUTHORITY\ANONYMOUS LOGON". */
struct span principal_name(enum principal p);
/* Its SID; empty for the two server groups, whose SIDs differ from domain to domain. */
struct span principal_sid(enum principal p);
/*
 * A well-known principal by its name with or without the authority in front, a localised name, or its SID, whatever
 * the case. Any domain may stand in front of the two server groups. PRINCIPAL_KINDS when it is none.
 */
enum principal principal_from_name(struct span name);

/*
 * Reads the stored form: "user:GUID", "group:GUID", or whatever principal_from_name knows. *ret_guid is a view into
 * text, empty for well-known ones. PRINCIPAL_KINDS (and *ret_guid untouched) when it is none of these.
 */
enum principal principal_parse(struct span text, struct span *ret_guid);
/* Appends the stored form; guid counts only for users and groups. principal_parse reads it back. */
void principal_print(struct buf *out, enum principal p, struct span guid);
