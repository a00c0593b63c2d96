"""Isotopes, tracers and species as programs write them, by code or by one of their names."""

from __future__ import annotations

import re

from inveonimaging.animal.limits import ANY, limits_of
from inveonimaging.checks.nuclides import NUCLIDES, nuclide_of
from inveonimaging.verification.comparison import plain

ISOTOPE_CODES = {each.code: each.name for each in NUCLIDES if each.code}
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
