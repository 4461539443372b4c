/* protocol_log.c: see protocol_log.h. A session that is not logged has none of this, and costs one comparison. */
#include "role/common/protocol_log.h"

#include "role/common/event_sender.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct protocol_log {
    enum event_kind kind;
    uint64_t sequence;
    char session[17];
    struct span connector, local, remote; /* in texts */
    struct buf texts;
};

struct protocol_log *protocol_log_new(enum event_kind kind, struct span connector, uint64_t session,
                                      struct span local, struct span remote)
{
    enum { TEXTS_MAX = 4096 };
    struct protocol_log *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->kind = kind;
    snprintf(l->session, sizeof l->session, "%016" PRIX64, session);
    buf_init(&l->texts, TEXTS_MAX);
    buf_add(&l->texts, connector);
    buf_add(&l->texts, local);
    buf_add(&l->texts, remote);
    if (l->texts.failed) {
        protocol_log_free(l);
        return NULL;
    }
    struct span all = buf_span(&l->texts);
    l->connector = span_head(all, connector.len);
    l->local = span_head(span_from(all, connector.len), local.len);
    l->remote = span_from(all, connector.len + local.len);
    return l;
}

void protocol_log_free(struct protocol_log *l)
{
    if (!l)
        return;
    buf_done(&l->texts);
    free(l);
}

void protocol_log_row(struct protocol_log *l, enum protocol_row row, struct span data, struct span context)
{
    char sequence[24], event = (char)row;
    if (!l)
        return;
    snprintf(sequence, sizeof sequence, "%" PRIu64, l->sequence++);
    event_send((struct event){.kind = l->kind,
                              .field = {[PROTOCOL_CONNECTOR] = l->connector,
                                        [PROTOCOL_SESSION] = span_of(l->session),
                                        [PROTOCOL_SEQUENCE] = span_of(sequence),
                                        [PROTOCOL_LOCAL] = l->local,
                                        [PROTOCOL_REMOTE] = l->remote,
                                        [PROTOCOL_EVENT] = {&event, 1},
                                        [PROTOCOL_DATA] = data,
                                        [PROTOCOL_CONTEXT] = context}});
}

void protocol_log_lines(struct protocol_log *l, enum protocol_row row, struct span lines)
{
    struct span line;
    while (l && lines.len && span_split(&lines, '\n', &line))
        protocol_log_row(l, row, span_trim(line), SPAN(""));
}
