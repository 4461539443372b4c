/*
 * metrics.h: what the processes count for monitoring, in one shared memory: each writes a column of its own, manage
 * reads the sums and prints them (metrics_print). Counting is an addition in memory: nothing waits for it and
 * nothing is lost, whatever becomes of manage. The supervisor makes the memory and keeps it as long as it lives, so
 * a process that is started anew goes on counting where the one before it ended, and no counter ever falls.
 *
 * The memory is untrusted, as that of runtime/counters.h: others read numbers from it and nothing else.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "role/common/protocol.h"

enum { METRIC_BUCKETS = 12 };

/* Label values, in this order. */
enum metric_tls { METRIC_TLS_1_3, METRIC_TLS_1_2, METRIC_TLS_OTHER, METRIC_TLS_NONE, METRIC_TLS_KINDS };
enum metric_refusal {
    METRIC_REFUSED_SESSION, /* the connection: turned away, a limit before MAIL */
    METRIC_REFUSED_AUTH,
    METRIC_REFUSED_SENDER,
    METRIC_REFUSED_RECIPIENT,
    METRIC_REFUSED_CONTENT,
    METRIC_REFUSED_RIGHT,
    METRIC_REFUSED_LIMIT,
    METRIC_REFUSED_STORE, /* the queue could not take it */
    METRIC_REFUSALS
};
enum metric_hop { METRIC_HOP_MAILBOX, METRIC_HOP_SMART_HOST, METRIC_HOP_DNS, METRIC_HOPS };
enum metric_flush { METRIC_FLUSH_QUEUE, METRIC_FLUSH_SPOOL, METRIC_FLUSHES };
enum metric_verdict { METRIC_DELIVERED, METRIC_SENT, METRIC_FAILED, METRIC_DEFERRED, METRIC_VERDICTS };

/*
 * Where each family begins in a column: a number for each value of its label, and for a histogram the buckets (its
 * times in milliseconds) and their sum. METRIC_ROLE is for metrics.c alone.
 */
enum metric {
    METRIC_ROLE,
    METRIC_STARTS,
    /* receive */
    METRIC_SESSIONS,
    METRIC_SESSIONS_OPEN, /* gauge */
    METRIC_SESSION_TLS,
    METRIC_ACCEPTED = METRIC_SESSION_TLS + METRIC_TLS_KINDS,
    METRIC_ACCEPTED_BYTES,
    METRIC_ACCEPTED_RECIPIENTS,
    METRIC_ACCEPT_TIME, /* histogram */
    METRIC_REFUSED = METRIC_ACCEPT_TIME + METRIC_BUCKETS + 1,
    /* queue */
    METRIC_QUEUED = METRIC_REFUSED + METRIC_REFUSALS, /* gauge */
    METRIC_QUEUED_RECIPIENTS,                         /* gauge */
    METRIC_QUEUED_BYTES,                              /* gauge */
    METRIC_OLDEST,                                    /* gauge: milliseconds since 1970, 0: none */
    METRIC_WAITING,                                   /* gauges, as the two that follow */
    METRIC_ACTIVE = METRIC_WAITING + METRIC_HOPS,
    METRIC_RETRYING = METRIC_ACTIVE + METRIC_HOPS,
    METRIC_OUTCOMES = METRIC_RETRYING + METRIC_HOPS,
    METRIC_REPORTS = METRIC_OUTCOMES + METRIC_VERDICTS,
    METRIC_DELIVERY_TIME, /* histogram */
    METRIC_DELIVERY_TLS = METRIC_DELIVERY_TIME + METRIC_BUCKETS + 1,
    METRIC_FLUSHED = METRIC_DELIVERY_TLS + METRIC_TLS_KINDS,
    /* manage */
    METRIC_TRACKED = METRIC_FLUSHED + METRIC_FLUSHES,
    METRIC_EVENTS_LOST,
    METRIC_END
};

/* ---- counting: from any thread; before metrics_attach, and without it, it counts in memory of its own ---- */

void metric_add(unsigned metric, uint64_t n);
void metric_set(unsigned metric, uint64_t value);
/* One more that took so long, in a histogram. Negative times (the clock was set) count as none. */
void metric_observe(unsigned histogram, int64_t ms);
/* "TLSv1.3"; empty: NONE. */
enum metric_tls metric_tls_of(struct span version);

/* ---- the memory ---- */

/* Bytes for so many columns. Zeroed memory is a table without counts. */
size_t metrics_size(uint32_t columns);
/*
 * Counts in this column of the memory from now on, what was counted before included; its gauges begin at 0. Once,
 * by CONTROL_METRICS. The descriptor stays the caller's. ERR_INVALID: it is no such memory.
 */
enum err_code metrics_attach(int fd, uint32_t columns, uint32_t own, enum role_kind role, struct err *err);
/* The sum over all columns. */
uint64_t metric_sum(unsigned metric);

/* ---- Prometheus ---- */

/* All of them in Prometheus' text form (version 0.0.4). now_ms: wall clock. */
void metrics_print(struct buf *out, int64_t now_ms);
