/* test_relays.c: the findings about relaying: when they are there, how bad they are, and when they are not there.
 */
#include "audit/test_support.h"
#include "check.h"

static void test_relays(void **state UNUSED)
{
    static const struct row rows[] = {
        {"open relay",
         CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN) RELAY,
         "danger open-relay c\n",
         {"3702390784 public IPv4 addresses",
          "--remote 203.0.113.7 --local 198.51.100.2:25 --from somebody@elsewhere.example --to "
          "somebody@elsewhere.example",
          "Remove-ADPermission 'c' -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights "
          "ms-Exch-SMTP-Accept-Any-Recipient -Confirm:$false"}},
        {"with own senders alone",
         CONNECTOR("c", "0.0.0.0:25", "20.0.0.0/15", PLAIN)
             RELAY GRANT("c", "Everyone", "Accept-Any-Sender", "|Deny=$true")
                 GRANT("c", ANONYMOUS, "Accept-Authoritative-Domain-Sender", ""),
         "danger open-relay c\nwarning own-domain-sender c\n",
         {"--from somebody@example.com"}},
        {"with the null sender alone",
         CONNECTOR("c", "0.0.0.0:25", "20.0.0.0/15", PLAIN)
             SUBMIT GRANT("c", ANONYMOUS, "Accept-Any-Recipient", ""),
         "danger open-relay c\n",
         {"--from '<>' --to"}},
        {"nothing to submit",
         CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN) GRANT("c", ANONYMOUS, "Accept-Any-Recipient", ""), ""},
        {"denied",
         CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN)
             RELAY GRANT("c", "Everyone", "Accept-Any-Recipient", "|Deny=$true"),
         ""},
        {"for everyone",
         CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN) GRANT("c", "Everyone", "Submit", "")
             GRANT("c", "Everyone", "Accept-Any-Recipient", ""),
         "danger open-relay c\n",
         {"Add-ADPermission 'c'", "-Deny"}},
        {"private", CONNECTOR("c", "0.0.0.0:25", "192.168.0.0/16", PLAIN) RELAY, ""},
        {"a public network",
         CONNECTOR("c", "0.0.0.0:25", "20.0.0.0/16", PLAIN) RELAY,
         "warning public-relay c\n",
         {"65536 public", "Remove-ADPermission"}},
        {"256 public hosts", CONNECTOR("c", "0.0.0.0:25", "20.0.0.0/24", PLAIN) RELAY, ""},
        {"many small ranges", CONNECTOR("c", "0.0.0.0:25", "20.0.0.0/16,20.1.0.0/16", PLAIN) RELAY,
         "danger open-relay c\n"},
        {"IPv6",
         CONNECTOR("c", "[::]:25", "2a00::/24", PLAIN) RELAY,
         "danger open-relay c\n",
         {"--local [::1]:25", "2a00::1"}},
        {"an IPv6 site", CONNECTOR("c", "[::]:25", "2a00:1::/32", PLAIN) RELAY, "warning public-relay c\n"},
        {"a smaller one", CONNECTOR("c", "[::]:25", "2a00:1::/48", PLAIN) RELAY, ""},
        {"another family", CONNECTOR("c", "[::]:25", ALL, PLAIN) RELAY, "warning unreachable c\n", {"family"}},
        {"under TLS alone",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls]|RequireTLS=$true") RELAY,
         "danger open-relay c\n",
         {" --tls "}},
        {"disabled",
         CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN "|Enabled=$false") RELAY,
         "note disabled c\n",
         {"Remove-ReceiveConnector 'c'"}},
        {"shielded by narrower ones",
         CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN) RELAY CONNECTOR("low", "0.0.0.0:25", "0.0.0.0/1", PLAIN)
             CONNECTOR("high", "0.0.0.0:25", "128.0.0.0/1", PLAIN),
         "warning unreachable c\n",
         {"Enabled $false", "--remote 203.0.113.7"}},
        {"shielded but for little",
         CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN) RELAY CONNECTOR("low", "0.0.0.0:25", "0.0.0.0/1", PLAIN)
             CONNECTOR("high", "0.0.0.0:25", "128.0.0.0-255.254.255.255", PLAIN),
         ""},
        {"shielded at another address",
         CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN) RELAY CONNECTOR("low", "198.51.100.9:25", "0.0.0.0/1", PLAIN)
             CONNECTOR("high", "198.51.100.9:25", "128.0.0.0/1", PLAIN),
         "danger open-relay c\n"},
        {"quoted",
         "ReceiveConnector: Guid=c|Name=it's|Bindings=[0.0.0.0:25]|RemoteIPRanges=[0.0.0.0/0]" PLAIN "\n" RELAY,
         "danger open-relay it's\n",
         {"Remove-ADPermission 'it''s' "}},
        {"externally secured",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,ExternalAuthoritative]")
             GRANT("c", "Externally Secured Servers", "Submit", "")
                 GRANT("c", "Externally Secured Servers", "Accept-Any-Recipient", ""),
         "danger externally-secured c\n",
         {"3702390784", "-AuthMechanism Tls"}},
        {"a large private range",
         CONNECTOR("c", "0.0.0.0:25", "192.168.0.0/16", "|AuthMechanism=[ExternalAuthoritative]")
             GRANT("c", "Externally Secured Servers", "Submit", ""),
         "warning externally-secured c\n",
         {"256", "-AuthMechanism None", "--to somebody@example.com"}},
        {"fixed addresses",
         CONNECTOR("c", "0.0.0.0:25", "192.168.1.0/24", "|AuthMechanism=[ExternalAuthoritative]")
             GRANT("c", "Externally Secured Servers", "Submit", "")
                 GRANT("c", "Externally Secured Servers", "Accept-Any-Recipient", ""),
         ""},
        {"a top-level domain",
         CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN) SUBMIT "AcceptedDomain: Name=w|DomainName=*.org",
         "danger open-relay w\nnote wildcard-domain w\n",
         {"every domain below org", "\"c\"", "Remove-AcceptedDomain 'w'", "--to somebody@elsewhere.org"}},
        {"one of a country",
         CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN) SUBMIT "AcceptedDomain: Name=w|DomainName=*.co.uk",
         "danger open-relay w\nnote wildcard-domain w\n"},
        {"one's own",
         CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN) SUBMIT "AcceptedDomain: Name=w|DomainName=*.app.test",
         "note wildcard-domain w\n"},
        {"for private clients alone",
         CONNECTOR("c", "0.0.0.0:25", "192.168.0.0/16", PLAIN) SUBMIT "AcceptedDomain: Name=w|DomainName=*.org",
         "note wildcard-domain w\n"},
        {"gateway",
         CONNECTOR("c", "0.0.0.0:25", "10.0.0.0/8", PLAIN) RELAY,
         "danger gateway-relay c\n",
         {"10.0.0.1, the gateway of this host (eth1), may", "--remote 10.0.0.1 ",
          "@{Remove='10.0.0.0-10.255.255.255';Add='10.0.0.0','10.0.0.2-10.255.255.255'}"}},
        {"bridge",
         CONNECTOR("c", "0.0.0.0:25", "172.17.0.1,192.168.0.7", PLAIN) RELAY,
         "danger gateway-relay c\n",
         {"docker0", "@{Remove='172.17.0.1'}"}},
        {"nothing else",
         CONNECTOR("c", "0.0.0.0:25", "172.17.0.1", PLAIN) RELAY,
         "danger gateway-relay c\n",
         {"Remove-ADPermission 'c'"}},
        {"several", CONNECTOR("c", "0.0.0.0:25", "10.0.0.0-172.255.255.255", PLAIN "|Enabled=$true") RELAY,
         "danger open-relay c\n"},
        {"both",
         CONNECTOR("c", "0.0.0.0:25", "10.0.0.0/8,172.17.0.0/16", PLAIN) RELAY,
         "danger gateway-relay c\n",
         {"among others"}},
        {"a gateway that another answers",
         CONNECTOR("c", "0.0.0.0:25", "10.0.0.0/8", PLAIN)
             RELAY CONNECTOR("gateway", "0.0.0.0:25", "10.0.0.1", PLAIN),
         ""},
        {"a gateway that may not relay", CONNECTOR("c", "0.0.0.0:25", "10.0.0.0/8", PLAIN) SUBMIT, ""},
        {"what is left is another's",
         CONNECTOR("c", "0.0.0.0:25", "10.0.0.0-10.0.0.1,10.0.0.9", PLAIN)
             RELAY CONNECTOR("d", "0.0.0.0:26", "10.0.0.0", PLAIN),
         "danger gateway-relay c\n",
         {"@{Remove='10.0.0.0-10.0.0.1'}"}},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_proxies(void **state UNUSED)
{
#define PROXY(sources) PLAIN "|ProxyProtocol=[V2]|ProxyProtocolSources=[" sources "]"
#define RELAY_OF_ONE   CONNECTOR("c", "0.0.0.0:25", "192.168.0.7", PLAIN) RELAY
    static const struct row rows[] = {
        {"one load balancer", CONNECTOR("lb", "0.0.0.0:25", ALL, PROXY("192.0.2.1")) RELAY_OF_ONE, ""},
        {"strangers",
         CONNECTOR("lb", "0.0.0.0:25", ALL, PROXY("20.0.0.0/8")) RELAY_OF_ONE,
         "danger proxy-sources lb\n",
         {"\"c\"", "--remote 192.168.0.7 ", "-ProxyProtocol None"}},
        {"a large network",
         CONNECTOR("lb", "0.0.0.0:25", ALL, PROXY("192.168.0.0/16")) RELAY_OF_ONE,
         "warning proxy-sources lb\n",
         {"256"}},
        {"the gateway",
         CONNECTOR("lb", "0.0.0.0:25", ALL, PROXY("10.0.0.1")) RELAY_OF_ONE,
         "danger proxy-sources lb\n",
         {"10.0.0.1, the gateway of this host, is believed"}},
        {"nobody may relay",
         CONNECTOR("lb", "0.0.0.0:25", ALL, PROXY("20.0.0.0/8")) CONNECTOR("c", "0.0.0.0:25", "192.168.0.7", PLAIN),
         ""},
        {"at another port", CONNECTOR("lb", "0.0.0.0:26", ALL, PROXY("20.0.0.0/8")) RELAY_OF_ONE, ""},
        {"not believed",
         CONNECTOR("lb", "0.0.0.0:25", ALL, PLAIN "|ProxyProtocolSources=[20.0.0.0/8]") RELAY_OF_ONE, ""},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

/* Entries that are narrowed: a sender is easily made up, a recipient is not. */
static void test_narrowed(void **state UNUSED)
{
#define WIDE(more)                                                                                                 \
    CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls]")                                                      \
    SUBMIT GRANT("c", ANONYMOUS, "Accept-Any-Recipient", more)
#define PAST   "1600000000000" /* before row_facts.now_ms */
#define FUTURE "1800000000000"
    static const struct row rows[] = {
        {"one sender",
         WIDE("|Senders=[scan@far.test]") GRANT("c", ANONYMOUS, "Accept-Any-Sender", ""),
         "danger open-relay c\n",
         {"--from scan@far.test", "where {$_.Guid -eq"}},
        {"senders of a domain, and of those below",
         WIDE("|Senders=[*@far.test,*@*.near.test]")
             GRANT("c", ANONYMOUS, "Accept-Any-Sender", "|Senders=[*@*.near.test]"),
         "danger open-relay c\n",
         {"--from somebody@below.near.test"}},
        {"senders that do not meet",
         WIDE("|Senders=[*@far.test]") GRANT("c", ANONYMOUS, "Accept-Any-Sender", "|Senders=[*@near.test]"), ""},
        {"certain recipients", WIDE("|Recipients=[*@far.test,*@*.far.test,b@other.test]"), ""},
        {"the very domain of the probe", WIDE("|Recipients=[*@elsewhere.example]"), ""},
        {"a whole top-level domain",
         WIDE("|Recipients=[*@far.test,*@*.org]"),
         "danger open-relay c\n",
         {"every domain below org", "--to somebody@elsewhere.org"}},
        {"under TLS", WIDE("|RequireTls=$true"), "danger open-relay c\n", {" --tls "}},
        {"at a rate", WIDE("|MessageRate=#1"), "danger open-relay c\n"},
        {"it has expired",
         WIDE("|Expires=#" PAST),
         "note expired-grant c\n",
         {"has expired", "where {$_.Guid -eq"}},
        {"it will expire", WIDE("|Expires=#" FUTURE), "danger open-relay c\n"},
        {"a denial for some",
         WIDE("") GRANT("c", "Everyone", "Accept-Any-Recipient", "|Deny=$true|Recipients=[*@bad.test]"),
         "danger open-relay c\n"},
        {"a denial that will expire",
         WIDE("") GRANT("c", "Everyone", "Accept-Any-Recipient", "|Deny=$true|Expires=#" FUTURE),
         "danger open-relay c\n",
         {"as soon as an entry that denies it has expired (2027-01-15T08:00:00"}},
        {"... when there is nothing to deny any more",
         WIDE("|Expires=#" FUTURE) GRANT("c", "Everyone", "Accept-Any-Recipient", "|Deny=$true|Expires=#" FUTURE),
         ""},
        {"a denial that has expired",
         WIDE("") GRANT("c", "Everyone", "Accept-Any-Recipient", "|Deny=$true|Expires=#" PAST),
         "danger open-relay c\nnote expired-grant c\n",
         {"Remove-ADPermission 'c'"}},
        {"one address of our own",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls]")
             SUBMIT GRANT("c", ANONYMOUS, "Accept-Authoritative-Domain-Sender", "|Senders=[scan@example.com]"),
         ""},
        {"all of our own",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls]")
             SUBMIT GRANT("c", ANONYMOUS, "Accept-Authoritative-Domain-Sender", "|Senders=[*@example.com]"),
         "warning own-domain-sender c\n"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_relays), cmocka_unit_test(test_proxies),
                                       cmocka_unit_test(test_narrowed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
