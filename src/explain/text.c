/*
 * text.c: an explanation for people: the verdict first, then the ways to change it, then everything it came from.
 * Text from outside (addresses, names) is shown without control characters.
 */
#include "base/value.h"
#include "explain/internal.h"

#include <inttypes.h>
#include <string.h>

enum { COLUMN = 16 }; /* where the second column begins */

static void heading(struct buf *out, const char *text)
{
    buf_addf(out, "\n%s\n", text);
}

/* "  label      text", where the text begins in one column. */
static void row(struct buf *out, const char *label, struct span text)
{
    buf_addf(out, "  %-*s", COLUMN - 2, label);
    buf_add(out, text);
    buf_add_char(out, '\n');
}

/* Lines, each behind the same mark. */
static void lines(struct buf *out, const char *mark, struct span text)
{
    for (struct span rest = text, line; text.len && span_split(&rest, '\n', &line);) {
        buf_addf(out, "%s", mark);
        buf_add(out, line);
        buf_add_char(out, '\n');
    }
}

/* ---- session and verdict ---- */

static void print_session(struct buf *out, const struct explanation *e)
{
    const struct explain_session *s = e->session;
    char remote[IP_TEXT_MAX], local[IP_ENDPOINT_TEXT_MAX];
    buf_addf(out, "%s to %s, %s, ", ip_print(s->remote, remote), ip_print_endpoint(s->local, local),
             s->tls ? "with TLS" : "in the clear");
    if (s->auth)
        buf_addf(out, "logs on as %.*s%s%.*s", SPAN_ARG(s->user), s->mechanism.len ? " by " : "",
                 SPAN_ARG(s->mechanism));
    else
        buf_add(out, SPAN("does not log on"));
    buf_addf(out, "\nfrom <%.*s> to <%.*s>", SPAN_ARG(s->sender), SPAN_ARG(s->recipient));
    if (s->header_from.len && !span_ieq(s->header_from, s->sender))
        buf_addf(out, ", From: %.*s", SPAN_ARG(s->header_from));
    if (s->size)
        buf_addf(out, ", %" PRIu64 " bytes", s->size);
    buf_add_char(out, '\n');
    if (s->certificate.len)
        buf_addf(out, "client certificate: %.*s\n", SPAN_ARG(s->certificate));
}

static void print_verdict(struct buf *out, const struct explanation *e)
{
    static const char *const words[] = {
        [EXPLAIN_ALLOWED] = "ALLOWED", [EXPLAIN_REFUSED] = "REFUSED", [EXPLAIN_UNKNOWN] = "CANNOT BE SAID"};
    const struct explain_step *last = e->step_count ? &e->steps[e->step_count - 1] : NULL;
    buf_addf(out, "\n%s", words[e->verdict]);
    if (e->verdict != EXPLAIN_ALLOWED && last)
        buf_addf(out, " at %s", explain_stage_name(e->stage));
    if (last && last->reply.len) {
        size_t cut = span_rfind(last->reply, '\n');
        buf_add(out, SPAN(": "));
        buf_add(out, cut == SIZE_MAX ? last->reply : span_from(last->reply, cut + 1));
    } else if (e->connector && e->verdict == EXPLAIN_REFUSED) {
        buf_add(out, SPAN(": the connection is closed without a reply"));
    }
    buf_add_char(out, '\n');
    lines(out, "  ", e->reason);
}

/* ---- remedies ---- */

static void print_remedies(struct buf *out, const struct explanation *e)
{
    if (e->remedy_count == 0)
        return;
    heading(out, e->undeliverable ? "To have it delivered (what opens least comes first)"
                                  : "To allow it (what opens least comes first)");
    for (size_t i = 0; i < e->remedy_count; i++) {
        const struct explain_remedy *r = &e->remedies[i];
        buf_addf(out, "  %zu.%s\n", i + 1, r->kind == EXPLAIN_COMMANDS ? "" : " (without a change of the policy)");
        lines(out, "     ", r->text);
        lines(out, "     opens: ", r->opens);
        lines(out, "     then:  ", r->then);
    }
}

/* ---- connectors ---- */

static void print_candidate(struct buf *out, const struct explanation *e, const struct selection_candidate *k)
{
    const struct selection *s = &e->selection;
    const struct receive_connector *c = policy_receive_connector(e->policy, k->connector);
    bool winner = s->connector && k->connector == s->index;
    char range[IP_RANGE_TEXT_MAX];
    buf_addf(out, "  %c ", winner ? '*' : '-');
    buf_addf(out, "%-30.*s ", SPAN_ARG(policy_text(e->policy, c->name)));
    switch (k->result) {
    case CANDIDATE_DISABLED: buf_add(out, SPAN("disabled")); break;
    case CANDIDATE_OTHER_BINDING: buf_add(out, SPAN("not bound to this local address and port")); break;
    case CANDIDATE_OTHER_RANGE: buf_add(out, SPAN("this client is not in RemoteIPRanges")); break;
    case CANDIDATE_MATCHED:
        buf_addf(out, "matches by %s%s", ip_print_range(k->range, range),
                 k->specific_binding ? ", bound to this very address" : "");
        if (winner)
            buf_add(out, SPAN(": wins"));
        else if (ip_range_cmp_size(k->range, s->range) > 0)
            buf_add(out, SPAN(": loses, its range is larger"));
        else
            buf_add(out, SPAN(": loses, the winner is bound to this very address"));
        break;
    }
    buf_add_char(out, '\n');
}

