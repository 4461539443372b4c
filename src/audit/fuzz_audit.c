/*
 * fuzz_audit.c: the audit of whatever policy_open lets through: a sound block with up to EDITS_MAX bytes changed (4
 * bytes of place, 1 of new content each). What it finds is printable and has a remedy, and each cell of the
 * partition belongs to the connector that policy_select chooses at both of its ends.
 */
#include "audit/audit.h"
#include "audit/partition.h"
#include "policy/block.h"
#include "policy/select.h"
#include "policy/test_support.h"

#include <stdlib.h>
#include <string.h>

enum { EDITS_MAX = 3, MEMORY_MAX = 64 << 20 };

static struct span sound_block(void)
{
    static struct test_policy t;
    if (t.policy)
        return buf_span(&t.block);
    test_policy_init(&t);
    test_add(
        &t,
        "ReceiveConnector: Guid=r1|Name=one|Bindings=[0.0.0.0:25,[::]:25]|AuthMechanism=[Tls,BasicAuth]|"
        "RemoteIPRanges=[0.0.0.0/0,10.0.0.0/8,::/0]|Fqdn=mail.example.com\n"
        "ReceiveConnector: Guid=r2|Name=two|Bindings=[10.0.0.1:25]|RemoteIPRanges=[10.0.0.0/8,10.1.0.0/16]|"
        "ProxyProtocol=[V2]|ProxyProtocolSources=[10.0.0.0-10.0.0.9,10.1.2.3]|AuthMechanism=[Tls,ExchangeServer]\n"
        "ReceiveConnector: Guid=r3|Name=three|Bindings=[0.0.0.0:25]|RemoteIPRanges=[10.1.0.0/17,10.1.128.0/17]|"
        "AuthMechanism=[ExternalAuthoritative]\n"
        "ADPermission: Connector=r1|User=Anonymous|ExtendedRight=ms-Exch-SMTP-Accept-Any-Recipient\n"
        "ADPermission: Connector=r1|User=user:u1|ExtendedRight=ms-Exch-SMTP-Submit|Deny=$true\n"
        "ADPermission: Connector=r2|User=group:g1|ExtendedRight=ms-Exch-SMTP-Submit\n"
        "SendConnector: Guid=s1|Name=out|AddressSpaces=[*]|SmartHosts=[10.1.2.3,c.d]\n"
        "AcceptedDomain: DomainName=example.com|Default=$true\nAcceptedDomain: DomainName=*.org\n");
    test_add_group(&t, "r1", GROUP_ANONYMOUS_USERS);
    test_add_group(&t, "r3", GROUP_EXCHANGE_SERVERS);
    test_open(&t);
    return buf_span(&t.block);
}

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_partition(const struct policy *p, struct arena *arena)
{
    struct audit_partition part;
    struct err err;
    if (audit_partition_make(p, NULL, 0, arena, &part, &err))
        return;
    for (size_t i = 0; i < part.cell_count; i++) {
        const struct audit_cell *cell = &part.cells[i];
        const struct receive_connector *c = policy_receive_connector(p, cell->connector);
        must(policy_select(p, part.locals[cell->local].at, cell->remote.first) == c);
        must(policy_select(p, part.locals[cell->local].at, cell->remote.last) == c);
    }
}

static void check_report(const struct policy *p, struct arena *arena)
{
    const struct audit_address gateway = {
        .addr = ip_v4(10, 0, 0, 1), .flags = AUDIT_GATEWAY, .interface = SPAN("e")};
    const struct audit_facts facts = {
        .host = SPAN("mail.example.com"), .addresses = &gateway, .address_count = 1, .certificates_known = true};
    struct audit_report r;
    struct err err;
    struct buf out;
    if (audit_run(p, &facts, AUDIT_ALL, arena, &r, &err))
        return;
    buf_init(&out, MEMORY_MAX);
    for (size_t i = 0; i < r.count; i++)
        must(r.findings[i].text.len && r.findings[i].remedy.len);
    audit_print(&out, &r, SPAN("mailreeve explain"));
    must(!out.failed);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span from = sound_block();
    char *block = malloc(from.len);
    struct policy *p = NULL;
    struct arena arena;
    struct err err;
    if (!block)
        return 0;
    memcpy(block, from.ptr, from.len);
    for (size_t i = 0; i + 5 <= size && i < 5 * EDITS_MAX; i += 5) {
        uint32_t at;
        memcpy(&at, data + i, sizeof at);
        block[at % from.len] = (char)data[i + 4];
    }
    uint64_t sum = block_checksum(span_from(span_make(block, from.len), sizeof(struct block_header)));
    memcpy(block + offsetof(struct block_header, checksum), &sum, sizeof sum);
    arena_init(&arena, MEMORY_MAX);
    if (policy_open(span_make(block, from.len), &p, &err) == ERR_NONE) {
        check_partition(p, &arena);
        check_report(p, &arena);
    }
    policy_close(p);
    arena_clear(&arena);
    free(block);
    return 0;
}
