"""What was chosen on page 4 -> the options of the function that makes it, and the command that does the same."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from itertools import chain, count
from pathlib import Path
from typing import Any

from inveonimaging.app.choices.table import (
    DICOM,
    FORM,
    FORM_OF_ANIMALS,
    INVEON,
    OF_DICOM,
    OVERWRITE,
    PRIVACY,
    REPORT,
    VERIFY,
    YES,
    Product,
)
from inveonimaging.errors import OptionError, printable
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.redaction.request import Deidentify, request_of

_PREFIXES = {"ct_prefix": Modality.CT, "pet_prefix": Modality.PET, "nm_prefix": Modality.SPECT}
_SUBJECT = {"patient_id": "id", "patient_name": "name", "birth_date": "birth_date", "sex": "sex"}


def defaults(product: Product = DICOM) -> dict[str, str]:
    """Return what the form holds at first."""
    return {each.name: each.first for each in product.fields}


def chosen(form: Mapping[str, str], product: Product = DICOM) -> dict[str, str]:
    """Return the values of all fields of a form that was sent, in which a box that is not ticked is missing."""
    return {each.name: each.taken(form.get(each.name, "")) for each in product.fields}


def options_of(values: Mapping[str, str], product: Product = DICOM) -> Any:
    """Return the options of the function that makes it: `Options` of a conversion, and so on.

    Raises:
        OptionError: a value makes no sense; a file that it names cannot be read.
    """
    texts = chosen(values, product)
    if is_inveon(texts, product):
        _refuse_of_dicom(texts, product)
        texts["form"] = FORM.first
    module, _, name = product.options.rpartition(".")
    made = getattr(import_module(module), name)
    known = {each.name for each in fields(made)}
    given: dict[str, Any] = {}
    for each in product.fields:  # those that are no attribute are arguments beside the options
        if each.name not in _APART and (each.attribute or each.name) in known:
            given |= each.given(texts[each.name])
    if texts.get("strict") == YES:
        given |= {"refuse_strays": True, "fail_on_warnings": True}
    if prefixes := {kind: texts[name] for name, kind in _PREFIXES.items() if texts.get(name)}:
        given["prefixes"] = {**_default_prefixes(), **prefixes}
    if "deidentify" in texts:
        given["deidentify"] = _redaction(texts)
    subject = {key: texts[name] for name, key in _SUBJECT.items() if texts.get(name)}
    return made(subject=subject, **given)


_APART = {*_SUBJECT, *_PREFIXES, *(each.name for each in PRIVACY), "strict"}
"""Fields that are no attribute of the options each, but part of one."""


def _refuse_of_dicom(texts: Mapping[str, str], product: Product) -> None:
    """Refuse what means nothing where no DICOM is written, as the command does."""
    for each in product.fields:
        if each in (*OF_DICOM, OVERWRITE) and each.name not in {"strict", "ignore"} and texts[each.name] != each.first:
            kind = dict(FORM_OF_ANIMALS.choices)[INVEON]
            raise OptionError(
                f"{each.option} is for DICOM, and no DICOM is written",
                hint=f"leave it empty, or choose another {FORM.label} than “{kind}”",
            )


def is_inveon(values: Mapping[str, str], product: Product) -> bool:
    """Return whether pairs of Inveon files are asked for, and no DICOM."""
    return product.name == "split" and values.get("form") == INVEON


def _default_prefixes() -> Mapping[Modality, str]:
    from inveonimaging.conversion.options import PREFIXES

    return PREFIXES


def _redaction(values: Mapping[str, str]) -> Deidentify | None:
    days, key = values["shift_days"], values["key_file"]
    return request_of(
        values["deidentify"] == YES,
        values["dates"] or None,
        _days(days) if days else None,
        Path(key) if key else None,
    )


def _days(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise OptionError(key="--shift-days", got=text, expected="a whole number, as -3000") from None


def command_of(
    source: Path, output: str, values: Mapping[str, str], product: Product = DICOM, *, without_settings: bool = False
) -> list[str]:
    """Return the words of the command that does the same.

    Args:
        source: what is read.
        output: the folder or the file to write.
        values: of the form.
        product: what is made.
        without_settings: the form holds what `inveon.toml` says, and counts alone.
    """
    words = ["inveon", product.command, str(source)]
    words += [f"{product.output_option}={output}"] if product.output_option else [output]
    for each in product.fields:
        if not (is_inveon(values, product) and each in (VERIFY, REPORT)):  # of DICOM, and ticked at first
            words += each.typed(each.taken(values.get(each.name, "")))
    return [*words, "--no-config"] if without_settings else words


def output_for(source: Path, product: Product = DICOM, beside: Path | None = None) -> Path:
    """Return a place that is not there yet: beside the folder, or beside that of a scan."""
    is_folder = os.path.isdir(source)  # noqa: PTH112 - Path.is_dir raises for names that no file can have
    folder = beside or (source.parent if is_folder else source.parent.parent)
    name = source.name.partition(".img")[0] or "scans"
    return free_beside(folder / f"{name}{product.ending}", is_file=product.is_file)


def free_beside(path: Path, *, is_file: bool) -> Path:
    """Return a path, or one with a number behind its name, that is not there yet."""
    stem, ending = (path.stem, path.suffix) if is_file else (path.name, "")
    plain = re.sub(r"-\d{1,3}$", "", stem)
    if not plain or not os.path.lexists(path.with_name(plain + ending)):  # the number is part of a name
        plain = stem
    names = (f"{each}{ending}" for each in chain((stem,), (f"{plain}-{number}" for number in count(2))))
    return next(path.with_name(each) for each in names if not os.path.lexists(path.with_name(each)))


def called(source: Path) -> str:
    """Return what a source is called in titles: its name, after that of the folder above, to distinguish studies."""
    return printable("/".join(filter(None, (source.parent.name, source.name))) or source, 100)
