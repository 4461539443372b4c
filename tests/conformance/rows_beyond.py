"""What Exchange does not have and Mailreeve adds. As long as nothing of it is used, all is as Exchange does it."""
import datetime
import json
import re
import subprocess

from table import BEYOND, Row, Section
from rows_groups import OWN, RELAY, SENDER, SUBMIT
from world import ALICE, ANONYMOUS, BOB, expect
from support.server import BINARY, quote, wait_logged
from support.smtp import SMTP
from support.util import run, wait_for


def narrowed(w, rights, how, tls=False):
    """A session on a connector where ANONYMOUS LOGON has these rights as narrowed as this, and no others."""
    c = w.connector("-PermissionGroups None")
    c.grant(",".join(rights), extra=how)
    return c, c.session(tls=tls)


def by_sender(w):
    c, s = narrowed(w, [SUBMIT, OWN, SENDER], "-Senders 'scanner@example.com','*@app.test','*@*.deep.test','<>'")
    with s:
        for sender, good in (("scanner@example.com", True), ("SCANNER@Example.com", True), ("alice@example.com", False), ("x@app.test", True), ("x@a.app.test", False),
                             ("x@a.deep.test", True), ("x@deep.test", False), ("", True)):
            s.cmd("RSET")
            assert (s.mail(sender).code == 250) == good, sender
    w.refused("Add-ADPermission 'Default mail' -User Everyone -ExtendedRights %s -Senders 'a*b@example.com'" % SENDER, "Senders", "a*b@example.com")


def by_recipient(w):
    c = w.connector()
    c.grant(RELAY, extra="-Recipients '*@partner.test'")
    with c.session() as s:
        assert s.mail("x@outside.test") == 250
        assert s.rcpt("anyone@partner.test") == 250
        expect(s.rcpt("anyone@victim.test"), "550 5.7.1 Unable to relay")
    d = w.connector("-PermissionGroups None")
    d.grant("%s,%s" % (SUBMIT, SENDER), extra="-Recipients %s" % BOB)
    with d.session() as s:
        assert s.mail("x@outside.test") == 250, "not decided before the recipient"
        assert s.rcpt(BOB) == 250
        expect(s.rcpt(ALICE), "550 5.7.1 Client does not have permissions to send to this recipient")


def by_tls(w):
    c, s = narrowed(w, [SUBMIT, SENDER], "-RequireTls")
    with s:
        expect(s.mail("x@outside.test"), "530 5.7.0 Must issue a STARTTLS command first")
        s.starttls()
        assert s.mail("x@outside.test") == 250


def expires(w):
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
    c = w.connector().grant(RELAY, extra="-Expires '%s'" % soon.strftime("%Y-%m-%dT%H:%M:%SZ"))
    with c.session() as s:
        s.mail("x@outside.test")
        assert s.rcpt("far@victim.test") == 250

        def over():
            return s.rcpt("far@victim.test") == "550 5.7.1"
        wait_for("the entry's end", over, 5)
    w.refused("Add-ADPermission 'Default mail' -User Everyone -ExtendedRights %s -Expires 2020-01-01" % SENDER, "Expires", "past")


def rated(w):
    c, s = narrowed(w, [SUBMIT, SENDER], "-MessageRate 1")
    with s:
        assert s.send_mail("x@outside.test", BOB, b"\r\nx\r\n") == "250 2.6.0"
        expect(s.send_mail("x@outside.test", BOB, b"\r\nx\r\n"), "450 4.4.2")


def open_relay(w):
    n = w.name()
    w.cold.shell("New-ReceiveConnector -Name '%s' -Usage Internet -Bindings 0.0.0.0:%d" % (n, 21000 + w.number()))
    line = "Add-ADPermission '%s' -User '%s' -ExtendedRights %s " % (n, ANONYMOUS, RELAY)
    w.refused(line + "-Senders x@example.com", "open relay")
    w.cold.shell(line + "-Recipients '*@partner.test'; Remove-ReceiveConnector '%s' -Confirm:$false" % n)


