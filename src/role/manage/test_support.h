/* test_support.h: a directory process in a thread: a store behind OBJECTS_*, and the end of the link to ask it on.
 */
#pragma once

#include "directory/directory.h"
#include "runtime/link.h"
#include "store/objects.h"

#include <pthread.h>

struct objects_bench {
    struct object_store *store;  /* used by the thread alone until the bench is stopped */
    struct directory *directory; /* answers DIRECTORY_RESOLVE; NULL: nobody asks that */
    int fd;                      /* the asking end; closed by objects_bench_stop */
    uint16_t die_at;             /* at a question of this type the thread closes its link and answers nothing */
    uv_loop_t loop;
    uv_async_t stop;
    struct link *link;
    pthread_t thread;
};

/* The store stays the caller's. */
void objects_bench_start(struct objects_bench *b, struct object_store *store);
/* The process dies: its end of the link is closed. The asking end stays open. */
void objects_bench_die(struct objects_bench *b);
void objects_bench_stop(struct objects_bench *b);
