/*
 * schema.h: THE table: every class of objects and each of its properties, defined once: name as Exchange spells it,
 * type, default, range, words, help. Cmdlet parameters and their errors, Get-Help, the order of Format-List and the
 * stored text come from it.
 *
 * A typed value is what a record holds after parsing: flags and lists LIST of STRING in canonical spelling,
 * switches BOOL, counts INT, sizes SIZE, time spans TIMESPAN, times TIME, an absent limit UNLIMITED, none NULL,
 * passwords SECRET, everything else STRING in its canonical form.
 */
#pragma once

#include "base/err.h"
#include "base/value.h"

enum schema_type {
    SCHEMA_STRING,
    SCHEMA_BOOL,
    SCHEMA_INT,
    SCHEMA_SIZE,          /* bytes */
    SCHEMA_TIMESPAN,      /* milliseconds */
    SCHEMA_TIME,          /* milliseconds since 1970 */
    SCHEMA_ENUM,          /* one of `words` */
    SCHEMA_FLAGS,         /* several of `words`, kept in their order; the word None is the empty set */
    SCHEMA_FQDN,          /* a host name */
    SCHEMA_DOMAIN,        /* a domain, "*" or "*." in front allowed */
    SCHEMA_ADDRESS,       /* local@domain */
    SCHEMA_PATTERN,       /* local@domain, *@domain, *@*.domain or <> (mail/address_pattern.h) */
    SCHEMA_BINDING,       /* IP:port */
    SCHEMA_RANGE,         /* an address, first-last, or address/bits */
    SCHEMA_ADDRESS_SPACE, /* [SMTP:]domain[;cost] */
    SCHEMA_HOST,          /* a host name or an IP address */
    SCHEMA_SECRET,
    SCHEMA_TYPES,
};

enum schema_flag {
    SCHEMA_LIST = 1 << 0,
    SCHEMA_NOT_EMPTY = 1 << 1,   /* a list of at least one */
    SCHEMA_UNLIMITED = 1 << 2,   /* takes Unlimited */
    SCHEMA_NULLABLE = 1 << 3,    /* takes $null: none */
    SCHEMA_READ_ONLY = 1 << 4,   /* shown, not a parameter */
    SCHEMA_REQUIRED = 1 << 5,    /* must be given to New- */
    SCHEMA_CREATE_ONLY = 1 << 6, /* a parameter of New- alone */
    SCHEMA_COMPUTED = 1 << 7,    /* derived from other objects; not stored in this one */
    SCHEMA_HIDDEN = 1 << 8,      /* stored, not shown */
    SCHEMA_WRITE_ONLY = 1 << 9,  /* handed to the store, which never gives it back */
    SCHEMA_INERT = 1 << 10,      /* kept and shown; nothing obeys it yet */
};

/* Since which Exchange a property exists. */
enum schema_since {
    SINCE_2007,
    SINCE_2007_SP1,
    SINCE_2010,
    SINCE_2013,
    SINCE_2016,
    SINCE_OURS, /* Mailreeve's own */
};

struct schema_property {
    const char *name;
    enum schema_type type;
    unsigned flags; /* enum schema_flag */
    enum schema_since since;
    const char *initial;      /* the default as text, of a list its items with commas; NULL: none */
    const char *initial_edge; /* where it differs on an Edge server */
    /* Both inclusive: numbers; bytes; milliseconds; octets of a text, or of each item of a list. max 0: no bound.
     */
    int64_t min, max;
    const char *const *words; /* of ENUM and FLAGS, NULL-terminated */
    const char *help;
};

/* What a rule must know beyond the object. */
struct schema_facts {
    bool edge;
    bool downgraded_server_auth; /* TransportServer UseDowngradedExchangeServerAuth */
    size_t secure_domains;       /* how many domains TransportConfig TLSReceiveDomainSecureList has */
    bool secrets_elsewhere;      /* a secret that is missing will be filled in later */
};

/* A rule over several properties of one complete object. */
struct schema_rule {
    const char *name; /* for tests and messages: "basic-auth-require-tls" */
    /* ERR_CONFLICT names both sides and the remedy; ERR_DENIED: not on this role. */
    enum err_code (*check)(const struct record *r, const struct schema_facts *facts, struct err *err);
};

struct schema_class {
    const char *name;  /* "ReceiveConnector" */
    const char *label; /* "receive connector" */
    const struct schema_property *properties;
    size_t count;
    const struct schema_rule *rules;
    size_t rule_count;
};

extern const struct schema_class schema_receive_connector, schema_send_connector, schema_accepted_domain,
    schema_ad_permission, schema_mailbox, schema_mail_contact, schema_distribution_group, schema_transport_server,
    schema_transport_config;
enum { SCHEMA_CLASSES = 9 };
extern const struct schema_class *const schema_classes[SCHEMA_CLASSES];

enum { SCHEMA_SERVER_CERTIFICATES_MAX = 64 }; /* pinned servers of one kind */
enum { SCHEMA_DSN_COPIES_MAX = 100 };         /* status codes of GenerateCopyOfDSNFor */
enum { SCHEMA_LIST_MAX = 5000 };              /* items that a list may be given */

/* Both case-insensitive; NULL: there is none. */
const struct schema_class *schema_class(struct span name);
const struct schema_property *schema_property(const struct schema_class *c, struct span name);
/* Whether its typed value is a LIST. */
bool schema_is_list(const struct schema_property *p);

/*
 * Brings a value from the shell into the property's kind. current: the present typed value, against which a list's
 * @{Add=...;Remove=...} is applied; or NULL. What *ret holds lives in the arena or is a view into `in`.
 * ERR_INVALID names the property, the value, the rule and what would be right ("MaxHopCount: ..."); ERR_LIMIT: too
 * many items; ERR_NO_MEMORY.
 */
enum err_code schema_parse_property(const struct schema_property *p, struct value in, const struct value *current,
                                    struct arena *arena, struct value *ret, struct err *err);
/*
 * The stored form of one value, an item of a list or the value itself, which must not be NULL; and back. Printing
 * what was parsed gives the same text again.
 */
void schema_print_text(struct buf *out, struct value v);
enum err_code schema_parse_text(const struct schema_property *p, struct span text, struct arena *arena,
                                struct value *ret, struct err *err);

/* Sets each stored property that the record does not have to its default on that role. ERR_NO_MEMORY. */
enum err_code schema_complete(const struct schema_class *c, bool edge, struct record *r, struct err *err);
/* Every rule of the class; the first that does not hold gives its error. */
enum err_code schema_check(const struct schema_class *c, const struct record *r, const struct schema_facts *facts,
                           struct err *err);
/* The properties that are shown, in the table's order; NULL when memory is out. */
struct record *schema_view(const struct schema_class *c, const struct record *r, struct arena *arena);

/* What stands for its argument in help: "<String>", "None | Verbose". NULL when memory is out. */
const char *schema_syntax(const struct schema_property *p, struct arena *arena);
/* Its help with default, range and origin. NULL when memory is out. */
const char *schema_help(const struct schema_property *p, struct arena *arena);
