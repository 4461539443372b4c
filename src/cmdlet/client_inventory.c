/*
 * client_inventory.c: Get-ClientInventory: who uses this server and how, by client address and user, out of the
 * facts that sessions leave behind. They come client by client (store/facts/facts.h), so that only the clients of
 * one network and user are searched.
 */
#include "cmdlet/internal.h"

#include <stdlib.h>

enum { RESULT_SIZE = 1000, NAMES_MAX = 64, MEMORY_MAX = 256 << 20 };

/* Names of which there are few: a set of them is a set of bits. */
struct names {
    struct span list[NAMES_MAX];
    size_t count;
};

struct client {
    struct span remote, user;
    struct span helo, cipher, certificate; /* of the newest fact that has one */
    int64_t helo_ms, cipher_ms, certificate_ms;
    int64_t first_ms, last_ms;
    uint64_t connectors, mechanisms, mistakes; /* sets of names */
    uint64_t sessions, turned_away, accepted, refused, refused_recipients, failed_logons;
    unsigned weakest, newest; /* index in tls_versions; 0: none was seen */
};

/* As OpenSSL names them, the weakest first. */
static const struct {
    struct span name, shown;
} tls_versions[] = {
    {{NULL, 0}, {NULL, 0}},
    {SPAN_INIT(""), SPAN_INIT("None")},
    {SPAN_INIT("SSLv3"), SPAN_INIT("SSLv3")},
    {SPAN_INIT("TLSv1"), SPAN_INIT("TLSv1")},
    {SPAN_INIT("TLSv1.1"), SPAN_INIT("TLSv1.1")},
    {SPAN_INIT("TLSv1.2"), SPAN_INIT("TLSv1.2")},
    {SPAN_INIT("TLSv1.3"), SPAN_INIT("TLSv1.3")},
};

struct query {
    struct span remote, user, connector; /* patterns; ptr NULL: not given */
    bool in_range;
    struct ip_range range; /* `remote` as one */
    size_t limit;

    struct arena arena;
    struct names connectors, mechanisms, mistakes;
    struct client **clients;
    size_t count, cap;
    size_t run; /* the first client of the network and user in hand */
    struct span run_network, run_user;
    bool no_memory;
};

/* ---- one fact ---- */

/* Beyond NAMES_MAX a name is not shown. */
static uint64_t name_bit(struct query *q, struct names *n, struct span name)
{
    size_t i = 0;
    if (!name.len)
        return 0;
    while (i < n->count && !span_eq(n->list[i], name))
        i++;
    if (i == NAMES_MAX)
        return 0;
    if (i == n->count) {
        n->list[i] = arena_dup(&q->arena, name);
        if (!n->list[i].ptr) {
            q->no_memory = true;
            return 0;
        }
        n->count++;
    }
    return UINT64_C(1) << i;
}

static unsigned tls_index(struct span version)
{
    for (unsigned i = 1; i < ARRAY_LEN(tls_versions); i++)
        if (span_eq(tls_versions[i].name, version))
            return i;
    return 0;
}

static bool is_meant(const struct query *q, const struct fact *f)
{
    struct ip_addr a;
    if (q->in_range && (!ip_parse(f->text[FACT_REMOTE], &a) || !ip_range_contains(q->range, a)))
        return false;
    return (q->in_range || !q->remote.ptr || shell_like(f->text[FACT_REMOTE], q->remote)) &&
           (!q->user.ptr || (q->user.len ? shell_like(f->text[FACT_USER], q->user) : !f->text[FACT_USER].len)) &&
           (!q->connector.ptr || shell_like(f->text[FACT_CONNECTOR], q->connector));
}

static struct client *new_client(struct query *q, const struct fact *f)
{
    if (q->count == q->cap) {
        size_t cap = q->cap ? 2 * q->cap : 64;
        struct client **grown = reallocarray(q->clients, cap, sizeof *grown);
        if (!grown)
            return NULL;
        q->clients = grown;
        q->cap = cap;
    }
    struct client *c = ARENA_NEW(&q->arena, struct client);
    if (!c)
        return NULL;
    c->remote = arena_dup(&q->arena, f->text[FACT_REMOTE]);
    c->user = arena_dup(&q->arena, f->text[FACT_USER]);
    c->first_ms = INT64_MAX;
    if (!c->remote.ptr || !c->user.ptr)
        return NULL;
    q->clients[q->count++] = c;
    return c;
}

static struct client *client_of(struct query *q, struct span network, const struct fact *f)
{
    if (q->run == q->count || !span_eq(q->run_network, network) || !span_eq(q->run_user, f->text[FACT_USER])) {
        q->run = q->count;
        q->run_network = arena_dup(&q->arena, network);
        q->run_user = arena_dup(&q->arena, f->text[FACT_USER]);
    }
    for (size_t i = q->run; i < q->count; i++)
        if (span_eq(q->clients[i]->remote, f->text[FACT_REMOTE]))
            return q->clients[i];
    return new_client(q, f);
}

