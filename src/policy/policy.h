/*
 * policy.h: the whole policy as one flat block of bytes, and its reader. The block is position-independent: every
 * reference is an offset or an index. policy_open checks all of it once; accessors are then plain loads.
 *
 * Everything a reader gets points into the block and lives as long as it. An index or a list must come from the
 * same policy.
 */
#pragma once

#include "base/err.h"
#include "base/ip.h"
#include "mail/address_pattern.h"
#include "policy/pressure.h"
#include "policy/principal.h"
#include "policy/right.h"

struct policy;

struct policy_text {
    uint32_t offset, len;
};
/* A run of records in another section of the block. */
struct policy_list {
    uint32_t first, count;
};

#define POLICY_UNLIMITED      UINT32_MAX /* in 32-bit limits */
#define POLICY_UNLIMITED_WIDE UINT64_MAX /* in 64-bit ones */

enum auth_mechanism {
    AUTH_TLS = 1 << 0,
    AUTH_BASIC = 1 << 1,
    AUTH_BASIC_REQUIRE_TLS = 1 << 2,
    AUTH_INTEGRATED = 1 << 3,
    AUTH_EXCHANGE_SERVER = 1 << 4,
    AUTH_EXTERNAL_AUTHORITATIVE = 1 << 5,
    AUTH_ALL = (1 << 6) - 1,
};

enum connector_flag {
    CONNECTOR_ENABLED = 1 << 0,
    CONNECTOR_PIPELINING = 1 << 1,
    CONNECTOR_CHUNKING = 1 << 2,
    CONNECTOR_BINARY_MIME = 1 << 3,
    CONNECTOR_EIGHT_BIT_MIME = 1 << 4,
    CONNECTOR_DSN = 1 << 5,
    CONNECTOR_ENHANCED_CODES = 1 << 6,
    CONNECTOR_SMTP_UTF8 = 1 << 7,
    CONNECTOR_REQUIRE_TLS = 1 << 8,
    CONNECTOR_REQUIRE_EHLO_DOMAIN = 1 << 9,
    CONNECTOR_DOMAIN_SECURE = 1 << 10,
    CONNECTOR_IMPLICIT_TLS = 1 << 11,
    CONNECTOR_VERBOSE_LOG = 1 << 12,
    CONNECTOR_BARE_LF_REJECTION = 1 << 13,
    CONNECTOR_PROXY_V1 = 1 << 14, /* versions of the PROXY protocol that are taken, from `proxies` alone */
    CONNECTOR_PROXY_V2 = 1 << 15,
    CONNECTOR_LONG_ADDRESSES = 1 << 16,
    CONNECTOR_ORAR = 1 << 17,
    CONNECTOR_AUTH_GSSAPI = 1 << 18,        /* counts with AUTH_INTEGRATED only */
    CONNECTOR_OFFERS_REQUIRE_TLS = 1 << 19, /* REQUIRETLS, RFC 8689 */
    CONNECTOR_FLAGS_ALL = (1 << 20) - 1,
};

/* By what MessageRateLimit counts (MessageRateSource). */
enum rate_source { RATE_BY_NONE, RATE_BY_ADDRESS, RATE_BY_USER, RATE_BY_ALL, RATE_SOURCES };

enum size_mode { SIZE_DISABLED, SIZE_ENABLED, SIZE_WITHOUT_VALUE };

/* Limits may be POLICY_UNLIMITED; times are milliseconds. */
struct receive_connector {
    struct policy_text guid, name, fqdn, banner, default_domain;
    struct policy_list bindings; /* of struct ip_endpoint */
    struct policy_list ranges;   /* of struct ip_range */
    struct policy_list proxies;  /* of struct ip_range: read with policy_proxies */
    struct policy_list acl;      /* of struct policy_ace, in the order of evaluation */
    uint64_t max_message_size;   /* bytes, or POLICY_UNLIMITED_WIDE */
    uint32_t flags;              /* enum connector_flag */
    uint32_t auth;               /* enum auth_mechanism */
    uint32_t size_mode;          /* enum size_mode */
    uint32_t max_header_size, max_recipients, max_hops, max_local_hops;
    uint32_t max_connections, max_connections_per_source, max_percentage_per_source;
    uint32_t max_protocol_errors, max_logon_failures, message_rate_limit;
    uint32_t connection_timeout_ms, inactivity_timeout_ms, tarpit_ms, auth_tarpit_ms;
    uint32_t tls_minimum; /* 0 to 3: TLS 1.0 to 1.3 */
    uint32_t rate_source; /* enum rate_source */
    uint32_t tls_profile; /* 0: Intermediate, 1: Modern, 2: Legacy */
};

