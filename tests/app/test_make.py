"""Page 4: what can be made, the command that does the same, what is wrong in the page's words, and each kind once."""

from __future__ import annotations

import functools
import html
import json
import os
import pickle
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import typer
from starlette.testclient import TestClient

import inveonimaging
from app.driving import change, front_of, opened
from helpers import inveon, write_thin_study
from inveonimaging.app.choices import table as choices
from inveonimaging.app.choices.faults import fault_of, in_words
from inveonimaging.app.choices.forms import command_of, defaults, free_beside, options_of
from inveonimaging.app.choices.previews import preview_of
from inveonimaging.app.choices.shell import is_safe, line_of
from inveonimaging.app.choices.table import DICOM, FIELDS, PRODUCTS, STUDIES, Field, Product, product_of
from inveonimaging.app.jobs import makes
from inveonimaging.app.jobs.kinds import KINDS
from inveonimaging.app.jobs.queue import Job
from inveonimaging.app.jobs.status import JobStatus
from inveonimaging.app.pages.front import Front, link
from inveonimaging.app.pages.make import _Asked, options_kept
from inveonimaging.cli import app as app_command
from inveonimaging.cli import convert as convert_command
from inveonimaging.cli.main import app as command_line
from inveonimaging.commands import bids, curves, nifti, report, split
from inveonimaging.commands import convert as afterwards
from inveonimaging.commands import zarr as zarr_command
from inveonimaging.errors import InputError, OptionError
from inveonimaging.study.corrections import Corrections

WITH_ZARR = pytest.mark.skipif(sys.version_info < (3, 11), reason="zarr-python 3 needs Python 3.11")
SHEET = "patient_id,position\nm12,left\nm13,right\n"
BOX = {
    "schema": 1,
    "program": "inveonimaging",
    "animals": [
        {"position": "left", "low_mm": [-11, -8, -18], "high_mm": [-4, 8, 18]},
        {"position": "right", "low_mm": [4, -8, -18], "high_mm": [8, 8, 10]},
    ],
}
CODES = '[{"key": "Zr89", "code": "C-168A4", "meaning": "^89^Zirconium", "system": "SRT"}]'


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study in a folder with what forms name; tests do not change it."""
    root = tmp_path_factory.mktemp("make") / "data"
    write_thin_study(root / "study")
    texts = {"hotel.csv": SHEET, "boxes.json": json.dumps(BOX), "codes.json": CODES, "key.txt": "0123456789abcdef"}
    for name, text in texts.items():
        (root / name).write_text(text, "ascii")
    (root / "dicom here").mkdir()
    shutil.copytree(root / "study", root / "above" / "study")
    return root / "study"


@pytest.fixture
def front(source: Path, tmp_path: Path) -> Iterator[Front]:
    made = front_of(source.parent, tmp_path / "state")
    yield made
    made.close()


# The command and the form do the same.


def texts_of(root: Path) -> dict[str, str]:
    """Return a value for each field that is a text."""
    return {
        "only": "m1.pet.img\nm1.ct.img",
        "patient_id": "M 12",
        "patient_name": "Mouse",
        "birth_date": "2014-01-02",
        "weight": "24.6g",
        "species": "mouse",
        "strain": "C57BL/6J",
        "dose": "7.03MBq",
        "injected_at": "2014-03-04T13:51:37",
        "subjects": str(root / "hotel.csv"),
        "shift_days": "-3000",
        "key_file": str(root / "key.txt"),
        "study_description": 'FDG "pilot" $HOME %PATH% & more',
        "scan_time": "2014-03-04T14:05:09",
        "flip": "x",
        "cycle_length": "120",
        "code_table": str(root / "codes.json"),
        "ct_prefix": "C-",
        "pet_prefix": "P-",
        "nm_prefix": "N-",
        "file_name": "mouse.dcm",
        "max_object_size": "500MB",
        "ignore": "txt\nxml",
        "xnat_route": "P/S/L",
        "boxes": str(root / "boxes.json"),
        "preview": str(root / "boxes.html"),
        "reorient": "RAS",
        "scale_voxels": "10",
        "dataset_name": "Pilot 1",
        "source_datasets": "https://doi.org/10.1/x\nhttps://doi.org/10.1/y",
        "png": str(root / "pictures"),
        "sphere": "heart=1.5,-3,20,4\nliver=0,0,0,3",
        "regions": f"{root / 'mask.nii.gz'}\n{root / 'seg.dcm'}",
        "hottest": "3",
        "series": "2",
        "dicom": str(root / "dicom here"),
        "jobs": "3",
        "more_outputs": f"{root / 'out.tac'}\n{root / 'out.dft'}",
    }


def values_of(field: Field, root: Path) -> list[str]:
    """Return all values of a choice but the first, the other one of a box, or a text."""
    if field.choices:
        return [each for each, _ in field.choices if each != field.first]
    return [texts_of(root)[field.name]] if field.ticked is None else [""] if field.ticked else [choices.YES]


WITH = {  # what a field has no effect without
    "dates": {"deidentify": "yes"},
    "shift_days": {"deidentify": "yes"},
    "key_file": {"deidentify": "yes"},
}
ALWAYS = {"curves": {"hottest": "5"}}


class CaughtError(Exception):
    """Ends a command where the function behind it is called."""


@functools.cache
def the_commands() -> Any:
    return typer.main.get_command(command_line)


def typed(words: list[str], patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what the function behind a command is given by the command's own parser."""
    found: dict[str, Any] = {}

    def caught(*names: str, ends: bool = True) -> Callable[..., Any]:
        def function(*args: Any, **how: Any) -> Any:
            found.update(dict(zip(names, args, strict=False)) | how)
            if ends:
                raise CaughtError
            return split.SplitPlan(None, (), None, ()) if "boxes" in names else ()  # type: ignore[arg-type]

        return function

    patch.setattr(convert_command, "planned", caught("source", "output", "options", ends=False))
    patch.setattr(convert_command, "run", caught("output", "options", "studies"))
    patch.setattr("inveonimaging.cli.split.run", caught("output", "options", "studies"))
    patch.setattr("inveonimaging.cli.split._write_inveon", caught("planned", "output"))
    patch.setattr(split, "plan_split", caught("source", "output", "options", "boxes", ends=False))
    patch.setattr("inveonimaging.cli.split._more", lambda _: {})
    patch.setattr(nifti, "nifti", caught("source", "output", "options"))
    patch.setattr(zarr_command, "zarr", caught("source", "output", "options"))
    patch.setattr(bids, "plan_bids", caught("source", "output", "options"))
    patch.setattr(report, "report", caught("source", "output"))
    patch.setattr(curves, "planned", caught("source", "outputs", "options"))
    with pytest.raises(CaughtError):
        the_commands().main(words[1:], prog_name="inveon", standalone_mode=False)
    return found


