/*
 * block.h: the layout of a policy block, for those who write, check and search it (this directory only).
 *
 * Beside the records there are two indexes, so that nothing is searched from end to end: the remote ranges of all
 * connectors by size, and the address spaces of all send connectors by domain. Domains and ACLs are sorted
 * themselves.
 */
#pragma once

#include "policy/policy.h"

enum section {
    SECTION_RECEIVE,
    SECTION_BINDINGS,
    SECTION_RANGES,
    SECTION_PROXIES,     /* struct ip_range: who may send a PROXY header */
    SECTION_RANGE_ORDER, /* struct index_entry: every range, in the order of block_order_ranges */
    SECTION_ACL,
    SECTION_PATTERNS, /* of the entries' lists, which may share them */
    SECTION_DOMAINS,
    SECTION_SEND,
    SECTION_SPACES,
    SECTION_SPACE_ORDER, /* struct index_entry: every address space, in the order of block_order_spaces */
    SECTION_HOSTS,
    SECTION_SETTINGS,
    SECTION_LOCAL, /* struct receive_connector: exactly one, for submit.sock */
    SECTION_TEXT,
    SECTION_COUNT,
};

#define BLOCK_MAGIC "MRPOLICY" /* without its NUL */

enum { BLOCK_ALIGN = 8, BLOCK_LAYOUT = 9 };

struct block_section {
    uint32_t offset, count; /* offset from the block's start, a multiple of BLOCK_ALIGN */
};

struct block_header {
    char magic[8];
    uint32_t layout;
    uint32_t size; /* of the whole block */
    uint64_t version;
    uint64_t checksum; /* of everything behind the header */
    struct block_section sections[SECTION_COUNT];
};

struct index_entry {
    uint32_t item;      /* index of the range or address space */
    uint32_t connector; /* whose it is */
};

struct policy {
    struct span block;
    const struct block_header *header;
};

/* Size of one record of a section. */
size_t block_record_size(enum section s);
/* FNV-1a over 8-byte words: against damage, not against forgery (the block comes from a trusted process). */
uint64_t block_checksum(struct span bytes);

const void *block_record(const struct policy *p, enum section s, size_t i);
size_t block_count(const struct policy *p, enum section s);

/* NULL when the block is sound; otherwise what is wrong with it. Needs nothing but p->block to be valid memory. */
const char *block_check(const struct policy *p);

/*
 * The orders that a sound block is in, as comparisons (for qsort_r) of two records of the section. The orders of
 * both indexes, of the domains and of the patterns are total: no two records are equal.
 */
int block_order_ranges(const void *a, const void *b, void *policy);
int block_order_spaces(const void *a, const void *b, void *policy);
int block_order_aces(const void *a, const void *b, void *policy);
int block_order_patterns(const void *a, const void *b, void *policy);
int block_order_domains(const void *a, const void *b, void *policy);
