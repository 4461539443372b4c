/*
 * session.h: the kinds of sessions that can come to exist on a connector: with and without TLS, and by what the
 * client has proved. All sessions of one kind get the same decisions.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "policy/decide.h"

/* What the connector's settings let happen. */
bool session_starts_plain(const struct receive_connector *c); /* not TLS from the first byte */
bool session_can_use_tls(const struct receive_connector *c);  /* given a certificate */
bool session_can_log_on(const struct receive_connector *c);   /* users: some mechanism is on */
bool session_uses_gssapi(const struct receive_connector *c);  /* by Kerberos, given a keytab */
/* A password may be sent without TLS. */
bool session_password_in_clear(const struct receive_connector *c);
/* Whether any session can have this principal in its token. */
bool session_can_hold(const struct receive_connector *c, enum principal kind);

/* ---- who there can be ---- */

/* All sessions that have proved the same. */
struct session_kind {
    struct span who; /* the principal as it is stored */
    enum principal kind;
    struct token token;
    struct span group; /* what token.groups points to, of a group */
};

/* A client that has proved nothing: anonymous, or trusted for its address alone. */
struct session_kind session_unproved(const struct receive_connector *c);
/* Any user whom no entry names. */
struct session_kind session_any_user(void);
/* A server that has proved to be one of this kind. */
struct session_kind session_server(enum principal kind);

/*
 * Those that can come to exist on a connector: clients that proved nothing; any user, and each user and group that
 * an entry names; partners and servers. ERR_NO_MEMORY.
 */
NODISCARD enum err_code session_kinds(const struct policy *p, const struct receive_connector *c,
                                      struct arena *arena, struct session_kind **ret, size_t *ret_count,
                                      struct err *err);

/* ---- what they may do ---- */

/* What every question needs: a moment, and the addresses that stand for all of their kind. */
struct session_probes {
    int64_t now_ms;
    struct arena *arena;
    struct span own;     /* in an authoritative domain; empty where there is none */
    struct span foreign; /* in no accepted domain, and in none that an entry is narrowed to */
    bool failed;         /* the arena is full: what was answered since does not count */
};

/* Everything but arena and now_ms. ERR_NO_MEMORY. */
NODISCARD enum err_code session_probes_make(const struct policy *p, struct session_probes *ret, struct err *err);

enum session_right {
    SESSION_SUBMIT = 1 << 0,       /* something, from somebody to somebody */
    SESSION_RELAY = 1 << 1,        /* to any domain */
    SESSION_OWN_SENDER = 1 << 2,   /* from any address of our own domains */
    SESSION_OTHER_SENDER = 1 << 3, /* from any address of other domains */
};

/* Whether a session in which this was proved and mail is taken can exist with TLS, or without it. */
bool session_exists(const struct receive_connector *c, enum principal kind, bool tls);
/* A set of enum session_right, as it is now; empty where there is no such session. */
unsigned session_rights(const struct policy *p, const struct receive_connector *c, const struct session_kind *k,
                        bool tls, struct session_probes *probes);
/* The same with or without TLS, whatever allows more. */
unsigned session_rights_ever(const struct policy *p, const struct receive_connector *c,
                             const struct session_kind *k, struct session_probes *probes);

/* A session in which mail is taken. */
struct session_path {
    bool tls;
    struct span from;
    int64_t at_ms; /* the earliest moment */
};

/*
 * Whether a session of this kind may send from anybody to the recipient, in the clear or under TLS, now or when an
 * entry that denies has expired; *ret is the first way that was found: now, without TLS, and with a sender of which
 * nobody is surprised, as far as that is possible. A sender proves nothing, so those that an entry is narrowed to
 * count as well.
 */
bool session_may_send(const struct policy *p, const struct receive_connector *c, const struct session_kind *k,
                      struct session_probes *probes, struct span to, struct session_path *ret);
