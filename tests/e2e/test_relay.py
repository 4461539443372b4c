"""Relay probes: the classic ways to ask a server that refuses to relay. Anonymous clients, with and without accepted wildcard
domains around them; everything that the server would send goes to a sink, where nothing may arrive for a stranger."""
import pytest

from support.server import Server, settle
from support.sink import Sink
from support.util import message, wait_for

OURS, THEIRS, RELAYED, WILD = "example.com", "victim.test", "partner.example", "wild.test"
PLAIN = "127.0.0.2"

UNABLE, UNKNOWN, SYNTAX, UTF8, TAKEN = "550 5.7.1", "550 5.1.1", "501 5.1.3", "553 5.6.7", "250 2.1.5"

# Name, the argument of RCPT TO as it is sent, the reply. TAKEN: it reaches alice, or goes on as it is to the domain's own server.
PROBES = [
    ("direct", b"<user@victim.test>", UNABLE),
    ("mixed case", b"<UsEr@ViCtIm.TeSt>", UNABLE),
    ("ours in capitals", b"<ALICE@EXAMPLE.COM>", TAKEN),
    ("without brackets", b"user@victim.test", SYNTAX),
    ("two brackets", b"<<user@victim.test>>", SYNTAX),
    ("bracket that does not end", b"<user@victim.test", SYNTAX),
    ("empty", b"<>", SYNTAX),
    # percent hack
    ("percent", b"<user%victim.test@example.com>", UNKNOWN),
    ("percent twice", b"<user%victim.test%other.test@example.com>", UNKNOWN),
    ("percent at an address literal", b"<user%victim.test@[127.0.0.1]>", UNABLE),
    ("percent at the host's name", b"<user%victim.test@mail.example.com>", UNABLE),
    ("percent without domain", b"<user%victim.test>", SYNTAX),
    ("percent with an address", b"<user%[192.0.2.1]@example.com>", SYNTAX),
    ("percent behind the domain", b"<user@victim.test%example.com>", SYNTAX),
    ("percent in quotes", b'<"user%victim.test"@example.com>', UNKNOWN),
    # quoted local parts
    ("quoted address at ours", b'<"user@victim.test"@example.com>', UNKNOWN),
    ("quoted address alone", b'<"user@victim.test">', SYNTAX),
    ("quoted source route", b'<"@victim.test:user"@example.com>', UNKNOWN),
    ("quoted quotes", b'<"\\"user@victim.test\\""@example.com>', UNKNOWN),
    ("quotes around part of it", b'<"user"@victim.test@example.com>', SYNTAX),
    ("quoted ours at theirs", b'<"alice@example.com"@victim.test>', UNABLE),
    ("quoted needlessly", b'<"alice"@example.com>', TAKEN),
    ("quotes that do not end", b'<"user@victim.test>', SYNTAX),
    # two at-signs
    ("two domains, ours last", b"<user@victim.test@example.com>", SYNTAX),
    ("two domains, theirs last", b"<alice@example.com@victim.test>", SYNTAX),
    # source routes
    ("source route through us", b"<@example.com:user@victim.test>", UNABLE),
    ("source route of two", b"<@example.com,@other.test:user@victim.test>", UNABLE),
    ("source route through them to us", b"<@victim.test:alice@example.com>", TAKEN),
    ("source route with an address", b"<@[127.0.0.1]:user@victim.test>", SYNTAX),
    ("source route with a percent", b"<@example.com:user%victim.test@example.com>", UNKNOWN),
    ("source route without at-sign", b"<example.com:user@victim.test>", SYNTAX),
    # dots
    ("trailing dot", b"<user@victim.test.>", SYNTAX),
    ("trailing dot on ours", b"<alice@example.com.>", SYNTAX),
    ("leading dot", b"<alice@.example.com>", SYNTAX),
    ("two dots", b"<alice@example..com>", SYNTAX),
    ("dot at the end of the local part", b"<user.@victim.test>", SYNTAX),
    # domains that look like ours
    ("ours as a label", b"<alice@example.com.victim.test>", UNABLE),
    ("ours as an ending", b"<alice@notexample.com>", UNABLE),
    ("below ours", b"<alice@sub.example.com>", UNABLE),
    ("part of ours", b"<alice@com>", UNABLE),
    ("no domain", b"<alice@>", SYNTAX),
    ("local name", b"<user@localhost>", UNABLE),
    ("the host itself", b"<alice@mail.example.com>", UNABLE),
    # addresses
    ("address literal of us", b"<user@[127.0.0.1]>", UNABLE),
    ("address literal of us, IPv6", b"<user@[IPv6:::1]>", UNABLE),
    ("address literal of them", b"<user@[192.0.2.1]>", UNABLE),
    ("address without brackets", b"<user@192.0.2.1>", UNABLE),
    ("address literal in decimal", b"<user@[2130706433]>", SYNTAX),
    ("address literal that does not end", b"<user@[192.0.2.1>", SYNTAX),
    # bang paths
    ("bang path", b"<victim.test!user>", SYNTAX),
    ("bang path at ours", b"<victim.test!user@example.com>", UNKNOWN),
    ("bang path through ours", b"<example.com!victim.test!user@example.com>", UNKNOWN),
    ("bang path at theirs", b"<example.com!user@victim.test>", UNABLE),
    # octets that end strings, lines and words elsewhere
    ("NUL before ours", b"<user@victim.test\0@example.com>", "500 5.5.2"),
    ("NUL behind ours", b"<alice@example.com\0.victim.test>", "500 5.5.2"),
    ("CR", b"<user@victim.test\r@example.com>", "500 5.5.2"),
    ("DEL", b"<user@victim.test\x7f@example.com>", SYNTAX),
    ("quoted CR", b'<"user\r"@example.com>', "500 5.5.2"),
    ("blank in front", b"< user@victim.test>", SYNTAX),
    ("blank before the at-sign", b"<user @victim.test>", SYNTAX),
    ("blank behind the at-sign", b"<user@ victim.test>", SYNTAX),
    ("blank in the middle", b"<alice@example.com user@victim.test>", SYNTAX),
    ("tab", b"<user@victim.test\t@example.com>", SYNTAX),
    # more than one, and comments
    ("two paths with a comma", b"<alice@example.com>,<user@victim.test>", SYNTAX),
    ("two paths with a blank", b"<alice@example.com> <user@victim.test>", "501 5.5.4"),
    ("comment", b"<(user@victim.test)alice@example.com>", SYNTAX),
    ("comment behind", b"<alice@example.com(user@victim.test)>", SYNTAX),
    ("original recipient", b"<alice@example.com> ORCPT=rfc822;user@victim.test", TAKEN),
    ("a protocol in front", b"<smtp:user@victim.test>", SYNTAX),
    ("encapsulated as Exchange does", b"<IMCEASMTP-user+40victim+2Etest@example.com>", UNKNOWN),
    # international domains
    ("A-label", b"<user@xn--vctim-2sa.test>", UNABLE),
    ("U-label undeclared", "<user@v\u00edctim.test>".encode(), UTF8),
    ("fullwidth at-sign", "<user\uff20victim.test@example.com>".encode(), UTF8),
    ("ideographic full stop", "<alice@example\u3002com>".encode(), SYNTAX),  # one label that is two
    ("not UTF-8", b"<user@v\xeddctim.test>", SYNTAX),
    # postmaster
    ("postmaster alone", b"<postmaster>", UNKNOWN),
    ("postmaster at theirs", b"<postmaster@victim.test>", UNABLE),
    ("postmaster with a percent", b"<postmaster%victim.test@example.com>", UNKNOWN),
    ("postmaster at an address", b"<postmaster@[127.0.0.1]>", UNABLE),
    # accepted domains of other kinds
    ("relay domain", b"<user@partner.example>", TAKEN),
    ("percent at a relay domain", b"<user%victim.test@partner.example>", TAKEN),
    ("quoted at a relay domain", b'<"user@victim.test"@partner.example>', TAKEN),
    ("bang path at a relay domain", b"<victim.test!user@partner.example>", TAKEN),
    ("below a relay domain", b"<user@x.partner.example>", UNABLE),
    ("wildcard", b"<user@a.wild.test>", TAKEN),
    ("wildcard, deeper", b"<user@A.b.WILD.test>", TAKEN),
    ("the wildcard's own name", b"<user@wild.test>", UNABLE),
    ("an ending of the wildcard", b"<user@awild.test>", UNABLE),
    ("the wildcard as a label", b"<user@a.wild.test.victim.test>", UNABLE),
    ("an empty label below the wildcard", b"<user@.wild.test>", SYNTAX),
    ("a star below the wildcard", b"<user@*.wild.test>", SYNTAX),
]
SENDERS = [b"<>", b"<user@victim.test>", b"<alice@example.com>", b"<ALICE@Example.Com>", b"<user@[127.0.0.1]>", b"<user@localhost>", b"<user@mail.example.com>",
           b"<user@partner.example>", b"<user@a.wild.test>", b"<@example.com:alice@example.com>", b'<"user@victim.test"@example.com>', b"<postmaster@example.com>"]


