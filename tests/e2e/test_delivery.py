"""Where mail goes: Maildir, aliases, groups, contacts, LMTP to Dovecot, Postfix as smart host, MX, retries and reports."""
import imaplib
import re
import signal
import ssl
import subprocess
import tempfile
import time

import pytest

from support.dovecot import Dovecot
from support.postfix import Postfix
from support.server import FAST_RETRY, Server, settle, wait_logged
from support.sink import Sink
from support.util import fields, free_port, message, program, run, wait_for

APP = "127.0.0.2"
RELAY = "-User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient"


@pytest.fixture(scope="module")
def hub():
    s = Server()
    s.relax()
    s.mailbox("alice@example.com", "Pw-alice 7%x")
    s.mailbox("bob@example.com", "Pw-bob#8\"y")
    s.connector("app", APP)
    s.shell("Get-ReceiveConnector app | Add-ADPermission " + RELAY)
    s.shell(FAST_RETRY)
    yield s
    s.close()


def send(server, marker, to, sender="alice@example.com", params="", **kw):
    with server.session(source=APP) as c:
        r = c.send_mail(sender, to, message(marker, sender, to if isinstance(to, str) else to[0], **kw), params)
        assert r == "250 2.6.0", r


def test_alias_group_and_contact(hub, sink, marker):
    hub.smart_host(sink.port)
    hub.shell("Set-Mailbox alice -EmailAddresses @{Add='a.smith@example.com'}")
    hub.shell("New-MailContact -Name carol -PrimarySmtpAddress carol@example.com -ExternalEmailAddress carol@partner.test")
    hub.shell("New-DistributionGroup -Name inner -PrimarySmtpAddress inner@example.com; Add-DistributionGroupMember inner -Member bob")
    hub.shell("New-DistributionGroup -Name team -PrimarySmtpAddress team@example.com")
    for m in ("alice", "inner", "carol", "bob"):
        hub.shell("Add-DistributionGroupMember team -Member " + m)
    settle()
    send(hub, marker, ["a.smith@example.com", "team@example.com"])
    assert len(hub.wait_mail("alice@example.com", marker)) == 1, "once, although named twice"
    assert len(hub.wait_mail("bob@example.com", marker)) == 1
    got = wait_for("the contact's copy", lambda: sink.got(marker))
    assert [r[0] for r in got[0]["rcpts"]] == ["carol@partner.test"]


def test_several_recipients_share_a_session(hub, sink, marker):
    send(hub, marker, ["a@far.test", "b@far.test", "c@far.test"])
    got = wait_for("one message for all three", lambda: sink.got(marker))
    assert sorted(r[0] for r in got[0]["rcpts"]) == ["a@far.test", "b@far.test", "c@far.test"]


@pytest.fixture
def scripted(hub):
    """A next hop for *.script.test whose replies a test decides."""
    made = []

    def make(rules=None, **kw):
        s = Sink(rules, **kw)
        made.append(s)
        hub.smart_host(s.port, "script.test", "script")
        settle()
        return s
    yield make
    hub.shell("Remove-SendConnector script -Confirm:$false")
    for s in made:
        s.close()


def test_temporary_failure_is_retried(hub, scripted, marker):
    tries = []

    def rules(step, info):
        if step == "rcpt":
            tries.append(time.monotonic())
            return "451 4.3.0 later" if len(tries) < 3 else None
    s = scripted(rules)
    send(hub, marker, "x@script.test")
    wait_for("the third attempt", lambda: s.got(marker), 30)
    assert len(tries) == 3


def test_retry_shows_in_the_queue(hub, scripted, marker):
    s = scripted(lambda step, info: "421 4.3.2 closed" if step == "connect" else None)
    send(hub, marker, "x@script.test")
    q = wait_for("the queue to be in Retry", lambda: [q for q in hub.json("Get-Queue") if q["NextHopConnector"] == "script" and q["Status"] == "Retry"])
    assert q[0]["MessageCount"] == 1
    wait_for("the reason", lambda: any("4.3.2" in (q["LastError"] or "") for q in hub.json("Get-Queue")))
    m = [m for m in hub.json("Get-Message") if marker in (m["Subject"] or "")]
    assert len(m) == 1 and m[0]["FromAddress"] == "alice@example.com"
    s.rules = None
    wait_for("delivery", lambda: s.got(marker), 30)
    wait_for("an empty queue", lambda: not [m for m in hub.json("Get-Message") if marker in (m["Subject"] or "")])


