/*
 * tracking.h: the message tracking log: what one entry is, and searching the log. The log itself is comma-separated
 * files in one folder, MSGTRKyyyymmdd-nnnn.log (a head of # lines, then a row each), which another writes. They are
 * the truth; beside them, in the folder index/, each stretch of a file has an index of its own: by message id,
 * internal id, sender, recipient and reference. An index is written once and goes with its file; one that is
 * missing, damaged or of another file is made anew, and until then what it would cover is read through.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdatomic.h>

/* ---- an entry ---- */

/* The columns behind date-time in their order: name here, name in the file, property of Get-MessageTrackingLog. */
#define TRACKING_COLUMNS(X)                                                                                        \
    X(CLIENT_IP, "client-ip", "ClientIp")                                                                          \
    X(CLIENT_HOSTNAME, "client-hostname", "ClientHostname")                                                        \
    X(SERVER_IP, "server-ip", "ServerIp")                                                                          \
    X(SERVER_HOSTNAME, "server-hostname", "ServerHostname")                                                        \
    X(SOURCE_CONTEXT, "source-context", "SourceContext")                                                           \
    X(CONNECTOR_ID, "connector-id", "ConnectorId")                                                                 \
    X(SOURCE, "source", "Source")                                                                                  \
    X(EVENT_ID, "event-id", "EventId")                                                                             \
    X(INTERNAL_MESSAGE_ID, "internal-message-id", "InternalMessageId")                                             \
    X(MESSAGE_ID, "message-id", "MessageId")                                                                       \
    X(RECIPIENT_ADDRESS, "recipient-address", "Recipients")                                                        \
    X(RECIPIENT_STATUS, "recipient-status", "RecipientStatus")                                                     \
    X(TOTAL_BYTES, "total-bytes", "TotalBytes")                                                                    \
    X(RECIPIENT_COUNT, "recipient-count", "RecipientCount")                                                        \
    X(RELATED_RECIPIENT_ADDRESS, "related-recipient-address", "RelatedRecipientAddress")                           \
    X(REFERENCE, "reference", "Reference")                                                                         \
    X(MESSAGE_SUBJECT, "message-subject", "MessageSubject")                                                        \
    X(SENDER_ADDRESS, "sender-address", "Sender")                                                                  \
    X(RETURN_PATH, "return-path", "ReturnPath")                                                                    \
    X(MESSAGE_INFO, "message-info", "MessageInfo")                                                                 \
    X(DIRECTIONALITY, "directionality", "Directionality")                                                          \
    X(ORIGINAL_CLIENT_IP, "original-client-ip", "OriginalClientIp")                                                \
    X(CUSTOM_DATA, "custom-data", "CustomData")

#define TRACKING_AS_ENUM(id, column, property) TRACKING_##id,
enum tracking_field { TRACKING_COLUMNS(TRACKING_AS_ENUM) TRACKING_FIELDS };
#undef TRACKING_AS_ENUM

/* Properties by column; "client-ip,client-hostname,...": what stands behind date-time in the head. */
extern const char *const tracking_properties[TRACKING_FIELDS];
extern const char *const tracking_columns;

enum tracking_event {
    TRACKING_RECEIVE,
    TRACKING_SEND,
    TRACKING_DELIVER,
    TRACKING_FAIL,
    TRACKING_DEFER,
    TRACKING_EXPAND,
    TRACKING_REDIRECT,
    TRACKING_RESOLVE,
    TRACKING_DSN,
    TRACKING_TRANSFER,
    TRACKING_SUBMIT,
    TRACKING_POISONMESSAGE,
    TRACKING_BADMAIL,
    TRACKING_DUPLICATEDELIVER,
    TRACKING_EVENTS,
};

