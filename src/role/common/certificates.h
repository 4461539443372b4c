/*
 * certificates.h: the bodies of CERTIFICATES_LIST and CERTIFICATES_APPLY (protocol.h), encoded and decoded.
 * Decoders take everything from the sender's bytes as from an enemy.
 */
#pragma once

#include "base/cursor.h"
#include "tls/certificate_store.h"

/* What either body may have: every chain and key at its largest. */
enum { CERTIFICATES_BODY_MAX = 64 << 20 };

void certificates_put_list(struct buf *out, const struct certificate *list, size_t count);
/* Up to CERTIFICATES_MAX; texts are copied into the arena. False: malformed, or no memory. */
NODISCARD bool certificates_get_list(struct cursor *c, struct arena *arena, struct certificate **ret,
                                     size_t *ret_count);
/* With keys: the caller wipes the buffer, which must have room for all of it at once. */
void certificates_put_changes(struct buf *out, const struct certificate_change *changes, size_t count);
/* Views of the body. ret has CERTIFICATE_CHANGES_MAX. False: malformed. */
NODISCARD bool certificates_get_changes(struct cursor *c, struct certificate_change *ret, size_t *ret_count);
/* How many bytes certificates_put_changes appends. */
size_t certificates_changes_size(const struct certificate_change *changes, size_t count);
