/*
 * policy.c: opening a policy block and reading it.
 *
 * Invariant: a struct policy exists only for a block that block_check found sound, so accessors need no checks.
 */
#include "policy/policy.h"

#include "policy/block.h"

#include <stdlib.h>
#include <string.h>

size_t block_record_size(enum section s)
{
    static const size_t sizes[SECTION_COUNT] = {
        [SECTION_RECEIVE] = sizeof(struct receive_connector),
        [SECTION_BINDINGS] = sizeof(struct ip_endpoint),
        [SECTION_RANGES] = sizeof(struct ip_range),
        [SECTION_PROXIES] = sizeof(struct ip_range),
        [SECTION_RANGE_ORDER] = sizeof(struct index_entry),
        [SECTION_ACL] = sizeof(struct policy_ace),
        [SECTION_PATTERNS] = sizeof(struct policy_pattern),
        [SECTION_DOMAINS] = sizeof(struct accepted_domain),
        [SECTION_SEND] = sizeof(struct send_connector),
        [SECTION_SPACES] = sizeof(struct address_space),
        [SECTION_SPACE_ORDER] = sizeof(struct index_entry),
        [SECTION_HOSTS] = sizeof(struct policy_text),
        [SECTION_SETTINGS] = sizeof(struct transport_settings),
        [SECTION_LOCAL] = sizeof(struct receive_connector),
        [SECTION_TEXT] = 1,
    };
    return sizes[s];
}

uint64_t block_checksum(struct span bytes)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes.len; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes.ptr + i, bytes.len - i < 8 ? bytes.len - i : 8);
        h = (h ^ word) * 0x100000001b3u;
        h ^= h >> 29;
    }
    return h;
}

const void *block_record(const struct policy *p, enum section s, size_t i)
{
    return p->block.ptr + p->header->sections[s].offset + i * block_record_size(s);
}

size_t block_count(const struct policy *p, enum section s)
{
    return p->header->sections[s].count;
}

enum err_code policy_open(struct span block, struct policy **ret, struct err *err)
{
    struct policy *p = malloc(sizeof *p);
    if (!p)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    *p = (struct policy){block, (const struct block_header *)(const void *)block.ptr};
    const char *defect = block_check(p);
    if (defect) {
        free(p);
        return err_set(err, ERR_INVALID, "not a usable policy block: %s", defect);
    }
    *ret = p;
    return ERR_NONE;
}

void policy_close(struct policy *p)
{
    free(p);
}

struct span policy_text(const struct policy *p, struct policy_text t)
{
    return span_make((const char *)block_record(p, SECTION_TEXT, 0) + t.offset, t.len);
}

uint64_t policy_version(const struct policy *p)
{
    return p->header->version;
}

const struct transport_settings *policy_settings(const struct policy *p)
{
    return block_record(p, SECTION_SETTINGS, 0);
}

const struct receive_connector *policy_local_connector(const struct policy *p)
{
    return block_record(p, SECTION_LOCAL, 0);
}

size_t policy_receive_connector_count(const struct policy *p)
{
    return block_count(p, SECTION_RECEIVE);
}

const struct receive_connector *policy_receive_connector(const struct policy *p, size_t i)
{
    return block_record(p, SECTION_RECEIVE, i);
}

const struct ip_endpoint *policy_bindings(const struct policy *p, struct policy_list l)
{
    return block_record(p, SECTION_BINDINGS, l.first);
}

const struct ip_range *policy_ranges(const struct policy *p, struct policy_list l)
{
    return block_record(p, SECTION_RANGES, l.first);
}

const struct ip_range *policy_proxies(const struct policy *p, struct policy_list l)
{
    return block_record(p, SECTION_PROXIES, l.first);
}

const struct policy_ace *policy_acl(const struct policy *p, struct policy_list l)
{
    return block_record(p, SECTION_ACL, l.first);
}

const struct policy_pattern *policy_patterns(const struct policy *p, struct policy_list l)
{
    return block_record(p, SECTION_PATTERNS, l.first);
}

size_t policy_accepted_domain_count(const struct policy *p)
{
    return block_count(p, SECTION_DOMAINS);
}

const struct accepted_domain *policy_accepted_domain(const struct policy *p, size_t i)
{
    return block_record(p, SECTION_DOMAINS, i);
}

size_t policy_send_connector_count(const struct policy *p)
{
    return block_count(p, SECTION_SEND);
}

const struct send_connector *policy_send_connector(const struct policy *p, size_t i)
{
    return block_record(p, SECTION_SEND, i);
}

const struct address_space *policy_spaces(const struct policy *p, struct policy_list l)
{
    return block_record(p, SECTION_SPACES, l.first);
}

const struct policy_text *policy_hosts(const struct policy *p, struct policy_list l)
{
    return block_record(p, SECTION_HOSTS, l.first);
}
