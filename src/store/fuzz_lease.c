/* fuzz_lease.c: the lease table against a list: the same leases after any sequence of changes. */
#include "store/lease.h"

#include <stdlib.h>

enum { KEYS = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
    if (!ok)
        abort();
}

static struct queue_key key_of(unsigned n)
{
    return (struct queue_key){1 + n / 4 * 64, n % 4}; /* ids far apart and indexes close: they share homes */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lease_table t;
    int64_t until[KEYS] = {0}, now = 0, due, earliest;
    size_t count = 0;
    lease_init(&t);
    for (; size >= 3; data += 3, size -= 3) {
        unsigned n = data[1];
        switch (data[0] % 4) {
        case 0:
            expect(lease_reserve(&t, 1));
            count += !until[n];
            lease_set(&t, key_of(n), n, until[n] = now + 1 + data[2]);
            break;
        case 1:
            expect(lease_drop(&t, key_of(n), &due) == (until[n] != 0));
            count -= until[n] != 0;
            until[n] = 0;
            break;
        case 2:
            expect(lease_extend(&t, key_of(n), now + 5) == (until[n] != 0));
            until[n] = until[n] ? now + 5 : 0;
            break;
        case 3:
            now += data[2];
            earliest = INT64_MAX;
            for (unsigned k = KEYS; k-- > 0;)
                if (until[k] && until[k] <= now) {
                    until[k] = 0;
                    earliest = k;
                    count--;
                }
            expect(lease_expire(&t, now) == earliest);
            break;
        }
        expect(t.count == count);
        for (unsigned k = 0; k < KEYS; k++) {
            const struct lease *l = lease_find(&t, key_of(k));
            expect(until[k] ? l && l->until_ms == until[k] && l->due_ms == k && t.next_expiry_ms <= until[k] : !l);
        }
    }
    lease_done(&t);
    return 0;
}
