/*
 * protocol.h: who may say what to whom between the processes. This list is the interface document of the server's
 * inside: each message's sender and receiver, and what its body holds (in the forms of base/cursor.h).
 *
 * Answers carry the question's type with LINK_ANSWER set. A message that its receiver does not expect from that
 * peer is logged and dropped; a body that does not parse to its end is treated the same way. A large body lies in a
 * sealed memory file beside its frame where it does not fit into it (runtime/large_body.h).
 */
#pragma once

#include "base/span.h"

enum role_kind {
    ROLE_RECEIVE,
    ROLE_DIRECTORY,
    ROLE_QUEUE,
    ROLE_DELIVER,
    ROLE_MANAGE,
    ROLE_PICKUP,
    ROLE_KINDS,
};

/* "receive", ...: on the command line, in the log. */
const char *role_name(enum role_kind kind);
/* ROLE_KINDS when there is no such role. */
enum role_kind role_from_name(struct span name);

enum message_type {
    /* supervisor -> every role, on descriptor 3 */
    CONTROL_CONFIG =
        1,         /* u32 index, u32 receive count, str state, bool change user, u32 uid, u32 gid, str user, node */
    CONTROL_LINK,  /* u8 peer role, u32 peer index, u8 enum link_purpose; 1 descriptor */
    CONTROL_DRAIN, /* take no new work, finish what is under way, then end */
    CONTROL_RELOAD, /* SIGHUP: node, read again. node: str host, bool debug, str nameservers, str path of the DNSSEC
                       anchors */
    CONTROL_LISTEN, /* receive only: str endpoint; 1 descriptor, a listening socket */
    CONTROL_UNLISTEN, /* receive only: str endpoint */
    CONTROL_IDENTITY, /* receive, deliver: bool first of a new set, bool last of it, str chain PEM, str key PEM */
    CONTROL_TICKET_KEYS, /* receive only: two ticket keys, TLS_TICKET_KEY_LEN bytes each */
    CONTROL_COUNTERS,    /* receive only: u32 columns, u64 u64 key of the hash; 1 descriptor, the shared memory of
                            runtime/counters.h, in which it writes the column of its index */
    CONTROL_TRUST, /* receive, deliver: PEM of the authorities of partners' certificates, a large body; may be empty
                    */
    CONTROL_CALLS, /* manage only: 1 descriptor, on which it asks the supervisor CERTIFICATES_* */
    CONTROL_FAULT, /* queue only: u8 role, queue or deliver, whose process before this one ended by a fault */
    CONTROL_RESOURCES, /* receive, queue, manage, pickup: nothing; 1 descriptor, the memory of
                        * role/common/pressure_page.h
                        */
    CONTROL_KEYTAB,    /* directory only: the keytab for GSSAPI (sasl/keytab.h), or nothing: there are no keys */
    CONTROL_GSSAPI,    /* receive only: bool directory has keys, str for whom, or why there are none */
    CONTROL_METRICS,   /* u32 columns, u32 its own; 1 descriptor, the shared memory of metrics.h */
    CONTROL_CONSOLE,   /* manage only: 1 descriptor, a listening socket for HTTP */
    /* every role -> supervisor */
    CONTROL_READY,    /* serving */
    CONTROL_BINDINGS, /* manage only: u32 count, count * str endpoint: where to listen from now on */
    CONTROL_LIMITS,   /* manage only: pressure limits (policy/pressure.h): when resources are short, from now on */
    CONTROL_QUEUE_LENGTH, /* queue only: u64 how many recipients wait */

    /* manage -> receive, queue, pickup */
    POLICY_SNAPSHOT = 100, /* u64 version; 1 descriptor, a sealed memory file with a policy block */

    /* receive, queue, deliver -> manage */
    EVENTS = 150, /* events (event.h), one behind the other: lossy */

    /* receive, queue -> directory: questions */
    DIRECTORY_RESOLVE = 200, /* str address -> struct resolution (messages.h), a large body */
    DIRECTORY_CHECK,         /* str user, str password -> struct identity (messages.h) */
    DIRECTORY_SEND_AS, /* from receive: str guid of a mailbox, str address -> u8 outcome (enum err_code), bool: it
                          may send as the address's owner */
    DIRECTORY_GSSAPI,  /* from receive: u64 exchange (0: a new one), str token -> struct gssapi_answer (messages.h)
                        */
    DIRECTORY_GSSAPI_CANCEL, /* from receive, told: u64 exchange, which is over */
    DIRECTORY_LOCAL_USER, /* from receive: u32 uid of a user of this machine -> u8 outcome (enum err_code), str name
                           */

