/*
 * denial.c: Get-Denial: the refusals of late, by their code or by who was refused. Each reply that refuses by the
 * policy or a limit ends with its code, [mr-...].
 */
#include "cmdlet/internal.h"

enum { RESULT_SIZE = 100 };

/* The parameters that pick some, and the property that each is compared with. */
static const struct {
    const char *parameter, *property;
} picks[] = {
    {"Identity", "Code"},     {"Connector", "Connector"}, {"RemoteEndpoint", "RemoteEndpoint"},
    {"Sender", "Sender"},     {"Recipient", "Recipient"}, {"User", "User"},
    {"Question", "Question"},
};

struct query {
    struct shell_call *call;
    struct span pick[ARRAY_LEN(picks)]; /* ptr NULL: not given */
    size_t limit, shown;
    bool more, no_memory;
};

/* "[mr-...]", as it stands in a reply, means the code. */
static struct span without_brackets(struct span s)
{
    if (span_starts(s, SPAN("[")) && span_ends(s, SPAN("]")))
        return span_head(span_from(s, 1), s.len - 2);
    return s;
}

/* An address without a port means every port. */
static bool is_meant(struct span pattern, struct span text, const char *property)
{
    if (shell_like(text, pattern))
        return true;
    size_t colon = span_rfind(text, ':');
    return span_eq(span_of(property), SPAN("RemoteEndpoint")) && colon != SIZE_MAX &&
           shell_like(span_head(text, colon), pattern);
}

static bool each(void *context, const struct record *r)
{
    struct query *q = context;
    for (size_t i = 0; i < ARRAY_LEN(picks); i++)
        if (q->pick[i].ptr &&
            !is_meant(q->pick[i], record_string(r, span_of(picks[i].property)), picks[i].property))
            return true;
    q->more = q->shown == q->limit;
    if (q->more)
        return false;
    struct record *copy = record_copy(q->call->arena, r);
    q->no_memory = !copy;
    if (copy)
        q->call->emit(q->call, value_record(copy));
    q->shown++;
    return copy != NULL;
}

static enum err_code read_query(struct query *q, struct err *err)
{
    static const struct schema_property size = {"ResultSize", SCHEMA_INT, SCHEMA_UNLIMITED, .min = 1,
                                                .max = INT64_MAX};
    const struct value *limit = cmdlet_argument(q->call, "ResultSize");
    struct value n = value_int(RESULT_SIZE);
    enum err_code code = limit ? cmdlet_parse(q->call, &size, *limit, NULL, &n, err) : ERR_NONE;
    q->limit = n.kind == VALUE_UNLIMITED ? SIZE_MAX : (size_t)n.i;
    for (size_t i = 0; i < ARRAY_LEN(picks) && !code; i++) {
        const struct value *v = cmdlet_argument(q->call, picks[i].parameter);
        if (v && (v->kind != VALUE_STRING || !v->s.len))
            code = err_set(err, ERR_INVALID, "Get-Denial -%s: a text is expected; * and ? are wildcards",
                           picks[i].parameter);
        else if (v)
            q->pick[i] = i == 0 ? without_brackets(v->s) : v->s;
    }
    return code;
}

static enum err_code run_get(struct shell_call *call, struct err *err)
{
    struct query q = {.call = call};
    struct denial_view *view = cmdlet_context(call)->denials;
    const struct value *code_given = cmdlet_argument(call, "Identity");
    enum err_code code = read_query(&q, err);
    if (!code && view)
        code = view->visit(view, each, &q, err);
    if (!code && q.no_memory)
        code = cmdlet_no_memory(err);
    if (!code && q.more)
        cmdlet_warn(call, "There are more than %zu; -ResultSize Unlimited shows all.", q.limit);
    if (!code && !q.shown && code_given && !cmdlet_is_pattern(code_given))
        code =
            err_set(err, ERR_NOT_FOUND,
                    "Get-Denial: %.*s is not among the refusals that are kept; Get-Denial without a code lists the "
                    "newest",
                    SPAN_ARG(q.pick[0]));
    return code;
}

static const struct shell_parameter parameters[] = {
    {"Identity", "Code", PARAMETER_POSITION_0, "<Code>",
     "The code at the end of a reply, with or without brackets."},
    {"Connector", NULL, 0, "<Name>", "Those of one connector; wildcards are allowed, as in all that follow."},
    {"RemoteEndpoint", "RemoteIP", 0, "<Address>", "Those of one client: its address, with or without port."},
    {"Sender", NULL, 0, "<Address>", "Those of one sender."},
    {"Recipient", NULL, 0, "<Address>", "Those of one recipient."},
    {"User", NULL, 0, "<Address>", "Those of one user who had logged on."},
    {"Question", NULL, 0, "<Word>", "What was asked: Auth, Mail, Rcpt, HeaderSender, Content, Session."},
    {"ResultSize", NULL, 0, "<Int> | Unlimited", "How many at most. Default: 100."},
};

const struct shell_command denial_commands[DENIAL_COMMANDS] = {
    {.name = "Get-Denial",
     .parameters = parameters,
     .parameter_count = ARRAY_LEN(parameters),
     .synopsis = "Shows the refusals of late, and why they were.",
     .description =
         "The newest first. The last 10,000 are kept, also over a restart. Each reply that refuses by the "
         "policy or a limit ends with its code in brackets. Format-List shows the trace: the rights that "
         "were asked for and what decided each.",
     .examples =
         "    # Why was it refused?\n"
         "    Get-Denial mr-7k2m9q4d | fl\n"
         "    # Who is refused most?\n"
         "    Get-Denial -ResultSize Unlimited | Sort-Object RemoteEndpoint | ft Time,RemoteEndpoint,Reply\n",
     .run = run_get},
};
