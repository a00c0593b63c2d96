"""Isotopes, tracers and species as programs write them, by code or by one of their names."""

from __future__ import annotations

import re

from inveonimaging.checks.animals import ANY, limits_of
from inveonimaging.checks.nuclides import NUCLIDES, nuclide_of
from inveonimaging.verification.comparison import plain

ISOTOPE_CODES = {  # CID 18 and 4020: SNOMED CT, and one of DICOM's own
    "40565003": "C-11",
    "21576001": "N-13",
    "129504001": "O-15",
    "77004003": "F-18",
    "71633006": "Na-22",
    "126600": "Sc-44",
    "37225000": "Mn-52",
    "425364008": "Cu-60",
    "71425003": "Cu-61",
    "422934004": "Cu-62",
    "3932008": "Cu-64",
    "2008008": "Ga-67",
    "35337001": "Ga-68",
    "53315004": "Ge-68",
    "79523006": "Br-76",
    "79197006": "Rb-82",
    "10738001": "Y-86",
    "63360001": "Zr-89",
    "72454006": "Tc-99m",
    "56609000": "In-111",
    "21572004": "I-123",
    "40937006": "I-124",
    "68630002": "I-125",
    "1368003": "I-131",
    "447553000": "Lu-177",
    "60057003": "Tl-201",
}
_NAMES = (
    ("ammonia", "nh3"),
    ("edotreotide", "dotatoc"),
    ("florbetapir", "av45"),
    ("flortaucipir", "av1451", "t807"),
    ("fluorethyltyrosin", "fluoroethyltyrosine", "fet"),
    ("fluoroazomycinarabinoside", "faza"),
    ("fluorocholine", "fch"),
    ("fluorodeoxyglucose", "fludeoxyglucose", "fdg", "2deoxy2fluorodglucose"),
    ("fluoroestradiol", "fes"),
    ("fluoroldopa", "fdopa", "dopa"),
    ("fluoromisonidazole", "fmiso", "miso"),
    ("fluorothymidine", "flt"),
    ("methionine", "met"),
    ("oxygenwater", "water", "h2o"),
    ("pittsburghcompoundb", "pib"),
    ("rubidiumchloride", "rbcl"),
    ("sodiumfluoride", "naf", "fluoride"),
    ("sodiumiodide", "nai", "iodide"),
)
_COMPOUNDS = {name: names[0] for names in _NAMES for name in names}
_ANIMALS = (
    ("mus musculus", "mus genus", "mus", "mouse", "mice", "m. musculus"),
    ("rattus norvegicus", "rattus", "rat", "rats", "r. norvegicus"),
    ("oryctolagus cuniculus", "oryctolagus", "rabbit"),
    ("cavia porcellus", "cavia", "guinea pig"),
    ("callithrix jacchus", "marmoset"),
    ("mustela putorius furo", "ferret"),
    ("sus scrofa", "pig", "swine", "minipig"),
    ("canis lupus familiaris", "dog"),
    ("felis catus", "cat"),
    ("ovis aries", "sheep"),
    ("capra hircus", "goat"),
    ("homo sapiens", "human"),
)
_SPECIES = {name: names[0] for names in _ANIMALS for name in names}


def isotope(typed: str | None) -> str | None:
    """Return `F-18` for an isotope as it is written; None for one that is not known."""
    known = nuclide_of(typed)
    return known and known.name


def same_compound(found: str, true: str) -> bool:
    """Return whether two names are of one tracer: labels, punctuation and case aside, or by a name that is known.

    A label alone is no name, and can be that of any tracer.
    """
    one, other = _names(found), _names(true)
    return bool(one & other) or {""} in (one, other)


def same_species(found: str, true: str) -> bool:
    """Return whether two names are of one species: in English or Latin, if it is known."""
    one, other = (plain(each).lower() for each in (found, true))
    if _SPECIES.get(one, one) == _SPECIES.get(other, other):
        return True
    kind = limits_of(found)
    return kind is not ANY and kind is limits_of(true)


def _names(compound: str) -> set[str]:
    unlabelled = _LABEL.sub(" ", plain(compound))
    whole, words = _bare(unlabelled), map(_bare, re.split(r"[\s()\[\],;/]+", unlabelled))
    return {_COMPOUNDS.get(whole, whole), *(_COMPOUNDS[word] for word in words if word in _COMPOUNDS)}


def _bare(text: str) -> str:
    return re.sub(r"[\W_]", "", text.lower())


def _label() -> re.Pattern[str]:
    """Return what matches the label of a tracer: `18F`, `F-18`, `F 18`."""
    pairs = (nuclide.name.split("-") for nuclide in NUCLIDES)
    ways = (rf"(?<!\d){mass}[ -]?{symbol}|(?<![A-Za-z]){symbol}[ -]?{mass}(?!\d)" for symbol, mass in pairs)
    return re.compile("|".join(ways), re.IGNORECASE)


_LABEL = _label()
