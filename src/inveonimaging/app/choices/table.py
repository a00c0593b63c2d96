"""Page 4 as a table: what can be chosen, in plain words, with the option of the command for it.

A kind more is a row of `PRODUCTS`; a field that several kinds have is defined once.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

from inveonimaging.extras import how_to_install
from inveonimaging.inveon.hdr.enums import Orientation

YES, INVEON = "yes", "inveon"
LONGEST = 20_000


class Field(NamedTuple):
    """One choice.

    Attributes:
        name: in the form.
        option: of the command.
        label: what it is, for people.
        words: what it does.
        choices: values with their words; none is a line of text, or a box to tick if `ticked` says whether it is.
        ticked: of a box, whether it is ticked at first.
        example: of a text.
        attribute: of the options; empty is one of the field's name.
        flags: of values, an option without a value each; of a box that is ticked, `option` unless this says another.
        many: whether there may be several, a line each.
        is_path: whether it names a file or a folder.
        is_written: of a path, whether something is written there.
    """

    name: str
    option: str
    label: str
    words: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    ticked: bool | None = None
    example: str = ""
    attribute: str = ""
    flags: tuple[tuple[str, str], ...] = ()
    many: bool = False
    is_path: bool = False
    is_written: bool = False

    @property
    def first(self) -> str:
        """What the form holds at first."""
        return self.choices[0][0] if self.choices else YES if self.ticked else ""

    def taken(self, text: str) -> str:
        """Return what counts of what was sent or kept: a text, a value that there is, a box that is ticked."""
        if self.choices:
            return text if text in dict(self.choices) else self.first
        if self.ticked is not None:
            return YES if text == YES else ""
        return text.replace("\r\n", "\n").strip()[:LONGEST]

    def lines(self, text: str) -> tuple[str, ...]:
        """Return the single values of a text."""
        return tuple(filter(None, map(str.strip, text.splitlines()))) if self.many else (text,) if text else ()

    def typed(self, text: str) -> list[str]:
        """Return the words of the command for a value."""
        flags = dict(self.flags) or ({YES: self.option} if self.ticked is not None else {})
        if flags:
            return [flags[text]] if text in flags else []
        return [] if self.choices and text == self.first else [f"{self.option}={each}" for each in self.lines(text)]

    def given(self, text: str) -> dict[str, Any]:
        """Return the attribute of the options for a value; nothing leaves it as it is."""
        name = self.attribute or self.name
        if self.ticked is not None or self.flags:
            return {name: text == YES} if text == YES or text in dict(self.flags) else {}
        return {name: self.lines(text) if self.many else text} if text else {}


_POSTURES = tuple((each.name, each.label.capitalize()) for each in Orientation if each.value)
_OF_HEADERS = ("", "As the header says")

# Fields that several kinds share.

ONLY = Field(
    "only",
    "--only",
    "Only these scans",
    "Names of .img files, a line each; empty takes all. Page Look has boxes to tick.",
    many=True,
)
RECURSIVE = Field("recursive", "--recursive", "Sub-folders, too: a study each", ticked=False)
SPLIT = Field(
    "split", "--split", "Cut scans of several animals: a folder each", "Needs the sheet of animals.", ticked=False
)
BOXES = Field("boxes", "--boxes", "File of boxes", "Where each animal lies, if that is not found.", is_path=True)
MASK = Field("mask_others", "--mask-others", "Blank the neighbours in each animal's box", ticked=False)
OVERWRITE = Field("overwrite", "--overwrite", "Replace what an earlier run wrote there", ticked=False)
SUBJECTS = Field(
    "subjects",
    "--subjects",
    "Sheet of animals",
    "A .csv or .xlsx file, if each scan has its own values.",
    attribute="sheet",
    is_path=True,
)
_ID = Field("patient_id", "--patient-id", "Patient ID", "What your lab calls the animal.", example="M12")
_NAME = Field("patient_name", "--patient-name", "Patient's name")
_WEIGHT = Field("weight", "--weight", "Weight", "With its unit.", example="24.6g", attribute="weight_kg")
_DOSE = Field(
    "dose", "--dose", "Injected dose", "At the injection, with its unit.", example="7.03MBq", attribute="dose_mbq"
)
_SEX = Field("sex", "--sex", "Sex", choices=(_OF_HEADERS, ("F", "Female"), ("M", "Male"), ("O", "Other")))
_SPECIES = Field("species", "--species", "Species", example="mouse")
_INJECTED = Field("injected_at", "--injected-at", "Time of injection", example="2014-06-17T13:51:37")
_POSTURE = Field("orientation", "--posture", "How the animal lay", choices=(_OF_HEADERS, *_POSTURES))
_OF_ONE = (_ID, _NAME, _WEIGHT, _DOSE)  # which a scan of several animals has not
ANIMAL = (_ID, _WEIGHT, _SEX, _SPECIES, _DOSE, _INJECTED, _POSTURE, SUBJECTS)
ANIMALS = (SUBJECTS, BOXES, MASK, _SEX, _SPECIES, _INJECTED, _POSTURE)
PRIVACY = (
    Field("deidentify", "--deidentify", "Remove names, places and file names", ticked=False),
    Field(
        "dates",
        "--dates",
        "Dates",
        "Only if names are removed.",
        (("", "Shift them"), ("keep", "Keep them")),
    ),
    Field("shift_days", "--shift-days", "Shift dates by days", "Or give the file of a secret.", example="-3000"),
    Field(
        "key_file",
        "--key-file",
        "File with a secret",
        "It makes pseudonyms and shifts that stay the same.",
        is_path=True,
    ),
)
VERIFY = Field("verify", "--verify", "Compare every value with the scanner's files afterwards", ticked=True)
REPORT = Field("report", "--report", "Write a page of pictures beside the DICOM", ticked=True)
_CORRECTIONS = (  # for experts
    Field("birth_date", "--patient-birth-date", "Birth date", example="2014-03-04"),
    Field("strain", "--strain", "Strain", example="C57BL/6J"),
    Field("scan_time", "--scan-time", "Start of scans whose header has none", example="2014-03-04T14:05:09"),
    Field("flip", "--flip", "Mirror stored axes", example="x"),
    Field(
        "bed_direction",
        "--bed-direction",
        "A larger bed offset looks",
        choices=(("", "Forward, with a warning"), ("forward", "Forward"), ("reverse", "In reverse")),
    ),
    Field("cycle_length", "--cycle-length", "Length of a heart beat or breath, ms", attribute="cycle_ms"),
    Field(
        "frame_of_reference",
        "--frame-of-reference",
        "Scans that lie in one space",
        choices=(("auto", "As the headers say"), ("shared", "All"), ("separate", "None")),
    ),
    Field("separate_frames", "--separate-frames", "Make each frame block a series of its own", ticked=False),
    Field(
        "apply_hounsfield",
        "--apply-hounsfield",
        "Apply the header's Hounsfield scale to CT",
        choices=(("", "No, with a warning where it matters"), ("yes", "Yes"), ("no", "No")),
        flags=(("yes", "--apply-hounsfield"), ("no", "--no-apply-hounsfield")),
    ),
    Field(
        "allow_long_data",
        "--allow-long-data",
        "Accept .img files that are longer than the header says",
        choices=(("", "No"), ("yes", "Yes"), ("no", "No, whatever the sheet says")),
        flags=(("yes", "--allow-long-data"), ("no", "--no-allow-long-data")),
    ),
)
_FORMS = (
    ("classic", "One file for each slice"),
    ("enhanced", "One file for each series (Enhanced)"),
    ("legacy", "One file for each series (Legacy Converted Enhanced)"),
)
FORM = Field(
    "form",
    "--as",
    "Kind of DICOM",
    "If in doubt, leave it: nearly all programs read one file for each slice.",
    _FORMS,
)
FORM_OF_ANIMALS = FORM._replace(choices=(*_FORMS, (INVEON, "Files as the scanner writes: .img and .hdr")))
MANIFEST = Field(
    "manifest",
    "--no-manifest",
    "Write the list of what was made from what",
    ticked=True,
    flags=(("", "--no-manifest"),),
)
OF_DICOM = (  # for experts
    Field("study_description", "--study-description", "Study description"),
    Field(
        "compress",
        "--compress",
        "Compression, without loss",
        choices=(
            ("none", "None"),
            ("rle", "RLE"),
            ("jpegls", "JPEG-LS"),
            ("j2k", "JPEG 2000"),
            ("deflated", "Deflate"),
        ),
        attribute="compression",
    ),
    Field(
        "rescale",
        "--rescale",
        "One scale for each",
        choices=(("auto", "Automatic"), ("series", "Series"), ("frame", "Frame"), ("slice", "Slice")),
    ),
    Field(
        "uids",
        "--uids",
        "Identifiers",
        choices=(("content", "The same for the same content"), ("random", "New ones each time")),
    ),
    Field("code_table", "--code-table", "File with the site's codes for isotopes", attribute="codes", is_path=True),
    Field("ct_prefix", "--ct-prefix", "Start of names of CT files", example="CT-"),
    Field("pet_prefix", "--pet-prefix", "Start of names of PET files", example="PET-"),
    Field("nm_prefix", "--nm-prefix", "Start of names of SPECT files", example="NM-"),
    Field("file_name", "--file", "Name of multi-frame files", example="mouse.dcm"),
    Field(
        "max_object_size",
        "--max-object-size",
        "Largest multi-frame file",
        "A larger one becomes several.",
        example="2GiB",
        attribute="largest_object",
    ),
    MANIFEST,
    Field("unlimited_text", "--unlimited-text", "Write long texts that some programs cannot read", ticked=False),
    Field("strict", "--strict", "Refuse other files in the folder, and whatever has a warning", ticked=False),
    Field(
        "ignore",
        "--ignore",
        "Other files that may be there all the same",
        "Endings, a line each.",
        example="txt",
        attribute="ignored_suffixes",
        many=True,
    ),
)
_ROUTE = Field("xnat_route", "--xnat-route", "Where XNAT files it: project/subject/session", example="P/S/L")

# Fields of one kind each.

_PREVIEW = Field(
    "preview", "--preview", "Page that shows the boxes", "A new .html file.", is_path=True, is_written=True
)
_NIFTI = (
    Field(
        "gzip",
        "--no-gzip",
        "Compress the files (.nii.gz)",
        ticked=True,
        attribute="compressed",
        flags=(("", "--no-gzip"),),
    ),
    Field("reorient", "--reorient", "Turn the axes to run", "Nothing is resampled.", example="RAS"),
    Field(
        "scale_voxels",
        "--scale-voxels",
        "Make voxels this many times as large",
        "For programs made for human images.",
        example="10",
    ),
)
_ADMINISTRATION = Field(
    "administration",
    "--administration",
    "How the tracer was given",
    "BIDS requires it, and the scanner's files do not have it.",
    choices=(("", "As the sheet says"), ("bolus", "Bolus"), ("infusion", "Infusion"), ("bolus-infusion", "Both")),
)
_INCOMPLETE = Field("incomplete", "--incomplete", "Write also without values that BIDS requires", ticked=False)
_BIDS = (
    Field("dataset_name", "--name", "Name of a new data set"),
    Field(
        "source_datasets",
        "--source-dataset",
        "What the data set is made from",
        "DOIs or addresses, a line each.",
        many=True,
    ),
)
_OME = Field(
    "ome_version",
    "--ome-version",
    "Version of OME-Zarr",
    choices=(("0.5", "0.5"), ("0.4", "0.4, for older programs")),
)
_VIEWER = Field("viewer", "--viewer", "Put the volumes and a viewer into the page", ticked=False)
_PICTURES = Field("png", "--png", "Folder for the single pictures", "Empty writes none.", is_path=True, is_written=True)
_CURVES = (
    Field(
        "sphere",
        "--sphere",
        "Spheres",
        "Name, centre and diameter in mm, a line each.",
        example="heart=1.5,-3,20,4",
        attribute="spheres",
        many=True,
    ),
    Field(
        "regions",
        "--regions",
        "Files with regions",
        "Lists of spheres, masks, DICOM SEG or RTSTRUCT, a line each.",
        many=True,
        is_path=True,
    ),
    Field("hottest", "--hottest", "The hottest sphere, its diameter in mm", example="3", attribute="hottest_mm"),
    Field("animals", "--animals", "The box of each animal of the sheet", ticked=False),
    BOXES,
)
_CURVES_MORE = (
    Field(
        "more_outputs",
        "--output",
        "Write also",
        "Files in the same folder that end in .csv, .tac or .dft, a line each.",
        many=True,
        is_path=True,
        is_written=True,
    ),
    Field("series", "--series", "Number of the one series to measure"),
    Field("dicom", "--dicom", "Folder of DICOM that a SEG or RTSTRUCT was drawn on", is_path=True),
    Field(
        "time_zero",
        "--time-zero",
        "Times of .tac and .dft count from",
        choices=(("scan", "The start of the scan"), ("injection", "The injection")),
    ),
)

Group = tuple[str, tuple[Field, ...]]
_SENT = "results are sent from their page"
_SHOWN = "a button shows it"
_FOR_PROGRAMS = "for programs"
_NOT_HERE = {"--dry-run": _SHOWN, "--json": _FOR_PROGRAMS, "--no-config": "the form holds the settings"}
_IN_SHEET = dict.fromkeys((each.option for each in _OF_ONE), "each animal has its own in the sheet")


class Product(NamedTuple):
    """What can be made.

    Attributes:
        name: in the form, and of the kind of job.
        command: that makes it.
        label: for people.
        words: for whom, or what it is.
        groups: its fields, under their headings; the first one's stand beside the output.
        experts: fields that are folded.
        ending: of the output's suggested name.
        button: that starts it.
        extra: of this package that it needs, with the modules that the extra brings.
        output_option: with which the command takes its output; empty if that is an argument.
        is_file: whether the output is a file.
        left_out: options of the command that are no field, with why.
        of_activity: whether it is of PET and SPECT.
        options: the class of what its command is asked for, by its name; it is imported when it is needed.
    """

    name: str
    command: str
    label: str
    words: str
    groups: tuple[Group, ...]
    experts: tuple[Field, ...]
    ending: str
    button: str = "Convert"
    extra: tuple[str, tuple[str, ...]] = ("", ())
    output_option: str = ""
    is_file: bool = False
    left_out: Mapping[str, str] = {}
    of_activity: bool = False
    options: str = "inveonimaging.conversion.options.Options"

    @property
    def fields(self) -> tuple[Field, ...]:
        """All of them, in the order of the page."""
        return (*(each for _, fields in self.groups for each in fields), *self.experts)


_ANIMAL_GROUP, _PRIVACY_GROUP = ("Animal", ANIMAL), ("Privacy", PRIVACY)
_HOTEL_GROUP = ("Several animals in one scan", (SPLIT, BOXES, MASK))
_REPLACE_GROUP = ("If something is there already", (OVERWRITE,))
DICOM = Product(
    "convert",
    "convert",
    "DICOM",
    "For viewers, archives and PACS.",
    (
        ("", (FORM, ONLY, RECURSIVE)),
        ("Afterwards", (VERIFY, REPORT, OVERWRITE)),
        _ANIMAL_GROUP,
        _PRIVACY_GROUP,
    ),
    (_NAME, *_CORRECTIONS, *OF_DICOM, _ROUTE),
    "-dicom",
    left_out={**_NOT_HERE, "--send": _SENT},
)
PRODUCTS = (
    DICOM,
    Product(
        "split",
        "split",
        "A study for each animal",
        "Of several animals in one scan.",
        (
            ("", (FORM_OF_ANIMALS, ONLY)),
            ("Animals", ANIMALS),
            ("Afterwards", (VERIFY, REPORT, OVERWRITE)),
            _PRIVACY_GROUP,
        ),
        (*_CORRECTIONS, *OF_DICOM, _PREVIEW),
        "-animals",
        left_out={**_NOT_HERE, **_IN_SHEET, "--send": _SENT, _ROUTE.option: "it is for one animal"},
    ),
    Product(
        "nifti",
        "nifti",
        "NIfTI",
        "For programs that compute with volumes.",
        (("", (ONLY, RECURSIVE)), _ANIMAL_GROUP, _HOTEL_GROUP, _PRIVACY_GROUP, _REPLACE_GROUP),
        (*_NIFTI, _NAME, *_CORRECTIONS),
        "-nifti",
        extra=("nifti", ("nibabel",)),
        left_out=_NOT_HERE,
        options="inveonimaging.nifti_files.options.NiftiOptions",
    ),
    Product(
        "bids",
        "bids",
        "BIDS",
        "A data set of PET, made or added to.",
        (
            ("", (_ADMINISTRATION, _INCOMPLETE, ONLY, RECURSIVE)),
            _ANIMAL_GROUP,
            ("Several animals in one scan", (BOXES, MASK)),
            _PRIVACY_GROUP,
            _REPLACE_GROUP,
        ),
        (*_BIDS, _NAME, *_CORRECTIONS),
        "-bids",
        extra=("bids", ("nibabel",)),
        left_out=_NOT_HERE,
        of_activity=True,
        options="inveonimaging.bids_dataset.options.BidsOptions",
    ),
    Product(
        "zarr",
        "zarr",
        "OME-Zarr",
        "For large images, in several resolutions.",
        (("", (_OME, ONLY, RECURSIVE)), _ANIMAL_GROUP, _HOTEL_GROUP, _PRIVACY_GROUP, _REPLACE_GROUP),
        (_NAME, *_CORRECTIONS),
        "-zarr",
        extra=("zarr", ("zarr",)),
        left_out=_NOT_HERE,
        options="inveonimaging.zarr_files.options.ZarrOptions",
    ),
    Product(
        "page",
        "report",
        "Report alone",
        "A page of pictures and findings.",
        (("", (_VIEWER, _PICTURES, ONLY)), _ANIMAL_GROUP, _REPLACE_GROUP),
        (_NAME, *_CORRECTIONS),
        "-report.html",
        button="Write the report",
        output_option="--output",
        is_file=True,
        left_out={"--no-config": _NOT_HERE["--no-config"]},
        options="inveonimaging.study.corrections.Corrections",
    ),
    Product(
        "curves",
        "curves",
        "Curves",
        "Activity of regions over time.",
        (("", (*_CURVES, ONLY)), _ANIMAL_GROUP, _PRIVACY_GROUP, _REPLACE_GROUP),
        (*_CURVES_MORE, _NAME, *_CORRECTIONS),
        "-curves.csv",
        button="Measure",
        output_option="--output",
        is_file=True,
        left_out=_NOT_HERE,
        of_activity=True,
        options="inveonimaging.time_activity.options.CurvesOptions",
    ),
)
_GROUP = Field(
    "group",
    "--group",
    "A study is",
    "If in doubt, leave it.",
    choices=(("folder", "Each folder of scans"), ("header", "One animal on one day, wherever its scans lie")),
)
_BATCH = (
    Field("jobs", "--jobs", "Studies at a time", "Empty: one for each processor core.", example="2"),
    Field(
        "check",
        "--check",
        "A study has changed since last time",
        choices=(("quick", "If sizes or times differ"), ("digest", "If contents differ, which takes longer")),
    ),
    MASK,
)
_OF_CLUSTERS = "for clusters"
STUDIES = Product(
    "batch",
    "batch",
    "Many studies",
    "All below a folder.",
    (("", (_GROUP, FORM)), ("Animals", (SUBJECTS,)), ("Afterwards", (VERIFY,)), _PRIVACY_GROUP),
    (
        *_BATCH,
        *(each for each in ANIMAL if each is not SUBJECTS),
        *(_NAME, *_CORRECTIONS),
        *(each for each in OF_DICOM if each is not MANIFEST),
        _ROUTE,
    ),
    "-dicom",
    left_out={
        **_NOT_HERE,
        "--dask": _OF_CLUSTERS,
        "--dask-cluster": _OF_CLUSTERS,
        "--only-failed": "a button of the result",
        ONLY.option: "many studies have names in common",
    },
)
"""What has a page of its own: not what is made of scans, but of which."""

_BY_NAME = {each.name: each for each in (*PRODUCTS, STUDIES)}
FIELDS = {each.name: each for product in (*PRODUCTS, STUDIES) for each in product.fields}
"""All fields, by name; those of one name differ in their choices only."""


def product_of(name: str) -> Product:
    """Return what can be made by its name; DICOM for any other."""
    return _BY_NAME.get(name, DICOM)


def missing(product: Product) -> str:
    """Return how to install what it needs; empty if that is there."""
    extra, modules = product.extra
    return how_to_install(extra) if any(find_spec(each) is None for each in modules) else ""
