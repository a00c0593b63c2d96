"""An app with one root, and the browser that opened its address, for the tests of this folder that have a `root`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from starlette.testclient import TestClient

from app.driving import front_of, opened
from inveonimaging.app.pages import front as pages_front
from inveonimaging.app.pages.front import Front
from inveonimaging.reports.viewer import templates


class Compiled(BytecodeCache):
    """Templates as they were compiled, by their source: each app would compile them again."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self._codes[bucket.key, bucket.checksum] = bucket.code


@pytest.fixture(autouse=True, scope="session")
def templates_compiled_once() -> Iterator[None]:
    """Let the apps of this process share what templates are compiled to, and nothing else."""
    compiled = Compiled()

    def made() -> Environment:
        environment = templates()
        environment.bytecode_cache = compiled
        return environment

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages_front, "templates", made)
        yield


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
