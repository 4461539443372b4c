/*
 * test_support.h: rows of a policy and the findings about it. Each row's policy has the accepted domain
 * example.com; the host has 198.51.100.2, the bridge docker0 with 172.17.0.1, and the gateway 10.0.0.1.
 */
#pragma once

#include "audit/audit.h"
#include "policy/test_support.h"

#define NOW INT64_C(1700000000000)
#define DAY INT64_C(86400000)

#define CONNECTOR(name, bindings, ranges, more)                                                                    \
    "ReceiveConnector: Guid=" name "|Name=" name "|Fqdn=mail.example.com|Bindings=[" bindings                      \
    "]|RemoteIPRanges=[" ranges "]" more "\n"
#define GRANT(name, user, right, more)                                                                             \
    "ADPermission: Connector=" name "|User=" user "|UserName=" user "|ExtendedRight=ms-Exch-SMTP-" right more "\n"
#define ALL       "0.0.0.0/0"
#define ANONYMOUS "Anonymous"
#define SUBMIT    GRANT("c", ANONYMOUS, "Submit", "")
#define RELAY                                                                                                      \
    SUBMIT GRANT("c", ANONYMOUS, "Accept-Any-Sender", "") GRANT("c", ANONYMOUS, "Accept-Any-Recipient", "")
#define PLAIN "|AuthMechanism=[None]"

struct row {
    const char *name, *policy;
    const char *want;   /* every finding: "severity kind object", lines in the report's order */
    const char *has[6]; /* parts of the first finding's text, witness or remedy */
};

extern const struct audit_facts row_facts;

void check_rows(const struct row *rows, size_t count);
