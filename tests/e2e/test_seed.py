"""The article that the product was asked for, sentence by sentence: client to server secure SMTP connectivity.

The tests build on each other in the order of the text; they share one server."""
import imaplib
import poplib

import pytest

from support.dovecot import Dovecot
from support.server import Server, settle
from support.sink import Sink
from support.smtp import SMTP
from support.util import fields, free_port, message, program, run

PASSWORD = "Pw-alice 7%x"
ANONYMOUS = "NT AUTHORITY\\ANONYMOUS LOGON"
RELAY = ('Get-ReceiveConnector "Receive Connector Name" | Add-ADPermission -User "NT AUTHORITY\\ANONYMOUS LOGON" '
         '-ExtendedRights "Ms-Exch-SMTP-Accept-Any-Recipient"')
APP = "127.0.0.2"  # the application server that is to relay
OTHER = "127.0.0.3"


@pytest.fixture(scope="module")
def outside():
    s = Sink()
    yield s
    s.close()


@pytest.fixture(scope="module", autouse=True)
def set_up(server, outside):
    server.smart_host(outside.port)
    settle()


# ---- "By default ... there are two receive connectors. One is for Server to Server SMTP and the other is for Client to Server"

def test_two_default_connectors(server):
    rows = {c["Name"]: c for c in server.json("Get-ReceiveConnector")}
    assert set(rows) == {"Default mail", "Client mail", "Client Implicit TLS mail"}
    assert rows["Default mail"]["Bindings"] == ["0.0.0.0:%d" % server.smtp]
    assert rows["Client mail"]["Bindings"] == ["0.0.0.0:%d" % server.submission]
    assert rows["Client mail"]["PermissionGroups"] == ["ExchangeUsers"]
    assert set(rows["Default mail"]["PermissionGroups"]) == {"ExchangeUsers", "ExchangeServers", "ExchangeLegacyServers"}
    for name in ("Default mail", "Client mail"):
        assert {"Tls", "BasicAuth", "BasicAuthRequireTLS"} <= set(rows[name]["AuthMechanism"])
        assert rows[name]["RemoteIPRanges"] == ["0.0.0.0-255.255.255.255"]


@pytest.mark.parametrize("port", ["smtp", "submission"])
def test_credentials_only_after_tls(server, port):
    """"TLS is advertised and ... credentials will only be available after initiating a TLS encrypted connection.\""""
    with server.session(getattr(server, port)) as c:
        assert "STARTTLS" in c.ext
        assert not {"LOGIN", "PLAIN"} & set(c.ext.get("AUTH", []))
        c.starttls()
        assert "LOGIN" in c.ext["AUTH"]
        assert "STARTTLS" not in c.ext


def test_implicit_tls(server):
    with server.session(server.submissions, tls=True) as c:
        assert "LOGIN" in c.ext["AUTH"] and "STARTTLS" not in c.ext


# ---- "which is really used for POP3/IMAP clients to send mail via SMTP"

@pytest.mark.parametrize("mechanism", ["auth_plain", "auth_login"])
def test_password_refused_before_tls(server, mechanism):
    with server.session(server.submission) as c:
        assert getattr(c, mechanism)("alice@example.com", PASSWORD) == "504 5.7.4"
        assert c.mail("alice@example.com") == "530 5.7.1"


def test_user_submits_and_reads_by_imap_and_pop3(server, marker):
    with server.session(server.submission) as c:
        c.starttls()
        assert c.auth_login("alice@example.com", "wrong") == "535 5.7.3"
        assert c.auth_login("alice@example.com", PASSWORD) == "235 2.7.0"
        r = c.send_mail("alice@example.com", "bob@example.com", message(marker, "alice@example.com", "bob@example.com"))
        assert r == "250 2.6.0" and "Queued mail for delivery" in r.text
    server.wait_mail("bob@example.com", marker)
    d = Dovecot({"bob@example.com": server.state + "/mail/bob@example.com"})
    try:
        imap = imaplib.IMAP4("127.0.0.1", d.imap)
        imap.login("bob@example.com", d.password)
        imap.select("INBOX")
        _, found = imap.search(None, "HEADER", "X-Marker", marker)
        assert len(found[0].split()) == 1
        imap.logout()
        pop = poplib.POP3("127.0.0.1", d.pop3)
        pop.user("bob@example.com")
        pop.pass_(d.password)
        count = pop.stat()[0]
        assert sum(marker.encode() in b"\n".join(pop.retr(i + 1)[1]) for i in range(count)) == 1
        pop.quit()
    finally:
        d.close()