def custom(w):
    n = w.cold_connector()
    w.cold.shell("Add-ADPermission %s -User '%s' -ExtendedRights %s -Senders x@example.com" % (quote(n), ANONYMOUS, SUBMIT))
    assert w.cold.one("Get-ReceiveConnector " + quote(n))["PermissionGroups"] == ["Custom"]


def used(w):
    c, s = narrowed(w, [SUBMIT, SENDER], "-Comment 'in the hall'")
    with s:
        assert s.send_mail("x@outside.test", BOB, b"\r\nx\r\n") == "250 2.6.0"

    def shown():
        entry = [e for e in w.hub.json("Get-ADPermission " + quote(c.name)) if e["ExtendedRights"] == [SENDER]][0]
        return entry["Comment"] == "in the hall" and any("Used" in k and v for k, v in entry.items())
    wait_for("the entry's use", shown)


def proxy(w):
    gate, client = w.ip(), w.ip()
    w.connector("-PermissionGroups None -ProxyProtocol V1 -ProxyProtocolSources %s -Banner '220 gate'" % gate, ip=gate)
    w.connector("-PermissionGroups AnonymousUsers -Banner '220 client'", ip=client)
    with SMTP(w.hub.smtp, source=gate, greet=False) as s:
        s.send(b"PROXY TCP4 %s 127.0.0.1 4711 25\r\n" % client.encode())
        assert s.reply().lines == ["client"] and s.ehlo().lines[0].endswith("Hello [%s]" % client)
    with SMTP(w.hub.smtp, source=client) as s:
        assert s.cmd("PROXY TCP4 127.0.0.1 127.0.0.1 1 25").code >= 500, "only who is on the list may say whose the connection is"


def code(w):
    with w.connector().session() as s:
        s.mail("x@outside.test")
        m = re.match(r"5\.7\.1 Unable to relay \[(mr-\w+)\]$", s.rcpt("far@victim.test").text)
    assert m
    shown = wait_for("the refusal", lambda: (lambda p: p if p.returncode == 0 else None)(w.hub.shell_run("Get-Denial %s | fl" % m.group(1))))
    assert b"far@victim.test" in shown.stdout and b"Accept-Any-Recipient" in shown.stdout


def explain(w):
    c = w.connector()
    p = run([BINARY, "explain", "--state", w.hub.state, "--remote", c.ip, "--local", "127.0.0.1:%d" % w.hub.smtp, "--from", "x@outside.test",
             "--to", "far@victim.test", "--json"], check=False)
    assert p.returncode == 1, p.stderr
    text = json.dumps(json.loads(p.stdout))
    assert c.name in text and "Unable to relay" in text and "Accept-Any-Recipient" in text
    c.grant(RELAY)
    assert run([BINARY, "explain", "--state", w.hub.state, "--remote", c.ip, "--local", "127.0.0.1:%d" % w.hub.smtp, "--from", "x@outside.test",
                "--to", "far@victim.test"], check=False).returncode == 0


def audit_trail(w):
    s, name = w.cold, w.cold_connector("-MaxHopCount 7")
    s.shell("Set-ReceiveConnector %s -MaxHopCount 9" % quote(name))
    entry = [e for e in s.json("Get-AdminAuditLog") if name in json.dumps(e)][0]
    text = json.dumps(entry)
    assert "Set-ReceiveConnector" in text and "MaxHopCount" in text and "7" in text and "9" in text, text


