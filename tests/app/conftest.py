"""An app with one root, and the browser that opened its address, for the tests of this folder that have a `root`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.driving import front_of, opened
from inveonimaging.app.pages.front import Front


@pytest.fixture
def front(root: Path) -> Iterator[Front]:
    """Return what the app is made from."""
    made = front_of(root)
    yield made
    made.close()


@pytest.fixture
def client(front: Front) -> TestClient:
    """Return the browser that opened the address."""
    return opened(front)
