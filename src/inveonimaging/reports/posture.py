"""The animal in the bore as a small drawing: from the side, and from where the bed comes out.

Seen from the front, the stored i axis runs to the viewer's right, j downwards and k towards the viewer; so the letters
of `geometry.DIRECTIONS` are those of these sides. The drawing is of constants only: no text of a file is in it.
"""

from __future__ import annotations

from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.physics.geometry import ASSUMED, DIRECTIONS

_OPPOSITE = dict(zip("LRPAHF", "RLAPFH", strict=True))
_PRONE, _SUPINE = "P", "A"  # what is up

_SIDE = (
    '<path d="M22 44C20 22 58 8 98 10c30 1 52 9 70 16 14 5 28 13 31 17-4 6-18 7-31 7H40c-11 0-18-1-18-6z"/>'
    '<circle cx="158" cy="20" r="9"/><path class="line" d="M24 45C6 50-8 40-24 47"/>'
    '<path class="line" d="M58 50v7h8M142 50v7h8"/><circle class="eye" cx="182" cy="34" r="2.2"/>'
)
_TOP = (
    '<path d="M20 31C22 12 56 5 96 8c28 2 50 8 70 14 16 5 30 7 32 9-2 2-16 4-32 9"/>'
    '<path d="M20 31c2 19 36 26 76 23 28-2 50-8 70-14 16-5 30-7 32-9z"/>'
    '<circle cx="160" cy="16" r="8"/><circle cx="160" cy="46" r="8"/><path class="line" d="M20 31C4 36-8 26-24 31"/>'
    '<path class="line" d="M52 10l-6-9M130 12l8-10M52 52l-6 9M130 50l8 10"/>'
)
_END = (
    '<ellipse cx="0" cy="0" rx="30" ry="25"/><path class="line" d="M-17 20v13M17 20v13"/>'
    '<path class="mark" d="M0 14v8M-5 18l5 5 5-5"/>'
)


def posture_drawing(orientation: Orientation) -> str:
    """Return an SVG of the animal in the bore; with a question mark if the posture is not known."""
    letters = DIRECTIONS[orientation or ASSUMED]
    label = orientation.label if orientation else f"not known; taken as {ASSUMED.label}"
    doubt = "" if orientation else "?"
    unknown = "" if orientation else '<text class="unknown" x="134" y="92">?</text>'
    return (
        f'<svg class="posture" viewBox="-16 0 432 150" role="img" aria-label="Posture: {label}">'
        f"{_from_the_side(letters, doubt)}{_from_the_front(letters, doubt)}{unknown}</svg>"
    )


def _from_the_side(letters: str, doubt: str) -> str:
    """Draw the animal on the bed, the gantry at the right: what looks into it goes in first."""
    into, up = _OPPOSITE[letters[2]], _OPPOSITE[letters[1]]
    is_on_its_side = up not in (_PRONE, _SUPINE)
    across = -1 if into == "F" else 1
    upright = -1 if up == _SUPINE else 1
    animal = _TOP if is_on_its_side else _SIDE
    place = f"translate({34 if across > 0 else 214} {52 if upright > 0 else 110}) scale({across} {upright})"
    return (
        '<path class="gantry" d="M176 8h70v30h-70zM176 122h70v22h-70z"/><path class="bore" d="M176 38h70v84h-70z"/>'
        '<path class="bed" d="M4 112h238v4H4z"/>'
        f'<g class="animal" transform="{place}">{animal}</g>'
        f'<text x="-4" y="86">{letters[2]}{doubt}</text><text x="257" y="86">{into}{doubt}</text>'
        f'<text x="120" y="28">{up}{doubt}</text><text x="120" y="138">{letters[1]}{doubt}</text>'
    )


def _from_the_front(letters: str, doubt: str) -> str:
    """Draw the animal as seen by someone in front of the bore; its legs point to A."""
    right, down = letters[0], letters[1]
    turn = {("A", True): 0, ("P", True): 180, ("A", False): -90, ("P", False): 90}
    angle = turn[(down, True)] if down in "AP" else turn[(right, False)]
    return (
        '<circle class="gantry" cx="340" cy="75" r="68"/><circle class="bore" cx="340" cy="75" r="54"/>'
        '<path class="bed" d="M304 112q36 14 72 0l-2 4q-34 13-68 0z"/>'
        f'<g class="animal" transform="translate(340 78) rotate({angle})">{_END}</g>'
        f'<text x="340" y="19">{_OPPOSITE[down]}{doubt}</text><text x="340" y="141">{down}{doubt}</text>'
        f'<text x="279" y="80">{_OPPOSITE[right]}{doubt}</text><text x="401" y="80">{right}{doubt}</text>'
    )
