"""Whether a study that was read may become an output: the first reason why it cannot, as one error."""

from __future__ import annotations

from inveonimaging.errors import DataError, InputError, InveonError, printable
from inveonimaging.findings import Severity
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.pairs import Pair
from inveonimaging.study.reading import Scan, Study, long_data_taken
from inveonimaging.units import counted

_SEVERAL_SUBJECTS_HINT = "give each animal a folder of its own; if all are of one animal: --patient-id names it"


def refuse_unusable(study: Study, command: str) -> None:
    """Refuse a study that cannot become an output as a whole.

    Args:
        study: what was read.
        command: of `inveon`, for the hint how the rest is taken without what is refused.

    Raises:
        InveonError: the first reason.
    """
    refuse_errors(study, command)
    for scan in study.scans:
        try:
            refuse_scan(scan, allow_long_data=bool(study.corrections.allow_long_data))
        except InveonError as error:
            raise error.hinted(without(study, scan.pair, command)) from error
    refuse_several_animals(study)


def refuse_errors(study: Study, command: str) -> None:
    """Refuse a study with a pair that cannot be read; arguments and errors as `refuse_unusable`."""
    for pair, error in study.errors.items():
        raise error.hinted(without(study, pair, command))


def refuse_scan(scan: Scan, *, allow_long_data: bool) -> None:
    """Refuse a scan whose frames make no series, or in which there is an error.

    Raises:
        InveonError: the first reason.
    """
    if scan.refusal:
        raise scan.refusal
    image = scan.image
    for finding in long_data_taken(image.findings) if allow_long_data else image.findings:
        if finding.severity is Severity.ERROR:
            hint = "--allow-long-data takes it all the same"
            path = scan.pair.data if finding.path == str(image.pair.data) else scan.pair.header
            raise DataError(finding.message, path=path, line=finding.line, hint=hint)


def refuse_several_animals(study: Study) -> None:
    """Refuse scans that make no study; InputError."""
    for finding in study.findings:
        if finding.severity is Severity.ERROR:
            raise InputError(finding.message, path=study.source, expected="one animal", hint=_SEVERAL_SUBJECTS_HINT)


def without(study: Study, refused: Pair, command: str) -> str | None:
    """Return how the other pairs of a study are taken without the one that is refused; None if there are none."""
    is_usable = Modality.PET, Modality.SPECT, *(() if command == "curves" else (Modality.CT,))
    others = [scan.pair for scan in study.scans if scan.pair != refused and scan.image.modality in is_usable]
    if not others:
        return None
    one = f'"{printable(others[0].data, 300)}"'
    many = f"the other {counted(len(others), 'pair')}" if len(others) > 1 else "the other pair"
    done = f"to {command} {many}" if command == "convert" else f"to take {many}"
    output = "-o FILE" if command == "curves" else "OUTPUT"
    return f"{done}, move this one out of the folder, or name one file: inveon {command} {one} {output}"
