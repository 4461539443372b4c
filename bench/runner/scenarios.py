"""The scenarios (docs/performance.md), and one run of one of them against one server."""
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass

from . import durable, host, servers

SECURE = ("--tls", "starttls", "--user", servers.USER, "--password", servers.PASSWORD)
SESSIONS = 50
WARM_UP = ("--messages", str(2 * SESSIONS), "--seconds", "3", "--size", "4K")
GENERATOR = host.ROOT + "/build/bench/smtp-load"


@dataclass(frozen=True)
class Scenario:
    key: str
    title: str
    options: tuple = ()
    count: int = 0  # messages; 0: as many as the time allows
    relay: bool = False  # measured from the first connection until the last message is in the sink
    secure: bool = False
    weak: bool = False  # also the peers that are shown only


SCENARIOS = (
    Scenario("a", "plain, 4 KiB, 1 message a connection", weak=True),
    Scenario("b", "plain, 4 KiB, 20 a connection", ("--per-connection", "20"), weak=True),
    Scenario("c", "STARTTLS + AUTH, 1 a connection", SECURE, secure=True),
    Scenario("d", "STARTTLS + AUTH, 20 a connection", (*SECURE, "--per-connection", "20"), secure=True),
    Scenario("e1", "plain, 100 KiB, 20 a connection", ("--per-connection", "20", "--size", "100K"), weak=True),
    Scenario("e2", "plain, 10 MiB, 1 a connection", ("--size", "10M"), count=60),
    Scenario("f", "100 recipients, pipelined, 20 a connection", ("--per-connection", "20", "--recipients", "100", "--pipelining")),
    Scenario("g", "accepted, relayed, in the sink", ("--per-connection", "20"), count=1000, relay=True),
)


class Sink:
    def __init__(self, work, run="bench", expect=0):
        self.received, self.out = work.path + "/received", work.path + "/sink"
        self.port = host.free_port()
        argv = [GENERATOR, "sink", "--listen", "127.0.0.1:%d" % self.port, "--certificate", work.certificate, "--key", work.key, "--run", run,
                "--received", self.received, *(("--expect", str(expect)) if expect else ())]
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, preexec_fn=host.die_with_parent)
        try:
            host.wait_for("the sink", lambda: "listening" in self.text())
        except BaseException:
            self.close()
            raise

    def text(self):
        with open(self.out, encoding="ascii") as f:
            return f.read()

    def finish(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        return json.loads(self.text().splitlines()[-1])

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)


def load(port, work, run, options, deadline):
    """One run of the generator: its summary. The ledger of what was acknowledged is left for acknowledged()."""
    ledger = work.path + "/acknowledged"
    p = subprocess.run([GENERATOR, "load", "--connect", "127.0.0.1:%d" % port, "--run", run, "--acknowledged", ledger, "--deadline", str(deadline),
                        *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, preexec_fn=host.die_with_parent)
    if p.returncode > 1:
        raise host.BenchError("the generator: " + p.stderr.decode()[-300:])
    return json.loads(p.stdout)


def acknowledged(work):
    with open(work.path + "/acknowledged", encoding="ascii") as f:
        return {int(line) for line in f}


def sender(secure):
    return ("--sender", servers.USER if secure else "somebody@sender.test")


def how_many(scenario, plan):
    if scenario.count:
        return ("--messages", str(max(SESSIONS, int(scenario.count * plan.share))))
    return ("--messages", "100000000", "--seconds", str(plan.seconds))


def measure_sink(scenario, work, plan):
    """The generator against its own sink: no disk, no AUTH; the ceiling of this machine."""
    sink = Sink(work)
    try:
        out = load(sink.port, work, "bench", (*scenario.options, *how_many(scenario, plan)), plan.deadline)
    finally:
        sink.close()
    return {"rate": out["rate"]}


def measure(server_class, scenario, work, plan):
    messages = max(SESSIONS, int(scenario.count * plan.share))
    sink = Sink(work, expect=messages) if scenario.relay else None
    server = None
    try:
        server = server_class(work, relay=sink.port if sink else None)
        port = server.submission_port if scenario.secure else server.plain_port
        options = (*scenario.options, *sender(scenario.secure))
        load(port, work, "warm", (*options, *WARM_UP), 30)
        before = server.processes.cpu()
        out = load(port, work, "bench", (*options, *how_many(scenario, plan)), plan.deadline)
        if sink:
            # What is late is not lost, but it has no rate either.
            host.wait_for("all messages in the sink", lambda: "complete" in sink.text(), plan.deadline)
        cpu = server.processes.cpu() - before
        result = {"rate": out["rate"], "complete": out["complete"], "refusals": out["refusals"], "first_refusal": out["first_refusal"],
                  "sessions_failed": out["sessions_failed"], "dot_ms": out["dot_ms"], "cpu_ms": 1000 * cpu / max(1, out["acknowledged"]),
                  "generator_cpu_ms": 1000 * out["cpu_seconds"] / max(1, out["acknowledged"])}
        expected = acknowledged(work)
        if sink:
            last = sink.finish()
            result["rate"] = len(expected) / max(1e-6, last["last"] - out["started"])
            with open(sink.received, encoding="ascii") as f:
                lines = [int(line) for line in f]
            here, copies, damaged = set(lines), len(lines), last["damaged"]
        else:
            ids = server.on_disk("bench")
            here, copies, damaged = set(ids), sum(ids.values()), 0
        result.update(acknowledged=len(expected), lost=len(expected - here), duplicates=copies - len(here), damaged=damaged)
        return result
    finally:
        if server:
            server.close()
        if sink:
            sink.close()


def look_at_flushes(server_class, work, plan):
    """With strace: whether one client's answers come after a flush, and how many flushes a message costs when 50 sessions send at once."""
    result = {}
    for name, calls, options in (
            ("alone", durable.FLUSHES + ",openat," + durable.WRITES, ("--sessions", "1", "--messages", "20", "--per-connection", "20")),
            ("crowd", durable.FLUSHES, ("--per-connection", "20", "--messages", "100000000", "--seconds", str(plan.seconds)))):
        if plan.quick and name == "crowd":
            break
        server = server_class(work, trace=calls)
        try:
            start = os.path.getsize(server.trace_path)
            out = load(server.plain_port, work, "bench", (*options, *sender(False)), plan.deadline)
            server.processes.kill()
            with open(server.trace_path, encoding="utf-8", errors="replace") as f:
                f.seek(start)
                text = f.read()
        finally:
            server.close()
        result[name] = durable.flush_count(text) / max(1, out["acknowledged"])
        if name == "alone":
            result["answers"], result["flushed"] = durable.flushed_answers(text)
    return result


def measure_idle(server_class, work, sessions):
    """KiB (PSS over all processes) that an idle STARTTLS session costs."""
    server = server_class(work)
    try:
        load(server.plain_port, work, "warm", (*sender(False), *WARM_UP), 30)
        time.sleep(0.5)  # until the sessions of the warm-up are given back: the difference would hide them
        before = server.processes.pss()
        p = subprocess.Popen([GENERATOR, "idle", "--connect", "127.0.0.1:%d" % server.submission_port, "--sessions", str(sessions), "--tls",
                              "starttls", "--deadline", "20"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             preexec_fn=host.die_with_parent)
        try:
            if not p.stdout.readline().startswith(b"holding %d" % sessions):
                return {"idle_kib": None}
            return {"idle_kib": (server.processes.pss() - before) / sessions}
        finally:
            p.stdin.close()
            p.wait(30)
    finally:
        server.close()
