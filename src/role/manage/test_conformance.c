/*
 * test_conformance.c: the remote adapter under the suite of the object store port: linked with
 * store/objects/test_objects.c so that the suite's store in memory is one in another thread, behind the wire.
 */
#include "check.h"
#include "role/manage/remote_objects.h"
#include "role/manage/test_support.h"

struct object_store *__real_object_store_memory_new(void);
struct object_store *__wrap_object_store_memory_new(void);

static struct objects_bench bench; /* the suite has one store at a time */
static struct object_store *served;
static const struct object_store_ops *remote_ops;

static void close_both(struct object_store *s)
{
    remote_ops->close(s);
    objects_bench_stop(&bench);
    object_store_close(served);
}

struct object_store *__wrap_object_store_memory_new(void)
{
    static struct object_store_ops ops;
    served = __real_object_store_memory_new();
    assert_non_null(served);
    objects_bench_start(&bench, served);
    struct object_store *s = remote_objects_new(&bench.fd);
    assert_non_null(s);
    remote_ops = s->ops;
    ops = *s->ops;
    ops.close = close_both;
    s->ops = &ops;
    return s;
}
