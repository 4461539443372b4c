/*
 * proxy.h: the header of the PROXY protocol, versions 1 (a line) and 2 (binary), with which a load balancer says
 * for whom it connects. It stands before everything else on a connection, TLS included. Whether a peer may be
 * believed is not decided here.
 *
 * Specification: "The PROXY protocol, Versions 1 & 2" (HAProxy's proxy-protocol.txt).
 */
#pragma once

#include "base/buf.h"
#include "base/ip.h"

enum {
    PROXY_LINE_MAX = 107,    /* octets of a version 1 header with its CRLF, as specified */
    PROXY_HEADER_MAX = 4096, /* of a version 2 header with its TLVs: room for a client's certificate */
};

/* PROXY_MORE: the header is not complete. All behind PROXY_DONE: what is wrong with it. */
enum proxy_status {
    PROXY_MORE,
    PROXY_DONE,
    PROXY_NO_HEADER,  /* what came begins no header of either version */
    PROXY_BAD_LINE,   /* version 1: not the words and blanks that it must be */
    PROXY_LINE_LONG,  /* version 1: no CRLF within PROXY_LINE_MAX */
    PROXY_BAD_FAMILY, /* version 1: neither TCP4, TCP6 nor UNKNOWN; version 2: neither TCP over IPv4 nor over IPv6
                       */
    PROXY_BAD_ADDRESS,
    PROXY_BAD_VERSION, /* version 2 has another version's number, or an unknown command */
    PROXY_BAD_LENGTH,  /* version 2: shorter than its addresses, or over PROXY_HEADER_MAX */
    PROXY_BAD_TLV,     /* version 2: the TLVs do not fill the rest */
    PROXY_BAD_CHECKSUM,
    PROXY_NO_MEMORY,
    PROXY_STATUSES,
};

struct proxy_header {
    unsigned version; /* 1 or 2 */
    /*
     * The proxy speaks for itself (LOCAL: a health check), or does not know for whom (UNKNOWN, UNSPEC): the
     * addresses of the connection itself count, and those below are zero.
     */
    bool local;
    /* The client, and the address and port that it connected to. A port may be 0. */
    struct ip_endpoint source, destination;
};

/* Fields are for proxy.c only. */
struct proxy_reader {
    struct buf held; /* what came so far */
};

/* Takes no memory yet. */
void proxy_reader_init(struct proxy_reader *r);
void proxy_reader_done(struct proxy_reader *r);
/*
 * Takes octets off *input, never one behind the header. Says PROXY_MORE when it took all and wants more; any other
 * status is final. *ret is set with PROXY_DONE. How the input is cut makes no difference.
 */
NODISCARD enum proxy_status proxy_take(struct proxy_reader *r, struct span *input, struct proxy_header *ret);
/* True when a client's first octets are those of a header, as far as they go: "PROXY " or version 2's signature. */
bool proxy_looks_like(struct span first);
/* What is wrong, for a log: "the line is longer than 107 octets". */
const char *proxy_status_text(enum proxy_status s);