# ---- "Once authenticated, the Exchange Users are granted the following permissions"

def test_the_four_rights(server):
    rights = {r for user, r, deny in server.acl("Client mail") if user == "NT AUTHORITY\\Authenticated Users" and not deny}
    assert {r.lower() for r in rights} == {"ms-exch-smtp-submit", "ms-exch-smtp-accept-any-recipient", "ms-exch-bypass-anti-spam",
                                          "ms-exch-accept-headers-routing"}


def test_submit_and_any_recipient_by_behaviour(server, outside, marker):
    with server.login("alice@example.com", PASSWORD) as c:
        assert c.send_mail("alice@example.com", "far@outside.test", message(marker, "alice@example.com", "far@outside.test")) == "250 2.6.0"
    from support.util import wait_for
    wait_for("the relayed message", lambda: outside.got(marker))


def test_headers_routing_by_behaviour(server, marker):
    extra = (b"Received: from a.test by b.test; Mon, 01 Jan 2024 09:00:00 +0000\r\nResent-From: <r@outside.test>\r\n"
             b"X-MS-Exchange-Organization-SCL: -1\r\nX-MS-Exchange-Forest-RulesExecuted: yes\r\n")
    with server.login("alice@example.com", PASSWORD) as c:
        c.send_mail("alice@example.com", "bob@example.com", message(marker, "alice@example.com", "bob@example.com", headers=extra))
    raw = server.wait_mail("bob@example.com", marker)[0]
    assert any("b.test" in v for v in fields(raw, "Received")) and fields(raw, "Resent-From")
    assert not fields(raw, "X-MS-Exchange-Organization-SCL") and not fields(raw, "X-MS-Exchange-Forest-RulesExecuted")


def test_only_the_own_address_as_sender(server):
    with server.login("alice@example.com", PASSWORD) as c:
        assert c.mail("bob@example.com") == "550 5.7.1"
        assert c.mail("someone@outside.test") == "550 5.7.1"
        assert c.mail("Alice@Example.COM") == "250 2.1.0"


# ---- "there are several Usage Types that can be selected: Client (Unavailable on Edge Transport Servers), Custom, ..."

USAGES = {
    "Client": ("-RemoteIPRanges 127.0.9.{n}", {"ExchangeUsers"}, {"Tls", "BasicAuth", "BasicAuthRequireTLS", "Integrated"}),
    "Custom": ("-Bindings 0.0.0.0:{port} -RemoteIPRanges 127.0.9.{n}", {"None"}, {"Tls"}),
    "Internal": ("-RemoteIPRanges 127.0.9.{n}", {"ExchangeServers", "ExchangeLegacyServers"}, {"Tls", "ExchangeServer"}),
    "Internet": ("-Bindings 0.0.0.0:{port}", {"AnonymousUsers"}, {"Tls"}),
    "Partner": ("-Bindings 0.0.0.0:{port} -RemoteIPRanges 127.0.9.{n}", {"Partners"}, {"Tls"}),
}


@pytest.fixture(scope="module")
def stopped_hub():
    s = Server(start=False)
    yield s
    s.close()


