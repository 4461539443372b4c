/* test_compiled.c: what init and the cmdlets make is what the policy compiler takes, with the meaning it had. */
#include "check.h"
#include "cmdlet/test_support.h"
#include "policy/compile.h"

static size_t list(struct bench *b, const char *class_name, struct record ***ret)
{
    size_t count = 0;
    CHECK_INT(class_name,
              object_store_list(b->context.policy, span_of(class_name), &b->arena, ret, &count, &b->err), ERR_NONE);
    return count;
}

static void test_compiles(void **state UNUSED)
{
    static const unsigned flags[] = {0, BENCH_EDGE, BENCH_SQLITE};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        struct bench b;
        struct record **receive, **permissions, **domains, **send, **server, **config;
        struct buf block;
        struct policy *policy = NULL;
        bench_init(&b, flags[i]);
        static const struct bench_row row = {
            "make",
            "New-ReceiveConnector a -Usage Internet -Bindings 127.0.0.1:99 -MaxInboundConnection unlimited; "
            "New-AcceptedDomain w -DomainName '*.app.test' -DomainType ExternalRelay; New-SendConnector out "
            "-AddressSpaces 'SMTP:*.partner.example;5','*' -DNSRoutingEnabled $false -SmartHosts 127.0.0.1 "
            "-SmartHostAuthMechanism BasicAuth -AuthenticationUserName u -AuthenticationPassword p; New-Mailbox "
            "alice -Password p; Add-ADPermission a -User alice -ExtendedRights ms-Exch-SMTP-Accept-Any-Sender "
            "-Deny; Add-ADPermission a -User Everyone -ExtendedRights ms-Exch-SMTP-Submit -Senders 'a@b.test,<>' "
            "-Recipients '*@c.test' -MessageRate 3 -RequireTls -Expires 2099-01-01; Set-TransportConfig "
            "-MaxReceiveSize 10MB; Set-TransportServer -MaxOutboundConnections "
            "unlimited"};
        bench_check(&b, &row);
        struct policy_input in = {.receive_count = list(&b, "ReceiveConnector", &receive),
                                  .permission_count = list(&b, "ADPermission", &permissions),
                                  .domain_count = list(&b, "AcceptedDomain", &domains),
                                  .send_count = list(&b, "SendConnector", &send)};
        CHECK_INT("settings", list(&b, "TransportServer", &server) + list(&b, "TransportConfig", &config), 2);
        in.receive_connectors = (const struct record *const *)receive;
        in.permissions = (const struct record *const *)permissions;
        in.domains = (const struct record *const *)domains;
        in.send_connectors = (const struct record *const *)send;
        in.server = server[0];
        in.config = config[0];
        buf_init(&block, 16 << 20);
        if (policy_compile(&in, 1, &block, &b.err) != ERR_NONE ||
            policy_open(buf_span(&block), &policy, &b.err) != ERR_NONE)
            fail_msg("%s", b.err.text);
        CHECK_INT("connectors", policy_receive_connector_count(policy), in.receive_count);
        CHECK_INT("edge", policy_settings(policy)->edge, (flags[i] & BENCH_EDGE) != 0);
        const struct receive_connector *a = policy_receive_connector(policy, 0);
        CHECK_SPAN("a", policy_text(policy, a->name), SPAN("a"));
        CHECK_INT("a", a->acl.count, 6); /* four of AnonymousUsers, the one that denies and the narrowed one */
        const struct policy_ace *e = policy_acl(policy, a->acl);
        while (e->rate == POLICY_UNLIMITED)
            e++;
        CHECK("narrowed", e->id.len && e->senders.count == 2 && e->recipients.count == 1 && e->require_tls);
        CHECK_INT("narrowed", e->rate, 3);
        CHECK_INT("narrowed", e->expires_ms, INT64_C(4070908800000));
        CHECK_INT("a", a->max_connections, POLICY_UNLIMITED);
        policy_close(policy);
        buf_done(&block);
        bench_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_compiles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
