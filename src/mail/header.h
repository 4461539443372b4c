/* header.h: the fields of a header section (RFC 5322), the addresses in them, and the classes of the header
 * firewall. */
#pragma once

#include "base/arena.h"

enum { HEADER_NAME_MAX = 256, HEADER_COMMENT_DEPTH = 32 };

struct header_field {
    struct span whole; /* with its folding and its last line end */
    struct span name;  /* without blanks before the colon; empty: not a field */
    struct span value; /* raw, from behind the colon, without the last line end */
};

/*
 * The name that begins a line, "name:", printable ASCII of at most HEADER_NAME_MAX characters, blanks before the
 * colon counted (RFC 5322 4.5 has them). Empty when the line does not begin a field. Decided by the first
 * HEADER_NAME_MAX + 1 bytes of the line, so a prefix of that length gives the same answer as the whole line.
 */
struct span header_name(struct span line);
/*
 * Cuts the next field off *rest, with the lines that continue it. False at the end. A line that begins no field
 * comes, with what continues it, as a field without a name.
 */
NODISCARD bool header_next(struct span *rest, struct header_field *ret);
/* The first field of that name; ASCII case is ignored. */
NODISCARD bool header_find(struct span section, struct span name, struct header_field *ret);
/*
 * The value unfolded (RFC 5322 2.2.3) and trimmed, in the arena, cut to max bytes between characters. ptr is NULL
 * when memory is out, never otherwise.
 */
struct span header_unfold(struct arena *arena, struct span value, size_t max);

/*
 * The mailboxes of an address-list value (RFC 5322 3.4), each in the canonical form of address.h, in the arena, at
 * most max of them. Comments (nested up to HEADER_COMMENT_DEPTH), display names, groups, source routes and blanks
 * inside an address are understood; a mailbox without domain is given as its local part alone. True when that is
 * all there is. False when part of the value is not of the grammar, or there are more than max, or memory is out:
 * who decides by the list must then not take it for complete. *ret_count is set in any case.
 * ret_bare: for each of them the place in the value behind its local part where that stands alone, 0 where there is
 * a domain; NULL: nobody wants to know.
 */
NODISCARD bool header_addresses(struct arena *arena, struct span value, struct span *ret, size_t *ret_bare,
                                size_t max, size_t *ret_count);

enum header_class {
    HEADER_ORDINARY,
    HEADER_ROUTING,      /* Received and the seven Resent- fields */
    HEADER_ORGANIZATION, /* X-MS-Exchange-Organization-* */
    HEADER_FOREST,       /* X-MS-Exchange-Forest-* */
};
/* The class of a field name, which decides what right it takes to keep the field. */
enum header_class header_class(struct span name);
