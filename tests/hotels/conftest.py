"""The genuine hotel, in which animals are looked for once."""

from __future__ import annotations

import pytest

from hotels import scenes
from inveonimaging.hotels.bodies import Found, find_in_ct
from inveonimaging.study.image import Image, read


@pytest.fixture(scope="session")
def genuine(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Return the genuine hotel's CT, as it stands in the scanner."""
    scenes.skip_without_real()
    return read(scenes.write_real(tmp_path_factory.mktemp("real") / "in" / "hotel.ct.img"))


@pytest.fixture(scope="session")
def in_genuine(genuine: Image) -> Found:
    """Return what is found in it."""
    return find_in_ct(genuine)
