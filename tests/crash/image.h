/*
 * image.h: what is left on the medium when the power goes: the folder of a record (disk.h), made anew elsewhere.
 */
#pragma once

#include "disk.h"

enum image_kind {
    IMAGE_FLUSHED,    /* only what was flushed: contents by a flush of their file, names by one of their folder */
    IMAGE_EVERYTHING, /* the process died, the system lived on: all that was done */
    IMAGE_CHANCE, /* what was flushed; of the rest each sector of 512 bytes, and of each folder's changes a first
                     part, as the seed has it */
    IMAGE_KINDS,
};
const char *image_kind_name(enum image_kind k);

/* Makes the folder, which must exist and be empty, out of the first `until` entries of the record. */
void image_make(struct disk_log log, size_t until, enum image_kind kind, uint64_t seed, const char *folder);
