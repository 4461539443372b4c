/* test_block.c: what policy_open refuses: blocks that are cut, or spoilt in one place, with a right checksum or a
 * wrong one. */
#include "check.h"
#include "policy/block.h"
#include "policy/test_support.h"

static struct block_header *header_of(struct test_policy *t)
{
    return (struct block_header *)(void *)t->block.ptr;
}

static void *record_of(struct test_policy *t, enum section s, size_t i)
{
    return t->block.ptr + header_of(t)->sections[s].offset + i * block_record_size(s);
}

/* The entry that is narrowed by everything. */
static struct policy_ace *narrowed(struct test_policy *t)
{
    struct policy_ace *e = record_of(t, SECTION_ACL, 0);
    while (!e->senders.count)
        e++;
    return e;
}

static void spoil(struct test_policy *t, int what)
{
    struct block_header *h = header_of(t);
    struct receive_connector *c = record_of(t, SECTION_RECEIVE, 0), *local = record_of(t, SECTION_LOCAL, 0);
    struct send_connector *s = record_of(t, SECTION_SEND, 0);
    struct policy_ace *e = record_of(t, SECTION_ACL, 0), deny = e[0];
    struct ip_range *r = record_of(t, SECTION_RANGES, 0), *proxy = record_of(t, SECTION_PROXIES, 0);
    struct index_entry *order = record_of(t, SECTION_RANGE_ORDER, 0),
                       *spaces = record_of(t, SECTION_SPACE_ORDER, 0);
    struct accepted_domain *d = record_of(t, SECTION_DOMAINS, 0);
    struct address_space *space = record_of(t, SECTION_SPACES, 0);
    struct ip_endpoint *b = record_of(t, SECTION_BINDINGS, 0);
    struct transport_settings *o = record_of(t, SECTION_SETTINGS, 0);
    struct policy_ace *n = narrowed(t), *sends = record_of(t, SECTION_ACL, s->acl.first);
    struct policy_pattern *patterns = record_of(t, SECTION_PATTERNS, 1);
    switch (what) {
    case 0: h->magic[0] = 'X'; break;
    case 1: h->layout++; break;
    case 2: h->size--; break;
    case 3: h->sections[SECTION_RECEIVE].offset = 8; break;
    case 4: h->sections[SECTION_RECEIVE].offset += 4; break;
    case 5: h->sections[SECTION_TEXT].count = UINT32_MAX; break;
    case 6: h->sections[SECTION_SEND].offset = UINT32_MAX - 7; break;
    case 7: h->sections[SECTION_SETTINGS].count = 0; break;
    case 8: c->name.offset = UINT32_MAX; break;
    case 9: c->name.len = UINT32_MAX; break;
    case 10: c->acl.count++; break;
    case 11: c->bindings.first = UINT32_MAX; break;
    case 12: c->ranges.count = 0; break;
    case 13: c->flags |= 1u << 31; break;
    case 14: c->auth |= 1u << 31; break;
    case 15: c->size_mode = 3; break;
    case 16: c->tls_minimum = 4; break;
    case 17: e->kind = PRINCIPAL_KINDS; break;
    case 18: e->right = RIGHT_COUNT; break;
    case 19: e->deny = 2; break;
    case 20: e->guid.len = 0; break;
    case 21: e[0] = e[1], e[1] = deny; break;
    case 22: r->first.bytes[12] = 255; break;
    case 23: r->first.bytes[0] = 1; break;
    case 24: order[0].item = 2; break;
    case 25: order[0].connector = 1; break;
    case 26: order[0].connector = UINT32_MAX; break;
    case 27: order[1] = order[0]; break;
    case 28: spaces[0].connector = 1; break;
    case 29: spaces[2] = spaces[1]; break;
    case 30: d->type = DOMAIN_TYPES; break;
    case 31: d->wildcard = 1; break;
    case 32: d->domain.len = 0; break;
    case 33: d->is_default = 2; break;
    case 34: s->port = 65536; break;
    case 35: s->flags |= 1u << 31; break;
    case 36: s->hosts.count = UINT32_MAX; break;
    case 37: space->kind = SPACE_KINDS; break;
    case 38: space->cost = 0; break;
    case 39: space->domain.len = 0; break;
    case 40: b->port = 0; break;
    case 41: o->edge = 2; break;
    case 42: o->lmtp = 2; break;
    case 43: o->host.offset = UINT32_MAX; break;
    case 44: order[1].item = UINT32_MAX; break;
    case 45: spaces[2].item = UINT32_MAX; break;
    case 46: e->reserved = 1; break;
    case 47: proxy->first.bytes[12] = 255; break;
    case 48: c->proxies.count++; break;
    case 49: c->proxies.first = UINT32_MAX; break;
    case 50: c->rate_source = RATE_SOURCES; break;
    case 51: c->tls_profile = 3; break;
    case 52: e->require_tls = 2; break;
    case 53: e->rate = 0; break;
    case 54: e[1].deny = 1, e[1].rate = 3; break;
    case 55: n->senders.first = UINT32_MAX; break;
    case 56: n->recipients.count = POLICY_PATTERNS_MAX + 1; break;
    case 57: n->senders.count = 0, n->recipients.first++; break;
    case 58: patterns->kind = PATTERN_KINDS; break;
    case 59: patterns->reserved = 1; break;
    case 60: patterns->domain.len = 0; break;
    case 61: patterns->local.len = 0; break;
    case 62: patterns->local.offset = UINT32_MAX; break;
    case 63: patterns[1] = patterns[0]; break;
    case 64: sends->expires_ms = 1; break;
    case 65: sends->senders.count = 1; break;
    case 66: o->secure_domains.count++; break;
    case 67: o->hub_servers.first++; break;
    case 68: o->edge_servers.count = UINT32_MAX; break;
    case 69: o->pressure.of[PRESSURE_MEMORY].high = 101; break;
    case 70: o->pressure.of[PRESSURE_MEMORY].medium = UINT64_MAX; break;
    case 71: h->sections[SECTION_LOCAL].count = 0; break;
    case 72: local->bindings.count = 1; break;
    case 73: local->ranges.count = 1; break;
    case 74: local->proxies.count = 1; break;
    case 75: local->auth = 1; break;
    case 76: local->acl.first = 0; break;
    case 77: local->acl.count++; break;
    case 78: local->default_domain.len = UINT32_MAX; break;
    case 79: o->local_submission = LOCAL_SUBMISSIONS; break;
    case 80: o->pickup_rate = 0; break;
    case 81: o->pickup_folder.offset = UINT32_MAX; break;
    case 82: o->replay_folder.len = UINT32_MAX; break;
    case 83: o->dsn_copies.first++; break;
    case 84: o->dsn_copies.count = UINT32_MAX; break;
    case 85: o->dsn_flags |= 1u << 4; break;
    case 86: o->dsn_reserved = 1; break;
    case 87: o->secure_send_domains.first++; break;
    case 88: o->secure_send_domains.count = UINT32_MAX; break;
    case 89: s->tls_level = SEND_TLS_LEVELS; break;
    case 90: s->dane = SEND_DANES; break;
    case 91: s->mta_sts = 2; break;
    case 92: s->tls_domain.offset = UINT32_MAX; break;
    case 93: s->reserved = 1; break;
    default: fail();
    }
}