    /* receive, pickup -> queue */
    QUEUE_STORE = 300, /* question: u64 token (0: no parts ahead), u64 spool id (0: inline), str envelope, str body
                          -> u8 enum content_outcome, u64 internal id, str text. A large body */
    QUEUE_ENVELOPE_PART, /* u64 token, bytes: the beginning of an envelope that does not fit into QUEUE_STORE. The
                            parts and their QUEUE_STORE follow each other without other parts between them */
    QUEUE_SPOOL,         /* question: nothing -> u64 spool id; 1 descriptor to write the body to */
    QUEUE_SPOOL_DROP,    /* u64 spool id: the body is not wanted after all */

    /* queue -> deliver: question; its answer may take as long as the delivery */
    DELIVER_JOB = 400, /* a job (job.h); body inline or 1 descriptor -> u8 outcome (0, else a number of enum
                          err_code: not begun), the report (job.h) */

    /* manage -> queue, on the link that serves nothing else: questions */
    QUEUE_LIST =
        500, /* u8 enum queue_list_what, u64 after (0: from the start; then the last answer's next), u32 limit -> u8
                outcome (enum err_code), u64 next (0: the end), u32 count, count * record (base/value_codec.h) */
    QUEUE_CHANGE, /* u8 enum queue_action, str name of the queue (empty with messages), u32 count, count * u64 id
                     (none with a queue) -> u8 outcome (enum err_code), str text; when it is durable and was done */
    QUEUE_EXPORT, /* u64 id of a message that is suspended -> a large body: u8 outcome (enum err_code), str text;
                     with ERR_NONE the message in the form of the replay folder */
    /*
     * manage -> directory, likewise. Each is answered at once with u8 outcome (enum err_code) and str text of the
     * error (empty with ERR_NONE); what the arrow names follows with ERR_NONE only. Records as in
     * base/value_codec.h. All of these questions and answers are large bodies.
     */
    OBJECTS_BEGIN = 600, /* nothing -> nothing; an open transaction, which its asker has lost, is undone first */
    OBJECTS_COMMIT,      /* nothing -> nothing */
    OBJECTS_ROLLBACK,    /* nothing -> nothing */
    OBJECTS_LIST,        /* str class -> u32 count, count * record, in the order of their names */
    OBJECTS_GET,         /* str class, str guid -> record */
    OBJECTS_FIND,   /* str class, str property, str text -> as OBJECTS_LIST: those that object_store_find means */
    OBJECTS_PUT,    /* record -> nothing */
    OBJECTS_REMOVE, /* str class, str guid -> nothing */
    OBJECTS_GENERATION, /* nothing -> u64 generation */
    OBJECTS_TRAIL_ADD,  /* i64 now, i64 keep since, record -> nothing */
    OBJECTS_TRAIL_READ, /* u64 before, u32 limit -> u64 next, u32 count, count * record, the newest first */

    /*
     * manage -> supervisor, on the descriptor of CONTROL_CALLS: questions, large bodies both ways (certificates.h).
     * Each is answered at once with u8 outcome (enum err_code) and str text of the error.
     */
    CERTIFICATES_LIST = 700, /* nothing -> u32 count, count * certificate, with ERR_NONE only */
    CERTIFICATES_APPLY,      /* u32 count, count * change -> nothing */
    KEYTAB_DESCRIBE,         /* nothing -> bool usable, str text (keytab_file.h), with ERR_NONE only */
};

/* What a link between two roles is for; a pair of roles may have one of each. */
enum link_purpose {
    LINK_WORK, /* asynchronous, on the loop of both */
    LINK_CALL, /* one question at a time, the asker blocks (the shell's work in manage) */
    LINK_PURPOSES,
};

/* What became of a message that was to be stored (QUEUE_STORE). */
enum content_outcome {
    CONTENT_STORED,  /* durable */
    CONTENT_REFUSED, /* the queue says no: text why, temporary */
    CONTENT_UNKNOWN, /* nobody knows: the queue process died or did not answer. Never sent */
};

/* What QUEUE_LIST asks for: records of the types Queue and Message (cmdlet/context.h). */
enum queue_list_what { QUEUE_LIST_QUEUES, QUEUE_LIST_MESSAGES };