def script(w):
    """The policy of a server as a script makes another one the same."""
    from support.server import Server
    a, b = Server(start=False), Server(start=False)
    try:
        a.shell("New-ReceiveConnector -Name apps -Bindings 0.0.0.0:%d -RemoteIPRanges 127.0.0.2 -PermissionGroups AnonymousUsers -MaxHopCount 9" % a.smtp)
        path = a.dir + "/policy.ps1"
        with open(path, "wb") as f:
            f.write(run([BINARY, "export", "--state", a.state]).stdout)
        assert run([BINARY, "plan", "--state", a.state, path], check=False).returncode == 0, "the same"
        differs = run([BINARY, "plan", "--state", b.state, path], check=False)
        assert differs.returncode == 1 and b"apps" in differs.stdout, differs.stdout
        run([BINARY, "apply", "--state", b.state, path])
        assert b.one("Get-ReceiveConnector apps")["MaxHopCount"] == 9
        assert run([BINARY, "plan", "--state", b.state, path], check=False).returncode == 0
    finally:
        a.close()
        b.close()


def inventory(w):
    c = w.connector()
    with c.session(tls=True) as s:
        assert s.mail("x@outside.test") == 250
    seen = wait_for("the client", lambda: [e for e in w.hub.json("Get-ClientInventory") if c.ip in json.dumps(e)])
    text = json.dumps(seen)
    assert "client.test" in text and re.search(r"TLS ?v?1[._]?3", text, re.I), text


def replay(w):
    """A client in the clear, and a script whose connector requires TLS: the client is listed, and nobody is without that."""
    c = w.connector()
    with c.session() as s:
        assert s.mail("x@outside.test") == 250 and s.rcpt(ALICE) == 250
    w.shell("Set-TransportConfig -TLSReceiveDomainSecureList partner.test")  # connectors of other rows want one in a script
    path = w.hub.dir + "/replayed.ps1"

    def changed(more):
        with open(path, "wb") as f:
            f.write(run([BINARY, "export", "--state", w.hub.state]).stdout + more.encode())
        p = run([BINARY, "plan", "--state", w.hub.state, "--replay", "1h", "--json", path], check=False)
        return {x["RemoteIP"]: x["Changes"] for x in json.loads(p.stdout)["Replay"]["Changes"]} if p.stdout else {}
    found = wait_for("the client", lambda: changed("\nSet-ReceiveConnector %s -RequireTLS $true\n" % quote(c.name)))
    assert list(found) == [c.ip] and found[c.ip][0]["DecidedBy"] == "RequireTLS" and found[c.ip][0]["Change"] == "Refused", found
    assert changed("") == {}


def lmtp(w):
    w.refused("Set-TransportServer -MailboxDeliveryProtocol Lmtp", "MailboxDeliveryHost")
    assert w.plain.one("Get-TransportServer")["MailboxDeliveryProtocol"] == "Maildir"


def audit(w):
    p = subprocess.run([BINARY, "audit", "--state", w.cold.state, "--json"], capture_output=True, timeout=60, check=False)
    assert p.returncode in (0, 1), p.stderr
    assert "findings" in p.stdout.decode().lower(), p.stdout


def relay_guard(w):
    wide = "New-ReceiveConnector -Name guarded -Usage Custom -Bindings 0.0.0.0:4025 -RemoteIPRanges 0.0.0.0-255.255.255.255 -PermissionGroups AnonymousUsers"
    w.cold.shell(wide)
    try:
        grant = "Add-ADPermission guarded -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient"
        assert "-Force" in w.cold.shell_error(grant)
        w.cold.shell(grant + " -Force")
    finally:
        w.cold.shell("Remove-ReceiveConnector guarded -Confirm:$false")


def cipher_profile(w):
    assert w.cold.one("Get-ReceiveConnector 'Default mail'")["TlsCipherProfile"] == "Intermediate"
    w.cold.shell_error("Set-ReceiveConnector 'Default mail' -TlsMinimumVersion Tls10")


def misplaced(w):
    c = w.connector()
    subprocess.run(["openssl", "s_client", "-bind", c.ip, "-connect", "127.0.0.1:%d" % w.hub.smtp], stdin=subprocess.DEVNULL, capture_output=True,
                   timeout=20, check=False)
    wait_logged(w.hub, "event=tls-where-starttls-is-due .*remote=\"?%s" % re.escape(c.ip))