@pytest.mark.parametrize("usage", sorted(USAGES))
@pytest.mark.parametrize("form", ["-Usage {}", "-{}"])
def test_usage_types_select_the_groups(stopped_hub, usage, form):
    args, groups, mechanisms = USAGES[usage]
    name = "%s %s" % (usage, "switch" if form == "-{}" else "value")
    n = sorted(USAGES).index(usage) * 2 + (form == "-{}") + 1
    stopped_hub.shell("New-ReceiveConnector -Name '%s' %s %s" % (name, form.format(usage), args.format(n=n, port=free_port())))
    c = stopped_hub.one("Get-ReceiveConnector '%s'" % name)
    assert set(c["PermissionGroups"]) == groups and set(c["AuthMechanism"]) == mechanisms


def test_client_is_refused_on_edge():
    edge = Server(role="edge", start=False)
    try:
        error = edge.shell_error("New-ReceiveConnector -Name c -Usage Client -RemoteIPRanges 127.0.9.1")
        assert "Edge" in error and "Client" in error
        rows = edge.json("Get-ReceiveConnector")
        assert len(rows) == 1 and set(rows[0]["PermissionGroups"]) == {"AnonymousUsers", "ExchangeServers", "Partners"}
    finally:
        edge.close()


# ---- "Create a new Receive Connector with the Custom Usage Group ... add the IP Address of the remote server ... Add Anonymous Users"

def test_custom_connector_for_one_address(server):
    server.shell('New-ReceiveConnector -Name "Receive Connector Name" -Usage Custom -Bindings 0.0.0.0:%d -RemoteIPRanges %s' % (server.smtp, APP))
    server.shell('Set-ReceiveConnector "Receive Connector Name" -TarpitInterval 00:00:00')
    c = server.one('Get-ReceiveConnector "Receive Connector Name"')
    assert c["AuthMechanism"] == ["Tls"], "only Transport Layer Security is selected"
    settle()
    with server.session(source=APP) as s:
        assert s.mail("app@outside.test") == "530 5.7.1"
    server.shell('Set-ReceiveConnector "Receive Connector Name" -PermissionGroups AnonymousUsers')
    settle()


@pytest.mark.parametrize("tls", [False, True])
def test_opportunistic_tls(server, marker, tls):
    """"TLS will be accepted and is the preferred method for communication, but TLS will not be required.\""""
    with server.session(source=APP) as s:
        assert "STARTTLS" in s.ext and "AUTH" not in s.ext
        if tls:
            s.starttls()
            assert "AUTH" not in s.ext
        assert s.send_mail("app@outside.test", "alice@example.com", message(marker, "app@outside.test", "alice@example.com")) == "250 2.6.0"
    server.wait_mail("alice@example.com", marker)


def assert_unable_to_relay(server, source=APP):
    with server.session(source=source) as s:
        assert s.mail("app@outside.test") == 250
        r = s.rcpt("far@elsewhere.test")
        assert r == "550 5.7.1" and "Unable to relay" in r.text


def test_anonymous_users_do_not_relay(server):
    """"If you enable Anonymous users on a connector, that does not give them the permission to relay.\""""
    assert_unable_to_relay(server)


# ---- "To activate Anonymous users to use this connector for relaying, you must issue the following command"

def test_the_command_as_printed(server, outside, marker):
    before = server.acl("Default mail")
    server.shell(RELAY)
    settle()
    with server.session(source=APP) as s:
        assert s.send_mail("app@outside.test", "far@elsewhere.test", message(marker, "app@outside.test", "far@elsewhere.test")) == "250 2.6.0"
    from support.util import wait_for
    got = wait_for("the relayed message", lambda: outside.got(marker))
    assert got[0]["from"] == "app@outside.test" and got[0]["rcpts"][0][0] == "far@elsewhere.test"
    assert server.acl("Default mail") == before
    assert (ANONYMOUS, "ms-Exch-SMTP-Accept-Any-Recipient", False) in server.acl("Receive Connector Name")
    assert "AnonymousUsers" in server.one('Get-ReceiveConnector "Receive Connector Name"')["PermissionGroups"]


