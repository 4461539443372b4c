/* queue_remote.h: the queues as Get-Queue and Get-Message see them, asked of the queue process. */
#pragma once

#include "cmdlet/context.h"
#include "runtime/frame.h"

struct queue_remote {
    struct queue_view view; /* first: this is what the context gets */
    const int *fd;          /* the LINK_CALL descriptor to queue: -1 while there is none */
    char buffer[FRAME_BUFFER];
};

/* The descriptor stays the caller's and may be replaced at any time. Each page blocks for at most 20 s. */
void queue_remote_init(struct queue_remote *q, const int *fd);