/* A pattern of addresses, compiled. Within a list they are in the order of address_pattern_compare, none twice. */
struct policy_pattern {
    struct policy_text domain; /* without "*."; empty for PATTERN_NULL */
    struct policy_text local;  /* of PATTERN_ADDRESS, otherwise empty */
    uint32_t kind;             /* enum address_pattern_kind */
    uint32_t reserved;         /* 0 */
};

enum {
    POLICY_PATTERNS_MAX = 256, /* of one list */
    POLICY_ACL_MAX = 1024,     /* entries of one connector: a session has a mark for each */
};

#define POLICY_NEVER INT64_MAX /* in expires_ms */

/*
 * One entry of an ACL. Within a list they are sorted by right, what denies first, then what counts no messages and
 * the higher rates first, then by principal: for one right the first entry that applies decides. Whether it applies
 * is narrow.h's: an entry may be narrowed, on receive connectors only.
 */
struct policy_ace {
    struct policy_text id;         /* the entry's own Guid */
    struct policy_text principal;  /* canonical text: a name, user:GUID, group:GUID */
    struct policy_text guid;       /* of a user or group */
    struct policy_text name;       /* for people: of a user or group its name, otherwise as `principal` */
    struct policy_text origin;     /* permission group's name, or "Explicit" */
    struct policy_list senders;    /* of struct policy_pattern; empty: any */
    struct policy_list recipients; /* likewise */
    int64_t expires_ms;            /* since 1970: it applies before; POLICY_NEVER */
    uint32_t kind;                 /* enum principal */
    uint32_t right;                /* enum right */
    uint32_t deny;                 /* 0 or 1 */
    uint32_t require_tls;          /* 0 or 1 */
    uint32_t rate;     /* messages a minute, of one that allows; POLICY_UNLIMITED: they are not counted */
    uint32_t reserved; /* 0 */
};

enum domain_type { DOMAIN_AUTHORITATIVE, DOMAIN_INTERNAL_RELAY, DOMAIN_EXTERNAL_RELAY, DOMAIN_TYPES };

struct accepted_domain {
    struct policy_text name, domain; /* domain: lower-case; a wildcard's without its "*." */
    uint32_t type;                   /* enum domain_type */
    uint32_t wildcard, is_default;   /* 0 or 1 */
    uint32_t reserved;               /* 0 */
};

enum space_kind {
    SPACE_DOMAIN,     /* this domain */
    SPACE_SUBDOMAINS, /* the domains below it, not itself ("*.example.com") */
    SPACE_ALL,        /* "*" */
    SPACE_KINDS,
};

struct address_space {
    struct policy_text domain; /* lower-case, without "*."; empty for SPACE_ALL */
    uint32_t kind;             /* enum space_kind */
    uint32_t cost;             /* 1 to 100, lower wins */
};

enum send_flag {
    SEND_ENABLED = 1 << 0,
    SEND_DNS_ROUTING = 1 << 1,
    SEND_REQUIRE_TLS = 1 << 2,
    SEND_IGNORE_STARTTLS = 1 << 3,
    SEND_FORCE_HELO = 1 << 4,
    SEND_BASIC_AUTH = 1 << 5, /* to the smart host; also set with the next */
    SEND_BASIC_AUTH_REQUIRE_TLS = 1 << 6,
    SEND_EXCHANGE_SERVER = 1 << 7,
    SEND_EXTERNAL_AUTHORITATIVE = 1 << 8,
    SEND_VERBOSE_LOG = 1 << 9,
    SEND_DOMAIN_SECURE = 1 << 10,
    SEND_FLAGS_ALL = (1 << 11) - 1,
};

/* TlsAuthLevel, SmtpDaneMode. */
enum send_tls_level { SEND_TLS_UNSET, SEND_TLS_ENCRYPTION, SEND_TLS_CERTIFICATE, SEND_TLS_DOMAIN, SEND_TLS_LEVELS };
enum send_dane { SEND_DANE_NONE, SEND_DANE_OPPORTUNISTIC, SEND_DANE_MANDATORY, SEND_DANES };

struct send_connector {
    struct policy_text guid, name, fqdn, user;
    struct policy_text tls_domain; /* TlsDomain, lower-case, or empty */
    struct policy_text password;   /* a secret: never into a log, a trace or an error */
    struct policy_list spaces;     /* of struct address_space */
    struct policy_list hosts;      /* of struct policy_text: smart hosts, in the order given */
    struct policy_list acl;        /* of struct policy_ace: the send rights */
    uint64_t max_message_size;
    uint32_t flags; /* enum send_flag */
    uint32_t port;  /* 0 to 65535 */
    uint32_t inactivity_timeout_ms;
    uint8_t tls_level; /* enum send_tls_level */
    uint8_t dane;      /* enum send_dane */
    uint8_t mta_sts;   /* 0 or 1 */
    uint8_t reserved;  /* 0 */
};

