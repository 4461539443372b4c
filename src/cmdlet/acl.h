/*
 * acl.h: the ACL of one connector as it is edited: loaded, changed in memory, checked, saved. Each entry is an
 * object of the class ADPermission: one right for one principal, perhaps narrowed.
 *
 * Invariant: an ACL never has two entries with the same principal, right, kind (allow or deny) and narrowing.
 */
#pragma once

#include "cmdlet/context.h"
#include "cmdlet/narrowing.h"
#include "policy/group.h"
#include "policy/right.h"

struct acl_item {
    struct record *record;
    bool fresh;   /* not stored yet */
    bool removed; /* to be taken out of the store */
};

struct acl {
    struct cmdlet_context *context;
    struct arena *arena;
    struct span connector; /* its Guid */
    struct acl_item *items;
    size_t count, cap;
};

enum err_code acl_load(struct acl *ret, struct cmdlet_context *c, struct arena *arena, struct span connector,
                       struct err *err);
/*
 * Adds an entry; user in its stored form; n: narrowing_none for an entry that is not narrowed. *ret_added is false
 * when it is there already, whatever its origin and comment. The views must live as long as the arena.
 */
enum err_code acl_add(struct acl *acl, struct span user, struct span user_name, enum right right, bool deny,
                      const struct narrowing *n, struct span origin, bool *ret_added, struct err *err);
/* The next entry from index *at (0 at first) on that n fits (narrowing_fits), or NULL. */
struct acl_item *acl_find(const struct acl *acl, struct span user, enum right right, bool deny,
                          const struct narrowing *n, size_t *at);
/*
 * Makes the groups' entries complete. Entries that other groups have written go, unless keep_others; explicit ones
 * stay always. groups: a set of GROUP_BIT.
 */
enum err_code acl_set_groups(struct acl *acl, unsigned groups, bool keep_others, struct err *err);
/* The value of the property PermissionGroups: narrowed entries belong to none, and show as Custom. */
enum err_code acl_groups(const struct acl *acl, struct value *ret, struct err *err);
/* The groups that such a value names; *ret_custom: Custom is among them. */
unsigned acl_groups_named(const struct value *groups, bool *ret_custom);
/* What a new send connector grants. */
enum err_code acl_add_send_defaults(struct acl *acl, struct err *err);
/* ERR_LIMIT: more than POLICY_ACL_MAX entries. */
enum err_code acl_save(const struct acl *acl, struct err *err);
/* Takes every entry of a connector out of the store. */
enum err_code acl_delete(struct cmdlet_context *c, struct arena *arena, struct span connector, struct err *err);
