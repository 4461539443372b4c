/* classes_server.c: the tables of the settings: TransportServer is this node, TransportConfig the organisation. */
#include "schema/internal.h"

static const char *const role_words[] = {"Hub", "Edge", NULL};
static const char *const local_words[] = {"AnySender", "OwnSender", "Disabled", NULL};
static const char *const delivery_words[] = {"Maildir", "Lmtp", NULL};

/* The limits of a protocol log, whose files all connectors of a kind share. */
#define LOG_SIZE_MAX (INT64_C(1) << 50)
#define PROTOCOL_LOG(side, word)                                                                                   \
    {.name = side "ProtocolLogMaxAge",                                                                             \
     .type = SCHEMA_TIMESPAN,                                                                                      \
     .initial = "30.00:00:00",                                                                                     \
     .min = SCHEMA_SECOND,                                                                                         \
     .max = 36500 * SCHEMA_DAY,                                                                                    \
     .help = "Files of the " word " connectors' protocol log that are older go."},                                 \
        {.name = side "ProtocolLogMaxDirectorySize",                                                               \
         .type = SCHEMA_SIZE,                                                                                      \
         .flags = SCHEMA_UNLIMITED,                                                                                \
         .initial = "250MB",                                                                                       \
         .min = 1024,                                                                                              \
         .max = LOG_SIZE_MAX,                                                                                      \
         .help = "How large all its files may grow together; the oldest go."},                                     \
    {                                                                                                              \
        .name = side "ProtocolLogMaxFileSize", .type = SCHEMA_SIZE, .flags = SCHEMA_UNLIMITED, .initial = "10MB",  \
        .min = 1024, .max = LOG_SIZE_MAX, .help = "How large one file may grow before another is begun."           \
    }

/* When a resource is short: policy/pressure.h. */
#define DISK_THRESHOLDS(disk, place, effect)                                                                       \
    {.name = disk "DiskMediumThreshold",                                                                           \
     .type = SCHEMA_SIZE,                                                                                          \
     .flags = SCHEMA_NULLABLE,                                                                                     \
     .since = SINCE_OURS,                                                                                          \
     .min = 0,                                                                                                     \
     .max = LOG_SIZE_MAX,                                                                                          \
     .help = "Below so much free space " place " its pressure is medium" effect ". $null: 500 MB more than "       \
             "high, or 2 % of a file system that is smaller than 25 GB."},                                         \
    {                                                                                                              \
        .name = disk "DiskHighThreshold", .type = SCHEMA_SIZE, .flags = SCHEMA_NULLABLE, .since = SINCE_OURS,      \
        .min = 0, .max = LOG_SIZE_MAX,                                                                             \
        .help = "The same for high. $null: 500 MB, or a tenth of a file system that is smaller than 5 GB."         \
    }

/* The message tracking log: some 350 bytes an entry, so the default folder holds about 700,000. */
#define TRACKING_LOG                                                                                               \
    {.name = "MessageTrackingLogEnabled",                                                                          \
     .type = SCHEMA_BOOL,                                                                                          \
     .initial = "True",                                                                                            \
     .help = "Whether what becomes of each message is written down, for Get-MessageTrackingLog."},                 \
        {.name = "MessageTrackingLogSubjectLoggingEnabled",                                                        \
         .type = SCHEMA_BOOL,                                                                                      \
         .initial = "True",                                                                                        \
         .help = "Whether the messages' subjects are written there."},                                             \
        {.name = "MessageTrackingLogMaxAge",                                                                       \
         .type = SCHEMA_TIMESPAN,                                                                                  \
         .initial = "30.00:00:00",                                                                                 \
         .min = SCHEMA_SECOND,                                                                                     \
         .max = 36500 * SCHEMA_DAY,                                                                                \
         .help = "Files of the message tracking log that are older go."},                                          \
        {.name = "MessageTrackingLogMaxDirectorySize",                                                             \
         .type = SCHEMA_SIZE,                                                                                      \
         .flags = SCHEMA_UNLIMITED,                                                                                \
         .initial = "250MB",                                                                                       \
         .min = 1024,                                                                                              \
         .max = LOG_SIZE_MAX,                                                                                      \
         .help = "How large all its files may grow together; the oldest go. Their index takes about a quarter "    \
                 "more."},                                                                                         \
        {.name = "MessageTrackingLogMaxFileSize",                                                                  \
         .type = SCHEMA_SIZE,                                                                                      \
         .flags = SCHEMA_UNLIMITED,                                                                                \
         .initial = "10MB",                                                                                        \
         .min = 1024,                                                                                              \
         .max = LOG_SIZE_MAX,                                                                                      \
         .help = "How large one file may grow before another is begun."},                                          \
    {                                                                                                              \
        .name = "MessageTrackingLogPath", .type = SCHEMA_STRING, .initial = "log/MessageTracking", .min = 1,       \
        .max = 255,                                                                                                \
        .help = "Its folder, below the state folder, which is all that the server may write to. What is in "       \
                "another folder stays there, and is found when the property names it again."                       \
    }

