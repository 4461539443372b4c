/* classes_send.c: the tables of SendConnector and of ADPermission, an entry of a connector's ACL. */
#include "schema/internal.h"

static const char *const smart_host_words[] = {
    "None", "BasicAuth", "BasicAuthRequireTLS", "ExchangeServer", "ExternalAuthoritative", NULL};

static const char *const tls_level_words[] = {"EncryptionOnly", "CertificateValidation", "DomainValidation", NULL};
static const char *const dane_words[] = {"None", "Opportunistic", "Mandatory", NULL};
static const char *const sts_words[] = {"None", "Opportunistic", NULL};

static const struct schema_property send_connector[] = {
    SCHEMA_NAME(SCHEMA_REQUIRED, "The connector's name."),
    {"Identity", SCHEMA_STRING, SCHEMA_READ_ONLY | SCHEMA_COMPUTED, .help = "The connector's name."},
    SCHEMA_SWITCH("Enabled", SINCE_2007, "True", "A disabled connector carries no mail."),
    {"AddressSpaces", SCHEMA_ADDRESS_SPACE, SCHEMA_LIST | SCHEMA_REQUIRED | SCHEMA_NOT_EMPTY,
     .help = "The recipient domains that it serves: example.com, *.example.com, or * for all; behind a semicolon "
             "a cost from 1 to 100, of which the lower wins. The most specific space decides first."},
    SCHEMA_SWITCH("DNSRoutingEnabled", SINCE_2007, "True",
                  "Finds the next hop by MX records. $false sends to SmartHosts."),
    {"SmartHosts", SCHEMA_HOST, SCHEMA_LIST,
     .help = "The servers that it sends to, names or IP addresses, in order."},
    {"SmartHostAuthMechanism", SCHEMA_ENUM, .initial = "None", .words = smart_host_words,
     .help =
         "How it logs on to the smart host. BasicAuthRequireTLS gives the password under TLS only. ExchangeServer "
         "starts TLS, presents this server's certificate (for Fqdn, else for the server's name), and sends only to "
         "a "
         "server whose certificate TransportConfig has among its HubTransportServerCertificates or "
         "EdgeTransportServerCertificates."},
    {"AuthenticationUserName", SCHEMA_STRING, SCHEMA_NULLABLE, .max = 320, .since = SINCE_OURS,
     .help = "The user name at the smart host (Exchange's AuthenticationCredential, in two properties)."},
    {"AuthenticationPassword", SCHEMA_SECRET, SCHEMA_NULLABLE | SCHEMA_HIDDEN, .max = 1024, .since = SINCE_OURS,
     .help = "The password at the smart host. It is never shown."},
    SCHEMA_NUMBER("Port", 0, SINCE_2007, "25", 1, 65535, "The port that it connects to."),
    SCHEMA_SWITCH("RequireTLS", SINCE_2007, "False", "No delivery without TLS; needs IgnoreSTARTTLS $false."),
    SCHEMA_SWITCH("IgnoreSTARTTLS", SINCE_2007, "False", "Never starts TLS."),
    {"TlsAuthLevel", SCHEMA_ENUM, SCHEMA_NULLABLE, SINCE_2010, .words = tls_level_words,
     .help = "No delivery without TLS and this proof: EncryptionOnly takes any certificate (as RequireTLS), "
             "CertificateValidation one that is valid by the system's authorities or certs/trusted/*.pem, "
             "DomainValidation one that also names TlsDomain, or a host in it. It decides before DANE and MTA-STS. "
             "Needs IgnoreSTARTTLS $false."},
    {"TlsDomain", SCHEMA_FQDN, SCHEMA_NULLABLE, SINCE_2010, .max = 255,
     .help = "The domain that TlsAuthLevel DomainValidation asks for; must be given for smart hosts. $null: the "
             "recipients' domain."},
    {"SmtpDaneMode", SCHEMA_ENUM, 0, SINCE_OURS, .initial = "Opportunistic", .words = dane_words,
     .help = "DANE (RFC 7672): a host whose TLSA records DNSSEC proves gets mail over TLS only, with a certificate "
             "that one of them matches. Mandatory: a host without such records gets none. Needs dnssec-anchors in "
             "node.conf: without it the DNS proves nothing."},
    {"MtaStsMode", SCHEMA_ENUM, 0, SINCE_OURS, .initial = "Opportunistic", .words = sts_words,
     .help =
         "MTA-STS (RFC 8461): a domain that publishes a policy in mode enforce gets mail at the hosts that it "
         "lists, over TLS, with a trusted certificate of the host. DANE decides before it. Not for smart hosts."},
    {"DomainSecureEnabled", SCHEMA_BOOL, .initial = "False",
     .help =
         "Domain security: mail to a domain in TransportConfig TLSSendDomainSecureList leaves over TLS only, with "
         "this "
         "server's certificate (for Fqdn, else for the server's name), to a server whose certificate is valid by "
         "certs/trusted/*.pem (without any such file: by the system's authorities) and names the domain or a host "
         "in "
         "it; until then it waits. Needs DNSRoutingEnabled $true and IgnoreSTARTTLS $false."},
    SCHEMA_SWITCH("ForceHELO", SINCE_2007, "False", "Says HELO instead of EHLO, and so uses no extension."),
    {"Fqdn", SCHEMA_FQDN, SCHEMA_NULLABLE, .max = 255, .help = "The name in EHLO. $null: the server's name."},
    {"MaxMessageSize", SCHEMA_SIZE, SCHEMA_UNLIMITED, .initial = "10MB", .max = SCHEMA_INT32,
     .help = "A larger message is returned to its sender."},
    {"ConnectionInactivityTimeOut", SCHEMA_TIMESPAN, .initial = "00:10:00", .min = SCHEMA_SECOND, .max = SCHEMA_DAY,
     .help = "A connection is given up after so long a silence of the other side; one that rests between two "
             "messages is "
             "closed then, at the latest."},
    {"ProtocolLoggingLevel", SCHEMA_ENUM, .initial = "None", .words = schema_words_logging,
     .help = "Verbose writes the dialogue of every session to the protocol log (log/ProtocolLog/SmtpSend), without "
             "secrets and without the messages' content."},
    {"IsScopedConnector", SCHEMA_BOOL, SCHEMA_INERT, SINCE_2007_SP1, .initial = "False",
     .help = "Only servers of the same site use it."},
    {"UseExternalDNSServersEnabled", SCHEMA_BOOL, SCHEMA_INERT, .initial = "False",
     .help = "Asks the DNS servers that the transport server has for outside names."},
    {"Comment", SCHEMA_STRING, SCHEMA_NULLABLE, .initial = "", .max = 1024, .help = "A note for administrators."},
    SCHEMA_TAIL,
};

