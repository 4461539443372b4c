/* Any bytes as a ring's file: opened for reading and for writing without harm, and usable afterwards. */
#include "store/ring/ring.h"

#include <stdio.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool count(void *context, struct span key, struct span record)
{
    ASSERT(key.len <= RING_KEY_MAX && record.len <= RING_RECORD_MAX);
    ++*(size_t *)context;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    size_t seen = 0;
    struct ring *r = NULL;
    snprintf(path, sizeof path, "/tmp/mailreeve-fuzz-ring-%d", (int)getpid());
    FILE *f = fopen(path, "wb");
    ASSERT(f && fwrite(data, 1, size, f) == size && fclose(f) == 0);
    if (ring_open_read(path, &r, NULL) == ERR_NONE) {
        ring_visit(r, count, &seen, NULL);
        ring_close(r);
    }
    if (ring_open(path, 3, &r, NULL) == ERR_NONE) {
        seen = 0;
        ASSERT(ring_add(r, SPAN("key"), SPAN("record"), NULL) == ERR_NONE);
        ring_visit(r, count, &seen, NULL);
        ASSERT(seen >= 1 && seen <= 3);
        ring_close(r);
    }
    unlink(path);
    return 0;
}
