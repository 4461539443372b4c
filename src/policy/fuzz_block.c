/*
 * fuzz_block.c: policy_open against an enemy. The input is a few edits (4 bytes of place, 1 of new content, at most
 * EDITS_MAX) on a sound block, after which the checksum is put right; one that begins with 'B' is a block itself.
 * What is accepted must be usable: every accessor, selection, decision and search is then run over it.
 */
#include "policy/block.h"
#include "policy/decide.h"
#include "policy/domain.h"
#include "policy/marks.h"
#include "policy/select.h"
#include "policy/test_support.h"

#include <stdlib.h>
#include <string.h>

enum { EDITS_MAX = 3 }; /* more, and hardly anything is accepted */

static struct span sound_block(void)
{
    static struct test_policy t;
    if (t.policy)
        return buf_span(&t.block);
    test_policy_init(&t);
    test_add(
        &t,
        "ReceiveConnector: Guid=r1|Name=one|Bindings=[0.0.0.0:25,[::]:25]|RemoteIPRanges=[0.0.0.0/0,10.0.0.0/8]\n"
        "ReceiveConnector: Guid=r2|Name=two|Bindings=[10.0.0.1:25]|RemoteIPRanges=[10.0.0.0/8,10.1.0.0/16]|"
        "ProxyProtocol=[V2]|ProxyProtocolSources=[10.0.0.0-10.0.0.9,10.1.2.3]\n"
        "ADPermission: Connector=r1|User=user:u1|ExtendedRight=ms-Exch-SMTP-Submit|Deny=$true\n"
        "ADPermission: Guid=e1|Connector=r1|User=user:u1|ExtendedRight=ms-Exch-SMTP-Accept-Any-Recipient|"
        "Senders=[a@example.com,<>,*@b.test]|Recipients=[*@far.test,*@*.far.test]|MessageRate=#3|RequireTls=$true|"
        "Expires=#5\n"
        "SendConnector: Guid=s1|Name=out|AddressSpaces=[*;5,*.example.net,far.test]|SmartHosts=[a.b,c.d]\n"
        "SendConnector: Guid=s2|Name=other|AddressSpaces=[*;5,far.test;7]|Enabled=$false\n"
        "AcceptedDomain: DomainName=example.com|Default=$true\nAcceptedDomain: DomainName=*.example.com\n"
        "AcceptedDomain: DomainName=shared.test|DomainType=InternalRelay");
    test_add_group(&t, "r1", GROUP_ANONYMOUS_USERS);
    test_add_group(&t, "r2", GROUP_EXCHANGE_USERS);
    test_open(&t);
    return buf_span(&t.block);
}

static void must(bool ok)
{
    if (!ok)
        abort();
}

static size_t touch(struct span s)
{
    size_t sum = 0;
    for (size_t i = 0; i < s.len; i++)
        sum += (unsigned char)s.ptr[i];
    return sum;
}

static void use_acl(const struct policy *p, struct policy_list l)
{
    for (uint32_t i = 0; i < l.count; i++) {
        const struct policy_ace *e = &policy_acl(p, l)[i];
        touch(policy_text(p, e->principal));
        touch(policy_text(p, e->id));
        narrow_covers(p, e->senders, SPAN("a@example.com"));
        narrow_covers(p, e->recipients, SPAN(""));
        must(right_info((enum right)e->right) != NULL);
    }
}

static void use_session(const struct policy *p, const struct receive_connector *c,
                        const struct session_facts *facts, uint8_t *marks)
{
    static const struct span sender = SPAN_INIT("a@example.com");
    struct conditions when = {.now_ms = 4, .sender = &sender, .marks = marks, .tls = facts->user.len};
    struct owned_addresses nothing = {0};
    struct token t = token_build(facts);
    struct decision d[] = {
        decide_submit_at_auth(p, c, &t, &when),
        decide_mail(p, c, &t, &when, SPAN("a@example.com"), nothing),
        decide_header_sender(p, c, &t, &when, SPAN("a@example.com"), nothing),
        decide_right(p, c, &t, &when, RIGHT_SUBMIT),
        {0},
    };
    when.pending = PENDING_SUBMIT | PENDING_SENDER;
    d[4] = decide_rcpt(p, c, &t, &when, SPAN("a@far.test"), nothing);
    unsigned rights = decide_rights(p, c, &t, &when, NULL, NULL);
    for (size_t k = 0; k < ARRAY_LEN(d); k++) {
        struct buf out;
        buf_init(&out, 1 << 20);
        must(decision_replay(&d[k]) == d[k].verdict);
        decision_print(&out, p, &d[k]);
        buf_done(&out);
        marks_use_decision(c, marks, &d[k], NULL, NULL);
    }
    must((d[3].verdict == VERDICT_ALLOW) == ((rights & RIGHT_BIT(RIGHT_SUBMIT)) != 0));
}

