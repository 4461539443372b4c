/*
 * pressure.c: the resources of this server (resources.h), joined to the supervisor: which paths and processes are
 * measured, when, and who is told. The supervisor does it since no other role may see the others' memory; the
 * length of the queue is told by queue, the limits by manage.
 */
#include "role/supervisor/internal.h"

#include "role/supervisor/measure.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <stdio.h>
#include <unistd.h>

static struct pressure_reading disk_below(const struct supervisor *s, const char *name)
{
    char path[sizeof s->state + 16];
    snprintf(path, sizeof path, "%s/%s", s->state, name);
    return measure_disk(path);
}

static struct pressure_reading memory_of(const struct supervisor *s)
{
    pid_t pids[ARRAY_LEN(s->children) + 1];
    size_t count = 0;
    pids[count++] = getpid();
    for (size_t i = 0; i < s->child_count; i++)
        if (s->children[i].running)
            pids[count++] = s->children[i].process.pid;
    return measure_memory(pids, count);
}

static struct pressure_reading read_resource(void *context, enum pressure_resource r)
{
    const struct supervisor *s = context;
    switch (r) {
    case PRESSURE_QUEUE_DISK: return measure_worse(measure_disk(s->state), disk_below(s, "spool"));
    case PRESSURE_LOG_DISK: return disk_below(s, "log");
    case PRESSURE_MEMORY: return memory_of(s);
    case PRESSURE_QUEUE_LENGTH:
    case PRESSURE_RESOURCES: break;
    }
    return (struct pressure_reading){0};
}

static void on_poll(uv_timer_t *t)
{
    struct supervisor *s = t->data;
    resources_poll(&s->resources, clock_wall_ms());
}

enum err_code pressure_start(struct supervisor *s, struct err *err)
{
    enum err_code code = resources_init(&s->resources, (struct resource_meter){s, read_resource}, err);
    if (code)
        return code;
    uv_timer_init(&s->loop, &s->measure);
    s->measure.data = s;
    uv_timer_start(&s->measure, on_poll, 0, PRESSURE_POLL_MS);
    return ERR_NONE;
}

void pressure_hand_over(struct supervisor *s, struct child *c)
{
    if (s->resources.page && c->control &&
        link_send(c->control, CONTROL_RESOURCES, 0, SPAN(""), &s->resources.fd, 1))
        log_text(LOG_ERROR, "control-failed", "%s %u did not get the state of the resources", role_name(c->kind),
                 c->index);
}

bool pressure_on_frame(struct supervisor *s, const struct child *c, const struct frame *f)
{
    bool length = f->type == CONTROL_QUEUE_LENGTH && c->kind == ROLE_QUEUE;
    bool limits = f->type == CONTROL_LIMITS && c->kind == ROLE_MANAGE;
    if (!length && !limits)
        return false;
    if (!(length ? resources_take_length(&s->resources, f->body) : resources_take_limits(&s->resources, f->body)))
        role_bad_frame(c->kind, f, "malformed");
    else
        resources_poll(&s->resources, clock_wall_ms());
    return true;
}