/* The winner first, then what matched too. */
static int rank_of(const struct explanation *e, const struct selection_candidate *k)
{
    bool winner = e->selection.connector && k->connector == e->selection.index;
    return winner ? 0 : k->result == CANDIDATE_MATCHED ? 1 : 2;
}

static void print_connectors(struct buf *out, const struct explanation *e)
{
    heading(out, "Receive connectors (the smallest range wins; no other is tried)");
    for (int rank = 0; rank < 3; rank++)
        for (size_t i = 0; i < e->selection.candidate_count; i++)
            if (rank_of(e, &e->selection.candidates[i]) == rank)
                print_candidate(out, e, &e->selection.candidates[i]);
    if (e->selection.truncated)
        buf_add(out, SPAN("  (and others)\n"));
    if (e->selection.candidate_count == 0)
        buf_add(out, SPAN("  there is none\n"));
}

/* ---- offers ---- */

static void print_offer(struct buf *out, const char *state, const struct explain_offer *o)
{
    buf_addf(out, "  %-*s", COLUMN - 2, state);
    if (!o->reachable)
        buf_add(out, SPAN("this state cannot come about"));
    for (size_t i = 0; i < o->keyword_count; i++)
        buf_addf(out, "%s%.*s", i ? ", " : "", SPAN_ARG(o->keywords[i]));
    buf_add_char(out, '\n');
    for (size_t i = 0; i < o->missing_count; i++)
        buf_addf(out, "  %*sno %s: %.*s\n", COLUMN - 2, "", o->missing[i].keyword, SPAN_ARG(o->missing[i].why));
}

static void print_offers(struct buf *out, const struct explanation *e)
{
    heading(out, "EHLO offers");
    print_offer(out, "in the clear", &e->before_tls);
    print_offer(out, "under TLS", &e->after_tls);
    if (e->certificate.text.len)
        row(out, "certificate", e->certificate.text);
    if (e->keytab.text.len)
        row(out, "keytab", e->keytab.text);
}

/* ---- who ---- */

void explain_print_token(struct buf *out, const struct explanation *e, const struct token *t)
{
    size_t begin = out->len;
    if (t->user.len)
        buf_addf(out, "%.*s", SPAN_ARG(e->user.primary));
    if (t->group_count)
        buf_addf(out, " and %zu group%s", t->group_count, t->group_count == 1 ? "" : "s");
    for (enum principal p = 0; p < PRINCIPAL_WELL_KNOWN; p++)
        if (token_has(t, p, SPAN("")))
            buf_addf(out, "%s%.*s", out->len > begin ? ", " : "", SPAN_ARG(principal_name(p)));
}

static void print_tokens(struct buf *out, const struct explanation *e)
{
    if (e->step_count == 0)
        return;
    heading(out, "Who the session is");
    buf_addf(out, "  %-*s", COLUMN - 2, "at first");
    explain_print_token(out, e, &e->first_token);
    buf_addf(out, "\n  %-*s", COLUMN - 2, "at the end");
    explain_print_token(out, e, &e->last_token);
    buf_add_char(out, '\n');
}

/* ---- dialogue ---- */

static void print_decisions(struct buf *out, const struct explanation *e, const struct explain_step *s)
{
    for (size_t i = 0; i < s->decision_count; i++)
        for (size_t k = 0; k < s->decisions[i].step_count; k++) {
            buf_add(out, SPAN("        "));
            decision_step_print(out, e->policy, &s->decisions[i].steps[k]);
        }
    lines(out, "        ", s->note);
}

static void print_delay(struct buf *out, const struct explain_step *s)
{
    buf_add(out, SPAN("        the reply is held back for "));
    value_print(out, value_timespan(s->delay_ms));
    buf_addf(out, " (%s)\n", s->stage == EXPLAIN_AUTH ? "AuthTarpitInterval or TarpitInterval" : "TarpitInterval");
}

static void print_dialogue(struct buf *out, const struct explanation *e)
{
    if (e->step_count == 0)
        return;
    heading(out, "Dialogue");
    for (size_t i = 0; i < e->step_count; i++) {
        const struct explain_step *s = &e->steps[i];
        lines(out, "  C: ", s->said);
        print_decisions(out, e, s);
        lines(out, "  S: ", s->reply);
        if (s->delay_ms)
            print_delay(out, s);
    }
}

/* ---- limits and route ---- */

