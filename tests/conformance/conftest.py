"""One world for all rows."""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in (HERE, os.path.join(HERE, "..", "e2e")):
    if folder not in sys.path:
        sys.path.insert(0, folder)

from world import World  # noqa: E402 (the path comes first)


@pytest.fixture(scope="session")
def world():
    w = World()
    yield w
    w.close()
