/* test_property.c: random operations on each adapter against the model, the same in every run. */
#include "store/queue_memory.h"
#include "store/queue_sqlite.h"
#include "store/test_model.h"
#include "store/test_support.h"

#include "check.h"

enum { MEMORY_ROUNDS = 60, SQLITE_ROUNDS = 8, BYTES = 6000 };

static void fill(struct draw *d, uint8_t *bytes)
{
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (uint8_t)draw(d, 256);
}

static void test_memory(void **state)
{
    static uint8_t bytes[BYTES];
    struct draw d = {UINT64_C(0x1234567)};
    (void)state;
    for (int i = 0; i < MEMORY_ROUNDS; i++) {
        struct queue *q = queue_memory_new();
        assert_non_null(q);
        fill(&d, bytes);
        model_run(q, bytes, BYTES);
        queue_close(q);
    }
}

static void test_sqlite(void **state)
{
    static uint8_t bytes[BYTES];
    struct draw d = {UINT64_C(0x7654321)};
    (void)state;
    for (int i = 0; i < SQLITE_ROUNDS; i++) {
        struct folder folder;
        struct queue *q = NULL;
        struct err err = {0};
        folder_make(&folder);
        CHECK_INT(err.text, queue_sqlite_open(folder_file(&folder, "queue.db"), &q, &err), ERR_NONE);
        fill(&d, bytes);
        model_run(q, bytes, BYTES);
        queue_close(q);
        folder_remove(&folder);
    }
}

int main(void)
{
    static const struct CMUnitTest all[] = {cmocka_unit_test(test_memory), cmocka_unit_test(test_sqlite)};
    return cmocka_run_group_tests(all, NULL, NULL);
}
