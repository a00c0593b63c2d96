"""`inveon explain`, as functions: what the code of a finding or of a difference means, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from inveonimaging.errors import OptionError, printable
from inveonimaging.findings import Severity
from inveonimaging.remedies import differences, plain, remedies

_DIFFERENCES = "What inveon verify compares"
_MISSING = "-missing"
_LONGEST = 100  # characters of what was typed that are compared


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What is known of a code, as plain text.

    Attributes:
        code: of a finding, or of a difference of `inveon verify`.
        severity: of the finding; None of a difference.
        about: which part of the catalogue it is in.
        means: what was found, and what the program did.
        remedy: what to do; None of a difference.
        remarks: what else is worth knowing.
    """

    code: str
    severity: Severity | None
    about: str
    means: str
    remedy: str | None = None
    remarks: tuple[str, ...] = ()


def explain(code: str) -> Explanation:
    """Return what is known of a code; brackets and capitals do not matter.

    Raises:
        OptionError: nothing has this code; the message has the nearest ones.
    """
    typed = code.strip().strip("[]").lower()
    known = {each.code: each for each in explanations()}
    if typed in known:
        return known[typed]
    if typed.endswith(_MISSING) and (present := known.get(typed.removesuffix(_MISSING))) and not present.remedy:
        return replace(present, code=typed, means=f"missing in the DICOM: {present.means}")
    near = difflib.get_close_matches(typed[:_LONGEST], known)
    hint = f"did you mean {', '.join(near)}?" if near else 'list all codes with "inveon explain"'
    raise OptionError(f"there is no code '{printable(code)}'", hint=hint)


def explanations() -> Iterator[Explanation]:
    """Yield all codes: findings in the order of their page, then the differences of `inveon verify`."""
    for code, known in remedies().items():
        yield Explanation(
            code=code,
            severity=known.severity,
            about=plain(known.about),
            means=plain(known.means),
            remedy=known.advice,
            remarks=tuple(map(plain, known.remarks)),
        )
    for code, means in differences().items():
        yield Explanation(code=code, severity=None, about=_DIFFERENCES, means=plain(means))
