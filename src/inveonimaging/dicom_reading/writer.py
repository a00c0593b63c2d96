"""Whether this program wrote a file: then it holds what this program writes, where others may choose."""

from __future__ import annotations

from inveonimaging.dicom_reading.planes import Plane

_IMPLEMENTATION = "2.25.43772123228642679789192001305397790367"
_NAME = "inveonimaging"


def own_class(plane: Plane) -> str | None:
    """Return the SOP class of a plane whose file this program wrote; None for that of another program.

    Its Implementation Class UID is lost when another program stores the file; Contributing Equipment stays.
    """
    elements = plane.file.top
    contributor = elements.get("ContributingEquipmentSequence") or {}
    is_own = elements.get("ImplementationClassUID") == _IMPLEMENTATION or contributor.get("Manufacturer") == _NAME
    return str(elements.get("SOPClassUID")) if is_own else None