static void use_receive(const struct policy *p, const struct receive_connector *c)
{
    static const struct session_facts facts[] = {{.user = SPAN_INIT("u1")}, {.external_authoritative = true}, {0}};
    use_acl(p, c->acl);
    uint8_t *marks = calloc(c->acl.count + 1, 1);
    must(marks != NULL);
    marks_add_recipient(p, c, marks, SPAN("a@far.test"));
    for (size_t i = 0; i < ARRAY_LEN(facts); i++)
        use_session(p, c, &facts[i], marks);
    for (uint32_t at = 0; marks_next_rated(p, c, marks, &at);)
        must(at <= c->acl.count);
    free(marks);
}

static void use_send(const struct policy *p, const struct send_connector *c)
{
    use_acl(p, c->acl);
    touch(policy_text(p, c->password));
    for (uint32_t i = 0; i < c->hosts.count; i++)
        touch(policy_text(p, policy_hosts(p, c->hosts)[i]));
    for (uint32_t i = 0; i < c->spaces.count; i++)
        touch(policy_text(p, policy_spaces(p, c->spaces)[i].domain));
}

static void use(const struct policy *p)
{
    static const struct span domains[] = {SPAN_INIT("example.com"), SPAN_INIT("a.example.net"),
                                          SPAN_INIT("far.test"), SPAN_INIT("..")};
    static const uint8_t remotes[] = {10, 192};
    for (size_t i = 0; i < policy_receive_connector_count(p); i++)
        use_receive(p, policy_receive_connector(p, i));
    use_receive(p, policy_local_connector(p));
    touch(policy_text(p, policy_settings(p)->pickup_folder));
    touch(policy_text(p, policy_settings(p)->replay_folder));
    for (size_t i = 0; i < policy_send_connector_count(p); i++)
        use_send(p, policy_send_connector(p, i));
    for (size_t i = 0; i < policy_accepted_domain_count(p); i++)
        must(policy_find_domain(p, policy_text(p, policy_accepted_domain(p, i)->domain)) != NULL ||
             policy_accepted_domain(p, i)->wildcard);
    for (size_t i = 0; i < ARRAY_LEN(domains); i++) {
        size_t connector;
        policy_find_domain(p, domains[i]);
        if (policy_find_space(p, domains[i], &connector))
            must(connector < policy_send_connector_count(p));
    }
    for (size_t i = 0; i < ARRAY_LEN(remotes); i++) {
        struct selection s;
        struct ip_endpoint local = {ip_v4(10, 0, 0, 1), 25};
        policy_select_traced(p, local, ip_v4(remotes[i], 1, 2, 3), &s);
        must(policy_select(p, local, ip_v4(remotes[i], 1, 2, 3)) == s.connector);
        if (s.connector)
            policy_proxy_versions(p, s.connector, ip_v4(remotes[i], 1, 2, 3));
    }
    touch(policy_text(p, policy_settings(p)->host));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool whole = size && data[0] == 'B';
    struct span from = whole ? span_make(data + 1, size - 1) : sound_block();
    char *block = malloc(from.len + sizeof(struct block_header)); /* malloc's are aligned, the input is not */
    struct policy *p = NULL;
    struct err err;
    if (!block)
        return 0;
    if (from.len)
        memcpy(block, from.ptr, from.len);
    for (size_t i = 0; !whole && i + 5 <= size && i < 5 * EDITS_MAX; i += 5) {
        uint32_t at;
        memcpy(&at, data + i, sizeof at);
        block[at % from.len] = (char)data[i + 4];
    }
    if (from.len >= sizeof(struct block_header)) {
        uint64_t sum = block_checksum(span_from(span_make(block, from.len), sizeof(struct block_header)));
        memcpy(block + offsetof(struct block_header, checksum), &sum, sizeof sum);
    }
    bool sound = policy_open(span_make(block, from.len), &p, &err) == ERR_NONE;
    must(sound || whole || size >= 5);
    if (sound)
        use(p);
    policy_close(p);
    free(block);
    return 0;
}