@pytest.fixture(scope="module")
def outside():
    s = Sink()
    yield s
    s.close()


@pytest.fixture(scope="module", params=["with relay domains", "without relay domains"])
def hub(request, outside):
    s = Server()
    s.relax()
    s.mailbox("alice@example.com", "Pw-alice 7%x")
    s.connector("plain", PLAIN)
    s.smart_host(outside.port)
    s.relays = request.param == "with relay domains"
    if s.relays:
        s.shell("New-AcceptedDomain -Name relayed -DomainName partner.example -DomainType ExternalRelay; "
                "New-AcceptedDomain -Name wild -DomainName '*.wild.test' -DomainType InternalRelay")
    settle()
    yield s
    s.close()


def ask(c, what):
    c.send(what + b"\r\n")
    return c.reply()


def inside(address):
    d = address.rpartition("@")[2].lower()
    return d in (OURS, RELAYED) or d.endswith("." + WILD)


def wanted(hub, argument, want):
    """Without the relay domains what would go on to them is a stranger's."""
    ours = (b"@" + OURS.encode()) in argument.lower()
    return UNABLE if want == TAKEN and not ours and not hub.relays else want


@pytest.mark.parametrize("argument,want", [p[1:] for p in PROBES], ids=[p[0] for p in PROBES])
def test_probe(hub, outside, marker, argument, want):
    want = wanted(hub, argument, want)
    with hub.session(source=PLAIN) as c:
        assert ask(c, b"MAIL FROM:<probe@outside.test>") == 250
        r = ask(c, b"RCPT TO:" + argument)
        assert r == want, r
        if want == TAKEN:
            assert c.data(message(marker, "probe@outside.test", "user@victim.test")) == "250 2.6.0", "To: is no recipient"
            local = b"alice" in argument.lower()
            if local:
                hub.wait_mail("alice@example.com", marker)
            else:
                got = wait_for("the message at the domain's server", lambda: outside.got(marker))[0]["rcpts"]
                assert [a for a, _ in got] == [argument[1:-1].decode().rpartition("@")[0] + "@" + argument[1:-1].decode().rpartition("@")[2].lower()]
        else:
            assert c.cmd("DATA") == "503 5.5.2", "no recipient was taken"
        assert c.cmd("NOOP") == 250, "the session goes on"