def comparable(product: Product, given: dict[str, Any]) -> dict[str, Any]:
    """Return what decides, from either side, with options as their attributes."""
    found = dict(given)
    options = found.pop("options", None) or found.pop("corrections", None)
    names = {"source", "output", "outputs", "verify", "report", "boxes", "preview", "pictures", "viewer", "overwrite"}
    kept = {name: value for name, value in found.items() if name in names}
    if product.name == "bids":
        kept["source"] = kept["source"] if isinstance(kept["source"], Path) else kept["source"][0]
    if product.name == "curves":
        kept.pop("output", None)
    return {**kept, "options": vars(options)}


@pytest.mark.parametrize("product", PRODUCTS, ids=[each.name for each in PRODUCTS])
def test_the_command_does_what_the_form_does(
    front: Front, source: Path, monkeypatch: pytest.MonkeyPatch, product: Product
) -> None:
    """With no field, and with each value of each field: the parser's options are the form's, and no field is idle."""
    monkeypatch.setattr(front.drafts, "keep", lambda *_, **_how: None)
    root = source.parent
    output = root / f"out put{product.ending}"
    first = {"source": str(source), "output": str(output), "make": product.name}
    first |= defaults(product) | ALWAYS.get(product.name, {})

    def both(form: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
        asked = _Asked(front, form)
        ours = comparable(product, asked.task())
        words = command_of(source, str(output), asked.values, product, without_settings=True)
        with monkeypatch.context() as patch:
            given = comparable(product, typed(shlex.split(line_of(words, windows=False)), patch))
        return ours, given

    known = {name: both(first | more) for name, more in {"": {}, **WITH}.items() if not name or "dates" in first}
    for field in product.fields:
        without, _ = known.get(field.name, known[""])
        for value in values_of(field, root):
            ours, given = both(first | WITH.get(field.name, {}) | {field.name: value})
            assert given.keys() >= {"source", "options"}
            assert {name: ours[name] for name in given} == given, (field.name, value)
            assert ours != without, (field.name, value)
    ours, given = known[""]
    assert {name: ours[name] for name in given} == given


@pytest.mark.parametrize("product", [*PRODUCTS, STUDIES], ids=[each.name for each in (*PRODUCTS, STUDIES)])
def test_every_option_of_the_command_is_a_field_or_left_out_with_a_reason(product: Product) -> None:
    """Also one that is added to the command tomorrow."""
    fields = {each.option for each in product.fields} | {flag for each in product.fields for _, flag in each.flags}
    for option in the_commands().commands[product.command].params:
        names = {name for name in (*option.opts, *option.secondary_opts) if name.startswith("--")}
        known = names & (fields | product.left_out.keys() | {product.output_option})
        assert known or not names, f"inveon {product.command} {min(names)} is neither a field nor left out"
    everything = {name for each in the_commands().commands[product.command].params for name in each.opts}
    everything |= {name for each in the_commands().commands[product.command].params for name in each.secondary_opts}
    assert (fields | product.left_out.keys()) - everything == set()
    assert all(product.left_out.values())


def split_as_windows_does(line: str) -> list[str]:
    """Return the arguments of a line by the rules of the C run-time of Windows."""
    words: list[str] = []
    word, inside, n = "", False, 0
    while n < len(line):
        slashes = len(line[n:]) - len(line[n:].lstrip("\\"))
        n += slashes
        if slashes and line[n : n + 1] == '"':
            word += "\\" * (slashes // 2)
            if slashes % 2:
                word, n = word + '"', n + 1
            continue
        word += "\\" * slashes
        if line[n : n + 1] == '"':
            inside = not inside
        elif line[n : n + 1] == " " and not inside:
            words, word = [*words, word], ""
        else:
            word += line[n : n + 1]
        n += 1
    return [*words, word]


AWKWARD = [
    "C:\\",
    "C:\\My data\\",
    "\\\\server\\M & M (1)",
    "--weight=24.6g",
    "a;b",
    "",
    "x^y",
    "a,b",
    '"',
    '\\"',
    "it's",
    "é ü",
]


def test_the_line_for_windows_is_read_back_and_leaves_nothing_to_the_shell() -> None:
    words = ["inveon", "convert", *AWKWARD]
    line = line_of(words, windows=True)
    assert split_as_windows_does(line) == words
    assert split_as_windows_does('a\\\\b "c d\\\\" e\\"f') == ["a\\\\b", "c d\\", 'e"f']  # the rules, worked by hand
    assert [line_of([each], windows=True)[0] for each in AWKWARD] == ['"'] * len(AWKWARD)
    assert line_of(["--weight=24.6g"], windows=True) == '"--weight=24.6g"'  # PowerShell parts -x.y at the dot
    assert not is_safe(["a%b"], windows=True)
    assert is_safe(["a%b"], windows=False)
    assert is_safe(["a&b c"], windows=True)


def test_what_a_process_is_given_arrives_as_it_was_chosen(source: Path) -> None:
    for product in PRODUCTS:
        values = defaults(product) | texts_of(source.parent) | {"deidentify": "yes"}
        arrived = pickle.loads(pickle.dumps(options_of(values, product)))  # noqa: S301 - our own
        assert vars(arrived) == vars(options_of(values, product))


# What is wrong, in the words of the page.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("leave out --dates, or --rescale slice", "leave out “Dates”, or “One scale for each: Slice”"),
        ("`x`: --bed-direction forward confirms it", "`x`: “A larger bed offset looks: Forward” confirms it"),
        ("--dose 7.1MBq; for many scans dose_MBq", "“Injected dose” 7.1MBq; for many scans dose_MBq"),
        ("give the true time: --injected-at TIME, or", "give the true time: “Time of injection”, or"),
        ("--orientation with the true posture", "“How the animal lay” with the true posture"),
        ("type: inveon split --boxes x, or --boxes", "type: inveon split --boxes x, or “File of boxes”"),
        ("end the app: --root and --tls-ca stay", "end the app: --root and --tls-ca stay"),
        ("nested folder: --recursive.", "nested folder: “Sub-folders, too: a study each”."),
    ],
)  # fmt: skip
def test_texts_name_fields_where_commands_name_options(text: str, expected: str) -> None:
    assert in_words(text) == expected


