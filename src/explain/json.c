/*
 * json.c: an explanation as JSON, in the structure that docs/explain.md describes: records of the shell's values,
 * written by its JSON writer. Programs rely on the names: what is there keeps its name and meaning.
 */
#include "explain/internal.h"

#include "shell/json.h"

struct writer {
    const struct explanation *e;
    struct arena *arena;
    bool failed;
};

static struct record *object(struct writer *w)
{
    struct record *r = record_new(w->arena, SPAN("Explanation"));
    w->failed |= !r;
    return r;
}

static void set(struct writer *w, struct record *r, const char *name, struct value v)
{
    w->failed |= !r || !record_set(r, span_of(name), v);
}

static void set_text(struct writer *w, struct record *r, const char *name, struct span s)
{
    set(w, r, name, value_string(s.ptr ? s : SPAN("")));
}

static void set_word(struct writer *w, struct record *r, const char *name, const char *word)
{
    set(w, r, name, word ? value_of(word) : value_null());
}

/* A number, or null for "unlimited". */
static void set_number(struct writer *w, struct record *r, const char *name, uint64_t n)
{
    set(w, r, name, n > INT64_MAX ? value_null() : value_int((int64_t)n));
}

/* Room for count items, which each function below fills. */
static struct value *items(struct writer *w, size_t count)
{
    struct value *v = ARENA_ARRAY(w->arena, count ? count : 1, struct value);
    w->failed |= !v;
    return v;
}

static struct value object_value(struct record *r)
{
    return r ? value_record(r) : value_null();
}

/* Text split at line ends. */
static void set_lines(struct writer *w, struct record *r, const char *name, struct span text)
{
    size_t n = text.len != 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '\n';
    struct value *v = items(w, n);
    n = 0;
    for (struct span rest = text, line; v && text.len && span_split(&rest, '\n', &line);)
        v[n++] = value_string(line);
    if (v)
        set(w, r, name, value_list(v, n));
}

static const char *const verdicts[] = {
    [EXPLAIN_ALLOWED] = "allowed", [EXPLAIN_REFUSED] = "refused", [EXPLAIN_UNKNOWN] = "unknown"};

/* ---- session ---- */

static struct value session(struct writer *w)
{
    const struct explain_session *s = w->e->session;
    char remote[IP_TEXT_MAX], local[IP_ENDPOINT_TEXT_MAX];
    struct record *r = object(w);
    set_text(w, r, "remote", arena_printf(w->arena, "%s", ip_print(s->remote, remote)));
    set_text(w, r, "local", arena_printf(w->arena, "%s", ip_print_endpoint(s->local, local)));
    set(w, r, "tls", value_bool(s->tls));
    set(w, r, "user", s->auth ? value_string(s->user) : value_null());
    set_text(w, r, "helo", s->helo);
    set_text(w, r, "from", s->sender);
    set_text(w, r, "to", s->recipient);
    set(w, r, "headerFrom", s->header_from.len ? value_string(s->header_from) : value_null());
    set(w, r, "size", s->size ? value_int((int64_t)s->size) : value_null());
    set(w, r, "certificate", s->certificate.len ? value_string(s->certificate) : value_null());
    set(w, r, "mechanism", s->mechanism.len ? value_string(s->mechanism) : value_null());
    return object_value(r);
}

/* ---- connectors ---- */

static struct value candidate(struct writer *w, const struct selection_candidate *k)
{
    static const char *const results[] = {
        [CANDIDATE_MATCHED] = "matched",
        [CANDIDATE_DISABLED] = "disabled",
        [CANDIDATE_OTHER_BINDING] = "other-binding",
        [CANDIDATE_OTHER_RANGE] = "other-range",
    };
    const struct explanation *e = w->e;
    struct record *r = object(w);
    char range[IP_RANGE_TEXT_MAX];
    bool matched = k->result == CANDIDATE_MATCHED;
    bool winner = e->selection.connector && k->connector == e->selection.index;
    bool larger = matched && !winner && ip_range_cmp_size(k->range, e->selection.range) > 0;
    set_text(w, r, "name", policy_text(e->policy, policy_receive_connector(e->policy, k->connector)->name));
    set_word(w, r, "result", results[k->result]);
    set(w, r, "range",
        matched ? value_string(arena_printf(w->arena, "%s", ip_print_range(k->range, range))) : value_null());
    set(w, r, "specificBinding", value_bool(k->specific_binding));
    set(w, r, "winner", value_bool(winner));
    set_word(w, r, "losesBy", !matched || winner ? NULL : larger ? "larger-range" : "binding");
    return object_value(r);
}