static void keep_newest(struct query *q, struct span *text, int64_t *at_ms, struct span given, int64_t given_ms)
{
    if (!given.len || given_ms < *at_ms)
        return;
    *at_ms = given_ms;
    if (span_eq(*text, given))
        return;
    *text = arena_dup(&q->arena, given);
    q->no_memory = q->no_memory || !text->ptr;
}

static void count_fact(struct client *c, const struct fact *f)
{
    bool refused = f->code >= 400;
    switch (f->question) {
    case FACT_OF_SESSION: *(refused ? &c->turned_away : &c->sessions) += f->count; break;
    case FACT_OF_AUTH: c->failed_logons += refused ? f->count : 0; break;
    case FACT_OF_MAIL: c->refused += f->count; break;
    case FACT_OF_RCPT: c->refused_recipients += refused ? f->count : 0; break;
    case FACT_OF_MESSAGE: *(refused ? &c->refused : &c->accepted) += f->count; break;
    case FACT_QUESTIONS: break;
    }
}

/* Whether there was a session whose TLS, or lack of it, means anything. */
static bool spoke(const struct fact *f)
{
    return !f->text[FACT_MISTAKE].len && !(f->question == FACT_OF_SESSION && f->code);
}

static bool each(void *context, struct span network, const struct fact *f)
{
    struct query *q = context;
    if (!is_meant(q, f))
        return true;
    struct client *c = client_of(q, network, f);
    if (!c) {
        q->no_memory = true;
        return false;
    }
    if (f->first_ms < c->first_ms)
        c->first_ms = f->first_ms;
    if (f->last_ms > c->last_ms)
        c->last_ms = f->last_ms;
    keep_newest(q, &c->helo, &c->helo_ms, f->text[FACT_HELO], f->last_ms);
    keep_newest(q, &c->cipher, &c->cipher_ms, f->text[FACT_CIPHER], f->last_ms);
    keep_newest(q, &c->certificate, &c->certificate_ms, f->text[FACT_CERTIFICATE], f->last_ms);
    c->connectors |= name_bit(q, &q->connectors, f->text[FACT_CONNECTOR]);
    c->mechanisms |= name_bit(q, &q->mechanisms, f->text[FACT_MECHANISM]);
    c->mistakes |= name_bit(q, &q->mistakes, f->text[FACT_MISTAKE]);
    unsigned tls = spoke(f) ? tls_index(f->text[FACT_TLS]) : 0;
    if (tls && (!c->weakest || tls < c->weakest))
        c->weakest = tls;
    if (tls > c->newest)
        c->newest = tls;
    count_fact(c, f);
    return !q->no_memory;
}

/* ---- records ---- */

static struct value list_of(struct arena *arena, const struct names *n, uint64_t set)
{
    struct value *items = ARENA_ARRAY(arena, NAMES_MAX, struct value);
    size_t count = 0;
    for (size_t i = 0; items && i < n->count; i++)
        if (set & UINT64_C(1) << i)
            items[count++] = value_string(arena_dup(arena, n->list[i]));
    return value_list(items, count);
}

static struct value text_of(struct arena *arena, struct span text)
{
    return value_string(arena_dup(arena, text));
}

static enum err_code emit(struct shell_call *call, const struct query *q, const struct client *c, struct err *err)
{
    struct arena *a = call->arena;
    const struct field fields[] = {
        {SPAN("RemoteIP"), text_of(a, c->remote)},
        {SPAN("User"), text_of(a, c->user)},
        {SPAN("Connector"), list_of(a, &q->connectors, c->connectors)},
        {SPAN("HeloName"), text_of(a, c->helo)},
        {SPAN("FirstSeen"), value_time(c->first_ms)},
        {SPAN("LastSeen"), value_time(c->last_ms)},
        {SPAN("Sessions"), value_int((int64_t)c->sessions)},
        {SPAN("SessionsRefused"), value_int((int64_t)c->turned_away)},
        {SPAN("TlsWeakest"), value_string(tls_versions[c->weakest].shown)},
        {SPAN("TlsNewest"), value_string(tls_versions[c->newest].shown)},
        {SPAN("TlsCipher"), text_of(a, c->cipher)},
        {SPAN("ClientCertificate"), text_of(a, c->certificate)},
        {SPAN("AuthMechanism"), list_of(a, &q->mechanisms, c->mechanisms)},
        {SPAN("MessagesAccepted"), value_int((int64_t)c->accepted)},
        {SPAN("MessagesRefused"), value_int((int64_t)c->refused)},
        {SPAN("RecipientsRefused"), value_int((int64_t)c->refused_recipients)},
        {SPAN("LogonsFailed"), value_int((int64_t)c->failed_logons)},
        {SPAN("Mistake"), list_of(a, &q->mistakes, c->mistakes)},
    };
    struct record *r = record_new(a, SPAN("ClientInventory"));
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (!r || !record_set(r, fields[i].name, fields[i].value))
            return cmdlet_no_memory(err);
    call->emit(call, value_record(r));
    return ERR_NONE;
}

