/* directory_objects.h: the recipients of the embedded directory behind the object store port, in this process. */
#pragma once

#include "directory/directory.h"
#include "store/objects.h"

/*
 * Borrows the directory; close rolls an open transaction back and frees the adapter only. Its classes are Mailbox,
 * MailContact and DistributionGroup. NULL when memory is out.
 */
struct object_store *directory_objects_new(struct directory *d);
