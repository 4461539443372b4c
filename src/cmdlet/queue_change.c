/*
 * queue_change.c: Suspend-, Resume- and Retry-Queue, Suspend-, Resume-, Remove- and Export-Message.
 *
 * Invariants: what is meant is gathered from the whole pipeline first and changed at its end, so an error in
 * between has changed nothing and many messages are few questions. A change of the queue belongs to no transaction:
 * what the queue has done stays done when a later part of the statement fails.
 */
#include "cmdlet/queue_query.h"

#include "base/num.h"

#include <string.h>

enum { SUSPEND_QUEUE, RESUME_QUEUE, RETRY_QUEUE, SUSPEND_MESSAGE, RESUME_MESSAGE, REMOVE_MESSAGE, EXPORT_MESSAGE };

/* What was gathered; one of the two. */
struct gathered {
    uint64_t *ids;
    struct span *names;
    size_t count, cap;
};

/* ---- gathering ---- */

static struct gathered *gathered_of(struct shell_call *call)
{
    if (!*call->state) {
        struct gathered *g = ARENA_NEW(call->arena, struct gathered);
        if (g)
            *g = (struct gathered){0};
        *call->state = g;
    }
    return *call->state;
}

static bool make_room(struct gathered *g, struct arena *arena, bool names)
{
    if (g->count < g->cap)
        return true;
    size_t cap = g->cap ? 2 * g->cap : 64;
    if (names) {
        struct span *grown = ARENA_ARRAY(arena, cap, struct span);
        if (grown && g->count)
            memcpy(grown, g->names, g->count * sizeof *grown);
        g->names = grown;
    } else {
        uint64_t *grown = ARENA_ARRAY(arena, cap, uint64_t);
        if (grown && g->count)
            memcpy(grown, g->ids, g->count * sizeof *grown);
        g->ids = grown;
    }
    g->cap = cap;
    return names ? g->names != NULL : g->ids != NULL;
}

/* "mail\smtp:relay\17": the number behind the last backslash. */
static bool id_of(struct span identity, uint64_t *ret)
{
    size_t slash = span_rfind(identity, '\\');
    return slash != SIZE_MAX && num_parse_u64(span_from(identity, slash + 1), UINT64_MAX, ret);
}

static enum err_code gather_one(struct shell_call *call, bool queue, struct span identity, struct err *err)
{
    struct gathered *g = gathered_of(call);
    if (call->what_if) {
        cmdlet_say_what_if(call, identity);
        return ERR_NONE;
    }
    if (!g || !make_room(g, call->arena, queue))
        return cmdlet_no_memory(err);
    if (queue)
        g->names[g->count++] = queue_query_name(identity);
    else if (!id_of(identity, &g->ids[g->count++]))
        return err_set(err, ERR_INTERNAL, "%s: the queue gave a message without a number", call->command->name);
    return ERR_NONE;
}

static enum err_code gather(struct shell_call *call, const struct record *r, struct err *err)
{
    return gather_one(call, span_ieq(r->type, SPAN("Queue")), record_string(r, SPAN("Identity")), err);
}

static enum err_code run(struct shell_call *call, enum queue_query_kind kind, struct err *err)
{
    struct queue_query q;
    enum err_code code = queue_query_read(call, kind, SIZE_MAX, &q, err);
    if (code)
        return code;
    if (!q.identity && !q.filtered)
        return err_set(err, ERR_INVALID, "%s: -Identity or -Filter is expected, or objects from Get-%s |",
                       call->command->name, kind == QUEUE_QUERY_QUEUES ? "Queue" : "Message");
    return queue_query_run(call, &q, gather, err);
}

static enum err_code run_queues(struct shell_call *call, struct err *err)
{
    return run(call, QUEUE_QUERY_QUEUES, err);
}

static enum err_code run_messages(struct shell_call *call, struct err *err)
{
    return run(call, QUEUE_QUERY_MESSAGES, err);
}

/* A queue can be stopped before anything waits in it. Its name then has to have the form of one. */
static enum err_code run_suspend_queue(struct shell_call *call, struct err *err)
{
    const struct value *given = cmdlet_argument(call, "Identity");
    enum err_code code = run_queues(call, err);
    if (code != ERR_NOT_FOUND || given->kind != VALUE_STRING || span_find(given->s, ':') == SIZE_MAX)
        return code;
    *err = (struct err){0};
    cmdlet_warn(call, "Nothing waits in a queue %.*s; what comes for it from now on will.", SPAN_ARG(given->s));
    return gather_one(call, true, given->s, err);
}

/* ---- changing ---- */

static enum err_code name_cmdlet(const struct shell_call *call, struct err *err)
{
    struct err inner = *err;
    return err_set(err, inner.code, "%s: %s", call->command->name, inner.text);
}

static enum err_code end_queues(struct shell_call *call, enum queue_action what, struct err *err)
{
    const struct gathered *g = *call->state;
    struct queue_view *v = cmdlet_context(call)->queues;
    for (size_t i = 0; g && i < g->count; i++)
        if (v->change_queue(v, what, g->names[i], err))
            return name_cmdlet(call, err);
    return ERR_NONE;
}

