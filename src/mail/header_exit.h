/*
 * header_exit.h: the header firewall on the way out: which fields of a stored message leave with it. The way in is
 * intake.h.
 */
#pragma once

#include "base/buf.h"

/* What does not leave. */
enum header_exit {
    HEADER_EXIT_ROUTING = 1 << 0, /* enum header_class */
    HEADER_EXIT_ORGANIZATION = 1 << 1,
    HEADER_EXIT_FOREST = 1 << 2,
    /* Of the organization's fields all but those that say who sent it: what a mailbox gets to see. */
    HEADER_EXIT_INTERNAL = 1 << 3,
    HEADER_EXIT_ALL = (1 << 4) - 1,
};

/*
 * Where the header section ends: the offset of its blank line (with which it begins where there is no header).
 * SIZE_MAX: not within these bytes. For messages that passed the intake or are our own, whose sections are
 * well-formed; scanned: where an earlier call with fewer bytes has ended its search (0 at first).
 */
size_t header_section_end(struct span bytes, size_t *scanned);
/* True when the section has a field that does not leave. */
bool header_exit_applies(struct span section, unsigned remove);
/* Appends the section without the fields that do not leave; what stays is unchanged. */
void header_exit(struct buf *out, struct span section, unsigned remove);
