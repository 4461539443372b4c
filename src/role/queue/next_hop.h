/* next_hop.h: from a route to the destination of a delivery job: hosts, TLS, authentication, the headers that may
 * leave. */
#pragma once

#include "delivery/delivery.h"
#include "routing/route.h"

enum { NEXT_HOP_HOSTS_MAX = 64, NEXT_HOP_PINS_MAX = 128 }; /* pins: twice what the schema lets a list have */

/*
 * r: ROUTE_RELAY or ROUTE_MAILBOX. What *to points to lives in the policy, the route, hosts, pins and
 * password (initialized, wiped by the caller with secret_done), which must outlive it.
 */
void next_hop_fill(struct delivery_destination *to, const struct policy *p, const struct route *r,
                   struct delivery_host hosts[static NEXT_HOP_HOSTS_MAX],
                   struct span pins[static NEXT_HOP_PINS_MAX], struct secret *password);
