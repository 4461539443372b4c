/*
 * send_as.h: the right Send-As on mailboxes, contacts and groups, in the ADPermission cmdlets. It is kept with its
 * owner, among the recipients: so it goes with the owner, and one transaction changes both.
 */
#pragma once

#include "shell/command.h"

/* Whether -ExtendedRights names it. ERR_INVALID: beside rights on connectors. */
enum err_code send_as_is_asked(struct shell_call *call, bool *ret, struct err *err);
/* Whether an identity (NULL allowed) is a recipient out of the pipeline. */
bool send_as_is_owner(const struct value *identity);
/* Whether an entry of Get-ADPermission is one of these. */
bool send_as_is_entry(const struct record *entry);

/* The owner is what identity means: a record, or the name of a recipient. */
enum err_code send_as_add(struct shell_call *call, const struct value *identity, struct err *err);
enum err_code send_as_get(struct shell_call *call, const struct value *identity, struct err *err);
enum err_code send_as_remove(struct shell_call *call, const struct value *identity, struct err *err);
enum err_code send_as_remove_entry(struct shell_call *call, const struct record *entry, struct err *err);

/* Takes a recipient that is gone out of what others have granted it. */
enum err_code send_as_forget(struct shell_call *call, const struct record *gone, struct err *err);