static int newest_first(const void *a, const void *b)
{
    const struct client *x = *(struct client *const *)a, *y = *(struct client *const *)b;
    int c = (x->last_ms < y->last_ms) - (x->last_ms > y->last_ms);
    if (!c)
        c = span_cmp(x->remote, y->remote);
    return c ? c : span_cmp(x->user, y->user);
}

static enum err_code show(struct shell_call *call, struct query *q, struct err *err)
{
    enum err_code code = ERR_NONE;
    if (q->count)
        qsort(q->clients, q->count, sizeof *q->clients, newest_first);
    for (size_t i = 0; !code && i < q->count && i < q->limit; i++)
        code = emit(call, q, q->clients[i], err);
    if (!code && q->count > q->limit)
        cmdlet_warn(call, "There are more than %zu; -ResultSize Unlimited shows all.", q->limit);
    return code;
}

/* ---- the cmdlet ---- */

static enum err_code read_text(struct shell_call *call, const char *name, struct span *ret, struct err *err)
{
    const struct value *v = cmdlet_argument(call, name);
    if (v && v->kind != VALUE_STRING)
        return err_set(err, ERR_INVALID, "Get-ClientInventory -%s: a text is expected; * and ? are wildcards",
                       name);
    if (v)
        *ret = v->s.ptr ? v->s : SPAN("");
    return ERR_NONE;
}

static enum err_code read_query(struct shell_call *call, struct query *q, struct err *err)
{
    static const struct schema_property size = {"ResultSize", SCHEMA_INT, SCHEMA_UNLIMITED, .min = 1,
                                                .max = INT64_MAX};
    const struct value *limit = cmdlet_argument(call, "ResultSize");
    struct value n = value_int(RESULT_SIZE);
    enum err_code code = limit ? cmdlet_parse(call, &size, *limit, NULL, &n, err) : ERR_NONE;
    q->limit = n.kind == VALUE_UNLIMITED ? SIZE_MAX : (size_t)n.i;
    if (!code)
        code = read_text(call, "RemoteIP", &q->remote, err);
    if (!code)
        code = read_text(call, "User", &q->user, err);
    if (!code)
        code = read_text(call, "Connector", &q->connector, err);
    q->in_range = q->remote.len && ip_parse_range(q->remote, &q->range);
    return code;
}

static enum err_code run_get(struct shell_call *call, struct err *err)
{
    struct query q = {0};
    struct fact_view *view = cmdlet_context(call)->facts;
    arena_init(&q.arena, MEMORY_MAX);
    enum err_code code = read_query(call, &q, err);
    if (!code && view)
        code = view->visit(view, 0, each, &q, err);
    if (!code && q.no_memory)
        code = cmdlet_no_memory(err);
    if (!code)
        code = show(call, &q, err);
    free(q.clients);
    arena_clear(&q.arena);
    return code;
}

static const struct shell_parameter parameters[] = {
    {"RemoteIP", "RemoteEndpoint", PARAMETER_POSITION_0, "<Address>",
     "Those with this address: one, a range as in RemoteIPRanges (10.0.0.0/8), or with wildcards."},
    {"User", NULL, 0, "<Address>",
     "What this user did, by primary address; wildcards are allowed. An empty text: what was done without logging "
     "on."},
    {"Connector", NULL, 0, "<Name>",
     "What was done on this receive connector alone, counts included; wildcards are allowed."},
    {"ResultSize", NULL, 0, "<Int> | Unlimited", "How many at most, those seen last. Default: 1000."},
};

const struct shell_command inventory_commands[INVENTORY_COMMANDS] = {
    {.name = "Get-ClientInventory",
     .parameters = parameters,
     .parameter_count = ARRAY_LEN(parameters),
     .synopsis = "Shows who uses this server, and how.",
     .description =
         "One for each client address and user, those seen last first. What is shown is at most 30 days old "
         "and a few seconds late. TlsWeakest and TlsNewest are the lowest and the highest version with which it "
         "was seen, None for sessions in the clear; AuthMechanism is how it logged on, or tried to. A message is "
         "refused when its sender is, all of its recipients are, or its content is; a session, when a limit turned "
         "it "
         "away. Mistake names what a client "
         "cannot have meant, such as TLS that was never completed where it is due from the first byte. Of a "
         "client that does very many different things, and of addresses in one IPv6 /64, the counts are kept "
         "together: under the address that was seen last.",
     .examples = "    # Who would fail if TLS 1.2 were required?\n"
                 "    Get-ClientInventory | where { $_.TlsWeakest -eq 'TLSv1' -or $_.TlsWeakest -eq 'TLSv1.1' }\n"
                 "    # Who still sends in the clear from the office?\n"
                 "    Get-ClientInventory 10.1.0.0/16 | where { $_.TlsWeakest -eq 'None' } | ft "
                 "RemoteIP,User,HeloName,LastSeen\n"
                 "    # How does a user connect?\n"
                 "    Get-ClientInventory -User alice@example.com | fl\n",
     .run = run_get},
};
