/*
 * session_local.c: sessions at submit.sock. The kernel says whose they are; the directory process, which may read
 * the list of the machine's users, knows the name. Without an answer the session goes on under its number: what may
 * be decided by a name is then refused, and nothing else is.
 */
#include "role/receive/session_internal.h"

#include "base/cursor.h"
#include "directory/directory.h"
#include "policy/domain.h"
#include "runtime/log.h"

#include <unistd.h>

enum { NAME_WAIT_MS = 5000 };

static void on_name(void *context, struct frame *f)
{
    struct session *s = context;
    struct cursor c = cursor_of(f ? f->body : SPAN(""));
    uint8_t outcome = cursor_u8(&c);
    struct span name = cursor_bytes(&c, DIRECTORY_NAME_MAX);
    s->local_name = cursor_done(&c) && outcome == ERR_NONE && name.len
                        ? arena_dup(&s->arena, name)
                        : arena_printf(&s->arena, "uid-%lu", (unsigned long)s->uid);
    if (!s->closed && s->local_name.len)
        session_open(s);
    else if (!s->closed)
        session_end(s);
    session_unref(s);
}

bool session_local_begin(struct session *s)
{
    struct buf b;
    if (!s->is_local || s->local_name.len)
        return false;
    buf_init(&b, 16);
    put_u32(&b, s->uid);
    enum err_code code = link_ask(role_link(s->role, ROLE_DIRECTORY, 0), DIRECTORY_LOCAL_USER, buf_span(&b),
                                  SPAN(""), NULL, 0, NAME_WAIT_MS, on_name, s);
    buf_done(&b);
    if (!code) {
        session_ref(s);
        return true;
    }
    s->local_name = arena_printf(&s->arena, "uid-%lu", (unsigned long)s->uid);
    return false;
}

struct ip_addr session_local_source(const struct session *s)
{
    return ip_v4(127, (uint8_t)(s->uid >> 16), (uint8_t)(s->uid >> 8), (uint8_t)s->uid);
}

void session_local_log_on(struct session *s)
{
    const struct accepted_domain *own = policy_default_domain(s->policy);
    struct span *addresses = ARENA_ARRAY(&s->arena, 2, struct span);
    struct gate_user user = {.guid = arena_printf(&s->arena, "local:%.*s", SPAN_ARG(s->local_name)),
                             .addresses = addresses};
    if (!addresses || !user.guid.ptr)
        return; /* it stays anonymous, whom this connector gives nothing */
    addresses[user.address_count++] = arena_printf(&s->arena, "%.*s@%s", SPAN_ARG(s->local_name), s->role->host);
    if (own)
        addresses[user.address_count++] = arena_printf(&s->arena, "%.*s@%.*s", SPAN_ARG(s->local_name),
                                                       SPAN_ARG(policy_text(s->policy, own->domain)));
    gate_local_user(&s->gate, &user, s->uid == 0 || s->uid == geteuid());
    s->user = arena_printf(&s->arena, "LOCAL\\%.*s", SPAN_ARG(s->local_name));
    struct log_line l = log_begin(LOG_INFO, "local-user");
    log_id(&l, "session", s->id);
    log_span(&l, "user", s->user);
    log_int(&l, "uid", s->uid);
    log_end(&l);
}