static void connectors(struct writer *w, struct record *root)
{
    const struct selection *s = &w->e->selection;
    struct value *v = items(w, s->candidate_count);
    for (size_t i = 0; v && i < s->candidate_count; i++)
        v[i] = candidate(w, &s->candidates[i]);
    if (v)
        set(w, root, "connectors", value_list(v, s->candidate_count));
    set(w, root, "connector",
        w->e->connector ? value_string(policy_text(w->e->policy, w->e->connector->name)) : value_null());
    set(w, root, "fqdn", w->e->connector ? value_string(w->e->fqdn) : value_null());
    set(w, root, "certificate", w->e->certificate.text.len ? value_string(w->e->certificate.text) : value_null());
    set(w, root, "keytab", w->e->keytab.text.len ? value_string(w->e->keytab.text) : value_null());
}

/* ---- offers ---- */

static struct value offer(struct writer *w, const struct explain_offer *o)
{
    struct record *r = object(w);
    struct value *keywords = items(w, o->keyword_count), *missing = items(w, o->missing_count);
    for (size_t i = 0; keywords && i < o->keyword_count; i++)
        keywords[i] = value_string(o->keywords[i]);
    for (size_t i = 0; missing && i < o->missing_count; i++) {
        struct record *m = object(w);
        set_word(w, m, "keyword", o->missing[i].keyword);
        set_text(w, m, "why", o->missing[i].why);
        missing[i] = object_value(m);
    }
    set(w, r, "reachable", value_bool(o->reachable));
    if (keywords && missing) {
        set(w, r, "keywords", value_list(keywords, o->keyword_count));
        set(w, r, "missing", value_list(missing, o->missing_count));
    }
    return object_value(r);
}

/* ---- tokens and decisions ---- */

static void set_token(struct writer *w, struct record *r, const char *name, const struct token *t)
{
    struct value *v = items(w, PRINCIPAL_WELL_KNOWN + 1);
    size_t n = 0;
    if (v && t->user.len)
        v[n++] = value_string(w->e->user.primary);
    for (enum principal p = 0; v && p < PRINCIPAL_WELL_KNOWN; p++)
        if (token_has(t, p, SPAN("")))
            v[n++] = value_string(principal_name(p));
    if (v)
        set(w, r, name, value_list(v, n));
}

static struct value decision_step(struct writer *w, const struct decision_step *s)
{
    const struct policy *p = w->e->policy;
    struct record *r = object(w);
    struct buf text;
    buf_init(&text, 4096);
    decision_step_print(&text, p, s);
    set_text(w, r, "text", arena_dup(w->arena, span_trim(buf_span(&text))));
    buf_done(&text);
    set(w, r, "right", s->right != RIGHT_COUNT ? value_string(right_info(s->right)->name) : value_null());
    set_word(w, r, "result",
             s->kind == STEP_RIGHT_ALLOWED   ? "granted"
             : s->kind == STEP_RIGHT_DENIED  ? "denied"
             : s->kind == STEP_RIGHT_MISSING ? "missing"
             : s->kind == STEP_ENTRY_UNMET   ? "not-applied"
                                             : NULL);
    set(w, r, "principal", s->entry ? value_string(policy_text(p, s->entry->name)) : value_null());
    set(w, r, "origin", s->entry ? value_string(policy_text(p, s->entry->origin)) : value_null());
    return object_value(r);
}

