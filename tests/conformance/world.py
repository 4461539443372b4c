"""What the checks work with: servers made once, and a connector of its own for whoever asks."""
import contextlib
import itertools

from support.kdc import Kdc, install
from support.server import RELAXED, Server, quote, settle
from support.sink import Sink
from support.smtp import SMTP
from support.util import message, wait_for

ALICE, BOB, PASSWORD = "alice@example.com", "bob@example.com", "Pw-alice 7%x"
ANONYMOUS, USERS = "NT AUTHORITY\\ANONYMOUS LOGON", "NT AUTHORITY\\Authenticated Users"
BASIC = "-AuthMechanism Tls,BasicAuth,BasicAuthRequireTLS -PermissionGroups ExchangeUsers"
EXTERNAL = "-AuthMechanism ExternalAuthoritative -PermissionGroups ExchangeServers"


class World:
    """hub: running, with alice, bob, and everything else routed to `outside`. cold: a hub that is not running, for what the
    shell alone decides. edge: an Edge server, not running. plain: a hub as init made it."""

    def __init__(self):
        self._made = {}
        self._numbers = itertools.count(1)
        self._stack = contextlib.ExitStack()

    def _once(self, name, make):
        if name not in self._made:
            self._made[name] = made = make()
            self._stack.callback(made.close)
        return self._made[name]

    @property
    def hub(self):
        def make():
            s = Server()
            s.relax()
            s.mailbox(ALICE, PASSWORD)
            s.mailbox(BOB, "Pw-bob#8\"y")
            s.smart_host(self.outside.port)
            settle()
            return s
        return self._once("hub", make)

    @property
    def outside(self):
        return self._once("outside", Sink)

    @property
    def kdc(self):
        """Of the realm EXAMPLE.COM; it knows alice, and hub has a key of it."""
        def make():
            k = Kdc()
            k.user("alice")
            install(self.hub, k.keytab("smtp/mail.example.com"))
            return k
        return self._once("kdc", make)

    @property
    def cold(self):
        return self._once("cold", lambda: Server(start=False))

    @property
    def edge(self):
        return self._once("edge", lambda: Server(role="edge", start=False))

    @property
    def plain(self):
        return self._once("plain", lambda: Server(start=False))

    def close(self):
        self._stack.close()

    # -- names and addresses that no other check uses

    def number(self):
        return next(self._numbers)

    def ip(self):
        n = self.number()
        return "127.2.%d.%d" % (n // 250, n % 250 + 1)

    def name(self, front="row"):
        return "%s %d" % (front, self.number())

    def marker(self):
        import uuid
        return "m" + uuid.uuid4().hex

    # -- connectors

    def connector(self, extra="-PermissionGroups AnonymousUsers", ip=None, relaxed=True):
        """A running connector for one address; `extra` are parameters of New-ReceiveConnector."""
        c = Connector(self.hub, self.name(), ip or self.ip())
        given = {word.lower() for word in extra.split() if word.startswith("-")}
        pairs = (RELAXED + " -AuthTarpitInterval 00:00:00").split()
        limits = " ".join("%s %s" % (k, v) for k, v in zip(pairs[::2], pairs[1::2]) if relaxed and k.lower() not in given)
        self.hub.shell("New-ReceiveConnector -Name %s -Usage Custom -Bindings 0.0.0.0:%d -RemoteIPRanges %s %s %s"
                       % (quote(c.name), self.hub.smtp, c.ip, limits, extra))
        settle()
        return c

    def cold_connector(self, extra="", server=None):
        """The name of a new connector on a server that does not run."""
        s, name = server or self.cold, self.name()
        s.shell("New-ReceiveConnector -Name %s -Usage Custom -Bindings 0.0.0.0:25 -RemoteIPRanges %s %s" % (quote(name), self.ip(), extra))
        return name

    def refused(self, command, *says, server=None):
        """The cmdlet line fails, and its error has all the words."""
        error = (server or self.cold).shell_error(command)
        for s in says:
            assert s.lower() in error.lower(), "`%s`: the error does not say %s: %s" % (command, s, error)
        return error

    def shell(self, text):
        out = self.hub.shell(text)
        settle()
        return out

    def delivered(self, session, sender=ALICE, to=BOB, headers=b"", params="", box=None):
        """What arrives of a message that this session sends to a mailbox; box: where, when that is not `to`."""
        marker = self.marker()
        r = session.send_mail(sender, to, message(marker, sender or ALICE, to, headers=headers), params)
        assert r == "250 2.6.0", r
        return self.hub.wait_mail(box or to, marker)[0]

    def sent_out(self, session, sender=ALICE, to="far@outside.test", headers=b"", params=""):
        """What the next hop gets of a message that this session sends."""
        marker = self.marker()
        r = session.send_mail(sender, to, message(marker, sender or ALICE, to, headers=headers), params)
        assert r == "250 2.6.0", r
        return wait_for("the message at the next hop", lambda: self.outside.got(marker))[0]


class Connector:
    def __init__(self, server, name, ip):
        self.server, self.name, self.ip = server, name, ip

    def set(self, args):
        self.server.shell("Set-ReceiveConnector %s %s" % (quote(self.name), args))
        settle()
        return self

    def get(self):
        return self.server.one("Get-ReceiveConnector " + quote(self.name))

    def grant(self, right, user=ANONYMOUS, extra=""):
        self.server.shell("Get-ReceiveConnector %s | Add-ADPermission -User '%s' -ExtendedRights %s %s" % (quote(self.name), user, right, extra))
        settle()
        return self

    def revoke(self, right, user=ANONYMOUS):
        self.server.shell("Get-ReceiveConnector %s | Remove-ADPermission -User '%s' -ExtendedRights %s -Confirm:$false" % (quote(self.name), user, right))
        settle()
        return self

    def connect(self, **kw):
        return SMTP(self.server.smtp, source=self.ip, **kw)

    def session(self, tls=False):
        s = self.connect()
        s.ehlo()
        if tls:
            s.starttls()
        return s

    def login(self, user=ALICE, password=PASSWORD):
        s = self.session(tls=True)
        r = s.auth_login(user, password)
        assert r == "235 2.7.0", r
        return s


def say(s, *steps):
    """Runs (command, wanted reply) pairs; the reply may be a code, code and enhanced code, or those and the text's beginning."""
    for command, want in steps:
        r = s.cmd(command)
        expect(r, want)
    return r


def expect(r, want):
    want = str(want)
    assert ("%d %s" % (r.code, r.lines[0])).startswith(want), "%s, not %s" % (r, want)


def words(c, key):
    return c.ext.get(key, [])
