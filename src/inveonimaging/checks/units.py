"""Units (0054,1001) of PET in DICOM: which are activity, counts, or SUV already (PS3.3 C.8.9.1.1.3)."""

from __future__ import annotations

import re

ACTIVITY = "BQML"
COUNTS = frozenset({"CNTS", "CPS", "PROPCNTS", "PROPCPS"})
_UCUM_SUV = re.compile(r"(g|cm2)/ml\{suv([a-z0-9]*)\}", re.IGNORECASE | re.ASCII)
_OF_CODE = {"bq/ml": ACTIVITY, "{counts}": "CNTS", "{counts}/s": "CPS", "{propcounts}": "PROPCNTS"}
_BY_AREA = "BSA"
_OF_SUV = {"GML": "BW", "CM2ML": _BY_AREA}
_TYPES = {
    "BW": "body weight",
    "LBM": "lean body mass",
    "LBMJANMA": "lean body mass, after Janmahasatian",
    "LBMJAMES128": "lean body mass, after James",
    "IBW": "ideal body weight",
    _BY_AREA: "body surface area",
}


def plain(units: str | None) -> str | None:
    """Return units as DICOM spells them: `g/ml`, `G/ML` are GML."""
    return re.sub(r"[/\s^]", "", units).upper() if units else None


def of_code(code: str | None) -> tuple[str | None, str | None]:
    """Return the units of a UCUM code in the words of a PET Image, and the SUV type (CID 84, CID 85)."""
    match = _UCUM_SUV.fullmatch(code or "")
    if match:
        return ("GML" if match[1].lower() == "g" else "CM2ML"), match[2].upper() or None
    return _OF_CODE.get((code or "").lower(), code), None


def suv_type(units: str | None, stated: str | None) -> str | None:
    """Return what the values, which are SUV, are normalized by; None if they are none. Body weight is the default."""
    known = _OF_SUV.get(plain(units) or "")
    return known and (stated or known)


def words(suv_type: str) -> str:
    """Return an SUV Type (0054,1006) in words."""
    return _TYPES.get(suv_type, suv_type)


def contradicts(units: str | None, stated: str | None) -> bool:
    """Return whether SUV Type does not fit Units: an area in g/mL, a weight in cm2/mL, or any in other units."""
    known = _OF_SUV.get(plain(units) or "")
    return bool(stated) and (known is None or (known == _BY_AREA) is not (stated == _BY_AREA))