FAULTS = {
    "weight": ({"weight": "24.6 stones"}, "“Weight” is '24.6 stones', expected a number above 0 and its unit"),
    "injected_at": ({"injected_at": "yesterday"}, "“Time of injection” is 'yesterday', expected local time"),
    "birth_date": ({"birth_date": "x"}, "“Birth date” is 'x', expected"),
    "shift_days": ({"deidentify": "yes", "shift_days": "many"}, "“Shift dates by days” is 'many', expected a whole"),
    "dates": ({"dates": "keep"}, "“Dates” has no effect without “Remove names, places and file names”"),
    "key_file": ({"deidentify": "yes", "key_file": "{root}/nothing"}, "the key cannot be read"),
    "subjects": ({"subjects": "{root}/nothing.csv"}, "nothing.csv: "),
    "ct_prefix": ({"ct_prefix": "a/b"}, "“Start of names of CT files” is 'a/b', expected a start of a file name"),
    "max_object_size": ({"max_object_size": "huge"}, "“Largest multi-frame file” is 'huge', expected 1MiB to 4095MiB"),
    "output": ({"output": "{root}/study/dicom"}, "study/dicom: is inside the folder that is read"),
    "overwrite": ({"output": "{root}"}, "nothing is overwritten; name a new folder, or tick “Replace what an earlier"),
    "recursive": ({"source": "{root}/above"}, "name it; “Sub-folders, too: a study each” converts all that are below"),
    "only": ({"only": "m2.img"}, "holds no scan 'm2.img', expected one of m1.ct.img, m1.pet.img"),
}


@pytest.mark.parametrize("field", FAULTS)
def test_what_is_wrong_names_the_field_and_the_value_and_leads_there(
    client: TestClient, front: Front, source: Path, field: str
) -> None:
    given, expected = FAULTS[field]
    form = {"source": str(source), "output": str(source.parent / "new"), "make": "convert"}
    form |= {name: value.format(root=source.parent) for name, value in given.items()}
    html = change(client, front, "/convert", form).text.replace("&#39;", "'")
    assert expected in html
    assert f'data-field="{field}" data-goes' in html
    assert "--" not in html
    assert front.jobs.all == []
    reported = change(client, front, "/command", form).text
    assert (f'data-field="{field}"' in reported) is (
        field not in {"overwrite", "only", "recursive"}
    )  # for which files are looked at
    assert "data-goes" not in reported


def test_an_error_of_a_field_that_the_kind_has_not_is_reported_all_the_same() -> None:
    fault = fault_of(OptionError("--boxes and --hottest"), product_of("page"))
    assert (fault.words, fault.field) == ("“File of boxes” and “The hottest sphere, its diameter in mm”", "")
    assert fault_of(InputError("is bad", path="/x"), DICOM).words == "/x: is bad"


# The page.


def form_of(source: Path, product: str, **given: str) -> dict[str, str]:
    return {"source": str(source), "make": product, "shown": product, **given}


