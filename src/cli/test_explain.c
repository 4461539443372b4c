/*
 * test_explain.c: explanations over policies that cmdlets made: what is said, and that every command that is
 * proposed does allow the message, alone and exactly as it is printed.
 */
#include "cli/test_explain_stage.h"

#include <string.h>

#define TOO_LARGE                                                                                                  \
    "552 5.3.4 Message size exceeds fixed maximum message size (MaxMessageSize 10MB of \"Client mail\")"

#define KERBEROS                                                                                                   \
    "New-ReceiveConnector -Name Kerberos -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 10.0.0.0/24 "        \
    "-PermissionGroups ExchangeUsers -AuthMechanism Tls,Integrated -EnableAuthGSSAPI $true;"

struct row {
    const char *name, *script, *certificate, *session, *from, *to, *reply;
    enum explain_cause cause;
    const char *reason;      /* a part of it */
    const char *remedies[5]; /* the commands, in order; NULL ends */
    bool undeliverable;
    unsigned flags;
};

static const struct row rows[] = {
    /* who is taken */
    {"a user",
     ALICE OUT,
     CERT,
     CLIENT " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     TAKEN,
     0,
     "every right",
     {0}},
    {"a printer",
     APPS OUT "Add-ADPermission Apps -User " ANON " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient",
     CERT,
     PORT25,
     "printer@example.com",
     "bob@far.test",
     TAKEN,
     0,
     "every right",
     {0}},
    {"a user in TLS from the first byte",
     ALICE OUT,
     CERT,
     "10.0.0.5 10.0.0.1:2465 tls user=alice",
     "alice@example.com",
     "bob@far.test",
     TAKEN,
     0,
     "every right",
     {0}},
    /* no connector */
    {"no connector",
     ALICE OUT,
     CERT,
     "10.0.0.5 10.0.0.1:2999 tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "",
     EXPLAIN_CAUSE_NO_CONNECTOR,
     "no enabled receive connector serves 10.0.0.5 on 10.0.0.1:2999",
     {"New-ReceiveConnector -Name 'Client 10.0.0.5' -Usage Custom -Bindings '10.0.0.1:2999' -RemoteIPRanges "
      "'10.0.0.5' -PermissionGroups ExchangeUsers -AuthMechanism Tls,BasicAuth,BasicAuthRequireTLS",
      "Set-ReceiveConnector 'Client Implicit TLS mail' -Bindings @{Add='10.0.0.1:2999'}",
      "Set-ReceiveConnector 'Client mail' -Bindings @{Add='10.0.0.1:2999'}",
      "Set-ReceiveConnector 'Default mail' -Bindings @{Add='10.0.0.1:2999'}"}},
    {"a connector that is disabled",
     ALICE OUT "Set-ReceiveConnector 'Client mail' -Enabled $false",
     CERT,
     CLIENT " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "",
     EXPLAIN_CAUSE_NO_CONNECTOR,
     "no enabled",
     {"New-ReceiveConnector -Name 'Client 10.0.0.5' -Usage Custom -Bindings '0.0.0.0:2587' -RemoteIPRanges "
      "'10.0.0.5' -PermissionGroups ExchangeUsers -AuthMechanism Tls,BasicAuth,BasicAuthRequireTLS",
      "Set-ReceiveConnector 'Client mail' -Enabled $true",
      "Set-ReceiveConnector 'Client Implicit TLS mail' -Bindings @{Add='10.0.0.1:2587'}",
      "Set-ReceiveConnector 'Default mail' -Bindings @{Add='10.0.0.1:2587'}"}},
    {"a range without the client",
     ALICE OUT "Set-ReceiveConnector 'Client mail' -RemoteIPRanges 192.0.2.0/24",
     CERT,
     CLIENT " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "",
     EXPLAIN_CAUSE_NO_CONNECTOR,
     "no enabled",
     {"New-ReceiveConnector -Name 'Client 10.0.0.5' -Usage Custom -Bindings '0.0.0.0:2587' -RemoteIPRanges "
      "'10.0.0.5' -PermissionGroups ExchangeUsers -AuthMechanism Tls,BasicAuth,BasicAuthRequireTLS",
      "Set-ReceiveConnector 'Client mail' -RemoteIPRanges @{Add='10.0.0.5'}",
      "Set-ReceiveConnector 'Client Implicit TLS mail' -Bindings @{Add='10.0.0.1:2587'}",
      "Set-ReceiveConnector 'Default mail' -Bindings @{Add='10.0.0.1:2587'}"}},
    {"a load balancer's address",
     APPS "Set-ReceiveConnector Apps -ProxyProtocol V1,V2 -ProxyProtocolSources 10.0.0.5",
     CERT,
     PORT25,
     "x@far.test",
     "bob@far.test",
     "",
     EXPLAIN_CAUSE_PROXY,
     "must begin with a PROXY header",
     {0}},
    /* TLS */
    {"no certificate",
     ALICE OUT,
     NULL,
     CLIENT " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "502 5.5.1 STARTTLS is not offered here",
     EXPLAIN_CAUSE_NO_STARTTLS,
     "there is no certificate in certs/",
     {0}},
    {"a certificate of another name",
     ALICE OUT,
     "mx.example.net",
     CLIENT " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "502 5.5.1 STARTTLS is not offered here",
     EXPLAIN_CAUSE_NO_STARTTLS,
     "no certificate in certs/ names the Fqdn mail.example.com (there is one for mx.example.net)",
     {"Set-ReceiveConnector 'Client mail' -Fqdn mx.example.net"}},
    {"no Tls in AuthMechanism",
     ALICE APPS "Set-ReceiveConnector Apps -AuthMechanism None",
     CERT,
     PORT25 " tls",
     "x@far.test",
     "alice@example.com",
     "502 5.5.1 STARTTLS is not offered here",
     EXPLAIN_CAUSE_NO_STARTTLS,
     "Tls is not in AuthMechanism",
     {"Set-ReceiveConnector Apps -AuthMechanism @{Add='Tls'}"}},
    {"implicit TLS in the clear",
     ALICE OUT,
     CERT,
     "10.0.0.5 10.0.0.1:2465 user=alice",
     "alice@example.com",
     "bob@far.test",
     "",
     EXPLAIN_CAUSE_PLAIN_ON_TLS,
     "must begin with the first byte",
     {0}},
    {"implicit TLS without a certificate",
     ALICE OUT,
     NULL,
     "10.0.0.5 10.0.0.1:2465 tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "",
     EXPLAIN_CAUSE_NO_CERTIFICATE,
     "needs a certificate at once",
     {0}},
    {"TLS required",
     APPS OUT ALICE "Set-ReceiveConnector Apps -RequireTLS $true",
     CERT,
     PORT25,
     "x@far.test",
     "alice@example.com",
     "530 5.7.0 Must issue a STARTTLS command first",
     EXPLAIN_CAUSE_TLS_REQUIRED,
     "RequireTLS is $true",
     {"Set-ReceiveConnector Apps -RequireTLS $false"}},
    {"EHLO without a name",
     APPS ALICE "Set-ReceiveConnector Apps -RequireEHLODomain $true",
     CERT,
     PORT25 " helo=",
     "x@far.test",
     "alice@example.com",
     "501 5.5.4 Invalid domain name",
     EXPLAIN_CAUSE_HELLO,
     "is not accepted",
     {"Set-ReceiveConnector Apps -RequireEHLODomain $false"}},
    {"EHLO with what is no name",
     APPS ALICE,
     CERT,
     PORT25 " helo=a<b",
     "x@far.test",
     "alice@example.com",
     "501 5.5.4 Invalid domain name",
     EXPLAIN_CAUSE_HELLO,
     "is not accepted",
     {0}},
    {"an externally secured server",
     ALICE OUT
     "New-ReceiveConnector -Name Trusted -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 10.0.0.0/24 "
     "-AuthMechanism ExternalAuthoritative -PermissionGroups ExchangeServers",
     CERT,
     PORT25,
     "x@far.test",
     "bob@far.test",
     TAKEN,
     0,
     "every right",
     {0}},
    {"an externally secured server that is denied relaying",
     ALICE OUT
     "New-ReceiveConnector -Name Trusted -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 10.0.0.0/24 "
     "-AuthMechanism ExternalAuthoritative -PermissionGroups ExchangeServers; Add-ADPermission Trusted -User "
     "Everyone "
     "-ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient -Deny",
     CERT,
     PORT25,
     "x@far.test",
     "bob@far.test",
     "550 5.7.1 Unable to relay",
     EXPLAIN_CAUSE_RIGHT,
     "denied to Everyone",
     {"Remove-ADPermission -Identity Trusted -User Everyone -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient "
      "-Deny "
      "-Confirm:$false",
      "New-AcceptedDomain -Name far.test -DomainName far.test -DomainType ExternalRelay"}},
    /* logon */
    {"a password in the clear",
     ALICE OUT,
     CERT,
     CLIENT " user=alice",
     "alice@example.com",
     "bob@far.test",
     "504 5.7.4 Unrecognized authentication type",
     EXPLAIN_CAUSE_AUTH_NOT_OFFERED,
     "under TLS only",
     {"Set-ReceiveConnector 'Client mail' -AuthMechanism @{Remove='BasicAuthRequireTLS'}"}},
    {"no logon at all",
     ALICE OUT APPS,
     CERT,
     PORT25 " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "504 5.7.4 Unrecognized authentication type",
     EXPLAIN_CAUSE_AUTH_NOT_OFFERED,
     "BasicAuth is not in AuthMechanism",
     {"Set-ReceiveConnector Apps -AuthMechanism @{Add='BasicAuth','BasicAuthRequireTLS'}\n"
      "Add-ADPermission -Identity Apps -User alice@example.com -ExtendedRights ms-Exch-SMTP-Submit\n"
      "Add-ADPermission -Identity Apps -User alice@example.com -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient "
      "-Recipients '*@far.test'",
      "Set-ReceiveConnector Apps -AuthMechanism @{Add='BasicAuth'}\n"
      "Add-ADPermission -Identity Apps -User alice@example.com -ExtendedRights ms-Exch-SMTP-Submit\n"
      "Add-ADPermission -Identity Apps -User alice@example.com -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient "
      "-Recipients '*@far.test'"}},
    {"an unknown user",
     OUT,
     CERT,
     CLIENT " tls user=carol",
     "carol@example.com",
     "bob@far.test",
     "535 5.7.3 Authentication unsuccessful",
     EXPLAIN_CAUSE_LOGON,
     "no mailbox has the name or address carol",
     {"New-Mailbox -Name carol"}},
    {"a disabled user",
     ALICE OUT "Set-Mailbox alice -Enabled $false",
     CERT,
     CLIENT " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "535 5.7.3 Authentication unsuccessful",
     EXPLAIN_CAUSE_LOGON,
     "is disabled",
     {"Set-Mailbox alice -Enabled $true"}},
    {"a user without a password",
     OUT "New-Mailbox -Name keyless",
     CERT,
     CLIENT " tls user=keyless",
     "keyless@example.com",
     "bob@far.test",
     "535 5.7.3 Authentication unsuccessful",
     EXPLAIN_CAUSE_LOGON,
     "has no password",
     {0}},
    /* Kerberos */
    {"a ticket",
     ALICE OUT KERBEROS,
     CERT,
     PORT25 " user=alice@EXAMPLE.COM by=GSSAPI",
     "alice@example.com",
     "bob@far.test",
     TAKEN,
     0,
     "every right",
     {0}},
    {"a ticket for a mailbox without a password",
     OUT KERBEROS
     "New-Mailbox -Name keyless -PrimarySmtpAddress keyless@example.com -UserPrincipalName kl@CORP.example.com",
     CERT,
     PORT25 " user=kl@CORP.EXAMPLE.COM by=GSSAPI",
     "keyless@example.com",
     "bob@far.test",
     TAKEN,
     0,
     "every right",
     {0}},
    {"a ticket of nobody here, though it is a name",
     ALICE OUT KERBEROS "Set-Mailbox alice -UserPrincipalName smith@EXAMPLE.COM",
     CERT,
     PORT25 " user=alice@EXAMPLE.COM by=GSSAPI",
     "alice@example.com",
     "bob@far.test",
     "535 5.7.3 Authentication unsuccessful",
     EXPLAIN_CAUSE_LOGON,
     "no mailbox has the UserPrincipalName alice@EXAMPLE.COM",
     {0}},
    {"a ticket of a disabled mailbox",
     ALICE OUT KERBEROS "Set-Mailbox alice -Enabled $false",
     CERT,
     PORT25 " user=alice@EXAMPLE.COM by=GSSAPI",
     "alice@example.com",
     "bob@far.test",
     "535 5.7.3 Authentication unsuccessful",
     EXPLAIN_CAUSE_LOGON,
     "is disabled",
     {"Set-Mailbox alice@EXAMPLE.COM -Enabled $true"}},
    {"a ticket where it is not switched on",
     ALICE OUT,
     CERT,
     CLIENT " user=alice@EXAMPLE.COM by=GSSAPI",
     "alice@example.com",
     "bob@far.test",
     "504 5.7.4 Unrecognized authentication type",
     EXPLAIN_CAUSE_AUTH_NOT_OFFERED,
     "AUTH GSSAPI is not offered in the clear: EnableAuthGSSAPI is $false",
     {"Set-ReceiveConnector 'Client mail' -EnableAuthGSSAPI $true"}},
    {"a ticket where Integrated is not",
     ALICE APPS,
     CERT,
     PORT25 " tls user=alice@EXAMPLE.COM by=GSSAPI",
     "alice@example.com",
     "alice@example.com",
     "504 5.7.4 Unrecognized authentication type",
     EXPLAIN_CAUSE_AUTH_NOT_OFFERED,
     "Integrated is not in AuthMechanism",
     {"Set-ReceiveConnector Apps -AuthMechanism @{Add='Integrated'} -EnableAuthGSSAPI $true\n"
      "Add-ADPermission -Identity Apps -User alice@example.com -ExtendedRights ms-Exch-SMTP-Submit"}},
    {"a ticket where there are no keys",
     ALICE OUT KERBEROS,
     CERT,
     PORT25 " user=alice@EXAMPLE.COM by=GSSAPI",
     "alice@example.com",
     "bob@far.test",
     "504 5.7.4 Unrecognized authentication type",
     EXPLAIN_CAUSE_AUTH_NOT_OFFERED,
     "there is no certs/smtp.keytab",
     {0},
     .flags = STAGE_NO_KEYTAB},
    {"a password by the name of a mechanism that is not offered",
     ALICE OUT KERBEROS,
     CERT,
     PORT25 " tls user=alice by=LOGIN",
     "alice@example.com",
     "alice@example.com",
     "504 5.7.4 Unrecognized authentication type",
     EXPLAIN_CAUSE_AUTH_NOT_OFFERED,
     "AUTH LOGIN is not offered under TLS: BasicAuth is not in AuthMechanism",
     {"Set-ReceiveConnector Kerberos -AuthMechanism @{Add='BasicAuth','BasicAuthRequireTLS'}",
      "Set-ReceiveConnector Kerberos -AuthMechanism @{Add='BasicAuth'}"}},
    {"what is offered is taken",
     ALICE OUT KERBEROS,
     CERT,
     PORT25 " tls user=alice",
     "alice@example.com",
     "alice@example.com",
     "535 5.7.3 Authentication unsuccessful",
     EXPLAIN_CAUSE_LOGON,
     "no mailbox has the UserPrincipalName alice",
     {0}},
    {"a user who may not submit",
     ALICE OUT "Set-ReceiveConnector 'Client mail' -PermissionGroups None",
     CERT,
     CLIENT " tls user=alice",
     "alice@example.com",
     "alice@example.com",
     "550 5.7.1 Client does not have permissions to submit to this server",
     EXPLAIN_CAUSE_RIGHT,
     "ms-Exch-SMTP-Submit: granted to nobody that this session is",
     {"Add-ADPermission -Identity 'Client mail' -User alice@example.com -ExtendedRights ms-Exch-SMTP-Submit",
      "Set-ReceiveConnector 'Client mail' -PermissionGroups @{Add='ExchangeUsers'}"}},
    {"a user who is denied it",
     ALICE OUT "Add-ADPermission 'Client mail' -User alice -ExtendedRights ms-Exch-SMTP-Submit -Deny",
     CERT,
     CLIENT " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "550 5.7.1 Client does not have permissions to submit to this server",
     EXPLAIN_CAUSE_RIGHT,
     "ms-Exch-SMTP-Submit: denied to alice",
     {"Remove-ADPermission -Identity 'Client mail' -User alice -ExtendedRights ms-Exch-SMTP-Submit -Deny "
      "-Confirm:$false"}},
    /* senders */
    {"nobody may submit",
     OUT,
     CERT,
     PORT25,
     "x@far.test",
     "bob@far.test",
     "530 5.7.1 Client was not authenticated",
     EXPLAIN_CAUSE_RIGHT,
     "ms-Exch-SMTP-Submit: granted to nobody",
     {"New-ReceiveConnector -Name 'Client 10.0.0.5' -Usage Custom -Bindings '0.0.0.0:2025' -RemoteIPRanges "
      "'10.0.0.5' -PermissionGroups AnonymousUsers\n"
      "Add-ADPermission -Identity 'Client 10.0.0.5' -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient -Recipients '*@far.test'",
      "Set-ReceiveConnector 'Default mail' -PermissionGroups @{Add='AnonymousUsers'}\n"
      "Add-ADPermission -Identity 'Default mail' -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient -Recipients '*@far.test'"}},
    {"a user as another",
     ALICE OUT,
     CERT,
     CLIENT " tls user=alice",
     "boss@example.com",
     "bob@far.test",
     "550 5.7.1 Client does not have permissions to send as this sender",
     EXPLAIN_CAUSE_RIGHT,
     "the address does not belong to the authenticated user",
     {"Add-ADPermission -Identity 'Client mail' -User alice@example.com -ExtendedRights "
      "ms-Exch-SMTP-Accept-Authoritative-Domain-Sender -Senders boss@example.com",
      "Set-Mailbox alice@example.com -EmailAddresses @{Add=boss@example.com}",
      "Add-ADPermission -Identity 'Client mail' -User alice@example.com -ExtendedRights "
      "ms-Exch-SMTP-Accept-Authoritative-Domain-Sender"}},
    {"a user as another who is here",
     ALICE SALES OUT,
     CERT,
     CLIENT " tls user=alice",
     "shop@example.com",
     "bob@far.test",
     "550 5.7.1 Client does not have permissions to send as this sender",
     EXPLAIN_CAUSE_RIGHT,
     "the address does not belong to the authenticated user",
     {"Add-ADPermission -Identity shop@example.com -User alice@example.com -ExtendedRights Send-As",
      "Add-ADPermission -Identity 'Client mail' -User alice@example.com -ExtendedRights "
      "ms-Exch-SMTP-Accept-Authoritative-Domain-Sender -Senders shop@example.com",
      "Add-ADPermission -Identity 'Client mail' -User alice@example.com -ExtendedRights "
      "ms-Exch-SMTP-Accept-Authoritative-Domain-Sender"}},
    {"a user who may send as another, by a group",
     ALICE SALES OUT "New-DistributionGroup team; Add-DistributionGroupMember team -Member alice; Add-ADPermission "
                     "sales -User team -ExtendedRights Send-As",
     CERT,
     CLIENT " tls user=alice header=shop@example.com",
     "sales@example.com",
     "bob@far.test",
     TAKEN,
     0,
     "every right",
     {0}},
    {"narrowed, and met",
     APPS OUT
     "Set-ReceiveConnector Apps -PermissionGroups None; Add-ADPermission Apps -User " ANON
     " -ExtendedRights ms-Exch-SMTP-Submit,ms-Exch-SMTP-Accept-Any-Recipient,ms-Exch-SMTP-Accept-Any-Sender "
     "-Senders scan@far.test -RequireTls",
     CERT,
     PORT25 " tls header=scan@far.test",
     "scan@far.test",
     "bob@far.test",
     TAKEN,
     0,
     "every right",
     {0}},
    {"narrowed to an author",
     APPS OUT
     "Set-ReceiveConnector Apps -PermissionGroups None; Add-ADPermission Apps -User " ANON
     " -ExtendedRights ms-Exch-SMTP-Submit,ms-Exch-SMTP-Accept-Any-Recipient,ms-Exch-SMTP-Accept-Any-Sender "
     "-Senders scan@far.test",
     CERT,
     PORT25 " header=boss@far.test",
     "scan@far.test",
     "bob@far.test",
     "550 5.7.1 Anonymous client does not have permissions to send as this sender",
     EXPLAIN_CAUSE_RIGHT,
     "it is not for this sender",
     {"New-ReceiveConnector -Name 'Client 10.0.0.5' -Usage Custom -Bindings '0.0.0.0:2025' -RemoteIPRanges "
      "'10.0.0.5' -PermissionGroups AnonymousUsers\n"
      "Add-ADPermission -Identity 'Client 10.0.0.5' -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient -Recipients '*@far.test'",
      "Add-ADPermission -Identity Apps -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Any-Sender -Senders boss@far.test",
      "Add-ADPermission -Identity Apps -User " ANON " -ExtendedRights ms-Exch-SMTP-Accept-Any-Sender"}},
    {"a user as one from elsewhere in the header",
     ALICE OUT,
     CERT,
     CLIENT " tls user=alice header=boss@far.test",
     "alice@example.com",
     "bob@far.test",
     "550 5.7.1 Client does not have permissions to send as this sender",
     EXPLAIN_CAUSE_RIGHT,
     "ms-Exch-SMTP-Accept-Any-Sender",
     {"Add-ADPermission -Identity 'Client mail' -User alice@example.com -ExtendedRights "
      "ms-Exch-SMTP-Accept-Any-Sender -Senders boss@far.test",
      "Add-ADPermission -Identity 'Client mail' -User alice@example.com -ExtendedRights "
      "ms-Exch-SMTP-Accept-Any-Sender"}},
    {"anonymous as our own user",
     ALICE APPS OUT "Remove-ADPermission Apps -User " ANON
                    " -ExtendedRights ms-Exch-SMTP-Accept-Authoritative-Domain-Sender -Confirm:$false",
     CERT,
     PORT25,
     "alice@example.com",
     "alice@example.com",
     "550 5.7.1 Anonymous client does not have permissions to send as this sender",
     EXPLAIN_CAUSE_RIGHT,
     "the sender is in the authoritative domain example.com",
     {"New-ReceiveConnector -Name 'Client 10.0.0.5' -Usage Custom -Bindings '0.0.0.0:2025' -RemoteIPRanges "
      "'10.0.0.5' -PermissionGroups AnonymousUsers",
      "Add-ADPermission -Identity Apps -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Authoritative-Domain-Sender -Senders alice@example.com",
      "Add-ADPermission -Identity Apps -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Authoritative-Domain-Sender"}},
    {"a sender without domain",
     ALICE OUT,
     CERT,
     CLIENT " tls user=alice header=alice@example.com",
     "alice",
     "bob@far.test",
     "501 5.1.7 Invalid address",
     EXPLAIN_CAUSE_ADDRESS,
     "no DefaultDomain",
     {"Set-ReceiveConnector 'Client mail' -DefaultDomain example.com"}},
    {"the null sender", APPS ALICE, CERT, PORT25, "", "alice@example.com", TAKEN, 0, "every right", {0}},
    /* sizes */
    {"too large",
     ALICE OUT,
     CERT,
     CLIENT " tls user=alice size=30000000",
     "alice@example.com",
     "alice@example.com",
     TOO_LARGE,
     EXPLAIN_CAUSE_SIZE,
     "larger than the limit",
     {"Add-ADPermission -Identity 'Client mail' -User alice@example.com -ExtendedRights "
      "ms-Exch-Bypass-Message-Size-Limit",
      "Set-ReceiveConnector 'Client mail' -MaxMessageSize 29MB"}},
    {"too large, undeclared",
     ALICE OUT "Set-ReceiveConnector 'Client mail' -SizeEnabled Disabled",
     CERT,
     CLIENT " tls user=alice size=30000000",
     "alice@example.com",
     "alice@example.com",
     TOO_LARGE,
     EXPLAIN_CAUSE_SIZE,
     "larger than the limit",
     {"Add-ADPermission -Identity 'Client mail' -User alice@example.com -ExtendedRights "
      "ms-Exch-Bypass-Message-Size-Limit",
      "Set-ReceiveConnector 'Client mail' -MaxMessageSize 29MB"}},
    {"too large for the organisation",
     ALICE APPS "Set-ReceiveConnector Apps -MaxMessageSize 30MB; Set-TransportConfig -MaxReceiveSize 10MB",
     CERT,
     PORT25 " size=20000000",
     "x@far.test",
     "alice@example.com",
     "552 5.3.4 Message size exceeds fixed maximum message size (MaxReceiveSize 10MB of the organisation)",
     EXPLAIN_CAUSE_SIZE,
     "larger than the limit",
     {"Set-TransportConfig -MaxReceiveSize 20MB"}},
    {"too large for both",
     ALICE APPS "Set-TransportConfig -MaxReceiveSize 10MB",
     CERT,
     PORT25 " size=20000000",
     "x@far.test",
     "alice@example.com",
     "552 5.3.4 Message size exceeds fixed maximum message size (MaxMessageSize 10MB of \"Apps\")",
     EXPLAIN_CAUSE_SIZE,
     "larger than the limit",
     {"Set-ReceiveConnector Apps -MaxMessageSize 20MB\nSet-TransportConfig -MaxReceiveSize 20MB"}},
    /* recipients */
    {"relaying",
     APPS OUT,
     CERT,
     PORT25,
     "x@example.com",
     "bob@far.test",
     "550 5.7.1 Unable to relay",
     EXPLAIN_CAUSE_RIGHT,
     "this would be relaying",
     {"New-ReceiveConnector -Name 'Client 10.0.0.5' -Usage Custom -Bindings '0.0.0.0:2025' -RemoteIPRanges "
      "'10.0.0.5' -PermissionGroups AnonymousUsers\n"
      "Add-ADPermission -Identity 'Client 10.0.0.5' -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient -Recipients '*@far.test'",
      "Add-ADPermission -Identity Apps -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient -Recipients '*@far.test'",
      "Add-ADPermission -Identity Apps -User " ANON " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient",
      "New-AcceptedDomain -Name far.test -DomainName far.test -DomainType ExternalRelay"}},
    {"relaying from a connector for one client",
     OUT "New-ReceiveConnector -Name One -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 10.0.0.5 "
         "-PermissionGroups AnonymousUsers",
     CERT,
     PORT25,
     "x@example.com",
     "bob@far.test",
     "550 5.7.1 Unable to relay",
     EXPLAIN_CAUSE_RIGHT,
     "relaying",
     {"Add-ADPermission -Identity One -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient -Recipients '*@far.test'",
      "Add-ADPermission -Identity One -User " ANON " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient",
      "New-AcceptedDomain -Name far.test -DomainName far.test -DomainType ExternalRelay"}},
    {"nobody's address",
     APPS,
     CERT,
     PORT25,
     "x@far.test",
     "nobody@example.com",
     "550 5.1.1 User unknown",
     EXPLAIN_CAUSE_NO_MAILBOX,
     "nobody has the address",
     {"New-Mailbox -Name nobody -PrimarySmtpAddress nobody@example.com",
      "Set-AcceptedDomain example.com -DomainType InternalRelay"}},
    {"a mailbox for authenticated senders",
     ALICE APPS "Set-Mailbox alice -RequireSenderAuthenticationEnabled $true",
     CERT,
     PORT25,
     "x@far.test",
     "alice@example.com",
     "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required",
     EXPLAIN_CAUSE_AUTH_WANTED,
     "RequireSenderAuthenticationEnabled of alice@example.com is $true",
     {"Set-Mailbox alice@example.com -RequireSenderAuthenticationEnabled $false"}},
    {"a user to a mailbox for authenticated senders",
     ALICE "Set-Mailbox alice -RequireSenderAuthenticationEnabled $true",
     CERT,
     CLIENT " tls user=alice",
     "alice@example.com",
     "alice@example.com",
     TAKEN,
     0,
     "every right",
     {0}},
    {"no address at all",
     APPS,
     CERT,
     PORT25,
     "x@far.test",
     "a b@example.com",
     "501 5.1.3 Invalid address",
     EXPLAIN_CAUSE_ADDRESS,
     "is no address",
     {0}},
    /* taken, and then */
    {"no send connector",
     ALICE,
     CERT,
     CLIENT " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     TAKEN,
     0,
     "no send connector covers far.test",
     {"New-SendConnector -Name 'To far.test' -AddressSpaces far.test"},
     true},
    {"an application that may relay, to a group for authenticated senders",
     APPS "New-DistributionGroup team -RequireSenderAuthenticationEnabled $true; Add-ADPermission Apps -User " ANON
          " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient",
     CERT,
     PORT25,
     "x@far.test",
     "team@example.com",
     TAKEN,
     0,
     "RESOLVER.RST.AuthRequired",
     {"Set-DistributionGroup team@example.com -RequireSenderAuthenticationEnabled $false"},
     true},
    {"a user to nobody",
     ALICE,
     CERT,
     CLIENT " tls user=alice",
     "alice@example.com",
     "nobody@example.com",
     TAKEN,
     0,
     "RecipNotFound",
     {"New-Mailbox -Name nobody -PrimarySmtpAddress nobody@example.com",
      "Set-AcceptedDomain example.com -DomainType InternalRelay\n"
      "New-SendConnector -Name 'To example.com' -AddressSpaces example.com"},
     true},
    {"too large for a send connector",
     ALICE OUT "Set-ReceiveConnector 'Client mail' -MaxMessageSize 40MB",
     CERT,
     CLIENT " tls user=alice size=30000000",
     "alice@example.com",
     "bob@far.test",
     TAKEN,
     0,
     "larger than MaxMessageSize (10485760 bytes) of send connector \"out\"",
     {"Set-SendConnector out -MaxMessageSize 29MB"},
     true},
    {"too large to be sent, and for the send connector",
     ALICE OUT "Set-ReceiveConnector 'Client mail' -MaxMessageSize 40MB; Set-TransportConfig -MaxSendSize 5MB",
     CERT,
     CLIENT " tls user=alice size=30000000",
     "alice@example.com",
     "bob@far.test",
     TAKEN,
     0,
     "larger than MaxSendSize (5242880 bytes) of the organisation",
     {"Set-TransportConfig -MaxSendSize 29MB\nSet-SendConnector out -MaxMessageSize 29MB"},
     true},
    /* names that need care */
    {"a name with quotes",
     OUT "New-ReceiveConnector -Name 'O''Neil; $x' -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 10.0.0.5 "
         "-PermissionGroups AnonymousUsers",
     CERT,
     PORT25,
     "x@example.com",
     "bob@far.test",
     "550 5.7.1 Unable to relay",
     EXPLAIN_CAUSE_RIGHT,
     "relaying",
     {"Add-ADPermission -Identity 'O''Neil; $x' -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient -Recipients '*@far.test'",
      "Add-ADPermission -Identity 'O''Neil; $x' -User " ANON " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient",
      "New-AcceptedDomain -Name far.test -DomainName far.test -DomainType ExternalRelay"}},
    {"an Edge server",
     OUT,
     CERT,
     PORT25,
     "x@far.test",
     "bob@example.net",
     "550 5.7.1 Unable to relay",
     EXPLAIN_CAUSE_RIGHT,
     "relaying",
     {"New-ReceiveConnector -Name 'Client 10.0.0.5' -Usage Custom -Bindings '0.0.0.0:2025' -RemoteIPRanges "
      "'10.0.0.5' -PermissionGroups AnonymousUsers\n"
      "Add-ADPermission -Identity 'Client 10.0.0.5' -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient -Recipients '*@example.net'",
      "Add-ADPermission -Identity 'Default internal receive connector mail' -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient -Recipients '*@example.net'",
      "New-AcceptedDomain -Name example.net -DomainName example.net -DomainType ExternalRelay",
      "Add-ADPermission -Identity 'Default internal receive connector mail' -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient -Force"},
     false,
     BENCH_EDGE},
};

