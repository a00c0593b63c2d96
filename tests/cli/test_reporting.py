"""How commands end when they are interrupted."""

from __future__ import annotations

import os

import pytest

from helpers import python

LOST = """
import os, signal, sys, threading, time
from inveonimaging.cli.messages import FAILURES, prepare, say_failure

start = threading.Thread.start

def start_slowly(thread):  # the first thread may be kept there for any time
    start(thread)
    time.sleep({seconds})

threading.Thread.start = start_slowly

class Interrupted:
    def __del__(self):
        signal.raise_signal(signal.{sent})
        for _ in range(1000):  # here it is raised, where Python can only throw it away
            pass

prepare()
prepare()
try:
    Interrupted()
    time.sleep(600)
except FAILURES as error:
    sys.exit(say_failure(error))
"""

OTHER = """
from inveonimaging.cli.messages import prepare

class Odd:
    def __del__(self):
        raise ValueError("odd")

prepare()
Odd()
"""


@pytest.mark.parametrize("seconds", [0, 0.5])
@pytest.mark.parametrize(("sent", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process at once")
def test_an_interruption_that_falls_into_a_destructor_counts(sent: str, code: int, seconds: float) -> None:
    """Also if it takes long to leave the destructor."""
    done = python("-c", LOST.format(sent=sent, seconds=seconds))
    assert (done.returncode, done.stderr) == (code, "error: interrupted; nothing half-written is left behind\n")


def test_other_errors_of_destructors_are_reported_as_ever() -> None:
    done = python("-c", OTHER)
    assert done.returncode == 0
    assert "ValueError: odd" in done.stderr
