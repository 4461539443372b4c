/*
 * orcpt.h: the values of ORCPT= (RFC 3461 4.2) and, in its encoding, of ENVID= (4.4). Whether one that a client
 * gives is well formed, smtp/params.h says.
 */
#pragma once

#include "base/buf.h"

/* Appends "rfc822;" and the address as xtext; one beyond ASCII as "utf-8;" and the utf-8-addr-xtext of RFC 6533 3.
 */
void orcpt_print(struct buf *out, struct span address);
/*
 * "type;value" taken apart: *ret_type is a view, the value is appended to *address with its xtext decoded; what is
 * not xtext in it is kept as it is. False: there is no type.
 */
NODISCARD bool orcpt_parse(struct span orcpt, struct span *ret_type, struct buf *address);
/* The same of a value without a type. */
void orcpt_decode(struct buf *out, struct span xtext);
/* Appends an address in the ASCII form of RFC 6533 3: what is beyond ASCII, "+", "=" and "\" as "\x{...}". */
void orcpt_put_ascii(struct buf *out, struct span address);
