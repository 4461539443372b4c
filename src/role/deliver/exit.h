/* exit.h: the header firewall at the exit: a job's message with the fields only that its destination may have. */
#pragma once

#include "delivery/delivery.h"

/*
 * Where the message has fields that do not leave (to.remove_headers), its header section is made anew in front,
 * which must outlive the job, and job->front and job->body_from are set. ERR_IO: the body cannot be read;
 * ERR_LIMIT: no header section ends within EXIT_HEADER_MAX bytes; ERR_NO_MEMORY. Reads a descriptor's beginning,
 * which is in the page cache as a rule, since the queue has just written it.
 */
enum { EXIT_HEADER_MAX = 64 << 20 };
enum err_code exit_apply(struct delivery_job *job, struct buf *front, struct err *err);
