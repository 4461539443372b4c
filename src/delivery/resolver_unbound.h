/* resolver_unbound.h: the resolver over libunbound, with /etc/resolv.conf and /etc/hosts or with given servers. */
#pragma once

#include "base/err.h"
#include "delivery/resolver.h"

#include <uv.h>

struct resolver_unbound_options {
    uv_loop_t *loop;
    const struct span *forwarders; /* "127.0.0.1" or "127.0.0.1@5353"; given: resolv.conf and hosts are not read */
    size_t forwarder_count;
    /* DNSSEC trust anchors: DS or DNSKEY records, one a line. With any, all answers are validated: what is bogus is
     * TEMPORARY. Empty: none is, and none is secure. */
    struct span anchors;
};

/*
 * Reads the system's files now (not later: the caller may lose the right to). Without any server in resolv.conf it
 * asks from the root on. libunbound starts its own thread with the first question. Close with resolver_close.
 */
enum err_code resolver_unbound_new(const struct resolver_unbound_options *options, struct resolver **ret,
                                   struct err *err);
