"""What a conversion is asked to do, as one frozen object."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

from inveonimaging.animal.xnat_route import Route, route_given
from inveonimaging.conversion.instance_layout import DEFAULT_SIZE, object_size
from inveonimaging.dicom.codes import CodeTable, read_code_table
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom.pixels import LONGEST, Compression
from inveonimaging.errors import OptionError
from inveonimaging.given import (
    Given,
    PathLike,
    choice,
    kept_or_read,
    optional,
    refused,
    switch,
    text,
    texts,
    whole_number,
)
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.physics.quantification import Policy
from inveonimaging.redaction.request import Deidentify, deidentify_given
from inveonimaging.study.corrections import Corrections

PREFIXES = MappingProxyType({Modality.CT: "CT-", Modality.PET: "PET-", Modality.SPECT: "NM-"})


_NOT_IN_NAMES = frozenset('/\\:*?"<>|')
_RESERVED = re.compile(r"(CON|PRN|AUX|NUL|COM\d|LPT\d) *", re.IGNORECASE)  # by Windows, with any suffix
_NAMING = 'without / \\ : * ? " < > |'


class Uids(str, Enum):
    """Where UIDs come from."""

    CONTENT = "content"
    RANDOM = "random"


def suffixes(extensions: Iterable[str]) -> frozenset[str]:
    """Return extensions, typed with or without the dot, as suffixes in lower case."""
    return frozenset("." + extension.lower().lstrip(".") for extension in extensions)


_MODALITIES: dict[object, Modality] = {each: each for each in PREFIXES}
_MODALITIES |= {
    "CT": Modality.CT,
    "PET": Modality.PET,
    "PT": Modality.PET,
    "SPECT": Modality.SPECT,
    "NM": Modality.SPECT,
}


def _prefixes(name: str, value: Any) -> Mapping[Modality, str]:
    """Read how file names start, by modality or its name; those that are not named have no prefix."""
    if value is None:
        return PREFIXES
    if not isinstance(value, Mapping):
        raise refused(name, value, "a mapping, as {'CT': 'CT-', 'PET': 'PET-', 'SPECT': 'NM-'}")
    found: dict[Modality, str] = {}
    for key, prefix in value.items():
        modality = _MODALITIES.get(key.upper() if isinstance(key, str) else key)
        if modality is None:
            raise refused(f"a key of {name}", key, "CT, PET or SPECT")
        if not isinstance(prefix, str) or set(prefix) & _NOT_IN_NAMES or not (prefix.isprintable() or not prefix):
            error = refused("the prefix", prefix, f"a start of a file name, {_NAMING}")
            error.attribute = f"{PREFIXES[modality].lower().rstrip('-')}_prefix"
            raise error
        found[modality] = prefix
    return MappingProxyType(found)


def _size(name: str, value: Any) -> int:
    """Read a number of bytes, or `2GiB`."""
    is_number = not isinstance(value, str) or value.strip().isdecimal()
    size = whole_number(name, value) if is_number else object_size(value)
    if not 0 < size <= LONGEST:
        raise OptionError(key="the object size", got=size, expected=f"1 to {LONGEST} bytes, or 1MiB to 4095MiB")
    return size


def _file_name(name: str, value: Any) -> str:
    found = text(name, value)
    _refuse_file_name(found)
    return found


def _ignored(name: str, value: Any) -> frozenset[str]:
    return suffixes(texts(name, value))


_read_codes = kept_or_read(CodeTable, read_code_table, "the path of a code table, or what read_code_table returns")


def _codes(name: str, value: Any) -> CodeTable:
    return CodeTable() if value is None else _read_codes(name, value)


def _settings(name: str, value: Any) -> dict[str, str]:
    """Read a mapping of texts; None is an empty one."""
    if value is None:
        return {}
    if isinstance(value, Mapping) and all(isinstance(each, str) for pair in value.items() for each in pair):
        return dict(value)
    raise refused(name, value, "a mapping of texts, as {'posture': 'inveon.toml'}")


def _refuse_file_name(name: str) -> None:
    """Refuse what cannot be a file's name on every system; OptionError."""
    is_plain = name.isprintable() and not set(name) & _NOT_IN_NAMES and name == name.rstrip(" .")
    if not name or not is_plain or _RESERVED.fullmatch(name.partition(".")[0]):
        raise refused("the file name", name, f"a name alone, {_NAMING}")