@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "dot"])
def test_permanent_failure_gives_a_report(hub, scripted, marker, step):
    scripted(lambda s, info: "550 5.2.1 mailbox disabled" if s == step else None)
    send(hub, marker, "x@script.test")
    raw = hub.wait_mail("alice@example.com", marker)[0]
    assert fields(raw, "Content-Type")[0].startswith("multipart/report")
    assert b"mailbox disabled" in raw and b"x@script.test" in raw and b"5.2.1" in raw
    assert fields(raw, "Return-Path") == ["<>"]
    assert fields(raw, "Subject")[0].startswith("Undeliverable: ")


def test_only_the_failed_recipient_is_reported(hub, scripted, marker):
    s = scripted(lambda step, info: "550 5.1.1 no such user" if step == "rcpt" and info["rcpt"].startswith("bad") else None)
    send(hub, marker, ["good@script.test", "bad@script.test"])
    got = wait_for("the good one", lambda: s.got(marker))
    assert [r[0] for r in got[0]["rcpts"]] == ["good@script.test"]
    raw = hub.wait_mail("alice@example.com", marker)[0]
    reported = [line for line in raw.splitlines() if line.startswith(b"Final-Recipient:")]
    assert reported == [b"Final-Recipient: rfc822;bad@script.test"]


def test_no_report_for_the_null_sender(hub, scripted, marker):
    refused = []
    scripted(lambda s, info: refused.append(1) or "550 5.1.1 no" if s == "rcpt" else None)
    with hub.session(source=APP) as c:
        assert c.send_mail("", "x@script.test", message(marker, "a@example.com", "x@script.test")) == "250 2.6.0"
    wait_for("the refusal", lambda: refused)
    wait_for("an empty queue", lambda: not [m for m in hub.json("Get-Message") if marker in (m["Subject"] or "")])
    assert not hub.mail("alice@example.com", marker)


def test_expiry_gives_a_report(hub, scripted, marker):
    hub.shell("Set-TransportServer -MessageExpirationTimeout 00:00:05")
    try:
        scripted(lambda s, info: "451 4.2.0 never today" if s == "rcpt" else None)
        send(hub, marker, "x@script.test")
        raw = hub.wait_mail("alice@example.com", marker, timeout=40)[0]
        assert b"4.4.7" in raw and b"never today" in raw
    finally:
        hub.shell("Set-TransportServer -MessageExpirationTimeout 2.00:00:00")


