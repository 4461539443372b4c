/*
 * counting.c: the memory in which the receive processes count connections and messages together
 * (runtime/counters.h). The supervisor makes it, hands it to each of them, and clears the column of one that died;
 * it reads nothing from it.
 */
#include "role/supervisor/internal.h"

#include "base/cursor.h"
#include "runtime/counters.h"
#include "runtime/log.h"
#include "runtime/memory_file.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

enum err_code counting_make(struct supervisor *s, struct err *err)
{
    void *memory = NULL;
    size_t size = counters_size(s->receivers);
    if (getrandom(&s->counting_key, sizeof s->counting_key, 0) != (ssize_t)sizeof s->counting_key)
        return err_errno(err, errno, "no random bytes for the counters");
    enum err_code code = memory_file_make_shared("mailreeve-counters", size, &s->counting_fd, err);
    if (!code)
        code = memory_file_map_shared(s->counting_fd, size, &memory, err);
    if (code)
        return code;
    s->counters = counters_open(memory, s->receivers, 0, s->counting_key);
    return s->counters ? ERR_NONE : err_set(err, ERR_NO_MEMORY, "no memory for the counters");
}

void counting_hand_over(struct supervisor *s, struct child *receive)
{
    struct buf b;
    if (!s->counters || !receive->control)
        return;
    buf_init(&b, 64);
    put_u32(&b, s->receivers);
    put_u64(&b, s->counting_key.k0);
    put_u64(&b, s->counting_key.k1);
    ASSERT(!b.failed);
    if (link_send(receive->control, CONTROL_COUNTERS, 0, buf_span(&b), &s->counting_fd, 1))
        log_text(LOG_ERROR, "control-failed", "receive %u did not get the shared counters", receive->index);
    buf_wipe(&b);
}

void counting_forget(struct supervisor *s, const struct child *receive)
{
    if (s->counters)
        counters_clear(s->counters, receive->index);
}
