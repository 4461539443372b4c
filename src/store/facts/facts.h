/*
 * facts.h: what clients did, counted: a row for each client, state of its session, sender, recipient and verdict,
 * so that people can be shown who uses this server and how, and a changed policy can be tried on what really
 * happened.
 *
 * The rows are bounded, whatever clients do (struct facts_limits). A client is a network (an IPv4 address, an IPv6
 * /64) and a user. Its first facts are kept as they are; beyond that those are kept together whose addresses have
 * the same domains; beyond that all with the same verdict. A row that stands for many has the texts of the newest
 * of them, so that there is always one real example to ask a policy about. The HELO name and the cipher make no
 * rows: the newest is kept.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/ip.h"

/* What was asked, and what `code` is the answer to. */
enum fact_question {
    FACT_OF_SESSION, /* a session has ended; code 0, or 421: a limit turned it away when it came */
    FACT_OF_AUTH,    /* the user tried to log on: 235, 535, ... */
    FACT_OF_MAIL,    /* a sender was refused */
    FACT_OF_RCPT,    /* a recipient was accepted or refused */
    FACT_OF_MESSAGE, /* a message was stored (250), or its content or its last recipient refused */
    FACT_QUESTIONS,
};

enum fact_text {
    FACT_CONNECTOR,
    FACT_LOCAL,  /* "192.0.2.1:25" */
    FACT_REMOTE, /* the client's address */
    FACT_HELO,
    FACT_TLS, /* "TLSv1.3"; empty: in the clear */
    FACT_CIPHER,
    FACT_MECHANISM,   /* of AUTH, by which `user` logged on, or tried to */
    FACT_USER,        /* primary address of who has logged on; empty: nobody */
    FACT_CERTIFICATE, /* SHA-256 of the client's, in hex; empty: none */
    FACT_SENDER,      /* empty: the null sender, or none */
    FACT_RECIPIENT,
    FACT_MISTAKE, /* a word for what the client cannot have meant, and came to nothing by; or empty */
    FACT_TEXTS,
};

/* How much of a fact is left. Each level is coarser than the one before. */
enum fact_level {
    FACT_WHOLE,
    FACT_DOMAINS, /* of sender and recipient only their domains count, and the certificate does not */
    FACT_FOLDED,  /* neither counts, and of the client's address only the network does */
    FACT_LEVELS,
};

struct fact {
    enum fact_question question;
    enum fact_level level;
    uint32_t code; /* of the reply, or 0 */
    struct span text[FACT_TEXTS];
    uint64_t size; /* FACT_OF_MESSAGE: octets of the largest; 0: not known */
    uint64_t count;
    int64_t first_ms, last_ms; /* since 1970 */
};

struct facts_limits {
    uint32_t of_client[FACT_LEVELS]; /* rows of a client; what finds no room in the last level is not kept */
    /*
     * Rows in all: those with the oldest last_ms go. Of these, half at most are of strangers (neither did anybody
     * log on, nor was anything accepted), who cannot push out the others however many they are.
     */
    uint32_t rows;
    int64_t age_ms; /* since last_ms */
};
extern const struct facts_limits facts_limits_default;

/* "Session", "Auth", ... */
struct span fact_question_name(enum fact_question question);
bool fact_question_find(struct span name, enum fact_question *ret);
/* Cuts the texts to what is kept of each. */
void fact_trim(struct fact *f);
/* Appends the client's network: the address, of IPv6 its /64. What is no address is a network of its own. */
void fact_print_network(struct buf *out, struct span remote);
/* Appends what distinguishes the fact at a level from others of the same client (network and user). */
void fact_print_key(struct buf *out, const struct fact *f, enum fact_level level);

struct facts;

/*
 * Opens the file for writing; makes it (mode 0600) where there is none. One of the format before is brought up to
 * date; one that is damaged or of another is begun anew: what it held was for people to read, and is not worth
 * refusing to start. ERR_IO, ERR_NO_MEMORY, ERR_UNAVAILABLE: another process writes it.
 */
enum err_code facts_open(const char *path, struct facts **ret, struct err *err);
/* For reading only, also beside a writer. ERR_NOT_FOUND: there is no such file; ERR_DENIED, ERR_INVALID, ERR_IO. */
enum err_code facts_open_read(const char *path, struct facts **ret, struct err *err);
void facts_close(struct facts *f); /* commits; NULL allowed */
/* For tests; facts_limits_default otherwise. */
void facts_limit(struct facts *f, const struct facts_limits *limits);

/*
 * Adds its count to the row it belongs to, at its level or a coarser one. Cut to the limits of each text. It is
 * visible to this handle at once, to others after facts_commit. A failure loses this fact, or those since the last
 * commit; the handle goes on. ERR_IO.
 */
enum err_code facts_add(struct facts *f, const struct fact *fact, struct err *err);
/* Ends the transaction that the first facts_add began, and drops what is too old or too much. */
enum err_code facts_commit(struct facts *f, int64_t now_ms, struct err *err);

/* The spans live for the call; network as fact_print_network. False ends the visit. */
typedef bool facts_each_fn(void *context, struct span network, const struct fact *f);
/*
 * Calls each for every row with last_ms >= since_ms. The rows of one client (network and user) follow each other;
 * otherwise in no order. each must not use the handle. ERR_IO.
 */
enum err_code facts_visit(struct facts *f, int64_t since_ms, facts_each_fn *each, void *context, struct err *err);