/* Whom a local user may send as (LocalSubmission). */
enum local_submission { LOCAL_ANY_SENDER, LOCAL_OWN_SENDER, LOCAL_DISABLED, LOCAL_SUBMISSIONS };

/* Of notifications, by whether the sender they go to is the organisation's. */
enum dsn_flag {
    DSN_DELAY_INTERNAL = 1 << 0, /* it is told of delays */
    DSN_DELAY_EXTERNAL = 1 << 1,
    DSN_HTML_INTERNAL = 1 << 2, /* the human part is HTML too */
    DSN_HTML_EXTERNAL = 1 << 3,
    DSN_FLAGS_ALL = (1 << 4) - 1,
};

struct transport_settings {
    struct policy_text host, postmaster, mailbox_host; /* mailbox_host: LMTP endpoint, or empty */
    struct policy_list secure_domains;      /* of struct policy_text: whose mail must come by mutual TLS; read with
                                               policy_hosts, as the next three */
    struct policy_list secure_send_domains; /* to which it must leave so */
    struct policy_list hub_servers,
        edge_servers;              /* of struct policy_text: pinned SHA-256 fingerprints, lower-case */
    struct policy_list dsn_copies; /* of struct policy_text: the codes that the postmaster gets copies for */
    uint64_t max_receive_size, max_send_size;
    uint32_t edge; /* 0 or 1 */
    uint32_t lmtp; /* 0: Maildir, 1: LMTP */
    uint32_t glitch_count, glitch_interval_ms;
    uint32_t transient_count, transient_interval_ms;
    uint32_t failure_interval_ms, message_interval_ms, mailbox_interval_ms;
    uint32_t max_outbound, max_per_domain, max_recipients;
    uint32_t poison_threshold;                                      /* deaths; 1 or more */
    uint32_t reserved;                                              /* 0 */
    uint32_t pickup_rate, pickup_max_header, pickup_max_recipients; /* messages a minute, bytes, recipients */
    uint32_t local_submission;                                      /* enum local_submission */
    uint64_t expiration_ms, delay_notice_ms;
    struct pressure_limits pressure;
    struct policy_text pickup_folder, replay_folder;   /* below the state folder; empty: not read */
    uint64_t dsn_attach_internal, dsn_attach_external; /* bytes of an original that a notification may have in it */
    uint32_t dsn_flags;                                /* enum dsn_flag */
    uint32_t dsn_reserved;                             /* 0 */
};

/*
 * Checks a whole block, as from an enemy: every offset, count, enum and order. ERR_INVALID says what is wrong. The
 * bytes must be aligned to 8 and outlive the policy; they must not change any more (a sealed mapping).
 */
NODISCARD enum err_code policy_open(struct span block, struct policy **ret, struct err *err);
void policy_close(struct policy *p); /* NULL allowed; the bytes stay the caller's */

struct span policy_text(const struct policy *p, struct policy_text t);
uint64_t policy_version(const struct policy *p);
const struct transport_settings *policy_settings(const struct policy *p);

/*
 * The built-in connector of submit.sock, for programs of this machine: not among those that are counted below,
 * since it has neither bindings nor ranges and no client of the network can reach it. Its ACL follows from
 * LocalSubmission: Authenticated Users are the users of this machine, Externally Secured Servers are root and the
 * server's own user.
 */
const struct receive_connector *policy_local_connector(const struct policy *p);

size_t policy_receive_connector_count(const struct policy *p);
const struct receive_connector *policy_receive_connector(const struct policy *p, size_t i);
const struct ip_endpoint *policy_bindings(const struct policy *p, struct policy_list l);
const struct ip_range *policy_ranges(const struct policy *p, struct policy_list l);
const struct ip_range *policy_proxies(const struct policy *p, struct policy_list l);
const struct policy_ace *policy_acl(const struct policy *p, struct policy_list l);
const struct policy_pattern *policy_patterns(const struct policy *p, struct policy_list l);

size_t policy_accepted_domain_count(const struct policy *p);
const struct accepted_domain *policy_accepted_domain(const struct policy *p, size_t i);

size_t policy_send_connector_count(const struct policy *p);
const struct send_connector *policy_send_connector(const struct policy *p, size_t i);
const struct address_space *policy_spaces(const struct policy *p, struct policy_list l);
const struct policy_text *policy_hosts(const struct policy *p, struct policy_list l);