@dataclass(frozen=True, kw_only=True)
class Options(Corrections):
    """Options of a conversion, with the corrections of what is read; the default suits most people.

    Texts are taken as the command line takes them, such as `form="enhanced"`, and checked at once: an OptionError names
    the choices.

    Attributes:
        form: which SOP classes are written.
        file_name: of multi-frame objects, instead of prefix and number.
        overwrite: replace what an earlier conversion wrote.
        beside_others: the output may hold other things, but no folder of a series that is not empty.
        manifest: write `inveon-manifest.json` beside the series.
        largest_object: size of a multi-frame object's file in bytes, beyond which it becomes a concatenation.
        compression: how pixels are compressed, without loss.
        study_description: instead of the header's `study`.
        mask_others: of a scan of several animals that is split, read the neighbours in each animal's box as nothing:
            air in a CT, 0 in PET and SPECT.
        xnat_route: where XNAT is to file the study.
        deidentify: how the headers are de-identified; None leaves them as they are.
        rescale: how many values share one rescale slope.
        uids: where UIDs come from.
        prefixes: how file names start, by modality.
        codes: the site's codes for radionuclides.
        recursive: sub-folders with pairs become one study each.
        refuse_strays: refuse what is no pair, orphans and nested folders instead of skipping them.
        ignored_suffixes: suffixes of files that are never refused, as `.txt`; None ignores all.
        fail_on_warnings: refuse whatever has a warning among its findings.
        unlimited_text: write elements of VR UC too: Strain Description, Genetic Modifications Description and Long Code
            Value. VTK, MRtrix, MINC and (X)MedCon cannot read files with them.
        specified: word Series Description and the scanner's name as the published specification does, as the published
            commands do.
        settings: which options came from a file of settings, and from whose, for the manifest.
    """

    form: Given[Form | str, Form] = Given(choice(Form), Form.CLASSIC)
    file_name: Given[PathLike | None, str | None] = Given(optional(_file_name), None)
    overwrite: Given[bool, bool] = Given(switch, False)
    beside_others: Given[bool, bool] = Given(switch, False)
    manifest: Given[bool, bool] = Given(switch, True)
    largest_object: Given[int | str, int] = Given(_size, DEFAULT_SIZE)
    compression: Given[Compression | str, Compression] = Given(choice(Compression), Compression.NONE)
    study_description: Given[str | None, str | None] = Given(optional(text), None)
    mask_others: Given[bool, bool] = Given(switch, False)
    xnat_route: Given[Route | str | None, Route | None] = Given(optional(route_given), None)
    deidentify: Given[Deidentify | bool | None, Deidentify | None] = Given(deidentify_given, None)
    rescale: Given[Policy | str, Policy] = Given(choice(Policy), Policy.AUTO)
    uids: Given[Uids | str, Uids] = Given(choice(Uids), Uids.CONTENT)
    prefixes: Given[Mapping[Modality, str] | Mapping[str, str] | None, Mapping[Modality, str]] = Given(_prefixes, None)
    codes: Given[CodeTable | PathLike | None, CodeTable] = Given(_codes, None)
    recursive: Given[bool, bool] = Given(switch, False)
    refuse_strays: Given[bool, bool] = Given(switch, False)
    ignored_suffixes: Given[Iterable[str] | None, frozenset[str] | None] = Given(optional(_ignored), frozenset())
    fail_on_warnings: Given[bool, bool] = Given(switch, False)
    unlimited_text: Given[bool, bool] = Given(switch, False)
    specified: Given[bool, bool] = Given(switch, False)
    settings: Given[Mapping[str, str] | None, dict[str, str]] = Given(_settings, None)

    def __getstate__(self) -> dict[str, object]:
        """Return what another process needs to have the same options."""
        return vars(self) | {"prefixes": dict(self.prefixes)}