/* A report lies in the queue's database, not in its spool. */
#define DSN_ATTACH(side, help_)                                                                                    \
    {                                                                                                              \
        side "DsnMaxMessageAttachSize", SCHEMA_SIZE, 0, SINCE_2007, "512KB", NULL, 0, 512 << 10, NULL, help_       \
    }

static const struct schema_property transport_server[] = {
    SCHEMA_NAME(SCHEMA_READ_ONLY, "This server's FQDN."),
    {"Role", SCHEMA_ENUM, SCHEMA_READ_ONLY, SINCE_OURS, .initial = "Hub", .words = role_words,
     .help = "Hub or Edge."},
    SCHEMA_NUMBER("QueueGlitchRetryCount", 0, SINCE_2007, "4", 0, 15,
                  "How often a next hop that cannot be reached is tried again at once."),
    SCHEMA_SPAN("QueueGlitchRetryInterval", SINCE_2007, "00:01:00", NULL, SCHEMA_SECOND, SCHEMA_DAY,
                "The time between those."),
    SCHEMA_NUMBER("TransientFailureRetryCount", 0, SINCE_2007, "6", 0, 15, "How often after that."),
    SCHEMA_SPAN("TransientFailureRetryInterval", SINCE_2007, "00:05:00", "00:10:00", SCHEMA_SECOND, SCHEMA_DAY / 2,
                "The time between those."),
    SCHEMA_SPAN("OutboundConnectionFailureRetryInterval", SINCE_2007, "00:10:00", "00:30:00", SCHEMA_SECOND,
                20 * SCHEMA_DAY, "The time between all later tries, until the message expires."),
    /* Documents disagree (1, 5, 15 minutes): the value of 2007 as administrators remember it. */
    SCHEMA_SPAN("MessageRetryInterval", SINCE_2007, "00:01:00", NULL, SCHEMA_SECOND, SCHEMA_DAY,
                "The time until a message is tried again that a reachable next hop has deferred."),
    SCHEMA_SPAN("MailboxDeliveryQueueRetryInterval", SINCE_2007, "00:05:00", NULL, SCHEMA_SECOND, SCHEMA_DAY,
                "The time until a delivery to a mailbox is tried again."),
    SCHEMA_SPAN("MessageExpirationTimeout", SINCE_2007, "2.00:00:00", NULL, 5 * SCHEMA_SECOND, 90 * SCHEMA_DAY,
                "A message that is older is returned to its sender."),
    SCHEMA_SPAN("DelayNotificationTimeout", SINCE_2007, "04:00:00", NULL, SCHEMA_SECOND, 30 * SCHEMA_DAY,
                "The sender of a message that waits longer is told of the delay."),
    SCHEMA_SWITCH(
        "ExternalDelayDsnEnabled", SINCE_2007, "True",
        "Whether a sender outside the organisation is told of a delay. A sender is inside when its domain "
        "is an accepted one, but for ExternalRelay."),
    SCHEMA_SWITCH("InternalDelayDsnEnabled", SINCE_2007, "True", "Whether a sender inside is told of a delay."),
    SCHEMA_SWITCH("ExternalDsnSendHtml", SINCE_2007, "True",
                  "Whether what people read in a report to a sender outside is HTML as well as plain text."),
    SCHEMA_SWITCH("InternalDsnSendHtml", SINCE_2007, "True", "The same for a sender inside."),
    DSN_ATTACH("External", "A report to a sender outside has the whole message in it where its sender asked for "
                           "that (RET=FULL) and it is not larger; otherwise its header."),
    DSN_ATTACH("Internal", "The same for a sender inside."),
    SCHEMA_NUMBER("MaxOutboundConnections", SCHEMA_UNLIMITED, SINCE_2007, "1000", 1, SCHEMA_INT32,
                  "How many connections deliveries may use at a time."),
    SCHEMA_NUMBER("MaxPerDomainOutboundConnections", SCHEMA_UNLIMITED, SINCE_2007, "20", 1, SCHEMA_INT32,
                  "The same towards one destination."),
    SCHEMA_NUMBER(
        "PoisonThreshold", 0, SINCE_2007, "2", 1, 10,
        "A message on which the server's processes have died so often is suspended, in the queue poison."),
    {"MailboxDeliveryProtocol", SCHEMA_ENUM, 0, SINCE_OURS, .initial = "Maildir", .words = delivery_words,
     .help = "Maildir writes below the state folder, Lmtp hands over to MailboxDeliveryHost."},
    {"MailboxDeliveryHost", SCHEMA_STRING, SCHEMA_NULLABLE, SINCE_OURS, .min = 1, .max = 255,
     .help = "For Lmtp: host:port, or the path of a socket."},
    {"PickupDirectoryPath", SCHEMA_STRING, SCHEMA_NULLABLE, SINCE_2007, .initial = "pickup", .min = 1, .max = 200,
     .help =
         "The folder, below the state folder, whose .eml files are sent to the recipients that their To, Cc and "
         "Bcc name: pickup, or pickup/NAME. Whoever may write to it may relay. $null: none is read."},
    {"ReplayDirectoryPath", SCHEMA_STRING, SCHEMA_NULLABLE, SINCE_2007, .initial = "replay", .min = 1, .max = 200,
     .help = "The folder, below the state folder, whose .eml files say their envelope themselves (X-Sender, "
             "X-Receiver): replay, or replay/NAME. Whoever may write to it may relay as anybody. $null: none is "
             "read."},
    SCHEMA_NUMBER("PickupDirectoryMaxMessagesPerMinute", 0, SINCE_2007, "100", 1, 20000,
                  "How many files are taken from either folder in a minute."),
    {"PickupDirectoryMaxHeaderSize", SCHEMA_SIZE, .initial = "64KB", .min = 32768, .max = SCHEMA_INT32,
     .help = "The largest header of a file in the pickup folder; one with a larger one becomes .bad."},
    SCHEMA_NUMBER("PickupDirectoryMaxRecipientsPerMessage", 0, SINCE_2007, "100", 1, 10000,
                  "How many recipients a file in the pickup folder may name; one with more becomes .bad."),
    {"LocalSubmission", SCHEMA_ENUM, 0, SINCE_OURS, .initial = "AnySender", .words = local_words,
     .help = "Whom the users of this machine may send as by mailreeve sendmail: AnySender, as sendmail always "
             "allowed; OwnSender, only as themselves at the default accepted domain or at this server's name (root "
             "and the server's own user as anybody); Disabled, nobody sends."},
    PROTOCOL_LOG("Receive", "receive"),
    PROTOCOL_LOG("Send", "send"),
    DISK_THRESHOLDS("Queue", "where queue.db and spool/ lie",
                    ": mail from outside is refused with 452 4.3.1 until there is more; at high, all new mail"),
    DISK_THRESHOLDS("Log", "where log/ lies", ", which Get-ResourcePressure and the log tell; mail is not refused"),
    SCHEMA_NUMBER("MemoryMediumThreshold", 0, SINCE_OURS, "73", 1, 100,
                  "Above this percentage of the memory (the machine's, or the control group's limit) that the "
                  "server's own processes use, mail from outside is refused with 452 4.3.1."),
    SCHEMA_NUMBER("MemoryHighThreshold", 0, SINCE_OURS, "75", 1, 100, "Above this one, all new mail."),
    SCHEMA_NUMBER(
        "QueueLengthMediumThreshold", SCHEMA_UNLIMITED, SINCE_OURS, "1500000", 0, SCHEMA_INT32,
        "While more recipients than this wait in the queue, mail from outside is refused with 452 4.3.1."),
    SCHEMA_NUMBER("QueueLengthHighThreshold", SCHEMA_UNLIMITED, SINCE_OURS, "2000000", 0, SCHEMA_INT32,
                  "While more than this, all new mail."),
    TRACKING_LOG,
    {"UseDowngradedExchangeServerAuth", SCHEMA_BOOL, SCHEMA_INERT, SINCE_2010, .initial = "False",
     .help = "Allows SuppressXAnonymousTls on receive connectors."},
    SCHEMA_TAIL,
};

