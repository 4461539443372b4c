/* bootstrap.h: what `mailreeve init` makes. */
#pragma once

#include "cmdlet/context.h"

/*
 * The objects of a fresh state: the default connectors of the context's role and host with their permissions, the
 * accepted domain (the default one), TransportServer and TransportConfig. The policy store must be empty and inside
 * a transaction. ERR_INVALID: the domain or the host is no name.
 */
enum err_code cmdlet_init_state(struct cmdlet_context *context, struct span domain, struct err *err);
/* TransportServer and TransportConfig alone, as they are on an empty policy. As above. */
enum err_code cmdlet_init_settings(struct cmdlet_context *context, struct err *err);
