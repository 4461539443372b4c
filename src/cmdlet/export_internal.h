/* export_internal.h: what the files of the export share. */
#pragma once

#include "cmdlet/audited.h"
#include "cmdlet/export.h"
#include "cmdlet/internal.h"

struct export
{
    struct cmdlet_context *context;
    struct arena arena;
    struct buf *out;
    struct err *err;
    struct audited relays;      /* which statements must say -Force */
    struct record *plain_entry; /* of an ACL: what a new one is narrowed by, nothing */
};

/* " `\n    -Name value" behind a command; a long list has a line for each item. */
void export_parameter(struct export *e, const char *name, struct value v);
/* A switch. */
void export_flag(struct export *e, const char *name);
void export_end(struct export *e);
/* The entries of a connector's ACL that do not follow from what export_connector_flags has written. */
enum err_code export_permissions(struct export *e, const struct record *connector);
/* Behind the properties of a New- of a connector: PermissionGroups, and -Force where it is an open relay. */
enum err_code export_connector_flags(struct export *e, const struct record *connector);
/* A property that says when an entry of an ACL applies, not what it is about. */
bool permission_is_narrowing(const struct schema_property *p);
/* What identifies a recipient in a script: its primary address. ERR_NOT_FOUND: it is gone. */
enum err_code export_recipient(struct export *e, struct span guid, struct span *ret);