static struct value decision(struct writer *w, const struct decision *d)
{
    static const char *const questions[] = {
        [QUESTION_AUTH] = "logon",     [QUESTION_MAIL] = "sender", [QUESTION_HEADER_SENDER] = "header-sender",
        [QUESTION_RCPT] = "recipient", [QUESTION_RIGHT] = "right",
    };
    static const char *const outcomes[] = {
        [VERDICT_DENY] = "denied", [VERDICT_ALLOW] = "allowed", [VERDICT_DEFER] = "deferred"};
    struct record *r = object(w);
    struct value *steps = items(w, d->step_count);
    for (size_t i = 0; steps && i < d->step_count; i++)
        steps[i] = decision_step(w, &d->steps[i]);
    set_word(w, r, "question", questions[d->question]);
    set_word(w, r, "verdict", outcomes[d->verdict]);
    if (steps)
        set(w, r, "steps", value_list(steps, d->step_count));
    return object_value(r);
}

/* ---- dialogue ---- */

static struct value step(struct writer *w, const struct explain_step *s)
{
    struct record *r = object(w);
    struct value *decisions = items(w, s->decision_count);
    for (size_t i = 0; decisions && i < s->decision_count; i++)
        decisions[i] = decision(w, &s->decisions[i]);
    set_word(w, r, "stage", explain_stage_name(s->stage));
    set_lines(w, r, "client", s->said);
    set_lines(w, r, "server", s->reply);
    set_number(w, r, "code", (uint64_t)s->code);
    set_number(w, r, "delayMs", (uint64_t)s->delay_ms);
    set(w, r, "note", s->note.len ? value_string(s->note) : value_null());
    if (decisions)
        set(w, r, "decisions", value_list(decisions, s->decision_count));
    return object_value(r);
}

static void dialogue(struct writer *w, struct record *root)
{
    struct value *v = items(w, w->e->step_count);
    for (size_t i = 0; v && i < w->e->step_count; i++)
        v[i] = step(w, &w->e->steps[i]);
    if (v)
        set(w, root, "dialogue", value_list(v, w->e->step_count));
}

/* ---- limits, route, remedies ---- */

static void limits(struct writer *w, struct record *root)
{
    struct value *v = items(w, w->e->limit_count);
    for (size_t i = 0; v && i < w->e->limit_count; i++) {
        const struct explain_limit *l = &w->e->limits[i];
        struct record *r = object(w);
        set_word(w, r, "name", l->name);
        set_number(w, r, "value", l->value);
        set_word(w, r, "unit", l->unit);
        set_text(w, r, "of", l->of);
        set(w, r, "decides", value_bool(l->wins));
        set(w, r, "live", value_bool(l->live));
        set(w, r, "note", l->note.len ? value_string(l->note) : value_null());
        v[i] = object_value(r);
    }
    if (v)
        set(w, root, "limits", value_list(v, w->e->limit_count));
}

/* null: no running server could be asked. */
static void resources(struct writer *w, struct record *root)
{
    const struct pressure *p = w->e->pressure;
    struct value *v = items(w, PRESSURE_RESOURCES);
    for (enum pressure_resource i = 0; p && v && i < PRESSURE_RESOURCES; i++) {
        const struct pressure_state *s = &p->of[i];
        struct record *r = object(w);
        set_word(w, r, "name", pressure_resource_name(i));
        set_word(w, r, "level", pressure_level_name(s->level));
        set(w, r, "refuses", value_bool(pressure_refuses(i) && s->level != PRESSURE_NORMAL));
        set_number(w, r, "value", s->value);
        set_number(w, r, "medium", s->medium);
        set_number(w, r, "high", s->high);
        v[i] = object_value(r);
    }
    set(w, root, "resources", p && v ? value_list(v, PRESSURE_RESOURCES) : value_null());
}