static enum err_code end_messages(struct shell_call *call, enum queue_action what, struct err *err)
{
    const struct gathered *g = *call->state;
    struct queue_view *v = cmdlet_context(call)->queues;
    for (size_t i = 0; g && i < g->count; i += QUEUE_ACTION_IDS_MAX) {
        size_t n = g->count - i < QUEUE_ACTION_IDS_MAX ? g->count - i : QUEUE_ACTION_IDS_MAX;
        if (v->change_messages(v, what, g->ids + i, n, err))
            return name_cmdlet(call, err);
    }
    return ERR_NONE;
}

static enum err_code end_suspend_queue(struct shell_call *call, struct err *err)
{
    return end_queues(call, QUEUE_ACTION_SUSPEND_QUEUE, err);
}

static enum err_code end_resume_queue(struct shell_call *call, struct err *err)
{
    return end_queues(call, QUEUE_ACTION_RESUME_QUEUE, err);
}

static enum err_code end_retry_queue(struct shell_call *call, struct err *err)
{
    return end_queues(call, QUEUE_ACTION_RETRY_QUEUE, err);
}

static enum err_code end_suspend_message(struct shell_call *call, struct err *err)
{
    return end_messages(call, QUEUE_ACTION_SUSPEND_MESSAGES, err);
}

static enum err_code end_resume_message(struct shell_call *call, struct err *err)
{
    return end_messages(call, QUEUE_ACTION_RESUME_MESSAGES, err);
}

static enum err_code end_remove_message(struct shell_call *call, struct err *err)
{
    const struct value *report = cmdlet_argument(call, "WithNDR");
    return end_messages(call, !report || report->b ? QUEUE_ACTION_REMOVE_REPORTED : QUEUE_ACTION_REMOVE_MESSAGES,
                        err);
}

/* -WithNDR and -Resubmit: $true or $false. */
static enum err_code check_bool(struct shell_call *call, const char *name, struct err *err)
{
    const struct value *given = cmdlet_argument(call, name);
    if (given && given->kind != VALUE_BOOL)
        return err_set(err, ERR_INVALID, "%s -%s: $true or $false is expected", call->command->name, name);
    return ERR_NONE;
}

static enum err_code run_remove_message(struct shell_call *call, struct err *err)
{
    enum err_code code = check_bool(call, "WithNDR", err);
    return code ? code : run_messages(call, err);
}

static enum err_code run_retry_queue(struct shell_call *call, struct err *err)
{
    enum err_code code = check_bool(call, "Resubmit", err);
    return code ? code : run_queues(call, err);
}

/* ---- exporting ---- */

static enum err_code export_one(struct shell_call *call, uint64_t id, struct err *err)
{
    struct queue_view *v = cmdlet_context(call)->queues;
    const struct value *path = cmdlet_argument(call, "Path");
    struct span file;
    if (v->export_message(v, id, call->arena, &file, err))
        return name_cmdlet(call, err);
    if (!path) {
        call->emit(call, value_string(file));
        return ERR_NONE;
    }
    if (!call->host->save)
        return err_set(err, ERR_UNAVAILABLE,
                       "%s -Path: files cannot be written from here; leave -Path out, and the message is shown",
                       call->command->name);
    return call->host->save(call->host, path->s, file, err) ? name_cmdlet(call, err) : ERR_NONE;
}

static enum err_code end_export_message(struct shell_call *call, struct err *err)
{
    const struct gathered *g = *call->state;
    const struct value *path = cmdlet_argument(call, "Path");
    if (g && path && g->count > 1)
        return err_set(err, ERR_INVALID,
                       "%s -Path: a file is for one message, and here are %zu; export them one by "
                       "one",
                       call->command->name, g->count);
    for (size_t i = 0; g && i < g->count; i++)
        if (export_one(call, g->ids[i], err))
            return err->code;
    return ERR_NONE;
}

static enum err_code run_export_message(struct shell_call *call, struct err *err)
{
    const struct value *path = cmdlet_argument(call, "Path");
    if (path && (path->kind != VALUE_STRING || !path->s.len))
        return err_set(err, ERR_INVALID, "%s -Path: the name of a new file is expected", call->command->name);
    return run_messages(call, err);
}

/* ---- the cmdlets ---- */

#define QUEUE_IDENTITY                                                                                             \
    {                                                                                                              \
        "Identity", NULL, PARAMETER_POSITION_0 | PARAMETER_PIPELINE, "<Queue>",                                    \
            "A queue's name as Get-Queue shows it; wildcards are allowed."                                         \
    }
#define MESSAGE_IDENTITY                                                                                           \
    {                                                                                                              \
        "Identity", NULL, PARAMETER_POSITION_0 | PARAMETER_PIPELINE, "<Message>",                                  \
            "A message's Identity as Get-Message shows it, or its number; wildcards are allowed."                  \
    }

static const struct shell_parameter queue_parameters[] = {QUEUE_IDENTITY, QUEUE_QUERY_FILTER, QUEUE_QUERY_SERVER};
static const struct shell_parameter message_parameters[] = {MESSAGE_IDENTITY, QUEUE_QUERY_FILTER,
                                                            QUEUE_QUERY_SERVER};
