"""The header firewall: by session, and on every other way in or out."""
import os

from table import AS, DEVIATES, NOT_YET, Row, Section
from rows_rights import RELAY, open_hop
from world import ALICE, BASIC, BOB, EXTERNAL
from support.util import fields, message, wait_for

RESENT = ["Resent-Date", "Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc", "Resent-Message-ID"]
HEADERS = (b"Received: from a.test by b.test; Mon, 01 Jan 2024 09:00:00 +0000\r\nX-MS-Exchange-Organization-Test: o\r\n"
           b"x-ms-exchange-ORGANIZATION-SCL: -1\r\nX-MS-Exchange-Forest-Test: f\r\n" + b"".join(b"%s: <r@outside.test>\r\n" % n.encode() for n in RESENT))


def kept(raw):
    """Which of the three classes are left."""
    received = [v for v in fields(raw, "Received") if "b.test" in v]
    routing = bool(received)
    assert all(bool(fields(raw, n)) == routing for n in RESENT if n != "Resent-Date") or not fields(raw, "Resent-From"), "Received and Resent go together"
    organization = bool(fields(raw, "X-MS-Exchange-Organization-Test"))
    return routing, organization, bool(fields(raw, "X-MS-Exchange-Forest-Test"))


def session_keeps(extra, want, login=False, change=None):
    """Seen at a next hop that may have all classes."""
    def check(w):
        domain = open_hop(w)
        c = w.connector(extra)
        c.grant(RELAY, user="Everyone")
        if change:
            change(c)
        with (c.login() if login else c.session()) as s:
            raw = w.sent_out(s, to="far@" + domain, headers=HEADERS)["data"]
        assert kept(raw) == want, kept(raw)
        assert any("mail.example.com" in v for v in fields(raw, "Received")), "the own Received is always there"
    return check


def deny(right):
    return lambda c: c.grant(right, extra="-Deny")


def dsn(w):
    c = w.connector().grant(RELAY)
    for r in ("Organization", "Forest"):
        c.grant("ms-Exch-Accept-Headers-" + r)
    to = "nobody%d@example.com" % w.number()
    with c.session() as s:
        assert s.send_mail(ALICE, to, message(w.marker(), ALICE, to, headers=HEADERS)) == "250 2.6.0"
    report = wait_for("the report", lambda: [m for m in w.hub.mail(ALICE, to) if b"multipart/report" in m])[0]
    assert b"X-MS-Exchange-Organization-Test" not in report and b"X-MS-Exchange-Forest-Test" not in report


def to_mailbox(w):
    """AuthAs, AuthDomain, SCL and their like stay; other fields of the guarded classes do not reach a mailbox."""
    c = w.connector()
    for r in ("Organization", "Forest"):
        c.grant("ms-Exch-Accept-Headers-" + r)
    with c.session() as s:
        raw = w.delivered(s, headers=b"X-MS-Exchange-Organization-SCL: 3\r\nX-MS-Exchange-Organization-Odd: o\r\nX-MS-Exchange-Forest-Odd: f\r\n")
    assert fields(raw, "X-MS-Exchange-Organization-SCL") == ["3"]
    assert not fields(raw, "X-MS-Exchange-Organization-Odd") and not fields(raw, "X-MS-Exchange-Forest-Odd")


def dropped(w, folder, front=b"", to=BOB):
    marker = w.marker()
    path = "%s/%s/f%d" % (w.hub.state, folder, w.number())
    with open(path + ".new", "wb") as f:
        f.write(front + message(marker, ALICE, to, headers=HEADERS))
    os.rename(path + ".new", path + ".eml")
    return marker


def pickup(w):
    raw = w.hub.wait_mail(BOB, dropped(w, "pickup"))[0]
    assert kept(raw) == (False, False, False)
    assert not fields(raw, "X-MS-Exchange-Organization-SCL")


def replay(w):
    """Seen at a next hop that may have all classes."""
    domain = open_hop(w)
    for created, want in ((b"", (True, False, False)), (b"X-CreatedBy: somebody\n", (True, False, False)), (b"X-CreatedBy: MSExchange12\n", (True, True, True))):
        marker = dropped(w, "replay", b"X-Sender: <s@x.test>\n" + created + b"X-Receiver: <far@%s>\n" % domain.encode())
        raw = wait_for("it at the next hop", lambda m=marker: w.outside.got(m))[0]["data"]
        assert kept(raw) == want, (created, kept(raw))


def stamped(w):
    with w.connector().session() as s:
        assert fields(w.delivered(s), "X-MS-Exchange-Organization-AuthAs") == ["Anonymous"]


def folded(w):
    """Names in any case, folded values, and names that only look alike."""
    with w.connector().session() as s:
        raw = w.delivered(s, headers=b"X-ms-exchange-organization-a: 1\r\n 2\r\n\t3\r\nX-MS-Exchange-Organization: stays\r\nX-MS-Exchange-Organizations-X: stays\r\n")
    assert not fields(raw, "X-ms-exchange-organization-a") and b"\t3" not in raw
    assert fields(raw, "X-MS-Exchange-Organization") and fields(raw, "X-MS-Exchange-Organizations-X")


H = Section("9", "Header firewall", (
    Row("anonymous session", "keeps Received and Resent-*, loses both X- classes", AS, session_keeps("-PermissionGroups AnonymousUsers", (True, False, False))),
    Row("user session", "the same", AS, session_keeps(BASIC, (True, False, False), login=True)),
    Row("externally secured session", "the same", AS, session_keeps(EXTERNAL, (True, False, False))),
    Row("no right", "all three classes are removed without a word", AS,
        session_keeps("-PermissionGroups AnonymousUsers", (False, False, False), change=lambda c: c.revoke("ms-Exch-Accept-Headers-Routing"))),
    Row("all rights", "all is kept", AS, session_keeps("-PermissionGroups AnonymousUsers", (True, True, True), change=lambda c: [
        c.grant("ms-Exch-Accept-Headers-Organization"), c.grant("ms-Exch-Accept-Headers-Forest")])),
    Row("Deny", "defeats what a group grants", AS,
        session_keeps("-PermissionGroups AnonymousUsers", (False, False, False), change=deny("ms-Exch-Accept-Headers-Routing"))),
    Row("Custom without group", "strips everything", AS, session_keeps("-PermissionGroups None", (False, False, False), change=lambda c: [
        c.grant("ms-Exch-SMTP-Submit"), c.grant("ms-Exch-SMTP-Accept-Authoritative-Domain-Sender"), c.grant("ms-Exch-SMTP-Accept-Any-Sender")])),
    Row("names", "a class is known by its name, in any case, with what is folded", AS, folded),
    Row("Pickup directory", "all removed", AS, pickup),
    Row("Replay directory", "routing kept, the X- classes with X-CreatedBy", AS, replay, "X-CreatedBy: MSExchange with any version, or Mailreeve."),
    Row("Drop directory", "X- classes removed", NOT_YET, None, "There is no drop folder."),
    Row("To mailbox delivery", "a fixed list of X- fields stays, routing stays", AS, to_mailbox, "SCL and the Auth fields stay."),
    Row("Original message inside a DSN", "all removed", AS, dsn),
    Row("From mailbox submission", "all removed", DEVIATES, session_keeps(BASIC, (True, False, False), login=True),
        "Mailboxes submit by SMTP, as POP3 and IMAP clients do, and keep Received by the right of ExchangeUsers."),
    Row("AuthAs and its like", "each message is stamped with who sent it", AS, stamped, "AuthAs and AuthSource, unless a trusted server's are kept; AuthMechanism is not stamped, as its codes are not documented."),
))

SECTIONS = [H]
