/* queue_memory.h: the queue in memory, for tests: the same behaviour, nothing kept. Any thread may call anything.
 */
#pragma once

#include "store/queue.h"

/* NULL when memory is out. */
struct queue *queue_memory_new(void);