enum tracking_source {
    TRACKING_OF_ROUTING,
    TRACKING_OF_SMTP,
    TRACKING_OF_STOREDRIVER,
    TRACKING_OF_PICKUP,
    TRACKING_OF_DNS,
    TRACKING_OF_DSN,
    TRACKING_OF_QUEUE,
    TRACKING_OF_ADMIN,
    TRACKING_SOURCES,
};

/* "RECEIVE", "STOREDRIVER", ... */
struct span tracking_event_name(enum tracking_event event);
struct span tracking_source_name(enum tracking_source source);
/* Case-insensitive. */
bool tracking_event_find(struct span name, enum tracking_event *ret);

/* Several recipients, and what became of each, are joined with it. */
#define TRACKING_JOIN ';'

struct tracking_row {
    int64_t at_ms; /* since 1970 */
    struct span field[TRACKING_FIELDS];
};

enum { TRACKING_LINE_MAX = 256 * 1024 };

/*
 * Reads a line of a file, without its end. The fields are views of the line or, where quotes had to be undone, of
 * scratch, which is cleared. False: it is no row (a # line, one that was cut off, another format).
 */
NODISCARD bool tracking_parse(struct span line, struct buf *scratch, struct tracking_row *ret);

/* Where it is below the state folder unless MessageTrackingLogPath says otherwise. */
#define TRACKING_FOLDER "log/MessageTracking"

/* ---- searching ---- */

enum { TRACKING_RECIPIENTS_MAX = 32 };

struct tracking_query {
    int64_t start_ms, end_ms; /* start <= time < end */
    /* Whole texts, ASCII case folded; ptr NULL: any. */
    struct span event, sender, message_id, internal_id, reference;
    /* One of these, TRACKING_RECIPIENTS_MAX at most; none: any. A recipient is one of recipient-address, or the
     * address that it stood for before (related-recipient-address). */
    const struct span *recipients;
    size_t recipient_count;
    struct span subject; /* a part of it */
    size_t limit;
};

struct tracking_found {
    bool more;    /* than the limit: the oldest are not shown */
    bool stopped; /* the search ended at TRACKING_SCAN_MAX or TRACKING_TRIES_MAX: what is older than the oldest
                     entry that was looked at was not searched */
    int64_t searched_ms; /* when stopped: back to this time, as the files' days say */
    size_t rows;
};

/* Bytes of log that a search without an indexed key reads at most; rows that one with a key looks at. */
enum { TRACKING_SCAN_MAX = 256 << 20, TRACKING_TRIES_MAX = 200000, TRACKING_HITS_MAX = 1000000 };

/* The row lives for the call. False ends the search. */
typedef bool tracking_each_fn(void *context, const struct tracking_row *row);

/*
 * Calls each for the newest `limit` entries that fit, the oldest of them first. A folder that is missing has none.
 * Removes indexes that turn out to be damaged. Beside a writer of the log, and beside tracking_index_step. ERR_IO,
 * ERR_NO_MEMORY, ERR_LIMIT: the folder's path is too long.
 */
enum err_code tracking_search(const char *folder, const struct tracking_query *q, tracking_each_fn *each,
                              void *context, struct tracking_found *ret, struct err *err);

/* ---- the index ---- */

/* How much of the log one index covers at most. */
enum { TRACKING_SLICE_MAX = 16 << 20 };

struct tracking_step {
    bool built;     /* an index was made */
    uint64_t rows;  /* in it */
    uint64_t left;  /* bytes of the log that another step could index now */
    size_t removed; /* indexes whose file is gone, or another one */
};

/*
 * Makes one index that is missing, the newest first, and removes what belongs to no file. The file that grows is
 * left alone until it is TRACKING_SLICE_MAX longer than what is indexed of it. May run on a thread; *stop, which
 * may be set meanwhile, ends it early with ERR_UNAVAILABLE and without a trace. ERR_IO, ERR_NO_MEMORY, ERR_LIMIT.
 */
enum err_code tracking_index_step(const char *folder, const atomic_bool *stop, struct tracking_step *ret,
                                  struct err *err);
