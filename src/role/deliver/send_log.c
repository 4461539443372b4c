/* send_log.c: see send_log.h. */
#include "role/deliver/send_log.h"

#include "role/common/event_sender.h"

#include <inttypes.h>
#include <stdio.h>

void send_log_row(void *context, const struct delivery_log_row *row)
{
    char session[17], sequence[24];
    (void)context;
    snprintf(session, sizeof session, "%016" PRIX64, row->session);
    snprintf(sequence, sizeof sequence, "%" PRIu64, row->sequence);
    event_send((struct event){.kind = EVENT_PROTOCOL_SEND,
                              .field = {[PROTOCOL_CONNECTOR] = row->connector,
                                        [PROTOCOL_SESSION] = span_of(session),
                                        [PROTOCOL_SEQUENCE] = span_of(sequence),
                                        [PROTOCOL_LOCAL] = row->local,
                                        [PROTOCOL_REMOTE] = row->remote,
                                        [PROTOCOL_EVENT] = {&row->event, 1},
                                        [PROTOCOL_DATA] = row->data,
                                        [PROTOCOL_CONTEXT] = row->context}});
}
