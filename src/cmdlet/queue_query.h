/* queue_query.h: which queues or messages a cmdlet of the queue means. */
#pragma once

#include "cmdlet/filter.h"
#include "cmdlet/internal.h"

enum queue_query_kind { QUEUE_QUERY_QUEUES, QUEUE_QUERY_MESSAGES };

struct queue_query {
    enum queue_query_kind kind;
    struct filter filter;
    bool filtered;
    const struct value *identity, *queue; /* or NULL */
    size_t limit;
};

/* The parameters that a query has. */
#define QUEUE_QUERY_FILTER                                                                                         \
    {                                                                                                              \
        "Filter", NULL, 0, "<Filter>", "Property -op 'value', joined with -and: \"Status -eq 'Retry'\"."           \
    }
#define QUEUE_QUERY_SERVER                                                                                         \
    {                                                                                                              \
        "Server", NULL, PARAMETER_HIDDEN, "<Server>", "This server."                                               \
    }

/*
 * Reads -Identity, -Filter, -ResultSize (otherwise limit), -Queue, -Server and the object of the pipeline.
 * ERR_UNAVAILABLE: the server is not running.
 */
NODISCARD enum err_code queue_query_read(struct shell_call *call, enum queue_query_kind kind, size_t limit,
                                         struct queue_query *ret, struct err *err);
/*
 * Calls each for what the query means, in pages, until it gives an error. ERR_NOT_FOUND: there is none of the name
 * that was given. Where there are more than the query's limit the person is warned.
 */
NODISCARD enum err_code queue_query_run(struct shell_call *call, const struct queue_query *q,
                                        enum err_code (*each)(struct shell_call *call, const struct record *r,
                                                              struct err *err),
                                        struct err *err);
/* The part of an Identity behind the server's name: "smtp:relay", "smtp:relay\17". */
struct span queue_query_name(struct span identity);