static void print_limits(struct buf *out, const struct explanation *e)
{
    if (e->limit_count == 0)
        return;
    heading(out, "Limits (> marks the one that decides about the size)");
    for (size_t i = 0; i < e->limit_count; i++) {
        const struct explain_limit *l = &e->limits[i];
        buf_addf(out, "  %c %-40s", l->wins ? '>' : ' ', l->name);
        if (l->value == POLICY_UNLIMITED_WIDE)
            buf_add(out, SPAN("unlimited"));
        else if (strcmp(l->unit, "ms") == 0)
            value_print(out, value_timespan((int64_t)l->value));
        else
            buf_addf(out, "%" PRIu64 " %s", l->value, l->unit);
        buf_addf(out, "; %.*s", SPAN_ARG(l->of));
        if (l->note.len)
            buf_addf(out, "; %.*s", SPAN_ARG(l->note));
        buf_add_char(out, '\n');
    }
}

/* What the server is short of belongs to the moment, as nothing else here does. */
static void print_resources(struct buf *out, const struct explanation *e)
{
    heading(out, "Resources of the server now");
    if (!e->pressure)
        buf_add(out, SPAN("  not known: no running server could be asked, and nothing is taken to be short\n"));
    for (enum pressure_resource r = 0; e->pressure && r < PRESSURE_RESOURCES; r++) {
        const struct pressure_state *s = &e->pressure->of[r];
        buf_addf(out, "  %c %-8s", s->level != PRESSURE_NORMAL && pressure_refuses(r) ? '>' : ' ',
                 pressure_level_name(s->level));
        pressure_print(out, r, s);
        buf_add_char(out, '\n');
    }
}

static void print_found(struct buf *out, const struct explain_hop *h)
{
    switch (h->found.kind) {
    case RESOLVED_UNKNOWN: break;
    case RESOLVED_NOT_FOUND: buf_add(out, SPAN("; the directory does not know it")); break;
    case RESOLVED_MAILBOX: buf_add(out, SPAN("; a mailbox")); break;
    case RESOLVED_CONTACT: buf_add(out, SPAN("; a mail contact")); break;
    case RESOLVED_GROUP: buf_addf(out, "; a group of %zu members", h->found.member_count); break;
    case RESOLVED_LATER: buf_addf(out, "; the directory cannot say: %.*s", SPAN_ARG(h->found.text)); break;
    }
}

static void print_next(struct buf *out, const struct explanation *e, const struct explain_hop *h)
{
    const struct route *r = &h->route;
    switch (r->kind) {
    case ROUTE_MAILBOX: buf_addf(out, "into the mailbox %.*s", SPAN_ARG(r->target)); break;
    case ROUTE_REDIRECT: buf_addf(out, "goes on to %.*s", SPAN_ARG(r->target)); break;
    case ROUTE_EXPAND: buf_add(out, SPAN("to the members of the group, each by a route of its own")); break;
    case ROUTE_RELAY:
        buf_addf(out, "by send connector \"%.*s\", %s", SPAN_ARG(policy_text(e->policy, r->connector->name)),
                 r->connector->flags & SEND_DNS_ROUTING ? "to the servers that MX records name"
                                                        : "to its smart hosts");
        break;
    case ROUTE_REPORT: buf_addf(out, "back to the sender: 550 %s %s", r->status, r->text); break;
    case ROUTE_UNREACHABLE: buf_addf(out, "waits: %s", r->text); break;
    case ROUTE_ASK:
    case ROUTE_LATER: buf_add(out, SPAN("waits until the directory can be asked")); break;
    }
}

static void print_route(struct buf *out, const struct explanation *e)
{
    static const char *const types[DOMAIN_TYPES] = {
        [DOMAIN_AUTHORITATIVE] = "authoritative",
        [DOMAIN_INTERNAL_RELAY] = "internal relay",
        [DOMAIN_EXTERNAL_RELAY] = "external relay",
    };
    heading(out,
            e->verdict == EXPLAIN_ALLOWED ? "Route of the recipient" : "Route of the recipient, if it were taken");
    for (size_t i = 0; i < e->hop_count; i++) {
        const struct explain_hop *h = &e->hops[i];
        buf_add(out, SPAN("  "));
        buf_add(out, h->address);
        if (h->domain)
            buf_addf(out, ": accepted domain %s%.*s (%s)", h->domain->wildcard ? "*." : "",
                     SPAN_ARG(policy_text(e->policy, h->domain->domain)), types[h->domain->type]);
        else
            buf_add(out, SPAN(": in no accepted domain"));
        print_found(out, h);
        buf_add(out, SPAN("\n    "));
        print_next(out, e, h);
        if (h->queue.len)
            buf_addf(out, " (queue %.*s)", SPAN_ARG(h->queue));
        buf_add_char(out, '\n');
    }
}

/* What came from outside must not reach a terminal as its command. */
static void make_plain(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\n') || text[i] == 0x7f)
            text[i] = '?';
}

void explain_print(struct buf *out, const struct explanation *e)
{
    size_t begin = out->len;
    print_session(out, e);
    print_verdict(out, e);
    print_remedies(out, e);
    print_connectors(out, e);
    if (e->connector) {
        print_offers(out, e);
        print_tokens(out, e);
        print_dialogue(out, e);
        print_limits(out, e);
        print_resources(out, e);
    }
    print_route(out, e);
    make_plain(out->ptr + begin, out->len - begin);
}
