/*
 * compile.h: from objects to a policy block. The objects are records with Exchange's property names and the value
 * kinds of the schema: lists and flags LIST of STRING; switches BOOL; sizes SIZE; time spans TIMESPAN; counts INT;
 * an absent limit UNLIMITED; enums STRING (TlsMinimumVersion: Tls10, Tls11, Tls12, Tls13). An absent or null
 * property takes its default (that of a Hub server).
 *
 * ADPermission: one right for one principal on the receive or send connector whose Guid is in Connector. One whose
 * connector does not exist grants nothing and is left out.
 */
#pragma once

#include "base/value.h"
#include "policy/policy.h"

struct policy_input {
    const struct record *const *receive_connectors;
    size_t receive_count;
    const struct record *const *permissions;
    size_t permission_count;
    const struct record *const *domains;
    size_t domain_count;
    const struct record *const *send_connectors;
    size_t send_count;
    const struct record *server; /* TransportServer; NULL: defaults */
    const struct record *config; /* TransportConfig; NULL: defaults */
};

/*
 * Appends the block to out, which must be empty. The same objects in another order give the same decisions. On
 * failure out stays empty: ERR_INVALID names the object and the property that cannot be used, ERR_CONFLICT two
 * accepted domains of one name, ERR_LIMIT a policy larger than out allows.
 */
NODISCARD enum err_code policy_compile(const struct policy_input *in, uint64_t version, struct buf *out,
                                       struct err *err);
