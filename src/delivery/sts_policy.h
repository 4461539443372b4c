/* sts_policy.h: MTA-STS records and policies (RFC 8461, 3.1 and 3.2), and what a policy says of a host. Pure. */
#pragma once

#include "base/arena.h"
#include "delivery/hop_tls.h"

enum {
    STS_POLICY_MAX = 64 * 1024, /* octets of a policy */
    STS_MX_MAX = 64,            /* patterns in one */
    STS_ID_MAX = 32,
    STS_AGE_MAX = 31557600, /* seconds: what RFC 8461 allows, and more counts as */
};

struct sts_policy {
    enum hop_sts mode; /* mode none: HOP_STS_NONE */
    uint32_t max_age;  /* seconds */
    size_t mx_count;
    struct span mx[STS_MX_MAX]; /* "mx.example.com", "*.example.com" */
};

/* Reads the text of a TXT record. False when it is no valid record of STSv1; *ret_id is a view. */
bool sts_record_id(struct span text, struct span *ret_id);
/* True when the text claims to be such a record: of a domain that has two, none counts. */
bool sts_record_claims(struct span text);

/* Reads a policy; its patterns are views. ERR_INVALID says what is wrong. */
enum err_code sts_policy_parse(struct span text, struct sts_policy *ret, struct err *err);
/* Copies the policy with its patterns. False when memory is out. */
bool sts_policy_copy(const struct sts_policy *p, struct arena *arena, struct sts_policy *ret);
/* Whether the host is one of its mx; a wildcard stands for one label (RFC 8461, 4.1). */
bool sts_policy_lists(const struct sts_policy *p, struct span host);
