/* internal.h: what the files of the replay share. */
#pragma once

#include "replay/replay.h"

/* A fact as a session. */
struct replay_session {
    struct explain_session session;
    enum explain_stage last; /* as far as the fact goes */
    const struct fact *fact;
};

/* What one side makes of a session; texts live in its arena. */
struct replay_verdict {
    struct replay_outcome outcome;
    struct span decided_by, why; /* of a refusal */
    uint64_t max_size;           /* of a message that is accepted; 0: unlimited */
    bool unknown;                /* it depends on what cannot be read */
};

/* What of a side does not depend on the dialogue, and is found anew for each fact. */
struct replay_place {
    const struct receive_connector *connector; /* NULL: none */
    bool proxy;                                /* a PROXY header is due */
};

/* ---- session.c ---- */

/* True: the fact can be run as *ret, which views it. Else *ret_skip says why not. */
bool replay_session_of(const struct fact *f, int64_t now_ms, struct replay_session *ret,
                       enum replay_skip *ret_skip);

/* ---- verdict.c ---- */

struct replay_place replay_place_of(const struct replay_side *s, const struct replay_session *t);
/*
 * Holds the session with a side. implicit: the client begins with TLS, as the connector of the policy in force
 * wants it. e: room. False: memory is out.
 */
bool replay_verdict_of(const struct replay_side *s, const struct replay_session *t, bool implicit,
                       struct explanation *e, struct arena *arena, struct replay_verdict *ret);
/* Makes of the verdict the one about the fact's largest message, where that is larger than it allows. */
bool replay_verdict_sized(const struct replay_side *s, const struct replay_session *t, bool implicit,
                          struct explanation *e, struct arena *arena, struct replay_verdict *v);

/* ---- report.c: clients and their changes ---- */

struct replay_clients {
    struct arena arena;     /* of what changes */
    struct arena run_arena; /* of the network and user in hand */
    struct replay_client *items;
    struct replay_room {
        size_t change_cap;
        bool kept; /* its texts are in the arena */
    } * rooms;
    size_t count, cap;
    size_t run; /* the first client of the network and user in hand */
    struct span run_network, run_user;
    uint64_t seen;
    bool full; /* memory is out, or the limit is reached */
};

void replay_clients_init(struct replay_clients *c);
void replay_clients_done(struct replay_clients *c);
/* The client of a fact, its time noted; NULL: full. */
struct replay_client *replay_client_of(struct replay_clients *c, struct span network, const struct fact *f);
bool replay_same_outcome(const struct replay_outcome *a, const struct replay_outcome *b);
/* Adds a fact that comes out differently. */
void replay_client_change(struct replay_clients *c, struct replay_client *client, const struct replay_session *t,
                          const struct replay_verdict *before, const struct replay_verdict *after);
/* Lets go of clients without changes, and puts the others in order. */
void replay_clients_finish(struct replay_clients *c);