def test_another_address_does_not_relay(server):
    with server.session(source=OTHER) as s:
        assert s.mail("app@outside.test") == "530 5.7.1"


def test_the_command_as_blogs_print_it(server):
    """Curly quotes and en dashes; and the grant can be taken back and given again."""
    server.shell('Get-ReceiveConnector "Receive Connector Name" | Remove-ADPermission -User "%s" -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient '
                 '-Confirm:$false' % ANONYMOUS)
    settle()
    assert_unable_to_relay(server)
    server.shell(RELAY.replace(' "', " \u201c").replace('" ', "\u201d ").replace(" -", " \u2013").rstrip('"') + "\u201d")
    settle()
    with server.session(source=APP) as s:
        assert s.mail("app@outside.test") == 250
        assert s.rcpt("far@elsewhere.test") == 250


def test_swaks_relays_as_the_application(server, outside, marker):
    run([program("swaks"), "--server", "127.0.0.1", "--port", str(server.smtp), "--local-interface", APP, "--from", "app@outside.test", "--to",
         "far@elsewhere.test", "--header", "X-Marker: " + marker, "--tls-optional"])
    from support.util import wait_for
    wait_for("the relayed message", lambda: outside.got(marker))


# ---- "make sure you create the necessary Accepted Domains ... You do not want to choose Authoritative because ... an NDR will be sent back"

def test_authoritative_without_mailboxes_gives_the_ndr(server, outside, marker):
    server.shell("New-AcceptedDomain -Name app.test -DomainName app.test -DomainType Authoritative")
    settle()
    with server.session(source=APP) as s:
        assert s.mail("alice@example.com") == 250
        r = s.rcpt("user@app.test")
        assert r == 250, "a client that may relay is told by an NDR, as the article says"
        assert s.data(message(marker, "alice@example.com", "user@app.test")) == "250 2.6.0"
    report = server.wait_mail("alice@example.com", "user@app.test")[0]
    assert b"5.1.1" in report and b"RESOLVER.ADR.RecipNotFound" in report and fields(report, "Content-Type")[0].startswith("multipart/report")
    assert not outside.got(marker)


@pytest.mark.parametrize("kind", ["InternalRelay", "ExternalRelay"])
def test_relay_domains_are_routed_on(server, outside, marker, kind):
    server.shell("Set-AcceptedDomain app.test -DomainType " + kind)
    settle()
    before = len(server.mail("alice@example.com"))
    with server.session(source=APP) as s:
        assert s.send_mail("alice@example.com", "user@app.test", message(marker, "alice@example.com", "user@app.test")) == "250 2.6.0"
    from support.util import wait_for
    wait_for("the message at the next hop", lambda: outside.got(marker))
    assert len(server.mail("alice@example.com")) == before, "no NDR"


def test_relay_domain_needs_no_right(server):
    server.connector("plain", "127.0.0.4")
    settle()
    with server.session(source="127.0.0.4") as s:
        assert s.mail("x@outside.test") == 250
        assert s.rcpt("user@app.test") == 250
        assert s.rcpt("user@nowhere.test") == "550 5.7.1"


def test_internal_relay_prefers_own_mailboxes(server, outside, marker):
    server.mailbox("here@app.test", "Pw-here 1!")
    server.shell("Set-AcceptedDomain app.test -DomainType InternalRelay")
    settle()
    with server.session(source=APP) as s:
        assert s.send_mail("app@outside.test", ["here@app.test", "gone@app.test"], message(marker, "app@outside.test", "here@app.test")) == "250 2.6.0"
    server.wait_mail("here@app.test", marker)
    from support.util import wait_for
    got = wait_for("the rest at the next hop", lambda: outside.got(marker))
    assert [r[0] for r in got[0]["rcpts"]] == ["gone@app.test"]


def test_nothing_broke(server):
    assert server.proc.poll() is None
    with SMTP(server.smtp) as c:
        assert c.greeting.lines[0].startswith("mail.example.com ")
