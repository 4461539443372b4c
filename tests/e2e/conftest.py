"""Fixtures: a server for a module (set up once), or for one test."""
import uuid

import pytest

from support.server import Server
from support.sink import Sink


@pytest.fixture
def marker():
    return "m" + uuid.uuid4().hex


@pytest.fixture(scope="module")
def server():
    """A hub with mailboxes alice and bob, no slowing limits."""
    s = Server()
    s.relax()
    s.mailbox("alice@example.com", "Pw-alice 7%x")
    s.mailbox("bob@example.com", "Pw-bob#8\"y")
    yield s
    s.close()


@pytest.fixture
def fresh_server():
    """A server that a test may kill."""
    s = Server()
    s.relax()
    yield s
    s.close()


@pytest.fixture(scope="module")
def sink():
    s = Sink()
    yield s
    s.close()