@pytest.mark.parametrize("sender", SENDERS, ids=lambda s: s.decode())
def test_sender_gives_no_relay(hub, sender):
    with hub.session(source=PLAIN) as c:
        assert ask(c, b"MAIL FROM:" + sender) == 250
        assert ask(c, b"RCPT TO:<user@victim.test>") == UNABLE


@pytest.mark.parametrize("helo", ["example.com", "mail.example.com", "localhost", "[127.0.0.1]", "a.wild.test"])
def test_name_gives_no_relay(hub, helo):
    with hub.session(source=PLAIN) as c:
        assert c.ehlo(helo) == 250
        assert c.mail("alice@example.com") == 250
        assert c.rcpt("user@victim.test") == UNABLE


def test_other_commands_give_no_relay(hub):
    with hub.session(source=PLAIN) as c:
        for line, codes in (("VRFY user@victim.test", (252, 550, 502)), ("EXPN user@victim.test", (502,)), ("SEND FROM:<a@example.com>", (500, 502)),
                            ("SAML FROM:<a@example.com>", (500, 502)), ("ETRN victim.test", (500, 502)), ("TURN", (500, 502)), ("XCLIENT ADDR=127.0.0.1", (500,)),
                            ("XFORWARD ADDR=127.0.0.1", (500,))):
            assert c.cmd(line).code in codes, line
        assert c.mail("a@example.com", "AUTH=<alice@example.com>").code in (250, 501, 555)
        c.cmd("RSET")
        c.mail("a@example.com")
        assert c.rcpt("user@victim.test") == UNABLE


def test_nobody_relayed(hub, outside):
    """Behind all probes: what left is for the domains that we relay to, and nothing waits."""
    wait_for("the queues to be empty", lambda: not [m for m in hub.json("Get-Message")])
    strangers = [a for m in outside.messages for a, _ in m["rcpts"] if not inside(a)]
    # Reports about what a probe's sender would not get: probe@outside.test is who asked.
    assert {a for a in strangers} <= {"probe@outside.test"}, strangers
