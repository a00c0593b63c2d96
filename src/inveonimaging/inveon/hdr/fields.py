"""The table of the format: one row a key, made of the attributes that `model` declares with their keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from inveonimaging.inveon.hdr.model import Frame, Header, Key
from inveonimaging.inveon.hdr.redaction import Redaction
from inveonimaging.inveon.hdr.values import DATE, GATE_DESCRIPTION, OF_TYPE, TEXT, USER, Codec, code


@dataclass(frozen=True)
class Field:
    """One row of the table.

    Attributes:
        attribute: its path in the model.
        codec: how the value is read and spelled.
        comment: what a written header says above it.
        repeats: the key occurs many times.
        redaction: what de-identification makes of the value; without it, text is removed, dates are shifted, and
            numbers and codes are kept.
    """

    attribute: str
    codec: Codec
    comment: str
    repeats: bool = False
    redaction: Redaction | None = None

    @property
    def redacted(self) -> Redaction:
        """What de-identification makes of the value."""
        return self.redaction or _REDACTIONS.get(self.codec, Redaction.NUMBER)


_REDACTIONS = {
    TEXT: Redaction.REMOVE,
    USER: Redaction.REMOVE,
    GATE_DESCRIPTION: Redaction.REMOVE,
    DATE: Redaction.DATE,
}

# The scanner writes a header in these runs of keys, each with its first key here. Within a run, keys are in the order
# of the model's attributes.
_RUNS = (
    "version bed_control registration_available total_frames isotope transaxial_crystals_per_block data_type span "
    "number_of_dimensions x_filter deadtime_correction_applied rotation calibration_units smooth_types "
    "number_of_singles_rates investigator injected_compound gate_inputs subject_identifier roi_file: gantry_rotation "
    "ct_file_version"
)


def _rows(cls: Any, path: str = "") -> Iterator[tuple[str, Field]]:
    """Yield the rows of a class, and of those that it is made of."""
    hints = get_type_hints(cls)
    for each in dataclasses.fields(cls):
        kind: Any = hints[each.name]
        row = each.metadata.get("key")
        if isinstance(row, Key):
            field = Field(path + each.name, row.codec or _codec(kind), row.comment, row.repeats, row.redaction)
            yield row.name, field
            if row.old:
                yield row.old, dataclasses.replace(field, comment=f"{row.comment} (old name)")
        elif dataclasses.is_dataclass(kind):
            yield from _rows(kind, f"{each.name}.")


def _codec(kind: Any) -> Codec:
    """Return the codec of values of a type, which may be absent or occur many times."""
    [kind] = ({kind} - OF_TYPE.keys() and ({*get_args(kind)} - {type(None), ...})) or {kind}
    return OF_TYPE.get(kind) or code(kind)


def _main() -> dict[str, Field]:
    runs: dict[str, dict[str, Field]] = {first: {} for first in _RUNS.split()}
    run: dict[str, Field] = {}
    for key, field in _rows(Header):
        run = runs.get(key, run)
        run[key] = field
    return {key: field for run in runs.values() for key, field in run.items()}


MAIN: dict[str, Field] = _main()
FRAME: dict[str, Field] = dict(_rows(Frame))
