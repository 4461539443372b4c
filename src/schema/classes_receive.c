/*
 * classes_receive.c: the table of ReceiveConnector. The order is that of Format-List. Where Exchange's own
 * documents disagree about a default, the comment beside it says what decided.
 */
#include "schema/internal.h"

const char *const schema_words_auth[] = {
    "None", "Tls", "Integrated", "BasicAuth", "BasicAuthRequireTLS", "ExchangeServer", "ExternalAuthoritative",
    NULL};
const char *const schema_words_group[] = {
    "None", "AnonymousUsers", "ExchangeUsers", "ExchangeServers", "ExchangeLegacyServers", "Partners", "Custom",
    NULL};
const char *const schema_words_logging[] = {"None", "Verbose", NULL};
static const char *const size_words[] = {"Enabled", "Disabled", "EnabledWithoutValue", NULL};
static const char *const tls_words[] = {"Tls10", "Tls11", "Tls12", "Tls13", NULL};
static const char *const proxy_words[] = {"None", "V1", "V2", NULL};
static const char *const profile_words[] = {"Modern", "Intermediate", "Legacy", NULL};
static const char *const source_words[] = {"None", "IPAddress", "User", "All", NULL};

static const struct schema_property properties[] = {
    SCHEMA_NAME(SCHEMA_REQUIRED, "The connector's name, unique on this server."),
    {"Identity", SCHEMA_STRING, SCHEMA_READ_ONLY | SCHEMA_COMPUTED, .help = "Server\\Name."},
    {"Server", SCHEMA_FQDN, SCHEMA_READ_ONLY | SCHEMA_COMPUTED, .help = "The server where it lives."},
    SCHEMA_SWITCH("Enabled", SINCE_2007, "True",
                  "A disabled connector takes no part in the selection; its clients fall to the next best one."),
    {"Bindings", SCHEMA_BINDING, SCHEMA_LIST | SCHEMA_NOT_EMPTY,
     .help = "Local addresses and ports that it listens on, IP:port. 0.0.0.0:25 is every IPv4 address, [::]:25 "
             "every IPv6 address."},
    {"RemoteIPRanges", SCHEMA_RANGE, SCHEMA_LIST | SCHEMA_NOT_EMPTY,
     .help = "The clients that it serves: 192.0.2.1, 192.0.2.1-192.0.2.9 or 192.0.2.0/24. Over all connectors "
             "with a matching binding the most specific range decides."},
    {"AuthMechanism", SCHEMA_FLAGS, .initial = "Tls", .words = schema_words_auth,
     .help =
         "How clients can prove who they are. BasicAuthRequireTLS takes passwords under TLS only; Integrated is "
         "Kerberos, with EnableAuthGSSAPI and a keytab; "
         "ExchangeServer knows servers of this organisation by certificates that TransportConfig pins; "
         "ExternalAuthoritative trusts every client that the ranges let in."},
    {"PermissionGroups", SCHEMA_FLAGS, SCHEMA_COMPUTED, .initial = "None", .words = schema_words_group,
     .help = "Presets of permissions. The value replaces the groups set before; permissions granted one by one "
             "(Add-ADPermission) stay, and show as Custom."},
    {"Fqdn", SCHEMA_FQDN, SCHEMA_NULLABLE, .max = 255,
     .help = "The name in the banner, in EHLO's answer and in Received fields. TLS needs a certificate for it. "
             "$null: the server's name."},
    {"Banner", SCHEMA_STRING, SCHEMA_NULLABLE, .max = 500,
     .help = "The whole greeting, which must begin with 220. $null: the standard one."},
    {"Comment", SCHEMA_STRING, SCHEMA_NULLABLE, .initial = "", .max = 1024, .help = "A note for administrators."},
    {"DefaultDomain", SCHEMA_FQDN, SCHEMA_NULLABLE, .max = 255,
     .help = "Appended to senders and recipients without a domain, and to authors in From and Sender. $null: such "
             "senders and recipients are refused."},
    {"ProtocolLoggingLevel", SCHEMA_ENUM, .initial = "None", .words = schema_words_logging,
     .help =
         "Verbose writes the dialogue of every session to the protocol log (log/ProtocolLog/SmtpReceive), without "
         "secrets and without the messages' content."},
    {"MaxMessageSize", SCHEMA_SIZE, .initial = "10MB", .min = 65536, .max = SCHEMA_INT32,
     .help = "The largest message that is taken; ms-Exch-Bypass-Message-Size-Limit exempts from it."},
    {"MaxHeaderSize", SCHEMA_SIZE, .initial = "64KB", .min = 1, .max = SCHEMA_INT32,
     .help = "The largest header section that is taken."},
    /* 5000 on the connector `Default` alone, which init sets. */
    SCHEMA_NUMBER("MaxRecipientsPerMessage", 0, SINCE_2007, "200", 1, 512000,
                  "Further recipients are answered with 452; the message goes on for those before."),
    SCHEMA_NUMBER("MaxHopCount", 0, SINCE_2007, "30", 1, 500,
                  "A message with more Received fields is refused as looping."),
    SCHEMA_NUMBER("MaxLocalHopCount", 0, SINCE_2007, "8", 0, 50,
                  "The same for Received fields by this server or by the connector's Fqdn. 0: never."),
    SCHEMA_NUMBER("MaxInboundConnection", SCHEMA_UNLIMITED, SINCE_2007, "5000", 1, SCHEMA_INT32,
                  "How many connections it serves at a time; further ones are told 421 and closed."),
    SCHEMA_NUMBER("MaxInboundConnectionPerSource", SCHEMA_UNLIMITED, SINCE_2007, "20", 1, 10000,
                  "How many connections one IPv4 address or one IPv6 /64 may hold at a time."),
    SCHEMA_NUMBER(
        "MaxInboundConnectionPercentagePerSource", 0, SINCE_2007, "2", 1, 100,
        "What percentage of the connections that all others leave free one address may hold, rounded up."),
    SCHEMA_NUMBER("MaxProtocolErrors", SCHEMA_UNLIMITED, SINCE_2007, "5", 0, SCHEMA_INT32,
                  "The session is closed after more errors."),
    SCHEMA_NUMBER("MaxLogonFailures", 0, SINCE_2007, "3", 0, 10,
                  "The session is closed after so many failed logons. 0: never."),
    {"MessageRateLimit", SCHEMA_INT, SCHEMA_UNLIMITED, .initial = "Unlimited", .initial_edge = "600", .min = 1,
     .max = SCHEMA_INT32,
     .help = "How many messages one client may submit within a minute. MessageRateSource says what a client is."},
    {"MessageRateSource", SCHEMA_ENUM, 0, SINCE_2010, .initial = "IPAddress", .words = source_words,
     .help =
         "What MessageRateLimit counts by: IPAddress (an IPv6 client by its /64); User, where nobody has logged "
         "on by the address; All, both, each within the limit; None, not at all."},
    SCHEMA_SPAN("ConnectionTimeout", SINCE_2007, "00:10:00", "00:05:00", SCHEMA_SECOND, SCHEMA_DAY,
                "A session is closed after it even when it is busy."),
    SCHEMA_SPAN("ConnectionInactivityTimeout", SINCE_2007, "00:05:00", "00:01:00", SCHEMA_SECOND, SCHEMA_DAY,
                "A session is closed after so long a silence. It must be less than ConnectionTimeout."),
    SCHEMA_SPAN("TarpitInterval", SINCE_2007, "00:00:05", NULL, 0, 600 * SCHEMA_SECOND,
                "Refusals are delayed by it as long as the client has not proved who it is. 00:00:00: not at all."),
    SCHEMA_SPAN("AuthTarpitInterval", SINCE_2013, "00:00:05", NULL, 0, 600 * SCHEMA_SECOND,
                "The answer to a failed logon is delayed by it."),
    {"SizeEnabled", SCHEMA_ENUM, .initial = "Enabled", .words = size_words,
     .help = "Whether EHLO lists SIZE, and whether with the number."},
    SCHEMA_SWITCH("PipeliningEnabled", SINCE_2007, "True", "Whether EHLO lists PIPELINING."),
    SCHEMA_SWITCH("ChunkingEnabled", SINCE_2007, "True", "Whether EHLO lists CHUNKING (BDAT)."),
    SCHEMA_SWITCH("BinaryMimeEnabled", SINCE_2007, "True", "Whether EHLO lists BINARYMIME; needs ChunkingEnabled."),
    SCHEMA_SWITCH("EightBitMimeEnabled", SINCE_2007, "True", "Whether EHLO lists 8BITMIME."),
    SCHEMA_SWITCH("DeliveryStatusNotificationEnabled", SINCE_2007, "True", "Whether EHLO lists DSN."),
    SCHEMA_SWITCH("EnhancedStatusCodesEnabled", SINCE_2007, "True",
                  "Whether EHLO lists ENHANCEDSTATUSCODES and replies carry them."),
    SCHEMA_SWITCH("SmtpUtf8Enabled", SINCE_2016, "True", "Whether EHLO lists SMTPUTF8."),
    SCHEMA_SWITCH(
        "RequireTlsExtensionEnabled", SINCE_OURS, "True",
        "Whether EHLO lists REQUIRETLS under TLS (RFC 8689): a sender can ask that a message goes to servers "
        "alone that are verified and promise the same."),
    SCHEMA_SWITCH("BareLinefeedRejectionEnabled", SINCE_2016, "True",
                  "A message with a bare LF is refused. False: each is made CRLF; it never ends the message."),
    SCHEMA_SWITCH(
        "OrarEnabled", SINCE_2007_SP1, "False",
        "Whether EHLO lists XORAR. ORAR= of RCPT is checked, but mail is not sent to the address that it names."),
    SCHEMA_SWITCH(
        "LongAddressesEnabled", SINCE_2007_SP1, "False",
        "Whether EHLO lists XLONGADDR: addresses of up to 1860 characters and lines of up to 8000. False: 571."),
    SCHEMA_SWITCH("RequireTLS", SINCE_2007, "False", "No mail without TLS; needs Tls in AuthMechanism."),
    SCHEMA_SWITCH("RequireEHLODomain", SINCE_2007, "False", "EHLO and HELO must give a name."),
    {"DomainSecureEnabled", SCHEMA_BOOL, 0, .initial = "False",
     .help = "Asks for client certificates. Who proves to be of a domain in TransportConfig "
             "TLSReceiveDomainSecureList is one of the Partner Servers; other mail from such a domain is refused. "
             "Needs Tls."},
    {"EnableAuthGSSAPI", SCHEMA_BOOL, 0, SINCE_2007_SP1, .initial = "False",
     .help =
         "Whether Integrated offers AUTH GSSAPI (Kerberos, also in the clear); GssapiKeytab says whether it can. A "
         "client is the mailbox whose UserPrincipalName, or else PrimarySmtpAddress, is its principal user@REALM. "
         "NTLM is never offered."},
    {"SuppressXAnonymousTls", SCHEMA_BOOL, SCHEMA_INERT, SINCE_2010, .initial = "False",
     .help =
         "X-ANONYMOUSTLS is history and never offered, whatever it says: servers prove themselves by STARTTLS with "
         "certificates that TransportConfig pins (HubTransportServerCertificates). Needs "
         "UseDowngradedExchangeServerAuth of the transport server."},
    SCHEMA_SWITCH("ImplicitTls", SINCE_OURS, "False",
                  "TLS from the first byte (RFC 8314), as on port 465; needs Tls in AuthMechanism."),
    {"TlsMinimumVersion", SCHEMA_ENUM, 0, SINCE_OURS, .initial = "Tls12", .words = tls_words,
     .help = "The oldest TLS version that is spoken. Tls10 and Tls11 are for old devices on a connector of their "
             "own, and need TlsCipherProfile Legacy."},
    {"ProxyProtocol", SCHEMA_FLAGS, 0, SINCE_OURS, .initial = "None", .words = proxy_words,
     .help =
         "The versions of the PROXY protocol in which the load balancers of ProxyProtocolSources say for whom they "
         "connect. A connection of theirs that reaches this connector must begin with such a header; its "
         "connector is then selected anew by the client's address, with the local address and port as they are."},
    {"ProxyProtocolSources", SCHEMA_RANGE, SCHEMA_LIST, SINCE_OURS,
     .help =
         "The load balancers that are believed, and must send a header. From any other address a header ends the "
         "connection. None may be wider than 10.0.0.0/8 or fc00::/7."},
    {"TlsCipherProfile", SCHEMA_ENUM, 0, SINCE_OURS, .initial = "Intermediate", .words = profile_words,
     .help =
         "Ciphers below TLS 1.3. Modern: forward secrecy and AEAD. Intermediate: also CBC, for older Windows "
         "servers. Legacy: also RSA key exchange and SHA-1, for devices of long ago; no other connector is "
         "weakened "
         "by it. A device that knows RSA only needs an RSA certificate (New-ExchangeCertificate -Algorithm RSA)."},
    {"TlsCertificate", SCHEMA_STRING, SCHEMA_READ_ONLY | SCHEMA_COMPUTED, SINCE_OURS,
     .help = "The certificate that it presents, or why it has none and so does not offer TLS."},
    {"GssapiKeytab", SCHEMA_STRING, SCHEMA_READ_ONLY | SCHEMA_COMPUTED, SINCE_OURS,
     .help = "The Kerberos principals of certs/smtp.keytab, for which it takes tickets, or why AUTH GSSAPI is not "
             "offered."},
    SCHEMA_TAIL,
};

const struct schema_class schema_receive_connector = {
    .name = "ReceiveConnector",
    .label = "receive connector",
    .properties = properties,
    .count = ARRAY_LEN(properties),
    .rules = schema_receive_rules,
    .rule_count = SCHEMA_RECEIVE_RULES,
};