@WITH_ZARR  # on an older Python the extra has no packages, and is not offered to be installed
def test_all_kinds_are_offered_and_what_is_not_installed_says_how(
    client: TestClient, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choices, "find_spec", lambda name: None if name == "zarr" else name)
    html = client.get(link("/make", source=source)).text
    assert html.count('type="radio" name="make"') == len(PRODUCTS) == 7
    assert html.count(" disabled") == 1
    assert "Not installed: <code>pip install &#34;inveonimaging[zarr]&#34;</code>" in html
    assert 'value="convert" checked' in html
    assert 'value="convert" checked' in client.get(link("/make", source=source, make="zarr")).text


def test_another_kind_keeps_what_both_have_and_each_its_own(client: TestClient, front: Front, source: Path) -> None:
    form = form_of(source, "convert", weight="24.6g", output=str(source.parent / "mine"), compress="rle")
    html = change(client, front, "/making", {**form, "make": "nifti"}).text
    assert 'name="shown" value="nifti"' in html
    assert 'value="24.6g"' in html
    assert "study-nifti" in html
    assert 'name="compress"' not in html
    html = change(client, front, "/making", {**form_of(source, "nifti", weight="25g"), "make": "convert"}).text
    assert 'value="25g"' in html
    assert '<option value="rle" selected>' in html
    assert f'value="{source.parent / "mine"}"' in html


def test_choices_are_there_after_a_restart_and_can_be_put_back(source: Path, tmp_path: Path) -> None:
    first = front_of(source.parent, tmp_path / "state")
    form = form_of(source, "nifti", scale_voxels="10", subjects=str(source.parent / "hotel.csv"))
    change(opened(first), first, "/command", form)
    (tmp_path / "state" / "choices.json").stat()
    second = front_of(source.parent, tmp_path / "state")
    client = opened(second)
    html = client.get(link("/make", source=source)).text
    assert 'name="shown" value="nifti"' in html
    assert "--scale-voxels=10" in html
    assert "--no-gzip" in html  # the box was not sent, so it was not ticked
    html = change(client, second, "/reset", form).text
    assert "--scale-voxels" not in html
    assert "--no-gzip" not in html
    assert "hotel.csv" in html  # of another page
    assert second.drafts.of(source).keys() == {"make", "subjects"}


def test_what_is_kept_is_bounded_private_and_survives_damage(source: Path, tmp_path: Path) -> None:
    front = front_of(source.parent, tmp_path / "state")
    for number in range(60):
        front.drafts.keep(Path(f"/s{number}"), {"weight": "1g"})
    kept = json.loads((tmp_path / "state" / "choices.json").read_text())
    assert list(kept) == [f"/s{number}" for number in range(20, 60)]
    other = front_of(source.parent, tmp_path / "state")
    other.drafts.keep(Path("/other"), {"weight": "2g"})
    front.drafts.keep(Path("/s59"), {"dose": "1MBq"})
    again = front_of(source.parent, tmp_path / "state")
    assert again.drafts.of(Path("/s59")) == {"weight": "1g", "dose": "1MBq"}
    assert again.drafts.of(Path("/other")) == {"weight": "2g"}
    for damage in ("[", "[1]", '{"/a": 1, "/b": {"x": 2}, "/c": {"x": "y"}}'):
        (tmp_path / "state" / "choices.json").write_text(damage)
        assert front_of(source.parent, tmp_path / "state").drafts.keys() <= {"/c"}
    if os.name != "nt":
        assert (tmp_path / "state").stat().st_mode & 0o077 == 0


def test_a_single_scan_has_no_fields_of_folders_and_is_made_beside_its_folder(client: TestClient, source: Path) -> None:
    html = client.get(link("/make", source=source / "m1.pet.img")).text
    assert 'name="only"' not in html
    assert 'name="recursive"' not in html
    assert f'value="{source.parent / "m1.pet-dicom"}"' in html


def test_a_place_that_is_filled_is_not_offered_again(source: Path, tmp_path: Path) -> None:
    study = tmp_path / "data" / "study"
    shutil.copytree(source, study)
    front = front_of(tmp_path / "data", tmp_path / "state")
    client = opened(front)

    def offered(make: str = "convert") -> str:
        found = re.search(r'name="output" value="([^"]*)"', client.get(link("/make", source=study, make=make)).text)
        return "" if found is None else str(Path(found[1]).relative_to(tmp_path / "data"))

    def fill(place: Path) -> None:
        place.mkdir()
        (place / "a").touch()

    assert offered() == "study-dicom"
    fill(tmp_path / "data" / "study-dicom")
    assert offered() == "study-dicom-2"
    names = {"mine": "mine-2", "mine-2": "mine-3", "week-12": "week-12-2"}
    for name, free in names.items():
        fill(tmp_path / "data" / name)
        given = form_of(study, "convert", output=str(tmp_path / "data" / name))
        change(client, front, "/command", given)
        assert offered() == free
    change(client, front, "/command", {**given, "overwrite": "yes"})
    assert offered() == "week-12"
    (tmp_path / "data" / "empty").mkdir()
    change(client, front, "/command", form_of(study, "convert", output=str(tmp_path / "data" / "empty")))
    assert offered() == "empty"
    for number in range(2, 1001):
        (tmp_path / "data" / f"study-{number}").touch()
    assert free_beside(study, is_file=False).name == "study-1001"
    (tmp_path / "data" / "m1.pet-curves.csv").touch()
    change(client, front, "/command", form_of(study, "curves", output=str(tmp_path / "data" / "m1.pet-curves.csv")))
    assert offered("curves") == "m1.pet-curves-2.csv"
    fill(tmp_path / "data" / "bids")  # which grows
    change(client, front, "/command", form_of(study, "bids", output=str(tmp_path / "data" / "bids")))
    assert offered("bids") == "bids"


