/* narrow.c: measuring a narrowed entry. Patterns are sorted, so each form is a binary search. */
#include "policy/narrow.h"

#include "policy/domain.h"
#include "policy/marks.h"

static int compare(const struct policy *p, const struct policy_pattern *t, enum address_pattern_kind kind,
                   struct span domain, struct span local)
{
    if (t->kind != (uint32_t)kind)
        return t->kind < (uint32_t)kind ? -1 : 1;
    int c = span_icmp(policy_text(p, t->domain), domain);
    return c ? c : span_icmp(policy_text(p, t->local), local);
}

static bool has(const struct policy *p, struct policy_list l, enum address_pattern_kind kind, struct span domain,
                struct span local)
{
    const struct policy_pattern *patterns = policy_patterns(p, l);
    uint32_t low = 0, high = l.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int c = compare(p, &patterns[middle], kind, domain, local);
        if (c == 0)
            return true;
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool narrow_covers(const struct policy *p, struct policy_list patterns, struct span address)
{
    struct span domain = policy_address_domain(address), local = span_head(address, span_rfind(address, '@'));
    if (address.len == 0)
        return has(p, patterns, PATTERN_NULL, SPAN(""), SPAN(""));
    if (domain.len == 0)
        return false;
    bool found =
        has(p, patterns, PATTERN_ADDRESS, domain, local) || has(p, patterns, PATTERN_DOMAIN, domain, SPAN(""));
    for (struct span above = policy_domain_above(domain); !found && above.len; above = policy_domain_above(above))
        found = has(p, patterns, PATTERN_SUBDOMAINS, above, SPAN(""));
    return found;
}

static unsigned unmet_recipient(const struct policy *p, const struct policy_ace *e, uint32_t index,
                                const struct conditions *when, const struct span *recipient)
{
    if (recipient)
        return narrow_covers(p, e->recipients, *recipient) ? 0 : UNMET_RECIPIENT;
    if (!when->marks)
        return UNMET_RECIPIENT_OPEN;
    bool covered = when->marks[index] & MARK_COVERED, missed = when->marks[index] & MARK_MISSED;
    return covered && (e->deny || !missed) ? 0 : UNMET_RECIPIENT;
}

unsigned narrow_unmet(const struct policy *p, const struct policy_ace *e, uint32_t index,
                      const struct conditions *when, const struct span *sender, const struct span *recipient)
{
    unsigned unmet = 0;
    if (e->expires_ms != POLICY_NEVER && when->now_ms >= e->expires_ms)
        unmet |= UNMET_EXPIRED;
    if (e->require_tls && !when->tls)
        unmet |= UNMET_TLS;
    if (e->senders.count && !sender)
        unmet |= UNMET_SENDER_OPEN;
    else if (e->senders.count && !narrow_covers(p, e->senders, *sender))
        unmet |= UNMET_SENDER;
    if (e->recipients.count)
        unmet |= unmet_recipient(p, e, index, when, recipient);
    return unmet;
}

bool narrow_is_narrowed(const struct policy_ace *e)
{
    return e->senders.count || e->recipients.count || e->require_tls || e->rate != POLICY_UNLIMITED ||
           e->expires_ms != POLICY_NEVER;
}

void narrow_print(struct buf *out, unsigned unmet)
{
    static const struct {
        unsigned bit;
        const char *text;
    } texts[] = {
        {UNMET_EXPIRED, "it has expired"},
        {UNMET_TLS, "it is for connections under TLS"},
        {UNMET_SENDER, "it is not for this sender"},
        {UNMET_SENDER_OPEN, "it is for certain senders, and the sender is not known yet"},
        {UNMET_RECIPIENT, "it is not for this recipient"},
        {UNMET_RECIPIENT_OPEN, "it is for certain recipients, and they are not known yet"},
    };
    const char *separator = "";
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (unmet & texts[i].bit) {
            buf_addf(out, "%s%s", separator, texts[i].text);
            separator = ", ";
        }
}
