/* test_support.c: see test_support.h. */
#include "role/manage/test_support.h"

#include "check.h"
#include "role/directory/internal.h"

#include <unistd.h>

static void on_frame(void *context, struct frame *f)
{
    struct objects_bench *b = context;
    if (f->type == b->die_at) {
        link_close(b->link);
        b->link = NULL;
        return;
    }
    if (f->type == DIRECTORY_RESOLVE)
        resolve_serve(b->directory, b->link, f);
    else
        objects_serve(b->store, b->link, f);
}

static void on_lost(void *context)
{
    ((struct objects_bench *)context)->link = NULL;
}

static void on_stop(uv_async_t *a)
{
    struct objects_bench *b = a->data;
    link_close(b->link);
    b->link = NULL;
    uv_close((uv_handle_t *)a, NULL);
}

static void *serve(void *context)
{
    struct objects_bench *b = context;
    uv_run(&b->loop, UV_RUN_DEFAULT);
    return NULL;
}

void objects_bench_start(struct objects_bench *b, struct object_store *store)
{
    int fds[2];
    struct err err;
    *b = (struct objects_bench){.store = store};
    assert_int_equal(frame_pair(fds, &err), ERR_NONE);
    b->fd = fds[0];
    assert_int_equal(uv_loop_init(&b->loop), 0);
    assert_int_equal(uv_async_init(&b->loop, &b->stop, on_stop), 0);
    b->stop.data = b;
    b->link = link_open(&b->loop, fds[1], on_frame, on_lost, b);
    assert_non_null(b->link);
    assert_int_equal(pthread_create(&b->thread, NULL, serve, b), 0);
}

void objects_bench_die(struct objects_bench *b)
{
    uv_async_send(&b->stop);
    assert_int_equal(pthread_join(b->thread, NULL), 0);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    b->store = NULL;
}

void objects_bench_stop(struct objects_bench *b)
{
    if (b->store)
        objects_bench_die(b);
    close(b->fd);
}
