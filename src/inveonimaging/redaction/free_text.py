"""What text that is kept as typed must not hold: names, dates, and paths or addresses.

`docs/how-to/deidentify.md` says what is found and what is not.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby

_SHORT = 2  # letters or digits: such a name is too often a part of something else
_LONG_WORD = 4  # shorter words in the names of people are titles, particles, `de` and `the`
_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff"  # no blanks between words
_LETTER = rf"[^\W{_UNSPACED}]"
_JOINTS = r"\-\u2010-\u2015/.^+"  # C57BL/6 and F-18 are one word each

_FULL_MONTHS = """
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec
    januar janner jaenner februar feber marz maerz mai juni juli oktober dezember mrz okt dez
    janvier fevrier mars avril juin juillet aout septembre octobre novembre decembre janv fev fevr avr juil
    enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre diciembre ene abr ago dic
    gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre giu lug ott
    janeiro fevereiro marco maio junho julho setembro outubro novembro dezembro
    januari februari maart mei augustus mrt marts maj desember augusti
    tammikuu helmikuu maaliskuu huhtikuu toukokuu kesakuu heinakuu elokuu syyskuu lokakuu marraskuu joulukuu
    tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesakuuta heinakuuta elokuuta syyskuuta lokakuuta
    marraskuuta joulukuuta
    styczen stycznia luty lutego marzec marca kwiecien kwietnia maja czerwiec czerwca lipiec lipca sierpien sierpnia
    wrzesien wrzesnia pazdziernik pazdziernika listopad listopada grudzien grudnia
    leden ledna unor unora brezen brezna duben dubna kveten kvetna cerven cervna cervenec cervence srpen srpna
    zari rijen rijna listopadu prosinec prosince
"""
_MONTH = f"(?<![^\\W\\d])(?:{'|'.join(_FULL_MONTHS.split())})(?![^\\W\\d])"
_MONTH_OR_WORD = "(?<![^\\W\\d])(?:gen|mag|set|out|des)(?![^\\W\\d])"  # a month only between a day and a year
_OF = r"(?:\W*\b(?:of|de|del|di|d|the)\b)?"
_ORDINAL = r"(?:st|nd|rd|th|er|e|o|a)?"
_BIRTH = r"""
    born birth\w* dob d\.o\.b geb gebdat\w* geboren\w* geboorte\w* geburt\w* nee?\Wle naissance nacid[oa]
    nacimiento nascid[oa] nascimento nat[oa] nascita f[oø]dd? f[oø]dt f[oø]dsel\w* fodelse\w* syntynyt urodz\w* naroz\w*
"""
_BORN = rf"(?<![^\W\d])(?:{'|'.join(_BIRTH.split())})(?![^\W\d])"
_WHEN = r"(?<![^\W\d])(?:dated?|datum|fecha|scanned|weaned|died)(?![^\W\d])"
_COMPACT = r"(?<!\d)\d{6}(?:\d\d)?(?!\d)"
_IN_NUMBERS = (
    r"(?<![\d.])(?:19|20)\d\d[-/. ]?(?:0[1-9]|1[0-2])[-/. ]?(?:0[1-9]|[12]\d|3[01])(?!\d)",  # 2014-03-04, 20140304
    r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}",  # 4.3.14
)
_IN_WORDS = (
    r"\d{1,2}[-/. ]+\d{1,2}[-/. ]+(?:19|20)\d\d(?!\d)",  # 4. 3. 2014
    rf"{_MONTH}{_OF}\W*\d",  # Mar 4
    rf"\d{_ORDINAL}{_OF}\W*{_MONTH}",  # 4. März, 4 de marzo
    rf"\d\W*{_MONTH_OR_WORD}\W*(?:19|20)\d\d",  # 4 gen 2014
    rf"{_BORN}\D{{0,16}}\d",  # born 140304
    rf"{_COMPACT}\W{{0,4}}{_BORN}",
    rf"{_WHEN}\D{{0,8}}{_COMPACT}",
)
_NUMERIC_DATE = re.compile("|".join(_IN_NUMBERS), re.ASCII)
_DATE = re.compile("|".join((*_IN_NUMBERS, *_IN_WORDS)))

_FOLDERS = """
    archives? backups? data daten desktop documents downloads exports? files folders? home images? mnt projects? raw
    scans? server share srv studies temp tmp users? usr var
