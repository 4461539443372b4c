/*
 * supervisor.h: the parent of all roles. It reads keys and opens listening sockets with the rights it was started
 * with, starts each role, joins them by socket pairs, starts anew what dies, and passes signals on. It never reads
 * a byte that came from the network.
 */
#pragma once

#include "base/err.h"

struct supervisor_options {
    const char *state;   /* path of an initialised state folder */
    const char *console; /* address:port of the console, or NULL */
    unsigned receivers;  /* number of receive processes; 0: one per core */
};

/*
 * Serves until SIGTERM or SIGINT; prints "ready" on standard output when mail is accepted. Gives the process's exit
 * status: 0 after an orderly stop; 1 when it could not serve (the reason was written to standard error).
 */
int supervisor_serve(const struct supervisor_options *options);
