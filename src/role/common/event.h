/*
 * event.h: what the processes that talk to the network tell manage, for people to read later: rows of the protocol
 * log, refusals with their traces, uses of grants, facts of sessions, what becomes of messages. Events are told
 * best effort: they travel in batches (EVENTS in protocol.h), and what finds no room is dropped and counted, so
 * that no session ever waits.
 *
 * An event is its kind, a time and the fields of its kind, each a text. The fields' meaning is the enums below;
 * their number is part of the encoding. None is ever a secret: whoever makes an event sees to that.
 */
#pragma once

#include "base/cursor.h"
#include "store/facts/facts.h"
#include "store/tracking/tracking.h"

enum event_kind {
    EVENT_LOST,             /* events that were dropped before this one */
    EVENT_PROTOCOL_RECEIVE, /* a row of the protocol log of receive connectors */
    EVENT_PROTOCOL_SEND,    /* ... of send connectors */
    EVENT_DENIAL,           /* a refusal that bears a code */
    EVENT_GRANT_USED,       /* entries of an ACL were used */
    EVENT_FACT,             /* what a client did, how often: for the inventory and for replays (fact.h) */
    EVENT_TRACKING,         /* an entry of the message tracking log: its fields are enum tracking_field */
    EVENT_KINDS,
};

enum event_lost { LOST_COUNT, LOST_FIELDS };

enum event_protocol {
    PROTOCOL_CONNECTOR, /* SERVER\Name, or a send connector's name */
    PROTOCOL_SESSION,   /* 16 hex digits */
    PROTOCOL_SEQUENCE,
    PROTOCOL_LOCAL,
    PROTOCOL_REMOTE,
    PROTOCOL_EVENT, /* + - > < * */
    PROTOCOL_DATA,
    PROTOCOL_CONTEXT,
    PROTOCOL_FIELDS,
};

enum event_denial {
    DENIAL_CODE, /* "mr-...", as in the reply */
    DENIAL_SESSION,
    DENIAL_CONNECTOR,
    DENIAL_LOCAL,
    DENIAL_REMOTE,
    DENIAL_HELO,
    DENIAL_TLS, /* "TLSv1.3", or empty */
    DENIAL_USER,
    DENIAL_QUESTION, /* "MAIL", "RCPT", "AUTH", "CONTENT", "LIMIT", ... */
    DENIAL_SENDER,
    DENIAL_RECIPIENT,
    DENIAL_REPLY,  /* the whole reply line without its code in brackets */
    DENIAL_LIMIT,  /* which limit, or empty */
    DENIAL_TRACE,  /* several lines: the decision's steps */
    DENIAL_POLICY, /* the policy's version */
    DENIAL_FIELDS,
};

enum event_grant {
    GRANT_ENTRY, /* Guid of the ADPermission */
    GRANT_COUNT, /* how often since the last such event */
    GRANT_FIELDS,
};

/* The texts of a fact (enum fact_text in store/facts/facts.h), then: */
enum event_fact {
    FACT_VERDICT = FACT_TEXTS, /* question and code: "Rcpt 550" */
    FACT_LEVEL,                /* enum fact_level as a number */
    FACT_COUNT,                /* and the octets of the largest message, 0 if not known: "3 35000000" */
    FACT_FIELDS,
};

enum { EVENT_FIELDS_MAX = TRACKING_FIELDS, EVENT_FIELD_MAX = 8192, EVENT_TRACKING_FIELD_MAX = 4096 };
/* The largest event. */
enum {
    EVENT_SIZE_MAX_DENIAL = DENIAL_FIELDS * (4 + EVENT_FIELD_MAX),
    EVENT_SIZE_MAX_TRACKING = TRACKING_FIELDS * (4 + EVENT_TRACKING_FIELD_MAX),
    EVENT_SIZE_MAX =
        1 + 8 + (EVENT_SIZE_MAX_DENIAL > EVENT_SIZE_MAX_TRACKING ? EVENT_SIZE_MAX_DENIAL : EVENT_SIZE_MAX_TRACKING)
};

struct event {
    enum event_kind kind;
    int64_t at_ms; /* since 1970 */
    struct span field[EVENT_FIELDS_MAX];
};

/* How many fields an event of this kind has. */
size_t event_field_count(enum event_kind kind);
/* How long each of them may be. */
size_t event_field_max(enum event_kind kind);
/* Appends it; a field is cut to event_field_max. */
void event_put(struct buf *out, const struct event *e);
/* Reads one; false, and the cursor is bad, when it is none. The fields are views. */
bool event_get(struct cursor *c, struct event *ret);