"""
_ENDINGS = "img|hdr|dcm|lst|txt|csv|xlsx?|docx?|pdf|zip"
_ADDRESS = re.compile(
    rf"[@\\]|//|\b[a-z]:/|/\w+/|(?<!\S)[.~]{{0,2}}/\w|\.\./|(?<![^\W_])(?:{'|'.join(_FOLDERS.split())})/\w|\w\.(?:{_ENDINGS})\b",
    re.IGNORECASE,
)
_NUCLIDE = re.compile(r"[a-z]{1,2}[- ]?\d{1,3}m?|\d{1,3}m?[- ]?[a-z]{1,2}", re.IGNORECASE | re.ASCII)


def folded(text: str) -> str:
    """Return text as it is compared: without case, accents and unseen characters, one blank for blanks and `_`."""
    text = re.sub(r"[^\x00-\x7f]+", _plain, text)
    return re.sub(r"[\s_]+", " ", text.casefold()).strip()


def names_in(text: str) -> tuple[str, ...]:
    """Return the name that a value is, as it is compared; none for what has neither letter nor digit."""
    name = re.sub(r"^\W+|\W+$", "", folded(text))
    return (name,) if name else ()


def people_in(text: str) -> tuple[str, ...]:
    """Return the words of the name of somebody that are names themselves, as they are compared."""
    words = re.findall(r"\w+", folded(text))
    return tuple(word for word in words if len(word) >= (_SHORT if _is_unspaced(word[0]) else _LONG_WORD))


def pattern_of(*names: str) -> str:
    """Return what finds one of some names as a whole word, all as they are compared; of several the first.

    A name of one or two letters or digits is none where `-`, `/`, `.`, `^` or `+` joins it to others.
    """
    alike = ((ends, "|".join(map(_typed, group))) for ends, group in groupby(names, _ends))
    return "|".join(f"{before}(?:{typed}){after}" for (before, after), typed in alike)


def is_dated_number(text: str) -> bool:
    """Return whether numbers look like a date."""
    return _NUMERIC_DATE.search(text) is not None


def has_date_or_place(text: str) -> bool:
    """Return whether text holds something like a date, a path or an address."""
    return bool(_ADDRESS.search(unicodedata.normalize("NFKC", text)) or _DATE.search(folded(text)))


def is_nuclide(text: str) -> bool:
    """Return whether text is a symbol with a mass number, as `F-18`."""
    return _NUCLIDE.fullmatch(text) is not None


def _plain(found: re.Match[str]) -> str:
    """Return characters without accents, and without those that are not seen."""
    apart = unicodedata.normalize("NFKD", found[0].casefold())
    kept = "".join(c for c in apart if unicodedata.category(c) not in {"Mn", "Cf"})
    return unicodedata.normalize("NFKC", kept)


def _typed(name: str) -> str:
    return re.sub(r"(?:\\[ -])+", r"[ -]+", re.escape(name))


def _ends(name: str) -> tuple[str, str]:
    """Return what may not stand before and after a name; names that share it share the tables that it takes."""
    if len(name) == 1 or (len(name) <= _SHORT and not _is_unspaced(name[0])):
        return rf"(?<!\w)(?<!\w[{_JOINTS}])", rf"(?!\w)(?![{_JOINTS}]\w)"
    before = "" if _is_unspaced(name[0]) else rf"(?<!{_LETTER})"
    return before, "" if _is_unspaced(name[-1]) else rf"(?!{_LETTER})"


def _is_unspaced(character: str) -> bool:
    return re.match(f"[{_UNSPACED}]", character) is not None
