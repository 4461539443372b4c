/* remote_objects.h: the recipients behind the object store port, as the directory process keeps them. */
#pragma once

#include "store/objects.h"

/*
 * fd points to the LINK_CALL descriptor to the directory, which stays the caller's: it may be -1, or another one
 * when the directory was started anew. Each call blocks for at most 20 s. ERR_UNAVAILABLE: the directory cannot be
 * asked now; a transaction that it has lost meanwhile cannot be committed any more. ERR_UNKNOWN from commit: it was
 * asked to, and its answer did not come. ERR_LIMIT: an object that is larger than a frame. NULL when memory is out.
 */
struct object_store *remote_objects_new(const int *fd);
