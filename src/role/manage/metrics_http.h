/*
 * metrics_http.h: GET /metrics over HTTP, for Prometheus: the one thing that the console port serves. On manage's
 * loop; few connections, small requests and a time for each, so that nobody who can reach the port holds manage up.
 */
#pragma once

#include "base/err.h"

#include <uv.h>

struct metrics_http;

enum { METRICS_HTTP_CONNECTIONS = 32, METRICS_HTTP_REQUEST_MAX = 16 * 1024, METRICS_HTTP_SECONDS = 10 };

/* Serves on the listening socket, which is its own from here on, also on an error. */
enum err_code metrics_http_open(uv_loop_t *loop, int fd, struct metrics_http **ret, struct err *err);
/* NULL allowed. */
void metrics_http_close(struct metrics_http *h);
