/*
 * metering.c: the memory in which all processes count for monitoring (role/common/metrics.h), and the socket on
 * which manage shows the sums. The supervisor makes both and hands them over; it reads nothing from either.
 */
#include "role/supervisor/internal.h"

#include "base/cursor.h"
#include "role/common/metrics.h"
#include "runtime/log.h"
#include "runtime/memory_file.h"

#include <errno.h>

enum err_code metering_make(struct supervisor *s, struct err *err)
{
    s->console_fd = -1;
    struct ip_endpoint at;
    const char *console = s->options ? s->options->console : NULL;
    enum err_code code = memory_file_make_shared("mailreeve-metrics", metrics_size(ROLE_KINDS - 1 + s->receivers),
                                                 &s->metrics_fd, err);
    s->metered = !code;
    if (code || !console)
        return code;
    if (!ip_parse_endpoint(span_of(console), &at))
        return err_set(err, ERR_INVALID, "--console %s: an address with its port is expected", console);
    s->console_fd = listeners_bind(at);
    if (s->console_fd < 0)
        return err_errno(err, errno, "--console: cannot listen on %s", console);
    struct log_line l = log_begin(ip_is_loopback(at.addr) ? LOG_NOTICE : LOG_WARNING, "console");
    log_str(&l, "endpoint", console);
    log_str(&l, "text",
            ip_is_loopback(at.addr) ? "metrics for programs on this machine"
                                    : "metrics for everybody who reaches it: there is no password");
    log_end(&l);
    return ERR_NONE;
}

void metering_hand_over(struct supervisor *s, struct child *c)
{
    struct buf b;
    if (!c->control || !s->metered)
        return;
    buf_init(&b, 64);
    put_u32(&b, ROLE_KINDS - 1 + s->receivers);
    put_u32(&b, (uint32_t)(c - s->children));
    ASSERT(!b.failed);
    if (link_send(c->control, CONTROL_METRICS, 0, buf_span(&b), &s->metrics_fd, 1))
        log_text(LOG_ERROR, "control-failed", "%s did not get the memory of the metrics", role_name(c->kind));
    buf_done(&b);
    if (c->kind == ROLE_MANAGE && s->console_fd >= 0 &&
        link_send(c->control, CONTROL_CONSOLE, 0, SPAN(""), &s->console_fd, 1))
        log_text(LOG_ERROR, "control-failed", "manage did not get the socket of the console");
}
