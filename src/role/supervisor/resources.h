/*
 * resources.h: watching what the server may run short of (policy/pressure.h): measured every PRESSURE_POLL_MS,
 * published to receive, queue and manage, and each change of a level told to the log, once each way.
 */
#pragma once

#include "role/common/pressure_page.h"

/* How the resources are measured: the machine (measure.h), or a test. */
struct resource_meter {
    void *context;
    /* Not asked for PRESSURE_QUEUE_LENGTH, which the queue tells. */
    struct pressure_reading (*read)(void *context, enum pressure_resource r);
};

struct resources {
    struct resource_meter meter;
    struct pressure_page *page; /* NULL: it could not be made, and nothing is watched */
    int fd;                     /* of the page; -1: none */
    struct pressure now;
    struct pressure_limits limits;
    struct pressure_reading length;
};

enum err_code resources_init(struct resources *r, struct resource_meter meter, struct err *err);
void resources_done(struct resources *r);
/* Measures all. */
void resources_poll(struct resources *r, int64_t now_ms);

/* CONTROL_QUEUE_LENGTH, CONTROL_LIMITS: false: malformed. New limits hold from the next poll on. */
NODISCARD bool resources_take_length(struct resources *r, struct span body);
NODISCARD bool resources_take_limits(struct resources *r, struct span body);
