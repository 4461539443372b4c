/* internal.h: what the object store's files share. */
#pragma once

#include "schema/schema.h"
#include "store/objects.h"

/* Properties that are in a record but not of the object's content. */
enum { OBJECT_NOT_STORED = SCHEMA_COMPUTED | SCHEMA_WRITE_ONLY };

enum err_code object_not_found(struct span class_name, struct span guid, struct err *err);