static void check_remedies(const struct row *row, const struct explanation *e)
{
    size_t n = 0;
    for (size_t i = 0; i < e->remedy_count; i++) {
        const struct explain_remedy *r = &e->remedies[i];
        if (r->kind != EXPLAIN_COMMANDS)
            continue;
        CHECK(row->name, n < ARRAY_LEN(row->remedies));
        CHECK_SPAN(row->name, r->text, span_of(row->remedies[n]));
        CHECK(row->name, r->opens.len);
        n++;
    }
    CHECK(row->name, n == ARRAY_LEN(row->remedies) || !row->remedies[n]);
}

/* The commands on a bench of their own, made anew: the message goes through. */
static void check_applied(const struct row *row, const struct explain_session *s, struct span text)
{
    struct stage t;
    char script[4096];
    stage_open(&t, row->flags, row->script, row->certificate);
    snprintf(script, sizeof script, "%.*s", SPAN_ARG(text));
    if (bench_run(&t.bench, script))
        fail_msg("%s: %s: %s", row->name, script, t.bench.err.text);
    stage_explain(&t, s);
    CHECK_INT(row->name, t.e->verdict, EXPLAIN_ALLOWED);
    if (row->undeliverable)
        CHECK_INT(row->name, t.e->undeliverable, false);
    stage_close(&t);
}

static void test_rows(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct explain_session s = stage_session(row->session, row->from, row->to);
        struct stage t;
        stage_open(&t, row->flags, row->script, row->certificate);
        stage_explain(&t, &s);
        CHECK_SPAN(row->name, stage_last_reply(t.e), span_of(row->reply));
        CHECK_STR(row->name, explain_cause_name(t.e->cause), explain_cause_name(row->cause));
        CHECK_INT(row->name, t.e->verdict, row->cause ? EXPLAIN_REFUSED : EXPLAIN_ALLOWED);
        CHECK_INT(row->name, t.e->undeliverable, row->undeliverable);
        if (!stage_contains(t.e->reason, row->reason))
            CHECK_SPAN(row->name, t.e->reason, span_of(row->reason));
        stage_search(&t);
        check_remedies(row, t.e);
        for (size_t k = 0; k < t.e->remedy_count; k++)
            if (t.e->remedies[k].kind == EXPLAIN_COMMANDS)
                check_applied(row, &s, t.e->remedies[k].text);
        stage_close(&t);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
