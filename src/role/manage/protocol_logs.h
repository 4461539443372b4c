/*
 * protocol_logs.h: the protocol logs of the receive and the send connectors: log/ProtocolLog/SmtpReceive/RECV*.log
 * and SmtpSend/SEND*.log below the state folder, all connectors of a kind in one set of files.
 */
#pragma once

#include "role/common/role.h"
#include "store/objects.h"

/* Takes the rows from now on. ERR_NO_MEMORY, ERR_LIMIT: the state folder's path is too long. */
enum err_code protocol_logs_open(const struct role *role, struct err *err);
/* The limits of TransportServer (ReceiveProtocolLogMaxFileSize, ...), read again; what cannot be read stays. */
void protocol_logs_configure(struct object_store *policy);
void protocol_logs_close(void);