enum { SPOILT = 94 };

static void test_spoilt_blocks(void **state UNUSED)
{
    for (int i = 0; i < SPOILT; i++) {
        struct test_policy t;
        struct policy *p = NULL;
        struct err err;
        char row[16];
        snprintf(row, sizeof row, "%d", i);
        test_policy_init(&t);
        test_add(&t, test_everything);
        test_open(&t);
        spoil(&t, i);
        CHECK_INT(row, policy_open(buf_span(&t.block), &p, &err), ERR_INVALID);
        size_t n = t.block.len; /* and with a checksum that is right again */
        header_of(&t)->checksum = block_checksum(span_from(span_make(t.block.ptr, n), sizeof(struct block_header)));
        CHECK_INT(row, policy_open(buf_span(&t.block), &p, &err), ERR_INVALID);
        CHECK(row, p == NULL);
        test_policy_done(&t);
    }
}

static void test_cut_blocks(void **state UNUSED)
{
    struct test_policy t;
    struct policy *p = NULL;
    struct err err;
    test_policy_init(&t);
    test_add(&t, test_everything);
    test_open(&t);
    for (size_t n = 0; n < t.block.len; n++)
        assert_int_equal(policy_open(span_head(buf_span(&t.block), n), &p, &err), ERR_INVALID);
    assert_int_equal(policy_open(span_from(buf_span(&t.block), 1), &p, &err), ERR_INVALID);
    assert_null(p);
    test_policy_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spoilt_blocks),
        cmocka_unit_test(test_cut_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
