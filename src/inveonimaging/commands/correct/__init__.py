"""A table of scans, as a sheet of subjects has it: filled from the headers, corrected cell by cell, and saved.

What is typed is kept as texts, by scan and title, and nothing else: an empty cell leaves it to the header. Every look
at the table reads the headers of the scans that are shown, with what was typed as their sheet, as a conversion does.
"""

from inveonimaging.commands.correct.cells import (
    EDITABLE,
    MOST_SCANS,
    OF_A_DOSE,
    SUBJECT,
    USUAL,
    Animals,
    Cell,
    Line,
    Listing,
    Typed,
    changed,
    listing_of,
    normal,
    titles_of,
    without_empty,
    wrong_with,
)
from inveonimaging.commands.correct.filling import (
    Filling,
    pasted,
    scans_named,
    subjects_named,
    taken,
    taken_animals,
    taken_subjects,
)
from inveonimaging.commands.correct.rows import animal_lines, lines_of
from inveonimaging.commands.correct.saving import Saved, boxes_beside, refuse_among, refuse_boxes, save, sheet_name
from inveonimaging.commands.correct.subjects import (
    NamedAnimal,
    Subjects,
    subject_lines,
    subjects_of,
    titles_of_subjects,
)

__all__ = [
    "EDITABLE",
    "MOST_SCANS",
    "OF_A_DOSE",
    "SUBJECT",
    "USUAL",
    "Animals",
    "Cell",
    "Filling",
    "Line",
    "Listing",
    "NamedAnimal",
    "Saved",
    "Subjects",
    "Typed",
    "animal_lines",
    "boxes_beside",
    "changed",
    "lines_of",
    "listing_of",
    "normal",
    "pasted",
    "refuse_among",
    "refuse_boxes",
    "save",
    "scans_named",
    "sheet_name",
    "subject_lines",
    "subjects_named",
    "subjects_of",
    "taken",
    "taken_animals",
    "taken_subjects",
    "titles_of",
    "titles_of_subjects",
    "without_empty",
    "wrong_with",
]
