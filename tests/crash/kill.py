"""SIGKILL at random moments under load, again and again, and a count of what became of every message.

A message is one attempt of a client: it has a number of its own, which its subject and body carry, and is never sent
again. So whatever arrives twice was delivered twice. Half of them go into a mailbox, half to a next hop.
"""
import collections
import os
import random
import re
import threading
import time

from support.server import FAST_RETRY, Server, settle
from support.sink import Sink
from support.smtp import SMTP
from support.util import wait_for

LOCAL, FAR = "bob@example.com", "x@far.test"
CLIENTS = 6
PAUSE = 0.04        # seconds between the messages of a client: the delivery keeps up
LARGE_EVERY = 25    # of the messages, one in so many has a body that goes through the spool
LIFE = 6            # rounds of a server until it is killed as a whole: its supervisor waits ever longer for a role that keeps dying
SERVER = "the server"
IN_FLIGHT = 5.0     # seconds: how long a delivery may have been recorded nowhere when a process died

Arrival = collections.namedtuple("Arrival", "number when")


def body(n):
    lines = 3000 if n % LARGE_EVERY == 0 else 12
    return b"".join(b"payload %d of line %d\r\n" % (n, i) for i in range(lines))


def content(n):
    return b"Subject: number %d\r\nX-Marker: n%d.\r\n\r\n" % (n, n) + body(n)


def number_of(raw):
    """Its number, with the body checked to the last octet."""
    raw = raw.replace(b"\r\n", b"\n")
    n = int(re.search(rb"^X-Marker: n(\d+)\.$", raw, re.M).group(1))
    assert raw.partition(b"\n\n")[2] == body(n).replace(b"\r\n", b"\n"), "the body of message %d is damaged" % n
    return n


class Clients:
    """Send until they are told to stop, through whatever happens."""

    def __init__(self, port):
        self.port, self.lock, self.stopping = port, threading.Lock(), False
        self.next, self.acknowledged, self.open = 1, set(), set()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]
        for t in self.threads:
            t.start()

    def _number(self):
        with self.lock:
            self.next += 1
            return self.next - 1

    def _send(self, c):
        n = self._number()
        self.open.add(n)  # it may arrive though nobody said so
        if c.send_mail("load@outside.test", LOCAL if n % 2 else FAR, content(n)).code == 250:
            with self.lock:
                self.acknowledged.add(n)

    def _run(self):
        while not self.stopping:
            try:
                with SMTP(self.port, source="127.0.0.2", timeout=30) as c:
                    c.ehlo()
                    for _ in range(8):
                        if self.stopping:
                            return
                        self._send(c)
                        time.sleep(PAUSE)
            except (OSError, EOFError):
                time.sleep(0.02)

    def stop(self):
        self.stopping = True
        for t in self.threads:
            t.join(60)
        assert not any(t.is_alive() for t in self.threads), "a client hangs"


class Numbers(Sink):
    """Keeps numbers and times instead of messages."""

    def __init__(self):
        self.arrivals = []
        super().__init__()

    def take(self):
        """All that has come."""
        with self.lock:
            new, self.messages = self.messages, []
        self.arrivals += [Arrival(number_of(m["data"]), m["when"]) for m in new]
        return self.arrivals


class Rounds:
    def __init__(self, seed, say=lambda text: None):
        self.draw, self.say, self.kills = random.Random(seed), say, collections.Counter()
        self.deaths = []  # (time, who)
        self.sink = Numbers()
        self.server = Server()
        self.server.relax()
        self.server.mailbox(LOCAL, "pw-Bob1")
        self.server.connector("load", "127.0.0.2")
        self.server.smart_host(self.sink.port)
        self.server.shell("Get-ReceiveConnector load | Add-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' "
                          "-ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient; " + FAST_RETRY)
        settle()
        self.clients = Clients(self.server.smtp)

    def close(self):
        self.clients.stopping = True
        self.server.close()
        self.sink.close()

    # -- dying

    def _kill(self, who):
        self.deaths.append((time.time(), who))
        self.kills[who] += 1
        if who == SERVER:
            self.server.kill9()
            self.server.start()
            return
        dead = self.server.kill9(who)
        wait_for("%s to be started anew" % who, lambda: self.server.role_pids(who) and not set(dead) & set(self.server.role_pids(who)), 30)

    def run(self, rounds):
        for i in range(rounds):
            before = len(self.clients.acknowledged)
            wait_for("mail to be accepted again", lambda: len(self.clients.acknowledged) > before, 60)
            time.sleep(self.draw.uniform(0, 0.25))  # the moment: any
            self._kill(SERVER if i % LIFE == LIFE - 1 else self.draw.choice(Server.ROLES))
            self.sink.take()
            if (i + 1) % 50 == 0:
                self.say("%d of %d rounds, %d messages acknowledged" % (i + 1, rounds, len(self.clients.acknowledged)))
        self.clients.stop()
        return self._account()

    # -- accounting

    def _arrivals(self):
        local = []
        for path in self.server.mail_files(LOCAL):
            with open(path, "rb") as f:
                local.append(Arrival(number_of(f.read()), os.stat(path).st_mtime))
        return local + self.sink.take()

    def _queue_is_empty(self):
        return sum(q["MessageCount"] for q in self.server.json("Get-Queue")) == 0

    def _explained(self, first, second):
        """A second delivery is what a death explains that came while the first was not recorded."""
        return any(first.when - 1 <= t <= second.when + 1 and t - first.when < IN_FLIGHT for t, who in self.deaths if who in ("queue", "deliver", SERVER))

    def _account(self):
        wait_for("an empty queue; " + self.server.log_text()[-600:], self._queue_is_empty, 120, every=0.3)
        arrivals = collections.defaultdict(list)
        for a in self._arrivals():
            arrivals[a.number].append(a)
        twice = {n: sorted(a, key=lambda x: x.when) for n, a in arrivals.items() if len(a) > 1}
        return {
            "rounds": sum(self.kills.values()), "kills": dict(self.kills),
            "sent": self.clients.next - 1,
            "acknowledged": len(self.clients.acknowledged),
            "delivered": len(arrivals),
            "unacknowledged but delivered": len(set(arrivals) - self.clients.acknowledged),
            "duplicated": sum(len(a) - 1 for a in twice.values()),
            "lost": sorted(self.clients.acknowledged - set(arrivals)),
            "invented": sorted(set(arrivals) - self.clients.open),
            "duplicated without reason": sorted(n for n, a in twice.items() if not all(self._explained(x, y) for x, y in zip(a, a[1:]))),
        }


def run(rounds, seed, say=lambda text: None):
    r = Rounds(seed, say)
    try:
        return r.run(rounds)
    finally:
        r.close()


def table(result):
    return "".join("%-30s %s\n" % (k, ", ".join("%s %d" % kv for kv in sorted(v.items())) if isinstance(v, dict) else
                                   v if not isinstance(v, list) else "%d %s" % (len(v), v[:10] if v else "")) for k, v in result.items())