/* Get-ADPermission shows entries in Exchange's form, which it makes out of these. */
static const struct schema_property ad_permission[] = {
    {"Name", SCHEMA_STRING, SCHEMA_READ_ONLY | SCHEMA_HIDDEN, .max = 1024,
     .help = "Connector, principal, right and kind, and of a narrowed entry its Guid."},
    {"Connector", SCHEMA_STRING, SCHEMA_READ_ONLY, .min = 1, .max = 64, .help = "The Guid of its connector."},
    {"User", SCHEMA_STRING, SCHEMA_READ_ONLY, .min = 1, .max = 320,
     .help = "The principal: a well-known name, user:GUID or group:GUID."},
    {"UserName", SCHEMA_STRING, SCHEMA_READ_ONLY, .max = 320, .help = "The principal's name for people."},
    {"ExtendedRight", SCHEMA_STRING, SCHEMA_READ_ONLY, .min = 1, .max = 64, .help = "The right's canonical name."},
    {"Deny", SCHEMA_BOOL, SCHEMA_READ_ONLY, .initial = "False", .help = "Denies the right instead of granting it."},
    {"Origin", SCHEMA_STRING, SCHEMA_READ_ONLY, .initial = "Explicit", .max = 64,
     .help = "The permission group that wrote it, or Explicit."},
    /* What an entry is narrowed by: it applies only where all of it is met. */
    {"Senders", SCHEMA_PATTERN, SCHEMA_LIST | SCHEMA_READ_ONLY, SINCE_OURS, .max = 320,
     .help =
         "It applies to these senders only: alice@example.com, *@example.com, *@*.example.com (the domains below), "
         "<> (the null sender)."},
    {"Recipients", SCHEMA_PATTERN, SCHEMA_LIST | SCHEMA_READ_ONLY, SINCE_OURS, .max = 320,
     .help =
         "It applies to these recipients only, in the forms of Senders; one that allows must cover every recipient "
         "of a message."},
    {"MessageRate", SCHEMA_INT, SCHEMA_UNLIMITED | SCHEMA_READ_ONLY, SINCE_OURS, .initial = "Unlimited", .min = 1,
     .max = 1000000,
     .help = "How many messages a minute may be sent by it, over all who use it; more are put off with 450."},
    {"RequireTls", SCHEMA_BOOL, SCHEMA_READ_ONLY, SINCE_OURS, .initial = "False",
     .help = "It applies under TLS only."},
    {"Expires", SCHEMA_TIME, SCHEMA_NULLABLE | SCHEMA_READ_ONLY, SINCE_OURS,
     .help =
         "It applies until then: 2026-12-31 (its first moment), 2026-12-31T18:00 (UTC), 2026-12-31T18:00+02:00."},
    {"Comment", SCHEMA_STRING, SCHEMA_NULLABLE | SCHEMA_READ_ONLY, SINCE_OURS, .max = 1024,
     .help = "A note for administrators."},
    SCHEMA_TAIL,
};

const struct schema_class schema_send_connector = {
    .name = "SendConnector",
    .label = "send connector",
    .properties = send_connector,
    .count = ARRAY_LEN(send_connector),
    .rules = schema_send_rules,
    .rule_count = SCHEMA_SEND_RULES,
};

const struct schema_class schema_ad_permission = {
    .name = "ADPermission",
    .label = "permission",
    .properties = ad_permission,
    .count = ARRAY_LEN(ad_permission),
};
