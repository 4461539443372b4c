/*
 * https_curl.c: https.h over libcurl's multi interface: curl says which sockets it waits for and for how long,
 * libuv waits.
 *
 * Invariants: every socket that curl waits for has a watch, assigned to it; a transfer's done() is called only
 * after curl has returned, so that a callback may start and cancel transfers.
 */
#include "delivery/https.h"

#include "base/buf.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

enum { URL_MAX = 512, RESOLVE_MAX = 1024, HTTP_OK = 200, HTTPS_PORT = 443 };

struct https {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    struct span (*trust)(void *context);
    void *trust_context;
};

struct watch {
    uv_poll_t poll;
    struct https *https;
    curl_socket_t socket;
};

struct https_get {
    struct https *https;
    CURL *easy;
    struct curl_slist *addresses;
    struct buf body;
    https_done_fn *done;
    void *context;
    char error[CURL_ERROR_SIZE];
};

/* ---- transfers ---- */

static void get_free(struct https_get *g)
{
    if (g->easy) {
        curl_multi_remove_handle(g->https->multi, g->easy);
        curl_easy_cleanup(g->easy);
    }
    curl_slist_free_all(g->addresses);
    buf_done(&g->body);
    free(g);
}

void https_get_cancel(struct https_get *g)
{
    get_free(g);
}

static void finish(struct https_get *g, CURLcode outcome)
{
    long status = 0;
    const char *type = NULL;
    char text[CURL_ERROR_SIZE + 32];
    struct https_result r = {.code = ERR_UNAVAILABLE, .text = text};
    curl_easy_getinfo(g->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(g->easy, CURLINFO_CONTENT_TYPE, &type);
    if (g->body.failed)
        snprintf(text, sizeof text, "the answer is too long");
    else if (outcome != CURLE_OK)
        snprintf(text, sizeof text, "%s", g->error[0] ? g->error : curl_easy_strerror(outcome));
    else if (status != HTTP_OK)
        snprintf(text, sizeof text, "the server answers with status %ld", status);
    else
        r = (struct https_result){ERR_NONE, buf_span(&g->body), span_of(type ? type : ""), ""};
    g->done(g->context, &r);
    get_free(g);
}

/* Those that ended, one after the other: a callback may change which there are. */
static void finish_all(struct https *h)
{
    int left;
    CURLMsg *m;
    while ((m = curl_multi_info_read(h->multi, &left))) {
        struct https_get *g = NULL;
        CURLcode outcome = m->data.result;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &g);
        curl_multi_remove_handle(h->multi, g->easy);
        finish(g, outcome);
    }
}

/* ---- the loop ---- */

static void act(struct https *h, curl_socket_t socket, int events)
{
    int running;
    curl_multi_socket_action(h->multi, socket, events, &running);
    finish_all(h);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    const struct watch *w = poll->data;
    int what = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE)
        what |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        what |= CURL_CSELECT_OUT;
    act(w->https, w->socket, what);
}

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static struct watch *watch_new(struct https *h, curl_socket_t socket)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w || uv_poll_init_socket(h->loop, &w->poll, socket) < 0) {
        free(w);
        return NULL;
    }
    w->poll.data = w;
    w->https = h;
    w->socket = socket;
    curl_multi_assign(h->multi, socket, w);
    return w;
}

/* curl's call: what to wait for. */
static int on_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *assigned)
{
    struct https *h = context;
    struct watch *w = assigned;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w) {
            curl_multi_assign(h->multi, socket, NULL);
            uv_close((uv_handle_t *)&w->poll, on_watch_closed);
        }
        return 0;
    }
    if (!w && !(w = watch_new(h, socket)))
        return -1;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&w->poll, events, on_poll) < 0 ? -1 : 0;
}

static void on_timer(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

/* curl's call: how long to wait at most. */
static int on_wait(CURLM *multi, long ms, void *context)
{
    struct https *h = context;
    (void)multi;
    if (ms < 0)
        uv_timer_stop(&h->timer);
    else
        uv_timer_start(&h->timer, on_timer, (uint64_t)ms, 0);
    return 0;
}

struct https *https_new(uv_loop_t *loop, struct span (*trust)(void *context), void *trust_context)
{
    struct https *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->multi = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_multi_init() : NULL;
    if (!h->multi) {
        free(h);
        return NULL;
    }
    h->loop = loop;
    h->trust = trust;
    h->trust_context = trust_context;
    uv_timer_init(loop, &h->timer);
    h->timer.data = h;
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_wait);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    return h;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void https_close(struct https *h)
{
    if (!h)
        return;
    curl_multi_cleanup(h->multi);
    uv_close((uv_handle_t *)&h->timer, on_closed);
}

/* ---- a request ---- */

static size_t on_body(char *bytes, size_t one, size_t n, void *context)
{
    struct https_get *g = context;
    buf_add(&g->body, span_make(bytes, one * n));
    return g->body.failed ? 0 : n;
}

/* "host:443:addr,[addr]": curl asks nobody else. */
static struct curl_slist *address_list(const struct https_request *r)
{
    char text[IP_TEXT_MAX];
    struct buf line;
    buf_init(&line, RESOLVE_MAX);
    buf_addf(&line, "%.*s:%d:", SPAN_ARG(r->host), HTTPS_PORT);
    for (size_t i = 0; i < r->address_count; i++)
        buf_addf(&line, ip_is_v4(r->addresses[i]) ? "%s%s" : "%s[%s]", i ? "," : "",
                 ip_print(r->addresses[i], text));
    buf_add_char(&line, '\0');
    struct curl_slist *list = line.failed ? NULL : curl_slist_append(NULL, line.ptr);
    buf_done(&line);
    return list;
}

static bool set_up(struct https_get *g, const struct https_request *r)
{
    char url[URL_MAX];
    CURL *e = g->easy;
    struct span trust = g->https->trust(g->https->trust_context);
    struct curl_blob authorities = {
        .data = (void *)(uintptr_t)trust.ptr, .len = trust.len, .flags = CURL_BLOB_COPY};
    int n = snprintf(url, sizeof url, "https://%.*s%s", SPAN_ARG(r->host), r->path);
    if (n < 0 || (size_t)n >= sizeof url || trust.len == 0)
        return false;
    return curl_easy_setopt(e, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_RESOLVE, g->addresses) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &authorities) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_CAPATH, NULL) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_USERAGENT, "Mailreeve") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_ERRORBUFFER, g->error) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEDATA, g) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PRIVATE, g) == CURLE_OK;
}

struct https_get *https_get_start(struct https *h, const struct https_request *request, https_done_fn *done,
                                  void *context)
{
    struct https_get *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->https = h;
    g->done = done;
    g->context = context;
    buf_init(&g->body, request->max);
    g->addresses = address_list(request);
    g->easy = curl_easy_init();
    if (!g->easy || !g->addresses || !set_up(g, request) || curl_multi_add_handle(h->multi, g->easy) != CURLM_OK) {
        get_free(g);
        return NULL;
    }
    return g;
}