def test_starttls_when_offered(hub, scripted, marker, tmp_path):
    run([program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(tmp_path / "key"),
         "-out", str(tmp_path / "crt"), "-days", "2", "-subj", "/CN=sink.test"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(tmp_path / "crt"), str(tmp_path / "key"))
    s = scripted(tls=context)
    send(hub, marker, "x@script.test")
    assert wait_for("delivery", lambda: s.got(marker))[0]["tls"]


def test_8bit_utf8_and_dsn_parameters_are_passed_on(hub, scripted, marker):
    s = scripted()
    with hub.session(source=APP) as c:
        assert c.mail("alice@example.com", "BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x1") == 250
        assert c.rcpt("x@script.test", "NOTIFY=FAILURE,DELAY ORCPT=rfc822;x@script.test") == 250
        assert c.data(message(marker, "alice@example.com", "x@script.test", "Gr\u00fc\u00dfe\r\n".encode())) == "250 2.6.0"
    m = wait_for("delivery", lambda: s.got(marker))[0]
    assert "BODY=8BITMIME" in m["params"] and "SMTPUTF8" in m["params"] and "RET=HDRS" in m["params"] and "ENVID=x1" in m["params"]
    assert "NOTIFY=" in m["rcpts"][0][1] and "ORCPT=rfc822;x@script.test" in m["rcpts"][0][1]


def test_postfix_as_smart_host(hub, marker):
    p = Postfix("""virtual_mailbox_domains = postfix-side.test
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
""", listen=True)
    try:
        hub.smart_host(p.port, "postfix-side.test", "postfix")
        settle()
        content_body = b".dot\r\n..\r\n8bit \xe9\r\n" * 50
        send(hub, marker, "x@postfix-side.test", body=content_body)
        import glob
        found = wait_for("the message in Postfix's mailbox; " + p.log()[-300:],
                         lambda: [f for f in glob.glob(p.dir + "/mail/box/new/*") if marker.encode() in open(f, "rb").read()], 30)
        assert content_body.replace(b"\r\n", b"\n") in open(found[0], "rb").read()
    finally:
        hub.shell("Remove-SendConnector postfix -Confirm:$false")
        p.close()


def test_lmtp_to_dovecot(marker):
    s = Server()
    d = Dovecot()
    try:
        s.relax()
        s.mailbox("alice@example.com", "pw-Alice1")
        s.mailbox("bob@example.com", "pw-Bob1")
        s.shell("Set-TransportServer -MailboxDeliveryProtocol Lmtp -MailboxDeliveryHost 127.0.0.1:%d" % d.lmtp)
        settle()
        with s.login("alice@example.com", "pw-Alice1") as c:
            assert c.send_mail("alice@example.com", ["bob@example.com", "alice@example.com"], message(marker, "alice@example.com", "bob@example.com")) == "250 2.6.0"

        def arrived(user):
            i = imaplib.IMAP4("127.0.0.1", d.imap)
            try:
                i.login(user, d.password)
                i.select("INBOX")
                return len(i.search(None, "HEADER", "X-Marker", marker)[1][0].split())
            finally:
                i.logout()
        for user in ("bob@example.com", "alice@example.com"):
            wait_for("mail of %s in Dovecot; %s" % (user, s.log_text()[-600:]), lambda user=user: arrived(user) == 1)
        assert not s.mail("bob@example.com")
    finally:
        d.close()
        s.close()


def test_an_alias_shares_the_fate_of_its_mailbox(marker):
    """One copy for a mailbox and its aliases, also when it takes two attempts; a refusal is a refusal of each."""
    late = []

    def rules(step, info):
        if step == "rcpt" and info["rcpt"].startswith("b"):
            return "552 5.2.2 full"
        if step == "dot" and not late:
            late.append(True)
            return "452 4.2.2 not now"
        return None
    s, store = Server(), Sink(rules, lmtp=True)
    try:
        s.relax()
        s.mailbox("alice@example.com", "pw-Alice1")
        s.mailbox("bob@example.com", "pw-Bob1")
        s.shell(FAST_RETRY + " -MailboxDeliveryQueueRetryInterval 00:00:01 -MailboxDeliveryProtocol Lmtp -MailboxDeliveryHost 127.0.0.1:%d" % store.port)
        s.shell("Set-Mailbox alice -EmailAddresses @{Add='a1@example.com','a2@example.com'}; Set-Mailbox bob -EmailAddresses @{Add='b1@example.com'}")
        settle()
        with s.login("alice@example.com", "pw-Alice1") as c:
            assert c.send_mail("alice@example.com", ["a1@example.com", "alice@example.com", "A2@example.com"], message(marker, "alice@example.com", "a1@example.com")) == "250 2.6.0"
        wait_for("nothing in the queue; " + s.log_text()[-600:], lambda: late and not s.json("Get-Message"), 40)
        assert [len(m["rcpts"]) for m in store.got(marker)] == [1] and len(late) == 1
        with s.login("alice@example.com", "pw-Alice1") as c:
            assert c.send_mail("alice@example.com", ["b1@example.com", "bob@example.com"], message(marker, "alice@example.com", "b1@example.com")) == "250 2.6.0"
        report = wait_for("a report; " + s.log_text()[-600:], lambda: [m for m in store.got(marker) if not m["from"]], 40)
        assert len(report) == 1 and all(b"Final-Recipient: rfc822;%s@example.com" % n in report[0]["data"] for n in (b"b1", b"bob"))
    finally:
        store.close()
        s.close()


ZONE = """$TTL 60
@ IN SOA ns.mx.test. root.mx.test. 1 60 60 60 60
@ IN NS ns.mx.test.
ns IN A 127.0.0.1
@ IN MX 20 second.mx.test.
@ IN MX 10 first.mx.test.
first IN A 127.0.0.7
second IN A 127.0.0.1
null IN MX 0 .
loop IN MX 10 mail.example.com.
loop IN MX 20 second.mx.test.
back IN MX 20 mail.example.com.
back IN MX 10 second.mx.test.
alias IN MX 10 second.mx.test.
plain IN A 127.0.0.1
"""


@pytest.fixture
def dns():
    """NSD, authoritative for mx.test, on loopback."""
    d = tempfile.mkdtemp(prefix="mailreeve-nsd-")
    port = free_port()
    with open(d + "/mx.test.zone", "w", encoding="ascii") as f:
        f.write(ZONE)
    with open(d + "/nsd.conf", "w", encoding="ascii") as f:
        f.write("""server:
  ip-address: 127.0.0.1
  port: %d
  username: ""
  zonesdir: "%s"
  database: ""
  pidfile: "%s/pid"
  xfrdfile: "%s/xfrd"
  zonelistfile: "%s/zones.list"
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: mx.test
  zonefile: mx.test.zone
""" % (port, d, d, d, d))
    p = subprocess.Popen([program("nsd"), "-d", "-c", d + "/nsd.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    yield port
    p.terminate()
    p.wait(10)


def test_mx(dns, marker):
    """The best MX refuses connections, the second takes the mail; null MX, an unknown domain, and a best MX that is this server,
    by its name or under another, are reported. SIGHUP makes a changed node.conf apply."""
    s = Server()
    sink = Sink()
    with open(s.state + "/node.conf", "a", encoding="ascii") as f:
        f.write("nameservers = 127.0.0.1@%d\n" % dns)
    try:
        s.proc.send_signal(signal.SIGHUP)
        wait_logged(s, "role=deliver event=reloaded.*nameservers 127.0.0.1@%d" % dns)
        s.relax()
        s.mailbox("alice@example.com", "pw-Alice1")
        s.shell("New-SendConnector -Name mx -AddressSpaces '*' -Port %d" % sink.port)
        s.shell("New-SendConnector -Name self -AddressSpaces alias.mx.test -Port %d" % s.smtp)
        s.shell(FAST_RETRY)
        settle()
        with s.login("alice@example.com", "pw-Alice1") as c:
            for to in ("x@mx.test", "x@plain.mx.test", "x@null.mx.test", "x@missing.mx.test", "x@loop.mx.test", "x@back.mx.test", "x@alias.mx.test"):
                assert c.send_mail("alice@example.com", to, message(marker, "alice@example.com", to)) == "250 2.6.0"
        wait_for("three deliveries; " + s.log_text()[-600:], lambda: len(sink.got(marker)) == 3, 40)
        assert sorted(m["rcpts"][0][0] for m in sink.got(marker)) == ["x@back.mx.test", "x@mx.test", "x@plain.mx.test"]
        reports = s.wait_mail("alice@example.com", marker, 4, 40)
        text = b"".join(reports)
        assert b"x@null.mx.test" in text and b"5.1.10" in text
        assert b"x@missing.mx.test" in text and b"5.1.2" in text
        for to in (b"x@loop.mx.test", b"x@alias.mx.test"):
            assert [b"this server, which does not know the domain: a loop" in re.sub(rb"\s+", b" ", r) for r in reports if to in r] == [True], to
    finally:
        sink.close()
        s.close()


def test_postmaster_has_a_reader(hub, marker):
    """RFC 5321 section 4.5.1, for clients without any right; without a reader the address does not exist."""
    hub.connector("postmaster", "127.0.0.9")
    settle()
    with hub.session(source="127.0.0.9") as c:
        assert c.mail("x@outside.test") == 250
        assert c.rcpt("postmaster@example.com") == "550 5.1.1"
    hub.shell("Set-TransportConfig -ExternalPostmasterAddress bob@example.com")
    settle()
    try:
        with hub.session(source="127.0.0.9") as c:
            assert c.send_mail("x@outside.test", "postmaster", message(marker, "x@outside.test", "postmaster")) == "250 2.6.0"
        assert len(hub.wait_mail("bob@example.com", marker)) == 1
    finally:
        hub.shell("Set-TransportConfig -ExternalPostmasterAddress $null")
        hub.shell("Remove-ReceiveConnector postmaster -Confirm:$false")
        settle()
