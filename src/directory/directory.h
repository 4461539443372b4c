/*
 * directory.h: the directory port: whose an address is, and who a user is. Adapters stand behind it: embedded
 * (SQLite, embedded.h) and memory (tests, memory.h).
 *
 * "Try later" is ERR_UNAVAILABLE and never an absence: a caller defers then, it does not refuse. Addresses and user
 * names are compared without regard to ASCII case. A directory belongs to one thread.
 *
 * Passwords are checked with directory_check.h, which keeps the slow part off that thread.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

struct credential_cache;
struct directory;

/* Longer user names and addresses are not looked up: nobody has one (octets). */
enum { DIRECTORY_NAME_MAX = 320 };

enum directory_kind {
    DIRECTORY_NOT_FOUND,
    DIRECTORY_MAILBOX,
    DIRECTORY_CONTACT,
    DIRECTORY_GROUP,
};

struct directory_recipient {
    enum directory_kind kind;
    struct span guid;
    struct span primary; /* PrimarySmtpAddress as it is written */
    struct span
        target; /* where its mail goes. Mailbox: the primary address; contact: the external address; group: none */
    const struct span *members; /* group: the primary addresses of its direct members, which may be groups again */
    size_t member_count;
    bool authenticated_only; /* RequireSenderAuthenticationEnabled */
};

/* What is needed to check a password, and no more. */
struct directory_account {
    struct span guid;
    bool enabled;
    struct span password_hash; /* encoded as in password.h; empty: has none, cannot log on */
};

struct directory_identity {
    struct span guid;
    struct span primary;
    struct span display_name;     /* DisplayName, or Name where there is none */
    const struct span *addresses; /* all that it owns, the primary first */
    size_t address_count;
    const struct span *groups; /* GUIDs of the groups it belongs to, directly or through others */
    size_t group_count;
};

/* An adapter: see the functions below for what each must do. Results live in the arena. */
struct directory_ops {
    enum err_code (*resolve)(struct directory *d, struct span address, struct arena *arena,
                             struct directory_recipient *ret, struct err *err);
    enum err_code (*account)(struct directory *d, struct span user, struct arena *arena,
                             struct directory_account *ret, struct err *err);
    enum err_code (*principal)(struct directory *d, struct span principal, struct arena *arena,
                               struct directory_account *ret, struct err *err);
    enum err_code (*identity)(struct directory *d, struct span guid, struct arena *arena,
                              struct directory_identity *ret, struct err *err);
    enum err_code (*send_as)(struct directory *d, struct span user, struct span address, bool *ret,
                             struct err *err);
    void (*close)(struct directory *d);
};

struct directory {
    const struct directory_ops *ops;
    struct credential_cache *cache; /* directory_use_cache */
};

/*
 * Whose address this is. An address that nobody has gives ERR_NONE and DIRECTORY_NOT_FOUND. ERR_UNAVAILABLE: ask
 * again later. ERR_NO_MEMORY: the answer does not fit into the arena (a group with too many members).
 */
enum err_code directory_resolve(struct directory *d, struct span address, struct arena *arena,
                                struct directory_recipient *ret, struct err *err);
/*
 * The mailbox that a user name at logon means: any of its addresses, its UserPrincipalName, or its Name, in this
 * order. ERR_NOT_FOUND, ERR_UNAVAILABLE, ERR_NO_MEMORY.
 */
enum err_code directory_account(struct directory *d, struct span user, struct arena *arena,
                                struct directory_account *ret, struct err *err);
/*
 * The mailbox that a Kerberos principal (user@REALM) means: the one whose UserPrincipalName it is, or, of those
 * without a UserPrincipalName, the one whose PrimarySmtpAddress it is. Neither further addresses nor names count:
 * whoever may make principals in a realm does not thereby speak for them. As directory_account otherwise.
 */
enum err_code directory_principal(struct directory *d, struct span principal, struct arena *arena,
                                  struct directory_account *ret, struct err *err);
/* The mailbox with this GUID as its owner's session needs it. ERR_NOT_FOUND, ERR_UNAVAILABLE, ERR_NO_MEMORY. */
enum err_code directory_identity(struct directory *d, struct span guid, struct arena *arena,
                                 struct directory_identity *ret, struct err *err);
/*
 * Whether the mailbox with the GUID `user` may send as the owner of an address: the owner's SendAs names it, or a
 * group that it belongs to, directly or through others. *ret is false for an address or a user that nobody is.
 * ERR_UNAVAILABLE.
 */
enum err_code directory_send_as(struct directory *d, struct span user, struct span address, bool *ret,
                                struct err *err);
void directory_close(struct directory *d); /* NULL allowed */

/* Verified credentials are remembered in the cache (borrowed; NULL for none) until their account changes. */
void directory_use_cache(struct directory *d, struct credential_cache *cache);
/* For adapters: the account has changed, for certain or perhaps. An empty guid means all of them. */
void directory_changed(struct directory *d, struct span guid);
