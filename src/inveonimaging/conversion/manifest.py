"""What a study was made from and what it became, for programs: `inveon-manifest.json`.

It holds no time and no path of this computer, so that it is the same wherever and whenever the same study is converted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any

from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import StudyPlan
from inveonimaging.conversion.provenance import study_origins
from inveonimaging.conversion.uids import StudyNames
from inveonimaging.conversion.writing import SeriesJob
from inveonimaging.findings import Finding
from inveonimaging.sheet.application import origins
from inveonimaging.storage.manifests import PROGRAM
from inveonimaging.study.image import Image
from inveonimaging.study.masking import mask_document, masked_ml
from inveonimaging.version import __version__

SCHEMA = 1
_NOT_OF_THE_CONTENT = {
    "fail_on_warnings",
    "overwrite",
    "beside_others",
    "manifest",
    "recursive",
    "refuse_strays",
    "ignored_suffixes",
    "mask_others",
    "subject",
    "sheet",
    "codes",
    "settings",
    "only",  # sources are listed; of a redacted study their names are not written
}


_SWITCHES = ("separate_frames", "apply_hounsfield", "allow_long_data")


def manifest_of(study: StudyPlan, named: StudyNames, series: Sequence[SeriesJob], options: Options) -> bytes:
    """Return the manifest of a study whose series were written, as JSON in UTF-8."""
    mask = study.study.part and study.study.part.mask
    document = {
        "schema": SCHEMA,
        "program": PROGRAM,
        "version": __version__,
        "study_instance_uid": named.study.uid,
        "frames_of_reference": sorted({named.frame_of_reference_uid(each.planned) for each in series}),
        "options": _options(options),
        "settings": options.settings,
        "sources": _sources(study, series),
        "subjects": recorded_sheet(options),
        "values": {name: str(origin) for name, origin in sorted(study_origins(study, options).items())},
        **({"mask": mask_document(mask)} if mask else {}),
        "series": [_series(each, study, named) for each in series],
        "findings": [_finding(each, of_folder=each.path == str(study.source)) for each in study.findings],
    }
    return (json.dumps(document, indent=1, ensure_ascii=True, default=_plain) + "\n").encode()


def recorded_options(options: Options) -> dict[str, Any]:
    """Return the options as a manifest that is read back has them."""
    found: dict[str, Any] = json.loads(json.dumps(_options(options), default=_plain))
    return found


def _options(options: Options) -> dict[str, Any]:
    """Return the options that decide what instances say."""
    named = (each.name for each in fields(options) if each.name not in _NOT_OF_THE_CONTENT)
    prefixes = {modality.label: prefix for modality, prefix in options.prefixes.items()}
    found = {name: getattr(options, name) for name in named}
    found |= {"prefixes": prefixes, "codes": options.codes.by_key, "flip": options.flip or ""}
    found |= {name: bool(found[name]) for name in _SWITCHES}
    if options.deidentify:  # neither the secret, nor by how much, nor a true date
        found |= {"deidentify": {"dates": options.deidentify.dates.value}, "scan_time": None, "injected_at": None}
    return found


def recorded_sheet(options: Options) -> dict[str, Any] | None:
    """Return which sheet of subjects was read; its values are in the instances alone."""
    sheet = options.corrections.sheet
    if sheet is None:
        return None
    if options.deidentify:  # its name may name somebody, and its digest shows who has it
        return {"name": "sheet", "sha256": None}
    return {"name": sheet.name, "sha256": sheet.sha256}


def _sources(study: StudyPlan, series: Sequence[SeriesJob]) -> list[dict[str, Any]]:
    """Return the files that were read, each once, by their names inside the study's folder."""
    found = {}
    for each in series:
        pair, header = each.planned.image.pair, each.planned.image.header_bytes
        found[study.inside(pair.header)] = len(header), hashlib.sha256(header).hexdigest()
        found[study.inside(pair.data)] = each.summary.data_size, each.summary.data_sha256
    return [{"name": name, "size": size, "sha256": sha256} for name, (size, sha256) in found.items()]


def _series(done: SeriesJob, study: StudyPlan, named: StudyNames) -> dict[str, Any]:
    planned, summary, image = done.planned, done.summary, done.planned.image
    return {
        "folder": str(planned.number),
        "source": study.inside(image.pair.header),
        "part": image.part_name,
        "modality": image.modality.label,
        "sop_class": planned.iod.name,
        "sop_class_uid": planned.iod.sop_class,
        "series_instance_uid": named.series(planned),
        "frame_of_reference_uid": named.frame_of_reference_uid(planned),
        "shape": image.grid.shape,
        "frames": len(image.frames),
        "unit": image.scaling.unit,
        **_masked(image),
        "lowest": summary.lowest,
        "highest": summary.highest,
        "values": {
            name: str(origin)
            for name, origin in origins(image.header, planned.sheet_values, image.pair.header.name).items()
        },
        "findings": [_finding(each) for each in (*image.findings, *done.findings)],
        "files": [vars(each) for each in done.files],
    }


def _masked(image: Image) -> dict[str, Any]:
    """Return how much of each frame is masked, and with which value; nothing of an image in which neighbours stay."""
    if image.source.hidden is None:
        return {}
    voxels, volume = image.source.hidden_voxels, round(masked_ml(image), 6)
    return {"masked": {"voxels": voxels, "volume_ml": volume, "value": image.scaling.nothing}}


def _finding(finding: Finding, *, of_folder: bool = False) -> dict[str, Any]:
    """Return a finding without the folders of its path."""
    file = None if of_folder or finding.path is None else Path(finding.path).name
    place = {"file": file, "line": finding.line}
    return {"code": finding.code, "severity": finding.severity.label, "message": finding.message, **place}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, frozenset):
        return sorted(value)
    return dict(value) if hasattr(value, "items") else str(value)
