import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from harness import Golub  # noqa: E402


@pytest.fixture(scope="module")
def golub():
    """One running server with two accounts, shared by the tests of a file."""
    server = Golub(config="[login]\nplain_on_loopback = yes\n")
    server.account("ana", "ana's password")
    server.account("branko", "branko's password")
    with server:
        yield server


@pytest.fixture
def server():
    """A server of one's own, not yet started."""
    made = []

    def make(**kw):
        made.append(Golub(**kw))
        return made[-1]

    yield make
    for one in made:
        if one.process:
            one.kill()
