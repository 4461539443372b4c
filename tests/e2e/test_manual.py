"""The manual pages: made by the build from the tables, complete, and without a warning of the formatter."""
import os

import pytest

from support.server import BINARY, Server
from support.util import program, run

PAGES = run([BINARY, "manual"]).stdout.decode().split()


def page(name):
    return run([BINARY, "manual", name]).stdout


@pytest.mark.parametrize("name", PAGES)
def test_page(name):
    raw = page(name)
    p = run([program("groff"), "-man", "-Tutf8", "-ww", "-K", "utf8", "-rLL=100n"], input=raw)
    assert p.stderr == b"", p.stderr.decode()
    assert p.stdout.count(b"\n") > 20
    with open(os.path.join(os.path.dirname(os.path.abspath(BINARY)), name), "rb") as f:
        assert f.read() == raw, "the build installs another page than this program has"


def plain(name):
    return run([program("groff"), "-man", "-Tascii", "-P-cbou", "-rLL=100n"], input=page(name)).stdout.decode()


def test_commands_are_all_there():
    text = plain("mailreeve.8")
    for line in run([BINARY, "help"]).stdout.decode().splitlines():
        if line.startswith("  mailreeve ") and " help " not in line:
            assert " ".join(line.split()[:2]) in " ".join(text.split()), line


def test_cmdlets_and_properties_are_all_there():
    s = Server(start=False)
    try:
        text = plain("mailreeve-cmdlets.7")
        for c in s.json("Get-Command"):
            assert c["Name"] in text, c
        text = plain("mailreeve-receiveconnector.7")
        for name in s.json("Get-ReceiveConnector")[0]:
            assert name in text, name
    finally:
        s.close()


def test_unknown_page():
    p = run([BINARY, "manual", "mailreeve.9"], check=False)
    assert p.returncode == 2 and b"mailreeve.9" in p.stderr
