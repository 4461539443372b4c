/*
 * session_grants.c: what a session must know beyond the policy to use a permission: whether the user may send as
 * somebody (the directory knows), and whether an entry's MessageRate lets one more message pass. And it tells which
 * entries it used.
 */
#include "role/receive/session_internal.h"

#include "role/receive/admission.h"
#include "role/receive/grants.h"
#include "runtime/clock.h"

enum { SEND_AS_WAIT_MS = 20000, SEND_AS_MAX = 8192, RATED_MAX = 32 };

static void on_used(void *context, const struct policy_ace *entry)
{
    struct session *s = context;
    if (span_ieq(policy_text(s->policy, entry->origin), SPAN("Explicit")))
        grants_used(policy_text(s->policy, entry->id));
}

void session_gate_begin(struct session *s)
{
    gate_begin(&s->gate, s->policy, s->connector, 0, s->marks);
    s->gate.used = on_used;
    s->gate.used_context = s;
    s->user = (struct span){0};
    if (s->is_local)
        session_local_log_on(s);
}

struct gate *session_gate(struct session *s)
{
    gate_now(&s->gate, s->smtp && smtp_server_tls(s->smtp), clock_wall_ms());
    return &s->gate;
}

static void on_send_as(void *context, struct frame *f)
{
    struct session *s = context;
    bool may = false;
    enum err_code code = message_get_send_as(f, &may);
    if (!s->closed && !s->ending) {
        gate_know(&s->gate, s->send_as.address,
                  code  ? GATE_SEND_AS_UNAVAILABLE
                  : may ? GATE_SEND_AS_YES
                        : GATE_SEND_AS_NO);
        s->send_as.again(s);
    }
    session_settle(s);
    session_unref(s);
}

void session_ask_send_as(struct session *s, struct span address, void (*again)(struct session *s))
{
    struct buf b;
    if (s->is_local) { /* the users of this machine are none of the directory's */
        gate_know(&s->gate, address, GATE_SEND_AS_NO);
        again(s);
        return;
    }
    s->send_as.address = address;
    s->send_as.again = again;
    buf_init(&b, SEND_AS_MAX);
    put_bytes(&b, s->gate.user.guid);
    put_bytes(&b, address);
    enum err_code code = b.failed ? ERR_LIMIT
                                  : link_ask(role_link(s->role, ROLE_DIRECTORY, 0), DIRECTORY_SEND_AS, buf_span(&b),
                                             SPAN(""), NULL, 0, SEND_AS_WAIT_MS, on_send_as, s);
    buf_done(&b);
    if (code) {
        gate_know(&s->gate, address, GATE_SEND_AS_UNAVAILABLE);
        again(s);
    } else {
        session_ref(s);
    }
}

/* Undoes what the entries before the exhausted one counted: the message is not sent by any of them. */
static void give_back(const uint64_t *keys, size_t count, int64_t now_ms)
{
    for (size_t i = 0; i < count; i++)
        rate_give_back(admission_table(), keys[i], now_ms);
}

bool session_rates_allow(struct session *s, struct smtp_answer *ret_refusal)
{
    struct counters *table = admission_table();
    uint64_t taken[RATED_MAX];
    size_t count = 0;
    int64_t now = clock_mono_ms();
    uint32_t at = 0;
    for (const struct policy_ace *e; (e = gate_next_rated(&s->gate, &at));) {
        struct span id = policy_text(s->policy, e->id);
        uint64_t key = table ? counters_key(table, COUNTER_GRANT_RATE, &id, 1) : 0;
        if (table && rate_take(table, key, e->rate, now)) { /* what cannot be counted is not let pass */
            if (count < RATED_MAX)
                taken[count++] = key;
            continue;
        }
        give_back(taken, count, now);
        *ret_refusal = session_limit(s,
                                     SMTP_REPLY(450, "4.4.2",
                                                "Message submission rate for this permission has exceeded the "
                                                "configured limit"),
                                     &(struct smtp_limit){SPAN("MessageRate"), value_int(e->rate),
                                                          policy_text(s->policy, s->connector->name)});
        return false;
    }
    return true;
}