static struct value hop(struct writer *w, const struct explain_hop *h)
{
    static const char *const kinds[] = {
        [ROUTE_ASK] = "later",
        [ROUTE_MAILBOX] = "mailbox",
        [ROUTE_REDIRECT] = "redirect",
        [ROUTE_EXPAND] = "expand",
        [ROUTE_RELAY] = "relay",
        [ROUTE_REPORT] = "report",
        [ROUTE_UNREACHABLE] = "unreachable",
        [ROUTE_LATER] = "later",
    };
    static const char *const founds[] = {
        [RESOLVED_NOT_FOUND] = "not-found", [RESOLVED_MAILBOX] = "mailbox", [RESOLVED_CONTACT] = "contact",
        [RESOLVED_GROUP] = "group",         [RESOLVED_LATER] = "unknown",   [RESOLVED_UNKNOWN] = NULL,
    };
    static const char *const types[DOMAIN_TYPES] = {
        [DOMAIN_AUTHORITATIVE] = "Authoritative",
        [DOMAIN_INTERNAL_RELAY] = "InternalRelay",
        [DOMAIN_EXTERNAL_RELAY] = "ExternalRelay",
    };
    const struct policy *p = w->e->policy;
    struct record *r = object(w);
    set_text(w, r, "address", h->address);
    set(w, r, "acceptedDomain", h->domain ? value_string(policy_text(p, h->domain->domain)) : value_null());
    set_word(w, r, "domainType", h->domain ? types[h->domain->type] : NULL);
    set_word(w, r, "directory", h->resolved ? founds[h->found.kind] : NULL);
    set_word(w, r, "next", kinds[h->route.kind]);
    set(w, r, "target", h->route.target.len ? value_string(h->route.target) : value_null());
    set(w, r, "sendConnector",
        h->route.connector ? value_string(policy_text(p, h->route.connector->name)) : value_null());
    set(w, r, "queue", h->queue.len ? value_string(h->queue) : value_null());
    set_word(w, r, "status", h->route.status);
    set_word(w, r, "text", h->route.text);
    return object_value(r);
}

static void route(struct writer *w, struct record *root)
{
    struct value *v = items(w, w->e->hop_count);
    for (size_t i = 0; v && i < w->e->hop_count; i++)
        v[i] = hop(w, &w->e->hops[i]);
    if (v)
        set(w, root, "route", value_list(v, w->e->hop_count));
    set(w, root, "undeliverable", value_bool(w->e->undeliverable));
}

static void remedies(struct writer *w, struct record *root)
{
    struct value *v = items(w, w->e->remedy_count);
    for (size_t i = 0; v && i < w->e->remedy_count; i++) {
        const struct explain_remedy *m = &w->e->remedies[i];
        struct record *r = object(w);
        set_word(w, r, "kind", m->kind == EXPLAIN_COMMANDS ? "commands" : "advice");
        set_lines(w, r, m->kind == EXPLAIN_COMMANDS ? "commands" : "text", m->text);
        set_lines(w, r, "opens", m->opens);
        set(w, r, "then", m->then.len ? value_string(m->then) : value_null());
        v[i] = object_value(r);
    }
    if (v)
        set(w, root, "remedies", value_list(v, w->e->remedy_count));
}

void explain_print_json(struct buf *out, const struct explanation *e)
{
    struct arena arena;
    struct writer w = {e, &arena, false};
    arena_init(&arena, 0);
    struct record *root = object(&w);
    const struct explain_step *last = e->step_count ? &e->steps[e->step_count - 1] : NULL;
    set_word(&w, root, "verdict", verdicts[e->verdict]);
    set_word(&w, root, "cause", explain_cause_name(e->cause));
    set_word(&w, root, "stage", explain_stage_name(e->stage));
    set(&w, root, "code", last && last->code ? value_int(last->code) : value_null());
    set_text(&w, root, "reason", e->reason);
    set(&w, root, "session", session(&w));
    connectors(&w, root);
    set(&w, root, "beforeTls", offer(&w, &e->before_tls));
    set(&w, root, "afterTls", offer(&w, &e->after_tls));
    set_token(&w, root, "firstToken", &e->first_token);
    set_token(&w, root, "lastToken", &e->last_token);
    dialogue(&w, root);
    limits(&w, root);
    resources(&w, root);
    route(&w, root);
    remedies(&w, root);
    if (!w.failed)
        json_print(out, value_record(root), (struct json_options){.depth = JSON_DEPTH_MAX});
    buf_add_char(out, '\n');
    out->failed |= w.failed;
    arena_clear(&arena);
}
