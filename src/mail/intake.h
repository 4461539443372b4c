/*
 * intake.h: what a receiving server does to a message as it arrives. It puts its trace field in front, removes the
 * fields that the session may not bring (header firewall), counts hops, notes who the message says it is from,
 * completes a submission (RFC 6409 section 8) and authors without a domain, stamps it with who its sender was here,
 * and passes the rest on untouched.
 *
 * Input comes in chunks of any size, dot-unstuffed, with CRLF line ends. Only the header section is held back,
 * bounded by max_header; body bytes go to the output as sub-spans of the input. How the input is cut changes
 * neither the bytes that come out nor the result.
 *
 * The header section ends at the blank line, or before the first line that neither begins a field nor continues
 * one; a blank line is then put in between, so that whoever reads the message later sees the same section that was
 * guarded. A message without header section is thus a body. For the same reason a section with a bare CR, a bare LF
 * or a NUL is refused: its lines would be a matter of taste.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

enum { INTAKE_FROM_MAX = 16, INTAKE_SUBJECT_MAX = 255, INTAKE_MESSAGE_ID_MAX = 255, INTAKE_NAMES_MAX = 3 };

/* Return-Path is always removed: it is added at final delivery (RFC 5321 4.4). */
struct intake_options {
    struct span trace;   /* whole fields that come first (Received), with their CRLF */
    struct span stamp;   /* whole fields behind the trace, unless an X-MS-Exchange-Organization-AuthAs is kept */
    bool remove_routing; /* enum header_class, one by one */
    bool remove_organization;
    bool remove_forest;
    bool remove_bcc;     /* Bcc and Resent-Bcc */
    bool add_message_id; /* where there is none, behind the trace */
    bool add_date;
    struct span message_id;     /* with brackets */
    struct span date;           /* as date_print gives it */
    struct span default_domain; /* completes addresses without domain in From and Sender; empty: they stay */
    size_t max_header;          /* bytes of the header section as it comes, without the blank line */
    uint32_t max_hops;          /* Received fields that may be there already */
    uint32_t max_local_hops;    /* ... of them by one of local_names; 0: any number */
    struct span local_names[INTAKE_NAMES_MAX]; /* this server's own names; an empty one is none */
};

enum intake_problem {
    INTAKE_OK = 0,
    INTAKE_HEADER_TOO_LARGE,
    INTAKE_BAD_LINE_END, /* a bare CR, a bare LF or a NUL in the header section */
    INTAKE_TOO_MANY_HOPS,
    INTAKE_TOO_MANY_LOCAL_HOPS,
    INTAKE_NO_MEMORY,
    INTAKE_PROBLEM_MAX,
};

/* With a problem, nothing but `problem` (and for too many hops their counts) means anything. */
struct intake_result {
    enum intake_problem problem;
    struct span message_id; /* the message's own, unfolded and cut; options.message_id where it has none */
    struct span subject;    /* unfolded, encoded words as they are, cut */
    struct span from[INTAKE_FROM_MAX]; /* canonical addresses of the From fields */
    size_t from_count;
    struct span sender; /* the canonical address of the Sender field, or empty */
    /*
     * From and Sender were understood to the last byte, all addresses are there, and there is at most one Sender.
     * When false, a check that depends on them must refuse.
     */
    bool authors_complete;
    bool tls_optional;   /* TLS-Required: No (RFC 8689, 5) */
    uint32_t hops;       /* Received fields, before any was removed */
    uint32_t local_hops; /* ... of them by one of local_names */
    bool eight_bit_header, eight_bit_body;
    uint64_t header_bytes; /* the header section as it came, without the blank line */
    uint64_t bytes_out;
};

typedef void intake_out_fn(void *context, struct span bytes);

/* Fields are for intake*.c only. */
struct intake {
    struct intake_options options;
    struct arena *arena;
    intake_out_fn *out;
    void *context;
    struct buf header;          /* what came until the end of the section was found */
    size_t line_start, scanned; /* in header: the line looked at, and how far it has no end */
    bool in_body;
    struct intake_result result;
};

/* The options' spans, the arena (for the result) and the context must outlive the intake. */
void intake_init(struct intake *i, const struct intake_options *options, struct arena *arena, intake_out_fn *out,
                 void *context);
/* After a problem the input is ignored. */
void intake_feed(struct intake *i, struct span bytes);
/* The problem so far: a caller may stop feeding early. */
enum intake_problem intake_problem(const struct intake *i);
/* The end of the message: nothing can be fed any more. The result's spans live in the arena and the options. */
void intake_finish(struct intake *i, struct intake_result *ret);
/* Frees what was held back; safe at any time after intake_init. */
void intake_done(struct intake *i);
/* A sentence about a problem, without final dot, for a reply. */
const char *intake_problem_text(enum intake_problem p);
