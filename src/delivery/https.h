/*
 * https.h: fetches one small file by HTTPS, for MTA-STS policies. The only adapter is libcurl's (https_curl.c), on
 * the loop and without threads. No redirect is followed, no proxy, cookie or file of the user's is used; the
 * server's certificate must be valid by the given authorities and name the host.
 */
#pragma once

#include "base/err.h"
#include "base/ip.h"
#include "base/span.h"

#include <uv.h>

struct https;
struct https_get;

struct https_result {
    enum err_code code; /* ERR_NONE: status 200 with this body */
    struct span body;
    struct span media_type; /* "text/plain; charset=utf-8" as it came; may be empty */
    const char *text;       /* what went wrong */
};
typedef void https_done_fn(void *context, const struct https_result *result);

/* trust gives the authorities in PEM, whenever a fetch begins. NULL when memory is out. */
struct https *https_new(uv_loop_t *loop, struct span (*trust)(void *context), void *trust_context);
/* No fetch may be under way. Run the loop once more after it. */
void https_close(struct https *h);

struct https_request {
    struct span host; /* a valid host name */
    const struct ip_addr *addresses;
    size_t address_count; /* at least 1: nobody is asked for others */
    const char *path;     /* "/.well-known/mta-sts.txt" */
    size_t max;           /* octets of the body */
    int64_t timeout_ms;   /* for all of it */
};
/* done() comes from the loop, exactly once unless cancelled. NULL: it cannot begin. */
struct https_get *https_get_start(struct https *h, const struct https_request *request, https_done_fn *done,
                                  void *context);
void https_get_cancel(struct https_get *g);