static const struct schema_property transport_config[] = {
    SCHEMA_NAME(SCHEMA_READ_ONLY | SCHEMA_HIDDEN, "Transport Settings."),
    {"MaxReceiveSize", SCHEMA_SIZE, SCHEMA_UNLIMITED, .initial = "Unlimited", .max = SCHEMA_INT32,
     .help =
         "The largest message that the organisation's recipients receive. A larger one is refused at once where "
         "the client may send to them only; otherwise its sender gets a report."},
    {"MaxSendSize", SCHEMA_SIZE, SCHEMA_UNLIMITED, .initial = "Unlimited", .max = SCHEMA_INT32,
     .help = "The largest message that its senders may send."},
    SCHEMA_NUMBER("MaxRecipientEnvelopeLimit", SCHEMA_UNLIMITED, SINCE_2007, "5000", 0, SCHEMA_INT32,
                  "How many recipients a message may have on any receive connector; a smaller "
                  "MaxRecipientsPerMessage of the connector comes first. 0: as Unlimited."),
    {"ExternalPostmasterAddress", SCHEMA_ADDRESS, SCHEMA_NULLABLE, .max = 320,
     .help =
         "The sender of reports, and who reads mail to postmaster where no recipient has that address. $null: "
         "reports come from postmaster at the default accepted domain (on an Edge server, at its own name), whose "
         "mail nobody reads."},
    {"GenerateCopyOfDSNFor", SCHEMA_STRING, SCHEMA_LIST, .initial = "5.4.8,5.4.6,5.4.4,5.2.4,5.2.0,5.1.4", .min = 5,
     .max = 9,
     .help =
         "The status codes of failures whose reports go to the ExternalPostmasterAddress as well. Nobody gets a "
         "copy while that is $null."},
    {"TLSReceiveDomainSecureList", SCHEMA_FQDN, SCHEMA_LIST, .max = 255,
     .help =
         "The domains whose mail must arrive by mutual TLS, on connectors with DomainSecureEnabled: with a client "
         "certificate that is valid by certs/trusted/*.pem (without any such file: by the system's authorities) "
         "and "
         "names the domain or a host in it. There, other mail from them is refused."},
    SCHEMA_SPAN("AdminAuditLogAgeLimit", SINCE_2010, "90.00:00:00", NULL, 0, 3650 * SCHEMA_DAY,
                "How long Get-AdminAuditLog remembers a change; of each kind at most 100,000 are kept."),
    {"TLSSendDomainSecureList", SCHEMA_FQDN, SCHEMA_LIST, .max = 255,
     .help =
         "The domains to which mail must leave by mutual TLS, through send connectors with DomainSecureEnabled. "
         "Each domain is named; there are no wildcards."},
    {"HubTransportServerCertificates", SCHEMA_STRING, SCHEMA_LIST, SINCE_OURS, .min = 64, .max = 64,
     .help =
         "SHA-256 thumbprints of the certificates of this organisation's Hub servers (Sha256Thumbprint of their "
         "Get-ExchangeCertificate). Who presents one to a connector with ExchangeServer is a Hub Transport Server, "
         "and a send connector with SmartHostAuthMechanism ExchangeServer knows it by that."},
    {"EdgeTransportServerCertificates", SCHEMA_STRING, SCHEMA_LIST, SINCE_OURS, .min = 64, .max = 64,
     .help = "The same for its Edge servers."},
    SCHEMA_TAIL,
};

const struct schema_class schema_transport_server = {
    .name = "TransportServer",
    .label = "transport server",
    .properties = transport_server,
    .count = ARRAY_LEN(transport_server),
    .rules = schema_server_rules,
    .rule_count = SCHEMA_SERVER_RULES,
};
const struct schema_class schema_transport_config = {.name = "TransportConfig",
                                                     .label = "transport configuration",
                                                     .properties = transport_config,
                                                     .count = ARRAY_LEN(transport_config),
                                                     .rules = schema_config_rules,
                                                     .rule_count = SCHEMA_CONFIG_RULES};
