"""Whether what people typed names several animals that were scanned together: then weight and dose are of all of them.

A doubt is cheap, and a false alarm is not: usual names of one animal, such as `C57BL/6-3` or `A-1-2`, pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from inveonimaging.animal.animal import stem_of
from inveonimaging.animal.free_text import text_of
from inveonimaging.errors import printable
from inveonimaging.findings import Finding
from inveonimaging.inveon.hdr import Header

_OTHERS = frozenset(  # words before numbers that count something else
    re.findall(
        r"\w+",
        """baseline bed beds cycle d day days dose exp experiment follow followup frame frames gate gates group groups h
        hour hours hr hrs injection min mins p phase pos position rep repeat round run runs scan scans series session t
        time timepoint tp v visit visits vs w week weeks wk wks x""",
    )
)
_UNIT = r"\s*(?:[.:/-]\d|%|(?:g|mg|kg|ml|ul|min|h|hrs?|d|days?|w|wks?|weeks?|mbq|mci|uci|months?|yrs?|years?|iu)\b)"
_NAME = re.compile(r"(?<![a-z0-9])([a-z]{1,12})[-_ .#]{0,2}(\d{1,8})(?![a-z0-9])")
_JOINED = re.compile(r"([a-z]{1,8})\d+(?:\1\d+)+")  # m1m2
_PAIR = re.compile(  # m1 & 2, 101+102, #7,#8, F12 and M3
    rf"(?<![a-z0-9.:-])([a-z]{{0,12}})[-_ #]?(\d{{1,8}})[a-z]?\s*(&|\+|,|;|\band\b|\bund\b)\s*"
    rf"([a-z]{{0,12}})[-_ #]?(\d{{1,8}})(?![a-z0-9]|{_UNIT})"
)
_NEXT = re.compile(r"(?<![\w.:-])(\d{2,8})[\s/]+(\d{2,8})(?![\w.:-])")  # 1031 1032
_LETTERS = re.compile(r"\b([a-z]{2,12})\s+[a-z]\s*(?:&|\+|,|;|/|and|und)\s*\1\s+[a-z]\b")  # mouse a & mouse b
_LONGEST = 1000
_STRONG = ("&", "and", "und")
_MICE = r"(?:mice|rats|animals|rabbits)"
_SEVERAL = re.compile(
    rf"(?<![\w.-])(?:[2-9]|1\d|two|three|four|five|six|seven|eight|both|several)[- ]?(?:x[- ]?)?(?:\w+ )?{_MICE}\b"
    rf"|\b{_MICE}\s*#?\d+\s*(?:-|to|&|\+|,|;|/|and|\s)\s*#?\d+"
)
_FEW = re.compile(  # in free text, which may be about a whole cohort
    rf"(?<![\w.-])(?:[234]|two|three|four|both|dual|double)[- ]?(?:{_MICE}\b(?!\s*(?:/|per)\s*group)|(?:mouse|rat)\b)"
)
_ANIMALS = {"m", "mouse", "r", "rat", "animal", "a", "id"}


def names_several(name: str | None) -> bool:
    """Return whether the name of a subject is that of several: `m1 & m2`, `m1,m2`, `M101+M102`, `cage 4 m1-m4`."""
    text = (name or "")[:_LONGEST].casefold()
    return bool(
        _alike(text, lambda word: word not in _OTHERS)
        or _JOINED.fullmatch(text.strip())
        or _SEVERAL.search(text)
        or _LETTERS.search(text)
        or any(_are_two(*match) for match in _PAIR.findall(text))
        or any(int(two) - int(one) == 1 for one, two in _NEXT.findall(text))
    )


def _are_two(word: str, one: str, between: str, other_word: str, other: str) -> bool:
    """Return whether two numbers, each perhaps with a word before it, are of two animals."""
    if {word, other_word} & _OTHERS or (word, one) == (other_word, other):
        return False
    if other_word:
        return between in _STRONG
    return len(one) == len(other) or int(other) - int(one) == 1


def mentions_several(text: str | None) -> bool:
    """Return whether free text, a study or notes, says that several animals were scanned: `2 mice`, `m1 left, m2`."""
    plain = (text or "")[:_LONGEST].casefold()
    return bool(_FEW.search(plain) or _alike(plain, _ANIMALS.__contains__))


def _alike(text: str, is_counted: Callable[[str], bool]) -> bool:
    """Return whether one word is before several numbers."""
    numbers: dict[str, set[int]] = {}
    for word, number in _NAME.findall(text):
        if is_counted(word):
            numbers.setdefault(word, set()).add(int(number))
    return any(len(found) > 1 for found in numbers.values())


def several_in(names: Iterable[str | None], texts: Iterable[str | None]) -> Iterator[Finding]:
    """Yield one doubt if a name, or else a text, is of several animals.

    Args:
        names: of the subject.
        texts: about the study or the scan.
    """
    found = next((name for name in names if names_several(name)), None)
    found = found or next((text for text in texts if mentions_several(text)), None)
    if found:
        message = (
            f"'{printable(found, 60)}' reads like several animals in one scan: weight and dose may be those of all "
            "together, and SUV is right only if the tracer is shared as the weights are"
        )
        yield Finding("several-animals", message, key="subject_identifier")


def names_of(header: Header, file: str) -> tuple[str | None, ...]:
    """Return what names the subject of a header: its identifier, else the file's name, as a conversion does."""
    return (text_of(header.subject.identifier) or stem_of(file),)


def texts_of(header: Header) -> tuple[str | None, ...]:
    """Return the texts of a header that may name several animals."""
    return header.study, header.acquisition.notes
