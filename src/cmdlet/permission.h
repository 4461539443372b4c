/* permission.h: the arguments of the ADPermission cmdlets: who, and which rights. */
#pragma once

#include "policy/principal.h"
#include "policy/right.h"
#include "shell/command.h"

struct permission_user {
    struct span stored; /* as entries keep it: a well-known name, user:GUID, group:GUID */
    struct span name;   /* for people */
};

/* -User: a well-known principal by any of its names, a mailbox or a group. ERR_NOT_FOUND, ERR_INVALID. */
enum err_code permission_find_user(struct shell_call *call, struct value given, struct permission_user *ret,
                                   struct err *err);
/* What people call the principal of an entry now; what they called it then, when it is gone. */
struct span permission_user_name(struct shell_call *call, const struct record *entry);
/* What Get-ADPermission shows of an entry; NULL: memory is out. */
struct record *permission_view(struct shell_call *call, const struct record *connector, const struct record *entry);
/* -ExtendedRights as a set of RIGHT_BIT, empty when it is not given. Each must be a right of the connector's side.
 */
enum err_code permission_rights(struct shell_call *call, bool send_side, unsigned *ret, struct err *err);
/* -AccessRights: Exchange has many, of which connectors use one. */
enum err_code permission_check_access_rights(struct shell_call *call, struct err *err);
