/*
 * compile_internal.h: what the parts of the compiler share: the sections as they grow, and readers of properties
 * that note the first one that cannot be used.
 */
#pragma once

#include "policy/block.h"
#include "policy/compile.h"

enum { COMPILE_MEMO = 256 };

/* A permission with the connector that it belongs to; kept sorted by connector. */
struct compile_permission {
    struct span connector; /* GUID */
    const struct record *record;
};

struct compiler {
    struct buf sections[SECTION_COUNT];
    struct policy_text memo[COMPILE_MEMO]; /* texts written lately, by hash: names repeat in every ACL */
    struct compile_permission *permissions;
    size_t permission_count;
    struct err *err;
    enum err_code code; /* the first failure; nothing after it counts */
};

/* ---- sections ---- */

/* Appends one record (of the section's record size). */
void compile_add(struct compiler *c, enum section s, const void *record);
uint32_t compile_count(const struct compiler *c, enum section s);
struct policy_text compile_text(struct compiler *c, struct span s);
struct policy_text compile_lower_text(struct compiler *c, struct span s);

/* ---- properties ---- */

/* Notes that a property's value cannot be used; want says what would be. Never call it for a secret. */
void compile_bad(struct compiler *c, const struct record *r, const char *property, const char *want);

/* The string property, or the empty span. */
struct span compile_string(struct compiler *c, const struct record *r, const char *property);
/* The same, put into the text section. */
struct policy_text compile_text_of(struct compiler *c, const struct record *r, const char *property);
/* The index of the string among the names, without regard to case; absent: otherwise. */
uint32_t compile_enum(struct compiler *c, const struct record *r, const char *property, const char *const *names,
                      size_t count, uint32_t otherwise);
/* The items of a list of strings; one string counts as a list of one. *ret points to them. */
size_t compile_list(struct compiler *c, const struct record *r, const char *property, const struct value **ret);

/* A number, size or time span within a struct; Unlimited gives the largest value of the field. */
struct compile_number {
    const char *property;
    size_t offset; /* of the uint32_t or uint64_t */
    bool wide;     /* it is a uint64_t */
    uint64_t otherwise;
};
void compile_numbers(struct compiler *c, const struct record *r, const struct compile_number *table, size_t count,
                     void *ret);

struct compile_flag {
    const char *property;
    uint32_t bit;
    bool otherwise;
};
uint32_t compile_flags(struct compiler *c, const struct record *r, const struct compile_flag *table, size_t count);

/* ---- objects ---- */

void compile_receive_connector(struct compiler *c, const struct record *r);
/* The built-in connector of submit.sock, behind the receive connectors. */
void compile_local_connector(struct compiler *c, const struct policy_input *in);
/* LocalSubmission of the TransportServer: enum local_submission. */
uint32_t compile_local_submission(struct compiler *c, const struct record *server);
void compile_send_connector(struct compiler *c, const struct record *r);
void compile_domain(struct compiler *c, const struct record *r);
/* Either may be NULL. */
void compile_settings(struct compiler *c, const struct record *server, const struct record *config);
/* The ACL of the connector with this GUID; only a receive connector's entries may be narrowed. */
struct policy_list compile_acl(struct compiler *c, struct span guid, bool receive);