def test_settings_of_the_folder_are_in_the_form_and_count_once(source: Path, tmp_path: Path) -> None:
    front = front_of(source.parent, tmp_path / "state")
    front.settings = lambda _: {"orientation": "HFS", "ct_prefix": "X-"}
    client = opened(front)
    html = client.get(link("/make", source=source)).text
    assert '<option value="HFS" selected>' in html
    assert "--posture=HFS" in html
    assert "--no-config" in html
    assert "--ct-prefix" not in client.get(link("/make", source=source, make="nifti")).text


@pytest.mark.parametrize("page", ["make", "batch"])
def test_settings_that_cannot_be_read_are_reported_on_the_page_and_left_aside_as_by_the_command(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    study = tmp_path / "data" / "study"
    shutil.copytree(source, study)
    (study / "inveon.toml").write_text('posture = "HFP"\nwieght = "2"\n', "utf-8")
    front = front_of(tmp_path / "data", tmp_path / "state")
    front.settings = app_command._settings
    client, job = opened(front), "convert" if page == "make" else "batch"
    monkeypatch.setattr(
        front.jobs, "start", lambda kind, *_, **given: Job("1", "", kind, "", "", fields=given["given"])
    )
    words = f"{study / 'inveon.toml'}:2: there is no setting 'wieght'"
    shown = client.get(link(f"/{page}", source=study))
    assert shown.status_code == 200
    assert words in html.unescape(shown.text)
    assert words in html.unescape(client.get(link("/look", source=study)).text)
    assert "no setting" in change(client, front, "/report", {"source": str(study)}).text
    given = form_of(study, job, output=str(tmp_path / "data" / "out"))
    command, start = ("/command", "/convert") if page == "make" else ("/batch/command", "/batch")

    def typed(form: dict[str, str]) -> list[str]:
        answer = change(client, front, command, form).text
        return shlex.split(html.unescape(answer.partition(">")[2].partition("</pre>")[0]))[1:]

    line = typed(given)
    refused = inveon(*line, "--dry-run")
    assert refused.exit_code != 0
    assert "no setting 'wieght'" in refused.stderr
    assert "no setting &#39;wieght" in change(client, front, start, given).text  # and so does the job
    left = {**given, "no_config": "yes"}
    assert typed(left) == [*line, "--no-config"]
    assert inveon(*typed(left), "--dry-run").exit_code == 0
    assert change(client, front, start, left).headers["hx-redirect"] == "/jobs/1"
    assert 'name="no_config" value="yes" checked' in client.get(link(f"/{page}", source=study)).text
    broken = front.settings
    front.settings = lambda _: {}  # mended, and broken another time
    typed(given)
    front.settings = broken
    assert 'name="no_config" value="yes" autocomplete' in client.get(link(f"/{page}", source=study)).text


@pytest.mark.parametrize("page", ["make", "batch"])
def test_settings_that_change_after_a_form_was_seen_count_until_something_else_is_chosen(
    source: Path, tmp_path: Path, page: str
) -> None:
    front = front_of(source.parent, tmp_path / "state")
    settings: dict[str, str] = {}
    front.settings = lambda _: settings
    client, seen = opened(front), "/command" if page == "make" else "/batch/command"

    def posture(posts: str | None) -> list[str]:
        if posts is not None:
            change(client, front, seen, form_of(source, "convert" if page == "make" else "batch", orientation=posts))
        return re.findall(r'<option value="(\w\w\w)" selected>', client.get(link(f"/{page}", source=source)).text)

    assert posture("") == []
    settings["orientation"] = "HFS"
    assert posture(None) == ["HFS"]
    assert posture("HFS") == ["HFS"]
    settings["orientation"] = "FFP"
    assert posture(None) == ["FFP"]
    assert posture("HFP") == ["HFP"]
    settings["orientation"] = "HFS"
    assert posture(None) == ["HFP"]  # which somebody chose
    assert posture("") == []  # likewise


def test_a_sheet_that_is_saved_after_the_form_of_studies_was_seen_is_in_it(source: Path, tmp_path: Path) -> None:
    front = front_of(source.parent, tmp_path / "state")
    client = opened(front)
    change(client, front, "/batch/command", form_of(source, "batch"))
    front.drafts.keep(source, {"subjects": str(source.parent / "hotel.csv")})
    assert f'value="{source.parent / "hotel.csv"}"' in client.get(link("/batch", source=source)).text


def test_reports_and_cards_have_the_posture_of_the_settings(front: Front, source: Path) -> None:
    assert options_kept(front, source) is None
    front.settings = lambda _: {"orientation": "HFS", "ct_prefix": "X-"}
    assert options_kept(front, source).shown == Corrections(orientation="HFS").shown
    front.drafts.keep(source, {"orientation": "FFP"})
    assert options_kept(front, source).shown == Corrections(orientation="FFP").shown


@pytest.mark.parametrize("field", [each.name for each in FIELDS.values() if each.is_path] + ["output"])
def test_files_elsewhere_are_neither_read_nor_written(
    client: TestClient, front: Front, source: Path, tmp_path: Path, field: str
) -> None:
    product = next(each for each in PRODUCTS if field in {*(one.name for one in each.fields), "output"})
    given = form_of(source, product.name, output=str(source.parent / "new"), deidentify="yes", hottest="3")
    for path in ("/convert", "/preview", "/command"):
        answer = change(client, front, path, given | {field: str(tmp_path / "secret")})
        assert "is not in a folder that the app may open" in answer.text
        assert f'data-field="{field}"' in answer.text
    assert front.jobs.all == []


# Each kind, once.


def run(front: Front, form: dict[str, str]) -> dict[str, Any]:
    """Do in this process what the form asks for, after it was shown; return the result."""
    asked = _Asked(front, form)
    task = asked.task()
    shown = preview_of(asked.product.name, task)
    assert all(len(row) == len(shown.titles) for row in shown.rows)
    assert shown.rows
    assert not os.path.lexists(asked.output)
    found = KINDS[asked.product.name](task, JobStatus(lambda *_: None))
    assert json.loads(json.dumps(found)) == found  # as the job's file has it
    return found


def rows_of(found: dict[str, Any]) -> list[list[str]]:
    rows: list[list[str]] = found["made"]["rows"]
    assert all(len(each) == len(found["made"]["titles"]) for each in rows)
    return rows


def test_nifti_of_a_scan_that_was_chosen_is_what_nibabel_reads(front: Front, source: Path, tmp_path: Path) -> None:
    output = source.parent / "made nifti"
    found = run(front, form_of(source, "nifti", output=str(output), only="m1.pet.img", gzip="", reorient="RAS"))
    files = sorted(path.name for path in output.iterdir())
    assert sorted(name for name, _ in rows_of(found)) == files
    (path,) = output.glob("*.nii")
    image: Any = nibabel.load(path)
    assert nibabel.aff2axcodes(image.affine) == ("R", "A", "S")
    true = inveonimaging.read(source / "m1.pet.img")
    assert float(np.asarray(image.dataobj).sum()) == pytest.approx(
        sum(true.values(n).sum() for n in range(2)), rel=1e-5
    )
    assert found["failures"] == []
    assert tmp_path.exists()


@WITH_ZARR
def test_a_zarr_store_has_the_values(front: Front, source: Path) -> None:
    import zarr

    output = source.parent / "made zarr"
    found = run(front, form_of(source, "zarr", output=str(output), only="m1.ct.img", ome_version="0.4"))
    ((name, folder),) = rows_of(found)
    store: Any = zarr.open(Path(folder, name), mode="r")
    finest = store["0"][:]
    true = inveonimaging.read(source / "m1.ct.img").values(0)
    assert sorted(finest.shape) == sorted(true.shape)
    assert float(finest.sum()) == pytest.approx(float(true.sum()), rel=1e-6)


def test_a_bids_data_set_names_its_animal_and_how_the_tracer_was_given(front: Front, source: Path) -> None:
    output = source.parent / "made bids"
    found = run(front, form_of(source, "bids", output=str(output), administration="bolus", patient_id="M7"))
    assert (output / "participants.tsv").read_text("utf-8").splitlines()[1].split("\t")[0] == "sub-M7"
    (sidecar,) = output.rglob("*_pet.json")
    assert json.loads(sidecar.read_text("utf-8"))["ModeOfAdministration"] == "bolus"
    assert [str(sidecar.relative_to(output)), "new"] in rows_of(found)


def test_a_report_is_written_where_it_was_asked_for(front: Front, source: Path, blank: None) -> None:
    output, pictures = source.parent / "made.html", source.parent / "pictures"
    found = run(front, form_of(source, "page", output=str(output), png=str(pictures)))
    assert found["report"] == str(output)
    assert output.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert {name for name, _ in rows_of(found)} == {"made.html", *(path.name for path in pictures.iterdir())}
    assert blank is None


def test_curves_are_measured_into_each_file(front: Front, source: Path) -> None:
    output = source.parent / "made.csv"
    more = str(source.parent / "made.tac")
    given = {"hottest": "9", "sphere": "box=0,0,0,20", "more_outputs": more, "series": "2"}
    found = run(front, form_of(source, "curves", output=str(output), **given))
    assert found["files"] == [str(output), more]
    assert [row[0] for row in rows_of(found)] == ["box", "hottest"]
    assert len(output.read_text("utf-8").splitlines()) == 1 + 2 * 2  # two regions, two frames


def hotel_form(source: Path, output: Path, **given: str) -> dict[str, str]:
    root = source.parent
    sheet, boxes = str(root / "hotel.csv"), str(root / "boxes.json")
    return form_of(source, "split", output=str(output), subjects=sheet, boxes=boxes, **given)


def test_each_animal_becomes_a_study_which_is_verified(front: Front, source: Path) -> None:
    output = source.parent / "made animals"
    found = run(front, hotel_form(source, output, manifest="yes", verify="yes"))
    assert sorted(path.name for path in output.iterdir()) == ["m12", "m13"]
    assert found["verified"] is True
    assert found["planes"] > 0
    assert {each["class"] for each in found["series"]} == {"CT Image", "PET Image"}
    assert inveonimaging.check(output / "m12").kind.value == "dicom"


def test_each_animal_becomes_files_as_the_scanner_writes(front: Front, source: Path) -> None:
    output = source.parent / "made pairs"
    found = run(front, hotel_form(source, output, form="inveon", verify="yes", report="yes", manifest="yes"))
    assert [name for name, _ in rows_of(found)] == ["m1.ct.img", "m1.pet.img"] * 2
    assert inveonimaging.read(output / "m12" / "inveon" / "m1.ct.img").header.subject.identifier == "m12"
    assert "verified" not in found
    with pytest.raises(OptionError, match="--compress is for DICOM, and no DICOM is written"):
        _Asked(front, hotel_form(source, output, form="inveon", manifest="yes", compress="rle")).task()


def test_what_cannot_be_masked_and_compared_is_refused(front: Front, source: Path) -> None:
    form = hotel_form(source, source.parent / "masked", mask_others="yes", verify="yes", manifest="") | {"boxes": ""}
    with pytest.raises(OptionError, match="the manifest says what is masked"):
        preview_of("split", _Asked(front, form).task())


def test_sub_folders_become_a_study_each_and_a_bad_one_is_reported(front: Front, source: Path, tmp_path: Path) -> None:
    root = source.parent / "archive"
    shutil.copytree(source, root / "good")
    (root / "bad").mkdir()
    (root / "bad" / "a.img").write_bytes(b"x")
    shutil.copy(source / "m1.ct.img.hdr", root / "bad" / "a.img.hdr")
    output = source.parent / "made many"
    found = run(front, form_of(root, "nifti", output=str(output), recursive="yes"))
    assert {Path(folder).name for _, folder in rows_of(found)} == {"good"}
    (failure,) = found["failures"]
    assert failure["source"].endswith("bad")
    assert "--" not in failure["error"]
    assert tmp_path.exists()


def test_the_result_of_each_kind_says_what_lies_where(client: TestClient, front: Front, source: Path) -> None:
    made = {"titles": ["File", "Folder"], "rows": [["<b>.nii", "/data/out"]], "more": 3}
    failures = [{"source": "/data/bad", "error": "is bad"}]
    result = {"output": "/data/out", "made": made, "failures": failures, "findings": []}
    job = Job("3" * 32, "x", "nifti", "t", str(source), "/data/out", state="done", result=result)
    front.jobs._jobs[job.id] = job
    html = client.get(f"/jobs/{job.id}").text
    for words in (
        "&lt;b&gt;.nii",
        "And 3 more.",
        "Not written",
        "/data/bad: is bad",
        "Open folder",
        "done, but not all",
    ):
        assert words in html


def test_a_bit_that_changes_before_the_comparison_is_reported_and_nothing_is_verified(
    client: TestClient, front: Front, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = afterwards.verify_converted

    def spoiled(studies: Any, *given: Any) -> Any:
        path = Path(studies[0].output, "1", "CT-000002.dcm")
        held = bytearray(path.read_bytes())
        held[-1] ^= 1  # of the last voxel
        path.write_bytes(held)
        return true(studies, *given)

    monkeypatch.setattr(afterwards, "verify_converted", spoiled)
    monkeypatch.setattr(makes, "MOST_LISTED", 1)
    output = source.parent / "made and spoiled"
    found = run(front, form_of(source, "convert", output=str(output), verify="yes", manifest="yes", report=""))
    assert (found["verified"], found["planes"], found["more_series"]) == (False, 3 + 2 * 2, 1)
    ((difference,), more) = found["differences"], found["more_differences"]
    assert difference.startswith("1/CT-000002.dcm: voxels of 1 plane differ; up to 256 HU away")
    reported = json.loads(inveon("verify", source, output, "--json").stdout)
    series = [each for study in reported["studies"] for each in study["series"]]
    assert sum(each["planes"] for each in series) == found["planes"]
    assert sum(len(each["differences"]) for each in series) == 1 + more
    front.jobs._jobs["4" * 32] = Job(
        "4" * 32, "x", "convert", "t", str(source), str(output), state="done", result=found
    )
    html = client.get(f"/jobs/{'4' * 32}").text
    assert "done, but differs" in html
    assert "CT-000002.dcm" in html
    assert "no difference" not in html
    assert "And 1 more." in html


def test_what_was_not_compared_is_reported_beside_what_was(client: TestClient, front: Front, source: Path) -> None:
    output = source.parent / "made with its sheet"
    sheet = source.parent / "weights.csv"
    sheet.write_text("file,weight_g\n*,25\n", "utf-8")
    form = form_of(source, "convert", output=str(output), verify="yes", subjects=str(sheet), flip="x", report="")
    found = run(front, form)
    assert found["verified"] is True
    spoken = inveon("verify", source, output, "--subjects", sheet, "--flip", "x")
    for note in re.findall(r"^note: (.*)$", spoken.output, re.MULTILINE):
        assert note in found["compared"]
    assert found["compared"][0].startswith("compared with these corrections: ")
    front.jobs._jobs["5" * 32] = Job(
        "5" * 32, "x", "convert", "t", str(source), str(output), state="done", result=found
    )
    assert "compared with these corrections: " in client.get(f"/jobs/{'5' * 32}").text


def test_a_job_is_started_with_all_that_does_it_again(
    client: TestClient, front: Front, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, dict[str, Any]]] = []

    def start(kind: str, task: dict[str, Any], **how: Any) -> Job:
        started.append((kind, task))
        job = Job(str(len(started)) * 32, "x", kind, how["title"], str(how["source"]), how["output"], how["given"])
        front.jobs._jobs[job.id] = job
        return job

    monkeypatch.setattr(front.jobs, "start", start)
    output = source.parent / "new.csv"
    answer = change(client, front, "/convert", form_of(source, "curves", output=str(output), hottest="3"))
    assert answer.headers["hx-redirect"] == f"/jobs/{'1' * 32}"
    job = front.jobs.get("1" * 32)
    assert job is not None
    assert (job.title, job.output) == ("Curves of data/study", str(source.parent))
    change(client, front, f"/jobs/{job.id}/again")
    (kind, task), (again, same) = started
    assert (kind, task["outputs"]) == (again, same["outputs"]) == ("curves", [output])
    assert vars(task["options"]) == vars(same["options"])


# Page 2 ticks scans for it.


def test_scans_that_are_ticked_alone_are_made(client: TestClient, front: Front, source: Path) -> None:
    page = link("/look", source=source)
    assert client.get(page).text.count('name="taken"') == 2
    assert 'aria-label="Select m1.pet.img"' in client.get(page).text
    assert " checked" not in client.get(page).text
    html = change(client, front, "/only", {"source": str(source), "name": "m1.pet.img", "taken": "yes"}).text
    assert "Make DICOM of 1 scan<" in html
    assert client.get(page).text.count(" checked") == 1
    assert "--only=m1.pet.img" in client.get(link("/make", source=source)).text
    assert "Make DICOM of 1 scan<" in client.get(page).text
    html = client.get(link("/card", scan=source / "m1.ct.img")).text  # one that is not ticked is shown all the same
    assert "holds no scan" not in html
    change(client, front, "/only", {"source": str(source), "name": "m2.img", "taken": "yes"})  # not there
    html = change(client, front, "/only", {"source": str(source), "name": "m1.pet.img"}).text
    assert "Make DICOM of 2 scans<" in html
    assert "--only" not in client.get(link("/make", source=source)).text


def test_what_is_of_activity_is_not_offered_for_ct_alone(
    client: TestClient, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choices, "find_spec", lambda name: name)
    html = client.get(link("/make", source=source / "m1.ct.img", make="curves")).text
    assert html.count(" disabled") == html.count("There is no PET or SPECT here.") == 2
    assert 'value="convert" checked' in html
    assert " disabled" not in client.get(link("/make", source=source / "m1.pet.img")).text


@pytest.mark.parametrize(("product", "field"), [("split", "preview"), ("page", "png"), ("curves", "more_outputs")])
def test_nothing_at_all_is_written_into_the_folder_that_is_read(
    client: TestClient, front: Front, source: Path, product: str, field: str
) -> None:
    form = form_of(
        source, product, output=str(source.parent / "new.csv"), hottest="3", **{field: str(source / "x.csv")}
    )
    html = change(client, front, "/convert", form).text
    assert "is inside the folder that is read" in html
    assert f'data-field="{field}"' in html
    assert front.jobs.all == []
    assert len(FIELDS) - len([each for each in FIELDS.values() if not each.is_written]) == 3


HOSTILE = """"'><img src=x onerror=alert(1)>"""


def test_what_is_sent_and_kept_is_inert_and_what_makes_no_sense_is_as_if_it_were_not_there(
    client: TestClient, front: Front, source: Path
) -> None:
    """Any text in any field, on each page; of choices and boxes only those that there are."""
    form = {each.name: HOSTILE for each in FIELDS.values()} | {"output": HOSTILE}
    for product in PRODUCTS:
        for path in ("/reset", "/command", "/preview", "/convert"):
            answer = change(client, front, path, form_of(source, product.name, **form))
            assert answer.status_code == 200
            assert "<img src=x" not in answer.text
        change(client, front, "/making", {**form_of(source, HOSTILE, **form), "shown": HOSTILE})
        html = client.get(link("/make", source=source, make=product.name)).text
        assert "<img src=x" not in html
        assert "alert(1)" in html
        kept = front.drafts.of(source)
        assert {kept.get(each.name, each.first) for each in product.fields if each.choices} <= {
            value for each in product.fields for value, _ in each.choices
        }
    assert front.jobs.all == []


@pytest.mark.parametrize(
    ("product", "name"),
    [
        ("convert", "x"),
        ("nifti", "m1.pet.json"),
        pytest.param("zarr", "m1.ct.ome.zarr", marks=WITH_ZARR),
        ("page", ""),
        ("curves", ""),
    ],
)
def test_what_is_there_is_refused_and_the_box_that_replaces_it_is_shown(
    client: TestClient, front: Front, source: Path, tmp_path: Path, product: str, name: str
) -> None:
    output = source.parent / f"{tmp_path.name}-there.csv"
    there = output / name if name else output
    there.parent.mkdir(exist_ok=True)
    there.touch()
    form = form_of(source, product, output=str(output), hottest="3")
    html = change(client, front, "/convert", form).text
    assert "“Replace what an earlier run wrote there”" in html
    assert 'data-field="overwrite" data-goes' in html
    assert "--" not in html
    assert front.jobs.all == []
    assert there.stat().st_size == 0
