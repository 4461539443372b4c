"""script/bench measures what it says: the generator against its sink, with and without a sink that lies; how a trace is read; what counts as
being on the disk."""
import json
import os
import signal
import subprocess
import sys

import pytest

from support.server import BINARY
from support.util import run, wait_for

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, os.path.join(ROOT, "bench"))
from runner import durable, report, servers  # noqa: E402

GENERATOR = os.path.join(os.path.dirname(os.path.realpath(BINARY)), "bench/smtp-load")


def sink_and_load(folder, sink_options=(), load_options=()):
    """(summary of the load, of the sink, of the comparison, exit status of the comparison)."""
    key, certificate, out = folder / "key", folder / "certificate", folder / "out"
    acknowledged, received = folder / "acknowledged", folder / "received"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=sink.test", "-keyout", str(key),
         "-out", str(certificate)])
    with open(out, "wb") as f:
        sink = subprocess.Popen([GENERATOR, "sink", "--listen", "127.0.0.1:0", "--certificate", str(certificate), "--key", str(key), "--received",
                                 str(received), *sink_options], stdin=subprocess.DEVNULL, stdout=f)
    try:
        wait_for("the sink", lambda: "listening" in out.read_text())
        port = out.read_text().split()[1]
        load = run([GENERATOR, "load", "--connect", "127.0.0.1:" + port, "--sessions", "7", "--acknowledged", str(acknowledged), *load_options])
        sink.send_signal(signal.SIGTERM)
        sink.wait(20)
    finally:
        if sink.poll() is None:
            sink.kill()
            sink.wait()
    check = run([GENERATOR, "check", "--acknowledged", str(acknowledged), "--received", str(received)], check=False)
    return json.loads(load.stdout), json.loads(out.read_text().splitlines()[-1]), json.loads(check.stdout), check.returncode


@pytest.mark.parametrize("options, sessions", [
    (("--messages", "200"), 200),
    (("--messages", "200", "--per-connection", "20"), None),
    (("--messages", "200", "--per-connection", "5", "--recipients", "30", "--pipelining"), None),
    (("--messages", "100", "--tls", "starttls", "--user", "u", "--password", "p"), 100),
    (("--messages", "100", "--tls", "starttls", "--resume"), 100),
    (("--messages", "7", "--size", "5M", "--tls", "starttls"), 7),
])
def test_all_that_is_sent_is_counted(tmp_path, options, sessions):
    load, sink, check, status = sink_and_load(tmp_path, load_options=options)
    n = int(options[1])
    assert load["complete"] and load["acknowledged"] == n and load["dot_ms"]["count"] == n and load["refusals"] == {}
    assert sessions is None or load["sessions"] == sessions
    assert (load["sessions_resumed"] > 50) == ("--resume" in options)
    assert load["handshake_ms"]["count"] == (load["sessions"] if "--tls" in options else 0)
    assert sink["different"] == n and sink["damaged"] == sink["foreign"] == 0
    assert sink["recipients"] == n * (30 if "--recipients" in options else 1)
    assert sink["bytes"] == n * (5 << 20 if "--size" in options else 4096)
    assert check == {"acknowledged": n, "received": n, "lost": 0, "duplicates": 0, "unacknowledged": 0} and status == 0


def test_a_time_ends_the_run_with_every_message_answered(tmp_path):
    load, sink, _, status = sink_and_load(tmp_path, load_options=("--messages", "100000000", "--seconds", "1"))
    assert load["complete"] and 0 < load["acknowledged"] == sink["different"] and status == 0
    assert 1 <= load["seconds"] < 5


def test_a_lying_sink_is_noticed(tmp_path):
    _, sink, check, status = sink_and_load(tmp_path, ("--forget", "10", "--twice", "25"), ("--messages", "200"))
    assert sink["messages"] == 200
    assert check["lost"] == 20 and check["duplicates"] > 0 and status == 1


HEAD = '7  sendto(9<TCP:[127.0.0.1:25->127.0.0.1:4000]>, "354 go on\\r\\n", 11, 0) = 11\n'
TAIL = '7  sendto(9<TCP:[127.0.0.1:25->127.0.0.1:4000]>, "250 2.6.0 taken"..., 30, 0) = 30\n'


@pytest.mark.parametrize("trace, want", [
    ("", (0, 0)),
    (HEAD + TAIL, (1, 0)),
    (HEAD + "8  fsync(3</q/a>) = 0\n" + TAIL, (1, 1)),
    (HEAD + "8  fdatasync(3</q/a> <unfinished ...>\n8  <... fdatasync resumed>) = 0\n" + TAIL, (1, 1)),
    (HEAD + "8  fdatasync(3</q/a> <unfinished ...>\n" + TAIL + "8  <... fdatasync resumed>) = 0\n", (1, 0)),
    (HEAD + "8  fsync(3</q/a>) = -1 EIO (Input/output error)\n" + TAIL, (1, 0)),
    ("8  fsync(3</q/a>) = 0\n" + HEAD + TAIL, (1, 0)),
    (HEAD + TAIL + "8  fsync(3</q/a>) = 0\n", (1, 0)),
    (HEAD + '8  openat(AT_FDCWD, "x", O_WRONLY|O_CREAT|O_DSYNC, 0600) = 4</q/x>\n' + TAIL, (1, 1)),
    (HEAD + '8  write(5</q/log>, "250 not a reply", 15) = 15\n8  fsync(3</q/a>) = 0\n' + TAIL, (1, 1)),
    (HEAD + "8  fsync(3</q/a>) = 0\n" + TAIL + HEAD + TAIL, (2, 1)),
    (HEAD + "8  fsync(3</q/a>) = 0\n" + '7  writev(9<TCP:[a->b]>, [{iov_base="250 ok", iov_len=6}], 1) = 6\n', (1, 1)),
])
def test_a_trace_is_read_in_its_order(trace, want):
    assert durable.flushed_answers(trace) == want


@pytest.mark.parametrize("contents, want", [
    ([b"X-Bench-Id: r-1\r\n\r\nbody\r\nEND r-1\r\n"], {1: 1}),
    ([b"X-Bench-Id: r-1\r\n", b"END r-1\r\n"], {1: 1}),
    ([b"X-Bench-Id: r-1\r\n"], {}),
    ([b"END r-1\r\n"], {}),
    ([b"X-Bench-Id: r-12\nEND r-1\r\n"], {}),
    ([b"X-Bench-Id: other-1\r\nEND other-1\r\n"], {}),
    ([b"X-Bench-Id: r-1\nEND r-1\n"] * 2, {1: 2}),
])
def test_what_is_on_the_disk_is_whole_or_not_counted(contents, want):
    assert servers.whole_ids(contents, "r") == want


@pytest.mark.parametrize("above, below, want", [
    ([6.0], [2.0], "3.00"),
    ([6.0, 20.0, 9.0], [2.0, 2.0, 2.0], "4.50 [3.00..10.0]"),
    ([6.0, None], [2.0, 2.0], "3.00"),
    ([None], [2.0], "-"),
    ([1.0], [0.0], "-"),
])
def test_ratios_are_medians_within_rounds(above, below, want):
    assert report.ratio(above, below) == want