NARROWED = Section("7.1", "Narrowed permissions", (
    Row("Senders", "an entry holds for every sender", BEYOND, by_sender,
        "a@example.com; *@example.com; *@*.example.com, the domains below and not itself; <>. The envelope's sender; for the rights to a sender, at the end of the data the one in From or Sender."),
    Row("Recipients", "an entry holds for every recipient", BEYOND, by_recipient,
        "Decided at RCPT. Where a message as a whole is asked about, an entry that grants must cover every recipient, one that denies any."),
    Row("RequireTls", "an entry holds with and without TLS", BEYOND, by_tls, "Where TLS alone is missing: 530 5.7.0."),
    Row("Expires", "an entry holds for ever", BEYOND, expires, "2026-12-31 is its first moment, UTC; a time may bear a zone."),
    Row("MessageRate", "an entry holds for any number of messages", BEYOND, rated,
        "Messages that begin their data, over all clients and receive processes, in any 60 seconds; 450 4.4.2 beyond. Another entry for the right that counts nothing, or has the higher rate, goes first."),
    Row("open relay by a narrowed entry", "-", BEYOND, open_relay, "Refused too, unless it is narrowed by recipients: a sender is easily made up."),
    Row("groups", "-", BEYOND, custom, "A narrowed entry belongs to no group: Custom is shown."),
    Row("last use", "nobody knows what an entry is for", BEYOND, used, "-Comment; Get-ADPermission shows when an entry was last used, and how often."),
))
ADDED = Section("16", "What Mailreeve adds", (
    Row("ProxyProtocol", "the load balancer's address is the client's", BEYOND, proxy, "Versions 1 and 2 from the addresses in ProxyProtocolSources: the connector is selected by the client's own address."),
    Row("codes of refusals", "the reply alone", BEYOND, code, "Each refusal ends with a code, [mr-...]; Get-Denial and mailreeve explain CODE show its full trace."),
    Row("mailreeve explain", "-", BEYOND, explain, "What would happen to a message, which entry decides, and the least that would change it."),
    Row("mailreeve audit", "-", BEYOND, audit, "What is dangerous in the policy, over all addresses, TLS states and kinds of clients, each with a witness and what mends it."),
    Row("open relay guard", "-", BEYOND, relay_guard, "Whatever makes an open relay is refused at the statement's commit, unless -Force; the audit goes on to show it."),
    Row("TlsCipherProfile", "the system's ciphers", BEYOND, cipher_profile, "Modern, Intermediate or Legacy, for each connector, beside TlsMinimumVersion: one old device does not weaken the rest."),
    Row("TLS at the wrong place", "-", BEYOND, misplaced, "A ClientHello on a STARTTLS port and text on an implicit TLS port are recognised, answered, counted and logged with the remedy."),
    Row("audit trail", "Search-AdminAuditLog, from 2010 on", BEYOND, audit_trail,
        "Also called Get-AdminAuditLog; an entry for each object that a statement has changed, its permissions included; kept for AdminAuditLogAgeLimit (90 days), at most 100,000."),
    Row("the policy as a script", "-", BEYOND, script, "mailreeve export, plan and apply; Export-, Compare-, Import-, Confirm- and Undo-Policy."),
    Row("plan --replay", "-", BEYOND, replay, "What clients did in the last days, run against the policy of a script: whose session would come out otherwise, and why."),
    Row("Get-ClientInventory", "-", BEYOND, inventory, "Who uses this server, last when, with which TLS version, mechanism and name."),
    Row("MailboxDeliveryProtocol", "mailboxes are Exchange's own", BEYOND, lmtp, "Maildir, or LMTP to MailboxDeliveryHost."),
))

SECTIONS = [NARROWED, ADDED]
