/* context.h: what cmdlets work on: the stores and the facts of this node. Given to the shell as its context. */
#pragma once

#include "cmdlet/relay_guard.h"
#include "policy/pressure.h"
#include "store/facts/facts.h"
#include "store/objects.h"
#include "store/queue_action.h"
#include "store/tracking/tracking.h"
#include "tls/certificate_store.h"

struct shell_host;

/*
 * The queues as seen by Get-Queue, Get-Message and the cmdlets that change them: records of the types Queue and
 * Message with the properties of Exchange (Identity, Status, MessageCount, ...). A message's Recipients (a list of
 * text) are shown on request only.
 */
struct queue_view {
    /*
     * A page: up to `limit` records behind the position `after` (0: from the start). *ret_next is the position for
     * the next page, 0 when there is none. ERR_UNAVAILABLE: the queue cannot be asked now.
     */
    enum err_code (*list_queues)(struct queue_view *v, uint64_t after, size_t limit, struct arena *arena,
                                 struct record ***ret, size_t *ret_count, uint64_t *ret_next, struct err *err);
    enum err_code (*list_messages)(struct queue_view *v, uint64_t after, size_t limit, struct arena *arena,
                                   struct record ***ret, size_t *ret_count, uint64_t *ret_next, struct err *err);
    /* Does it to a queue, named without the server; and says why not. */
    enum err_code (*change_queue)(struct queue_view *v, enum queue_action what, struct span name, struct err *err);
    /* Does it to messages, at most QUEUE_ACTION_IDS_MAX. One that has left the queue meanwhile is passed over. */
    enum err_code (*change_messages)(struct queue_view *v, enum queue_action what, const uint64_t *ids,
                                     size_t count, struct err *err);
    /* A suspended message with its envelope as a file for the replay folder, into the arena. */
    enum err_code (*export_message)(struct queue_view *v, uint64_t id, struct arena *arena, struct span *ret,
                                    struct err *err);
};

/* The refusals of late, as seen by Get-Denial: records of the type Denial. */
struct denial_view {
    /* Calls each for every one that is kept, the newest first, until it gives false. The record lives for the call.
     */
    enum err_code (*visit)(struct denial_view *v, bool (*each)(void *context, const struct record *r),
                           void *context, struct err *err);
};

/* What clients did, as seen by Get-ClientInventory and by replays. */
struct fact_view {
    /* As facts_visit (store/facts/facts.h); nothing is visited where nothing was ever kept. */
    enum err_code (*visit)(struct fact_view *v, int64_t since_ms, facts_each_fn *each, void *context,
                           struct err *err);
};

/* The keys for GSSAPI, as shown by Get-ReceiveConnector. */
struct keytab_view {
    /* *ret_text, in the arena: the principals that there are keys for (*ret_usable), or why there are none. */
    enum err_code (*describe)(struct keytab_view *v, struct arena *arena, bool *ret_usable, struct span *ret_text,
                              struct err *err);
};

/* What became of messages, as seen by Get-MessageTrackingLog. */
struct tracking_view {
    /* As tracking_search (store/tracking/tracking.h); folder is below the state folder. */
    enum err_code (*search)(struct tracking_view *v, struct span folder, const struct tracking_query *q,
                            tracking_each_fn *each, void *context, struct tracking_found *ret, struct err *err);
};

/* When entries of ACLs were used, as the sessions told. */
struct grant_usage_view {
    /* False: not that it is known. *ret_last_ms is since 1970. */
    bool (*find)(struct grant_usage_view *v, struct span entry, int64_t *ret_last_ms, uint64_t *ret_count);
};

/* What the server may run short of, as seen by Get-ResourcePressure. */
struct pressure_view {
    /* False: nothing is known yet. */
    bool (*read)(struct pressure_view *v, struct pressure *ret);
};

/*
 * A statement runs inside a transaction of both stores, which whoever runs the shell begins before it and commits
 * or rolls back behind it.
 */
struct cmdlet_context {
    struct object_store *policy;            /* connectors, permissions, domains, settings */
    struct object_store *recipients;        /* Mailbox, MailContact, DistributionGroup; may be the same */
    struct queue_view *queues;              /* NULL: the server is stopped, and the queues cannot be asked */
    struct denial_view *denials;            /* NULL: none are kept here */
    struct fact_view *facts;                /* NULL: none are kept here */
    struct tracking_view *tracking;         /* NULL: none is kept here */
    struct grant_usage_view *usage;         /* NULL: not known */
    struct pressure_view *pressure;         /* NULL: the server is stopped, and nothing is measured */
    struct certificate_store *certificates; /* NULL: they cannot be administered from here */
    struct keytab_view *keytab;             /* NULL: not known from here */
    bool edge;                              /* the role Edge instead of Hub */
    struct span host;                       /* this server's FQDN */
    uint32_t port_offset;                   /* added to the ports of usage types and default connectors */
    bool secrets_elsewhere;                 /* of struct schema_facts */
    int64_t (*now_ms)(void);                /* since 1970 */
    void (*random)(void *bytes, size_t count);
    /* Of the statement that runs; the transaction begins with neither. */
    struct shell_host *forced; /* -Force was given: whom to warn; NULL: it was not */
    bool trial;                /* -WhatIf: what was changed is checked and then undone */
    struct relay_guard relays;
};
