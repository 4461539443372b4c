/*
 * delivery.h: the port through which queued mail leaves: by SMTP to smart hosts or to a domain's mail exchangers,
 * by LMTP, or into a Maildir. One job is one message for recipients that share a destination; it ends in one report
 * with a result for each of them.
 *
 * Everything runs on one libuv loop; Maildir writes and body reads of theirs on its thread pool. Nothing is retried
 * in here but what belongs to one attempt: the next address and the next host, in the clear where opportunistic TLS
 * failed, and a fresh connection where a reused one turned out to be dead.
 */
#pragma once

#include "base/err.h"
#include "base/secret.h"
#include "delivery/tls_outcome.h"

#include <uv.h>

struct delivery_engine;
struct delivery_task; /* one job under way */
struct resolver;
struct sts;
struct tls_context;
struct tls_identity;
struct tls_trust;

enum delivery_kind { DELIVERY_MAILDIR, DELIVERY_LMTP, DELIVERY_SMTP };

enum delivery_tls {
    DELIVERY_TLS_NONE,          /* never */
    DELIVERY_TLS_OPPORTUNISTIC, /* when offered, with any certificate; otherwise in the clear */
    DELIVERY_TLS_REQUIRED,      /* encrypted, with any certificate, or not at all */
    DELIVERY_TLS_TRUSTED,       /* and the certificate is trusted, whomever it names */
    DELIVERY_TLS_DOMAIN,        /* and names tls_domain, or a host in it */
};

/* DANE (RFC 7672), where the resolver validates (DNSSEC). */
enum delivery_dane {
    DELIVERY_DANE_NONE,
    DELIVERY_DANE_OPPORTUNISTIC, /* where the host has TLSA records, its certificate must match one */
    DELIVERY_DANE_MANDATORY,     /* no mail to a host without */
};

struct delivery_host {
    struct span name; /* a name, an address with or without [ ], or for LMTP the path of a unix socket ("/...") */
    uint16_t port;    /* 0: 25 for SMTP, 24 for LMTP */
};

struct delivery_destination {
    enum delivery_kind kind;
    struct span mailbox; /* MAILDIR: the mailbox's address, which names its directory */

    /* SMTP and LMTP: the hosts in order; with none of them (SMTP) the exchangers of mx_domain on mx_port. */
    const struct delivery_host *hosts;
    size_t host_count;
    /* ASCII (A-labels). Exchangers that are this server, by the engine's hostname or helo_name, and those that are
     * no better, are not used: with none left, and where a host turns out to be it, the mail is returned (5.4.6).
     */
    struct span mx_domain;
    uint16_t mx_port; /* 0: 25 */

    enum delivery_tls tls;
    struct span tls_domain; /* DELIVERY_TLS_DOMAIN; empty: mx_domain */
    /* Domain security: nothing leaves but over TLS to a server whose certificate, trusted for partners, names
     * mx_domain or a host in it, and this server presents its own. */
    bool domain_secure;
    enum delivery_dane dane; /* decides where tls is OPPORTUNISTIC or REQUIRED */
    bool mta_sts;            /* so does the policy of mx_domain (RFC 8461) */
    /* Of the message (RFC 8689): REQUIRETLS; or TLS-Required: No, which waives DANE and MTA-STS. */
    bool require_tls, tls_optional;
    bool carry_require_tls; /* REQUIRETLS is said where the server offers it; require_tls also insists on that */
    bool force_helo;
    bool auth_without_tls;
    struct span helo_name;
    struct span user; /* empty: no authentication */
    const struct secret *password;
    unsigned
        remove_headers; /* enum header_exit (mail/header_exit.h): what it may not have; for whoever fills `front` */
    int64_t inactivity_ms; /* how long the other side may be silent; 0: the engine's timeouts, by what is awaited */
    struct span log_name;  /* whose protocol log the sessions go to: a send connector; empty: to none */
    /*
     * SMTP: Exchange Server authentication: TLS with certificates on both sides, and no mail unless the next hop's
     * is one of the pins (SHA-256 in hex). tls must be DELIVERY_TLS_REQUIRED or more.
     */
    bool exchange_server;
    const struct span *pins;
    size_t pin_count;
};

enum {
    DELIVERY_NOTIFY_NEVER = 1 << 0,
    DELIVERY_NOTIFY_SUCCESS = 1 << 1,
    DELIVERY_NOTIFY_FAILURE = 1 << 2,
    DELIVERY_NOTIFY_DELAY = 1 << 3,
};

struct delivery_recipient {
    struct span address;
    struct span orcpt; /* as it came in ORCPT=; may be empty */
    unsigned notify;   /* DELIVERY_NOTIFY_*; 0: not given */
    uint32_t index;    /* the queue's number of this recipient: part of the Maildir file's name */
};

enum delivery_ret { DELIVERY_RET_NONE, DELIVERY_RET_FULL, DELIVERY_RET_HDRS };

/* Borrowed, with all it points to, from delivery_start until the report. */
struct delivery_job {
    uint64_t message_id; /* the queue's */
    int64_t received_ms; /* when it was queued, since 1970: with message_id it names Maildir files */
    struct span sender;  /* empty: the null sender */
    const struct delivery_recipient *recipients;
    size_t recipient_count; /* at least 1 */
    bool eight_bit, utf8, binary;
    struct span envid;
    enum delivery_ret ret;
    uint64_t size;    /* octets of the body */
    struct span body; /* when body_fd is negative */
    int body_fd;      /* a regular file, read with pread from 0 to size; not closed */
    /* Takes the place of the body's first body_from octets: a header section without what does not leave. */
    struct span front;
    uint64_t body_from;
    /* True when no earlier attempt can have happened. Otherwise Maildir also looks through cur/ for the file. */
    bool first_attempt;
    struct delivery_destination to;
};