static const struct shell_parameter retry_parameters[] = {
    QUEUE_IDENTITY,
    QUEUE_QUERY_FILTER,
    QUEUE_QUERY_SERVER,
    {"Resubmit", NULL, 0, "$true | $false", "Accepted: what is tried again is always routed again first."},
};
static const struct shell_parameter remove_parameters[] = {
    MESSAGE_IDENTITY,
    QUEUE_QUERY_FILTER,
    QUEUE_QUERY_SERVER,
    {"WithNDR", NULL, 0, "$true | $false", "Whether the sender is told. Default: $true."},
};
static const struct shell_parameter export_parameters[] = {
    MESSAGE_IDENTITY,
    QUEUE_QUERY_FILTER,
    QUEUE_QUERY_SERVER,
    {"Path", NULL, 0, "<File>", "A new file for the message. Without it, the message is shown."},
};

#define PARAMETERS(list) .parameters = list, .parameter_count = ARRAY_LEN(list)

const struct shell_command queue_change_commands[QUEUE_CHANGE_COMMANDS] = {
    [SUSPEND_QUEUE] =
        {.name = "Suspend-Queue",
         PARAMETERS(queue_parameters),
         .synopsis = "Stops a queue: nothing of it is sent any more.",
         .description =
             "Also over restarts, until Resume-Queue. What is being sent at the moment goes on; what "
             "waits, and what comes, is kept, and expires at its time. A queue in which nothing waits is named as "
             "mx:DOMAIN, smtp:CONNECTOR or mailbox.",
         .examples = "    Suspend-Queue smtp:relay\n"
                     "    Get-Queue -Filter \"NextHopDomain -eq 'partner.example'\" | Suspend-Queue\n",
         .changes = true,
         .run = run_suspend_queue,
         .end = end_suspend_queue},
    [RESUME_QUEUE] = {.name = "Resume-Queue",
                      PARAMETERS(queue_parameters),
                      .synopsis = "Lets a suspended queue go on.",
                      .description = "What waits in it is tried at once.",
                      .examples = "    Get-Queue -Filter \"Status -eq 'Suspended'\" | Resume-Queue\n",
                      .changes = true,
                      .run = run_queues,
                      .end = end_resume_queue},
    [RETRY_QUEUE] = {.name = "Retry-Queue",
                     PARAMETERS(retry_parameters),
                     .synopsis = "Tries at once what waits in a queue for its next attempt.",
                     .description =
                         "Each message is routed again first. Where the next hop could not be used at all, "
                         "one attempt goes ahead of the others. Suspended messages stay suspended.",
                     .examples = "    Retry-Queue mx:partner.example\n"
                                 "    Retry-Queue -Filter \"Status -eq 'Retry'\"\n",
                     .changes = true,
                     .run = run_retry_queue,
                     .end = end_retry_queue},
    [SUSPEND_MESSAGE] = {.name = "Suspend-Message",
                         PARAMETERS(message_parameters),
                         .synopsis = "Holds messages back.",
                         .description = "Until Resume-Message, and without expiring. One that is being sent at the "
                                        "moment goes on; its Status is PendingSuspend until that ends.",
                         .examples = "    Suspend-Message 17\n"
                                     "    Get-Message -Queue mx:partner.example | Suspend-Message\n",
                         .changes = true,
                         .run = run_messages,
                         .end = end_suspend_message},
    [RESUME_MESSAGE] = {.name = "Resume-Message",
                        PARAMETERS(message_parameters),
                        .synopsis = "Lets suspended messages go on.",
                        .description = "They are tried at once.",
                        .examples = "    Get-Message -Filter \"Status -eq 'Suspended'\" | Resume-Message\n",
                        .changes = true,
                        .run = run_messages,
                        .end = end_resume_message},
    [REMOVE_MESSAGE] =
        {.name = "Remove-Message",
         PARAMETERS(remove_parameters),
         .synopsis = "Takes messages out of the queue for good.",
         .description =
             "Asks for confirmation unless -Confirm:$false is given. The sender gets a non-delivery report "
             "unless -WithNDR $false is given. One that is being sent at the moment goes on; what is not "
             "delivered by that is removed then (its Status is PendingRemove).",
         .examples = "    Remove-Message 17 -Confirm:$false\n"
                     "    Remove-Message -Filter \"FromAddress -eq 'spammer@example.com'\" -WithNDR $false "
                     "-Confirm:$false\n",
         .changes = true,
         .confirms = true,
         .run = run_remove_message,
         .end = end_remove_message},
    [EXPORT_MESSAGE] =
        {.name = "Export-Message",
         PARAMETERS(export_parameters),
         .synopsis = "Writes a suspended message with its envelope into a file.",
         .description =
             "The file has the form of the replay folder, where it can be put to be sent again. The message "
             "stays in the queue.",
         .examples = "    Suspend-Message 17\n"
                     "    Export-Message 17 -Path 17.eml\n",
         .run = run_export_message,
         .end = end_export_message},
};
