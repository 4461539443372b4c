/* trust.c: see trust.h. Invariant: a set that was replaced lives on in the connections that were made with it. */
#include "role/deliver/trust.h"

#include "runtime/large_body.h"
#include "runtime/log.h"
#include "tls/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { TRUST_BYTES_MAX = 8 << 20, ANCHORS_MAX = 256 * 1024, PIECE = 64 * 1024 };

static struct buf of_system, of_anybody; /* PEM */
static struct buf anchors;
static struct tls_trust *partners, *anybody;

static void log_unusable(const struct err *err)
{
    struct log_line l = log_begin(LOG_ERROR, "trust-unusable");
    log_err(&l, err);
    log_end(&l);
}

/* False, with errno, when it cannot be read whole. */
static bool read_file(const char *path, size_t max, struct buf *ret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    buf_init(ret, max);
    for (char *p = NULL; fd >= 0 && (p = buf_reserve(ret, PIECE)) && (n = read(fd, p, PIECE)) > 0;)
        buf_commit(ret, (size_t)n);
    int saved = ret->failed ? EFBIG : errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return n == 0 && !ret->failed;
}

void trust_prepare(void)
{
    const char *path = tls_system_trust_path();
    if (path && read_file(path, TRUST_BYTES_MAX, &of_system))
        return;
    buf_clear(&of_system);
    log_text(LOG_WARNING, "no-system-trust",
             "the system has no bundle of trusted certificates that can be read where it is usually kept, such as "
             "/etc/ssl/certs/ca-certificates.crt; certs/trusted is all there is");
}

enum err_code trust_read_anchors(const char *path, struct err *err)
{
    if (!path[0] || read_file(path, ANCHORS_MAX, &anchors))
        return ERR_NONE;
    return err_errno(err, errno,
                     "cannot read the DNSSEC trust anchors in %s, which dnssec-anchors in node.conf names", path);
}

struct span trust_anchors(void)
{
    return buf_span(&anchors);
}

static void replace(struct tls_trust **at, struct span pem)
{
    struct err err = {0};
    struct tls_trust *fresh = NULL;
    if (pem.len && tls_trust_new(pem, &fresh, &err))
        log_unusable(&err);
    tls_trust_free(*at);
    *at = fresh;
}

void trust_take(const struct frame *f)
{
    struct large_body_view body = {0};
    struct err err = {0};
    if (large_body_open(f, TRUST_BYTES_MAX, &body, &err)) {
        log_unusable(&err);
        return;
    }
    buf_done(&of_anybody);
    buf_init(&of_anybody, 2 * TRUST_BYTES_MAX);
    buf_add(&of_anybody, buf_span(&of_system));
    if (!span_eq(body.bytes,
                 buf_span(&of_system))) /* the supervisor hands over the system's where there are no others */
        buf_add(&of_anybody, body.bytes);
    replace(&partners, body.bytes);
    replace(&anybody, buf_span(&of_anybody));
    large_body_close(&body);
}

struct span trust_pem(void *context)
{
    (void)context;
    return buf_span(&of_anybody);
}

struct tls_trust *trust_for(void *context, bool partner)
{
    (void)context;
    return partner ? partners : anybody;
}
