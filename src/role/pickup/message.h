/*
 * message.h: one file on its way to the queue: read in pieces, its envelope taken from its header, its content past
 * the intake (header firewall, trace, completion), stored like a client's, and removed when the queue says that it
 * is durable. A process that dies at any moment leaves the file behind, so that it is sent again: twice at most,
 * never not at all.
 */
#pragma once

#include "policy/policy.h"
#include "role/common/policy_ref.h"
#include "role/common/role.h"
#include "role/pickup/folder.h"

enum message_kind { MESSAGE_PICKUP, MESSAGE_REPLAY };

struct message;

struct message_owner {
    /*
     * It is settled, and freed afterwards: never called from within message_start. again_later: the queue could not
     * take it (or nobody knows whether it did), or somebody still writes to it.
     */
    void (*settled)(void *context, bool again_later);
    void *context;
};

/*
 * Begins with a file, which becomes the message's in any case. The policy stays the one that it begins with. NULL
 * when memory is out: the file waits again.
 */
struct message *message_start(struct role *role, struct policy_ref *policy, enum message_kind kind,
                              struct folder_file *file, const struct message_owner *owner);
/* The process is to end: what is not at the queue yet is given up and waits again; what is there is settled soon.
 */
void messages_drain(void);
/* Of those that were started, how many are not settled. */
size_t messages_active(void);
