/*
 * track.h: what the queue role tells for the message tracking log (store/tracking/tracking.h): every step of a
 * message, once it is durable where it must be. Told as events: lossy, and nothing waits for it.
 *
 * A row holds as many recipients as share everything else and fit into its columns; more of them make further rows
 * of the same event, each with its own recipient-count.
 */
#pragma once

#include "role/queue/transport.h"
#include "store/tracking/tracking.h"

struct delivery_report;
struct submission;

/* What befell one recipient. */
struct track_entry {
    enum tracking_event event;
    enum tracking_source source;
    struct span recipient, status;
    struct span related;  /* the address that it stood for before */
    struct span host, ip; /* who took or refused it; empty: this server */
    struct span connector, context;
    struct span custom; /* how it was encrypted and verified */
    struct track_entry *next;
};

/* Entries that wait until what they tell of is durable. Zeroed: none. */
struct track_list {
    struct track_entry *first, *newest;
};

/* Copies the entry and its texts into the arena, those of the entry before it where they are the same. */
void track_add(struct track_list *l, struct arena *arena, const struct track_entry *e);
/* Tells them all, of this message. */
void track_send(const struct mail *m, const struct track_list *l);
/* Tells one at once. */
void track_now(const struct mail *m, const struct track_entry *e);
/* A group became these members. */
void track_expanded(const struct mail *m, struct span group, const struct queue_recipient *members, size_t count);
/* A report on the message is on its way. */
void track_report(const struct mail *original, const struct mail *report);

/* A process has died over the message too often; why is the status of all of it that is pending. */
void track_poison(const struct transport *t, const struct queue_message *q, struct span why);

/* What is known only when a message comes in. */
struct track_session {
    struct span helo, local_ip, session, tls;
};
/* The copy lives in the arena. */
struct track_session track_session_of(const struct submission *s, struct arena *arena);
void track_received(const struct mail *m, const struct track_session *s);

/*
 * How a delivery was encrypted and verified, for custom-data: "TLS=TLSv1.3;Cipher=...;Verified=Certificate". Empty
 * for a mailbox of this server. The one place that says it; it knows what the report does.
 */
struct span track_security(const struct delivery_report *report, struct arena *arena);
