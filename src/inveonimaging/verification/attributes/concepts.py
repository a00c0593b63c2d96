"""Isotopes, tracers and species as programs write them, by code or by one of their names."""

from __future__ import annotations

import re

from inveonimaging.animal.limits import ANY, limits_of
from inveonimaging.checks.nuclides import NUCLIDES, nuclide_of
from inveonimaging.verification.attributes.comparison import plain

ISOTOPE_CODES = {each.code: each.name for each in NUCLIDES if each.code}
_SCHEMES = ("SCT", "SRT", "SNM3", "99SDM", "DCM", "NCIt", "UMLS", "ITIS_TSN")
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
COMPOUND_CODES = {
    "ammonia": ("N-13", "129508003"),
    "edotreotide": ("Ga-68", "C2713594"),
    "florbetapir": ("F-18", "456995000"),
    "flortaucipir": ("F-18", "879808000"),
    "fluorethyltyrosin": ("F-18", "424708001"),
    "fluoroazomycinarabinoside": ("F-18", "C62520"),
    "fluorocholine": ("F-18", "456992002"),
    "fluorodeoxyglucose": ("F-18", "35321007"),
    "fluoroestradiol": ("F-18", "926372005"),
    "fluoromisonidazole": ("F-18", "422598008"),
    "fluorothymidine": ("F-18", "764937002"),
    "methionine": ("C-11", "129510001"),
    "oxygenwater": ("O-15", "129505000"),
    "pittsburghcompoundb": ("C-11", "126500"),
    "rubidiumchloride": ("Rb-82", "129503007"),
    "sodiumfluoride": ("F-18", "129501009"),
    "sodiumiodide": ("I-124", "422980002"),
}
"""Isotope and code (CID 4021) of compounds, by the first of their names."""

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
SPECIES_CODES = {
    "447612001": "mus musculus",
    "447482001": "mus musculus",
    "371565004": "rattus norvegicus",
    "371564000": "rattus norvegicus",
    "36571002": "oryctolagus cuniculus",
    "125076001": "cavia porcellus",
    "406733009": "callithrix jacchus",
    "449310008": "mustela putorius furo",
    "78678003": "sus scrofa",
    "448771007": "canis lupus familiaris",
    "448169003": "felis catus",
    "125099002": "ovis aries",
    "125097000": "capra hircus",
    "337915000": "homo sapiens",
}
"""Species by their codes of SNOMED CT (CID 7454); a genus counts as the species that is kept of it."""

_SPECIES = {name: names[0] for names in _ANIMALS for name in names}


def is_known_scheme(scheme: object) -> bool:
    """Return whether a coding scheme is one of those that DICOM takes for nuclides, species and postures."""
    return scheme in _SCHEMES


def coded(value: object, scheme: object) -> str:
    """Return the value of a code, with its scheme if that is not one of the known ones."""
    return str(value) if is_known_scheme(scheme) else f"{value} of the scheme {scheme}"


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


def compound_of(typed: str) -> str:
    """Return the first name of a compound that is known, by the name itself without a label; else an empty text."""
    return _COMPOUNDS.get(_bare(typed), "")


def codes_of_species(typed: str) -> tuple[str, ...]:
    """Return the codes for a species as it is typed; none if it is not known."""
    name = _SPECIES.get(plain(typed).lower())
    return tuple(code for code, each in SPECIES_CODES.items() if each == name)


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
