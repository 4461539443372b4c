/*
 * state.h: the state folder: its layout, its lock, and the node's own settings (the file `node.conf`: what this
 * machine is, as opposed to the organisation's policy in policy.db).
 */
#pragma once

#include "base/err.h"
#include "runtime/sandbox.h"

enum { STATE_PATH_MAX = 900, NODE_HOST_MAX = 255 };

struct node_settings {
    char host[NODE_HOST_MAX + 1];   /* this server's FQDN */
    char domain[NODE_HOST_MAX + 1]; /* the domain given at init */
    bool edge;                      /* role edge instead of hub */
    uint32_t port_offset;           /* added to the well-known ports of the default connectors and of usage types */
    uint32_t receivers;             /* number of receive processes; 0: one per core */
    bool debug;                     /* log level debug */
    char nameservers[256];          /* addresses for DNS, comma-separated; empty: the system's */
    char dnssec_anchors[256];       /* file of trust anchors; empty: the DNS is not validated */
};

/*
 * Reads node.conf. ERR_NOT_FOUND: the folder is no state folder (the text names `mailreeve init`); ERR_INVALID: a
 * line that is not understood, named with its number.
 */
enum err_code state_load(const char *state, struct node_settings *ret, struct err *err);

/*
 * Makes the folder, its parts and node.conf. ERR_EXISTS when node.conf is there already, ERR_CONFLICT when
 * the folder holds anything that is not of a state (nothing is changed then).
 * node.conf is written last, so that a broken init leaves no folder that looks complete: see state_seal.
 */
enum err_code state_make_folders(const char *state, struct err *err);
/* Writes node.conf (to a temporary file, flushed and renamed): from now on the folder is a state folder. */
enum err_code state_seal(const char *state, const struct node_settings *settings, struct err *err);

/* Gives the state to the user, all but certs/, which stays the supervisor's. Does nothing when user->change is
 * false. */
enum err_code state_give(const char *state, const struct sandbox_user *user, struct err *err);
/* Makes the folders of pickup and replay where a state of an older version has none, and gives them to the user. */
enum err_code state_make_pickup(const char *state, const struct sandbox_user *user, struct err *err);
/* Whether the user can reach the folder at all (every parent searchable); the error says what to change. */
enum err_code state_check_reachable(const char *state, const struct sandbox_user *user, struct err *err);

/*
 * Whether every database that init makes is there: ERR_NOT_FOUND names the one that is missing. A server that made
 * it anew would run with an empty policy, without its mailboxes, or without the mail it has answered for.
 */
enum err_code state_check_complete(const char *state, struct err *err);

/*
 * Takes the lock that a running server holds. ERR_CONFLICT: a server (or another command that works on the stopped
 * server's state) holds it. The descriptor is the lock; closing it lets go.
 */
enum err_code state_lock(const char *state, int *ret_fd, struct err *err);

/* "state/name" into out; ERR_LIMIT when it would not fit. */
enum err_code state_path(const char *state, const char *name, char *out, size_t cap, struct err *err);
