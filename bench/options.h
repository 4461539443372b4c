/* options.h: what smtp-load is asked to do, from its command line. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum mode {
    MODE_LOAD,  /* send messages and measure */
    MODE_IDLE,  /* hold sessions */
    MODE_SINK,  /* take messages and count */
    MODE_CHECK, /* hold two ledgers against each other */
};

enum tls_use { TLS_NONE, TLS_STARTTLS, TLS_IMPLICIT };

struct options {
    enum mode mode;
    /* load, idle */
    const char *connect; /* ADDRESS:PORT, IPv4 */
    uint64_t sessions;   /* at a time */
    uint64_t messages;   /* in all */
    uint64_t seconds;    /* begin no message after so long; 0: until all are sent */
    uint64_t per_connection;
    uint64_t size;       /* bytes of content, at least MESSAGE_SIZE_MIN */
    uint64_t recipients; /* of a message */
    uint64_t opening;    /* idle: sessions that may be on their way at a time */
    enum tls_use tls;
    const char *user, *password; /* AUTH PLAIN when there is a user */
    const char *sender, *domain; /* the recipients are r1@domain, r2@domain, … */
    bool pipelining, resume;
    bool leave;               /* close behind QUIT instead of waiting for the 221 */
    uint64_t deadline;        /* seconds, then the rest is given up */
    const char *acknowledged; /* a ledger is written there: the ids that got their 250 */
    const char *run;          /* the name in all ids of this run */
    /* sink */
    const char *listen, *certificate, *key;
    uint64_t expect;      /* says "complete" once this many different ids have arrived */
    uint64_t forget;      /* a lie: of this many messages one is acknowledged and not kept; 0: none */
    uint64_t twice;       /* of this many messages one is kept twice; 0: none */
    const char *received; /* sink: written at the end; check: read */
};

/*
 * Reads the command line (argv[1] is the mode). Numbers are decimal, sizes may end in K or M. The strings stay
 * argv's. ERR_INVALID names the option, the value and what would be right.
 */
NODISCARD enum err_code options_parse(int argc, char *const *argv, struct options *ret, struct err *err);

/* "127.0.0.1:25" in parts: the address text goes to address (16 bytes). */
NODISCARD bool options_split_address(const char *s, char *ret_address, uint16_t *ret_port);

/* All modes and options with a line each. */
void options_usage(struct buf *out);
