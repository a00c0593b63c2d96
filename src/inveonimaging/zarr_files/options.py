"""What OME-Zarr stores are asked to be like, as one frozen object."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from inveonimaging.given import Given, choice
from inveonimaging.study.asked import FilesOptions


class OmeVersion(str, Enum):
    """Versions of OME-Zarr: 0.4 on version 2 of Zarr, 0.5 on version 3."""

    V04 = "0.4"
    V05 = "0.5"


@dataclass(frozen=True, kw_only=True)
class ZarrOptions(FilesOptions):
    """How stores are written, and which studies are read, with what instead of their headers.

    Attributes:
        ome_version: of OME-Zarr.
    """

    ome_version: Given[OmeVersion | str, OmeVersion] = Given(choice(OmeVersion), OmeVersion.V05)
