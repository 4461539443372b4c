/*
 * protocol_log.h: the rows of one session for the protocol log (ProtocolLoggingLevel Verbose), told to manage as
 * events. Whoever adds a row sees to it that it has no secret.
 */
#pragma once

#include "role/common/event.h"

/* What a row is: the column "event". */
enum protocol_row {
    PROTOCOL_ROW_CONNECT = '+',
    PROTOCOL_ROW_DISCONNECT = '-',
    PROTOCOL_ROW_SENT = '>',
    PROTOCOL_ROW_RECEIVED = '<',
    PROTOCOL_ROW_INFORMATION = '*',
};

struct protocol_log;

/*
 * kind: EVENT_PROTOCOL_RECEIVE or EVENT_PROTOCOL_SEND. The texts are copied. NULL when memory is out; all functions
 * take NULL for a session that is not logged.
 */
struct protocol_log *protocol_log_new(enum event_kind kind, struct span connector, uint64_t session,
                                      struct span local, struct span remote);
void protocol_log_free(struct protocol_log *l);
void protocol_log_row(struct protocol_log *l, enum protocol_row row, struct span data, struct span context);
/* Whole lines that went out or came in, a row for each. */
void protocol_log_lines(struct protocol_log *l, enum protocol_row row, struct span lines);
