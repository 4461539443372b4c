/* host_facts.h: what an audit must know of this machine: its addresses and gateways, and its certificates. */
#pragma once

#include "audit/audit.h"
#include "store/objects.h"

/*
 * Adds the addresses of all interfaces (AUDIT_OWN, those of bridges AUDIT_BRIDGE as well) and of the routers that
 * routes go through (AUDIT_GATEWAY). Everything lives in the arena. What the kernel does not show (a /proc that is
 * hidden) is left out. ERR_IO, ERR_NO_MEMORY.
 */
enum err_code host_facts_addresses(struct arena *arena, struct audit_facts *facts, struct err *err);
/* For the tests: the same out of files in the format of /proc/net/route and /proc/net/ipv6_route. */
bool host_facts_read_route(const char *line, struct audit_address *ret, char interface[static 17]);
bool host_facts_read_route6(const char *line, struct audit_address *ret, char interface[static 17]);

/*
 * Adds which certificates of the state folder are good for the names of the policy's connectors and for
 * facts->host. Where they cannot be read, certificates_known stays false and *ret_unreadable says why.
 */
enum err_code host_facts_certificates(const char *state, const struct policy *p, struct arena *arena,
                                      struct audit_facts *facts, struct err *ret_unreadable, struct err *err);

/*
 * Adds whether there are keys for GSSAPI. Where they cannot be read keytab_known stays false and *ret_unreadable
 * says why.
 */
void host_facts_keytab(const char *state, struct arena *arena, struct audit_facts *facts,
                       struct err *ret_unreadable);

/* Adds when each entry of the policy's ACLs was made, and last used. Sessions tell of uses within seconds. */
enum err_code host_facts_uses(const char *state, struct object_store *policy, struct arena *arena,
                              struct audit_facts *facts, struct err *err);
