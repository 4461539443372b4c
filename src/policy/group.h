/*
 * group.h: permission groups and usage types: presets, and nothing more. A group is a named set of ACL entries; a
 * usage type says which groups and mechanisms a new connector begins with. Both differ a little between Hub and
 * Edge servers.
 */
#pragma once

#include "policy/principal.h"
#include "policy/right.h"

enum permission_group {
    GROUP_ANONYMOUS_USERS,
    GROUP_EXCHANGE_USERS,
    GROUP_EXCHANGE_SERVERS,
    GROUP_EXCHANGE_LEGACY_SERVERS,
    GROUP_PARTNERS,
    GROUP_COUNT,
};

/* Sets of groups. */
#define GROUP_BIT(group) (1u << (group))

struct group_entry {
    enum principal principal;
    unsigned allow, deny; /* sets of RIGHT_BIT */
    bool hub_only;        /* not part of the group on an Edge server */
};

struct group_info {
    struct span name;  /* "AnonymousUsers" */
    struct span label; /* "Anonymous users", as the console calls it */
    bool on_edge;      /* exists on an Edge server; all exist on a Hub */
    const struct group_entry *entries;
    size_t entry_count;
};

const struct group_info *group_info(enum permission_group g);
/* Case-insensitive; GROUP_COUNT when there is none ("None" and "Custom" are no groups). */
enum permission_group group_from_name(struct span name);

/* One entry of a connector's ACL, as far as groups are concerned: one right. */
struct acl_entry {
    enum principal principal; /* PRINCIPAL_USER and _GROUP belong to no permission group */
    enum right right;
    bool deny;
};

enum { GROUP_ACL_MAX = 44 };

/* The group as single entries: what setting it writes. Their number is the result; 0 where it does not exist. */
size_t group_acl(enum permission_group g, bool edge, struct acl_entry ret[static GROUP_ACL_MAX]);
/*
 * Which groups an ACL holds completely, as a set of GROUP_BIT. *ret_custom: entries remain that none of them
 * explains. The order of the entries does not matter, nor do repeated ones.
 */
unsigned group_detect(const struct acl_entry *entries, size_t count, bool edge, bool *ret_custom);
/*
 * The value of the property PermissionGroups: the names of the groups, "Custom" behind them, or "None" alone. Their
 * number (at least 1) is the result.
 */
size_t group_names(unsigned groups, bool custom, struct span ret[static GROUP_COUNT + 1]);

enum usage { USAGE_CLIENT, USAGE_CUSTOM, USAGE_INTERNAL, USAGE_INTERNET, USAGE_PARTNER, USAGE_COUNT };

struct usage_info {
    struct span name;
    bool on_edge;
    unsigned groups_hub, groups_edge; /* sets of GROUP_BIT */
    struct span mechanisms;           /* AuthMechanism, separated by commas */
    uint16_t port;                    /* fixed binding 0.0.0.0:port, or 0: Bindings must be given */
    bool ranges_fixed; /* RemoteIPRanges cannot be given (every IPv4 address); otherwise they must be */
};

const struct usage_info *usage_info(enum usage u);
enum usage usage_from_name(struct span name); /* case-insensitive; USAGE_COUNT when there is none */
