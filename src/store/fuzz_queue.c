/* fuzz_queue.c: the memory adapter against the model, for any sequence of operations. */
#include "store/queue_memory.h"
#include "store/test_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct queue *q = queue_memory_new();
    if (q)
        model_run(q, data, size);
    queue_close(q);
    return 0;
}