enum delivery_outcome { DELIVERY_DELIVERED, DELIVERY_TEMPORARY, DELIVERY_PERMANENT };

struct delivery_result {
    enum delivery_outcome outcome;
    uint16_t code;         /* SMTP reply code, 0 when nobody replied */
    struct span enhanced;  /* "4.4.1"; its class always fits the outcome */
    struct span text;      /* the reply without its codes, or our sentence; one line of printable UTF-8 */
    const char *stage;     /* what was under way: "DNS", "connect", "RCPT TO", "Maildir", ...; static */
    bool connection_fault; /* the next hop could not be used at all (DNS, connect, greeting): all its mail waits */
};

struct delivery_report {
    const struct delivery_result *results; /* in the order of the job's recipients */
    size_t count;
    struct span remote_host; /* the last host that was talked to, or tried; empty for Maildir */
    struct span remote_ip;   /* its address as text; a unix socket's path */
    struct tls_outcome tls;
    bool dsn_offered; /* the next hop took over NOTIFY and the rest; otherwise a "relayed" report may be due */
    bool reused;      /* over a connection that had carried another message */
};

/* The report and all it points to are valid during the call; the task is gone after it. */
typedef void delivery_done_fn(void *context, const struct delivery_report *report);

/* Milliseconds; 0 takes the default. SMTP's own are RFC 5321, 4.5.3.2. */
struct delivery_timeouts {
    int64_t resolve; /* 60 s: one question */
    int64_t connect; /* 30 s: one address */
    int64_t tls;     /* 60 s: the handshake */
    int64_t quit;    /* 2 s: its reply matters to nobody */
    int64_t greeting, command, data_init, data_block, data_end;
};

/* A row of the protocol log (role/common/protocol_log.h). Never a secret, never content. */
struct delivery_log_row {
    struct span connector;     /* log_name of the destination */
    uint64_t session;          /* random: one for each connection */
    uint64_t sequence;         /* from 0 */
    struct span local, remote; /* endpoints; local is empty until there is a connection */
    char event;                /* + - > < * */
    struct span data, context;
};
typedef void delivery_log_fn(void *context, const struct delivery_log_row *row);

struct delivery_options {
    uv_loop_t *loop;
    struct resolver
        *resolver;   /* borrowed until closed() comes; NULL: address literals, "localhost" and unix sockets only */
    struct sts *sts; /* for mta_sts; borrowed likewise; NULL: no domain has a policy */
    struct tls_context *tls; /* a client context, borrowed; NULL: as if nobody offered TLS */
    /* This server's certificate for a name, to prove itself with; NULL where there is none. NULL itself: there
     * never is. */
    struct tls_identity *(*identity)(void *context, struct span name);
    /* The authorities that a server is verified by: for partners, or for anybody; borrowed. NULL (also itself):
     * those of the context. */
    struct tls_trust *(*trust)(void *context, bool partner);
    void *tls_credentials; /* the context of both */
    struct span mail_root; /* directory of the Maildirs; empty: none */
    struct span hostname;  /* ours, part of Maildir file names, and the HELO name where a job has none */
    size_t max_tasks;      /* at once; 0: 1000 */
    size_t max_idle;       /* connections kept for the next message; 0: 100 */
    int64_t idle_ms;       /* for how long; 0: 5 s; negative: none is kept */
    unsigned max_messages; /* over one connection; 0: 100 */
    struct delivery_timeouts timeouts;
    delivery_log_fn *log; /* gets the rows of jobs with log_name; NULL: nobody does */
    void *log_context;
};

/* Options are copied, their text too. ERR_INVALID (a HELO name with blanks), ERR_IO (the mail root), ERR_NO_MEMORY.
 */
enum err_code delivery_engine_new(const struct delivery_options *options, struct delivery_engine **ret,
                                  struct err *err);

/*
 * Cancels all tasks, closes idle connections, and calls closed(context) from the loop when the engine is gone:
 * after the last report. The loop must run on until then.
 */
void delivery_engine_close(struct delivery_engine *e, void (*closed)(void *context), void *context);

/*
 * Begins one attempt. done() comes exactly once, from the loop, never from inside this call. ERR_LIMIT over
 * max_tasks, ERR_INVALID (a destination that is none), ERR_UNAVAILABLE (the engine is closing), ERR_NO_MEMORY: then
 * done() does not come.
 */
enum err_code delivery_start(struct delivery_engine *e, const struct delivery_job *job, delivery_done_fn *done,
                             void *context, struct delivery_task **ret, struct err *err);

/*
 * Breaks an attempt off. The report still comes, soon and from the loop: what was delivered by then is said to be,
 * the rest is temporary. (A delivery that happened must not be forgotten, so a cancel cannot silence the report.)
 */
void delivery_cancel(struct delivery_task *t);

struct delivery_stats {
    size_t tasks, connections, idle;
    uint64_t connects, reuses;
};
struct delivery_stats delivery_stats(const struct delivery_engine *e);
