/* internal.h: what the object store's files share. */
#pragma once

#include "schema/schema.h"
#include "store/objects.h"

/* Properties that are in a record but not of the object's content. */
enum { OBJECT_NOT_STORED = SCHEMA_COMPUTED | SCHEMA_WRITE_ONLY };

/* True when the record's property is this text, or a list with it as an item. */
bool object_has_text(const struct record *r, struct span property, struct span text);
/* A copy in the arena without what OBJECT_NOT_STORED leaves out, its names as the schema spells them; NULL when
 * memory is out. */
struct record *object_stored_form(struct arena *arena, const struct record *r);
enum err_code object_not_found(struct span class_name, struct span guid, struct err *err);
