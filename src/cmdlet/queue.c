/* queue.c: Get-Queue and Get-Message, over the queue view of the context. */
#include "cmdlet/queue_query.h"

enum { QUEUES, MESSAGES, RESULT_SIZE = 1000 };

static enum err_code emit(struct shell_call *call, const struct record *r, struct err *err)
{
    struct record *view = record_new(call->arena, r->type);
    bool recipients = cmdlet_switch(call, "IncludeRecipientInfo");
    for (size_t i = 0; view && i < r->count; i++)
        if ((recipients || !span_ieq(r->fields[i].name, SPAN("Recipients"))) &&
            !record_set(view, r->fields[i].name, r->fields[i].value))
            view = NULL;
    if (!view)
        return cmdlet_no_memory(err);
    call->emit(call, value_record(view));
    return ERR_NONE;
}

static enum err_code show(struct shell_call *call, enum queue_query_kind kind, struct err *err)
{
    struct queue_query q;
    enum err_code code = queue_query_read(call, kind, RESULT_SIZE, &q, err);
    return code ? code : queue_query_run(call, &q, emit, err);
}

static enum err_code run_get_queue(struct shell_call *call, struct err *err)
{
    return show(call, QUEUE_QUERY_QUEUES, err);
}

static enum err_code run_get_message(struct shell_call *call, struct err *err)
{
    return show(call, QUEUE_QUERY_MESSAGES, err);
}

#define RESULT_SIZE_PARAMETER                                                                                      \
    {                                                                                                              \
        "ResultSize", NULL, 0, "<Int> | Unlimited", "How many at most. Default: 1000."                             \
    }

static const struct shell_parameter queue_parameters[] = {
    {"Identity", NULL, PARAMETER_POSITION_0 | PARAMETER_PIPELINE, "<Queue>",
     "A queue's name; wildcards are allowed."},
    QUEUE_QUERY_FILTER,
    RESULT_SIZE_PARAMETER,
    QUEUE_QUERY_SERVER,
};
static const struct shell_parameter message_parameters[] = {
    {"Identity", NULL, PARAMETER_POSITION_0 | PARAMETER_PIPELINE, "<Message>",
     "A message's number; wildcards are allowed."},
    {"Queue", NULL, 0, "<Queue>", "Only messages of this queue."},
    QUEUE_QUERY_FILTER,
    RESULT_SIZE_PARAMETER,
    QUEUE_QUERY_SERVER,
    {"IncludeRecipientInfo", NULL, PARAMETER_SWITCH, NULL, "Shows each recipient with what became of it."},
};

const struct shell_command queue_commands[QUEUE_COMMANDS] = {
    [QUEUES] = {.name = "Get-Queue",
                .parameters = queue_parameters,
                .parameter_count = ARRAY_LEN(queue_parameters),
                .synopsis = "Shows the queues.",
                .description =
                    "A queue for each next hop, with its state, how many messages wait, and the last error.",
                .examples = "    Get-Queue -Filter \"Status -eq 'Retry' -and MessageCount -gt 10\"\n",
                .run = run_get_queue},
    [MESSAGES] = {.name = "Get-Message",
                  .parameters = message_parameters,
                  .parameter_count = ARRAY_LEN(message_parameters),
                  .synopsis = "Shows the messages that wait.",
                  .description = "Of all queues, or of one.",
                  .examples =
                      "    Get-Message -Filter \"FromAddress -like '*@example.com'\" -IncludeRecipientInfo | fl\n"
                      "    Get-Queue partner.example | Get-Message\n",
                  .run = run_get_message},
};
