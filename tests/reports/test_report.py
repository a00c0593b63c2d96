"""The page in a real browser, the files that the commands write, and what they refuse."""

from __future__ import annotations

import base64
import csv
import json
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

import inveonimaging
from browser import WAIT_S, browser, console, opened, resize
from helpers import PET, assert_one_line_error, digests, inveon, write_small_study
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.inveon.hdr.values import User
from inveonimaging.phantom import CT_SCAN, SPECT_SCAN, frames_of, write_scan
from inveonimaging.reports.contents import contents_of
from inveonimaging.reports.page import html_of, write_report
from inveonimaging.study.reading import read_study
from inveonimaging.study.suv import suv_factor

pytestmark = pytest.mark.faults

__all__ = ["browser"]  # the fixture

NOW = datetime(2026, 1, 2, 3, 4, 5)
PICTURES = sorted(
    [
        *(f"1-m1.ct.img-{name}.png" for name in ("histogram", "mip", "slices")),
        *(f"2-m1.pet.img-{name}.png" for name in ("curves", "frames", "mip", "on-ct", "on-ct-mip", "slices")),
    ]
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def page(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(contents_of(read_study(study), NOW), tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture
def shown(browser: Chrome, page: Path) -> Chrome:
    """Return the browser with the page, which is opened for the first of the tests that only look at it."""
    if browser.current_url != page.resolve().as_uri():
        opened(browser, page)
    console(browser)
    return browser


blank_pictures = pytest.mark.usefixtures("blank")


# In the browser.


def test_the_page_opens_with_all_its_pictures_and_says_nothing(browser: Chrome, page: Path) -> None:
    assert opened(browser, page) == []
    images = browser.find_elements(By.TAG_NAME, "img")
    assert len(images) == len(PICTURES)
    for image in images:
        assert image.get_property("naturalWidth") == int(image.get_dom_attribute("width") or 0) > 100
        assert image.get_dom_attribute("alt")


def test_the_page_asks_for_nothing(shown: Chrome) -> None:
    loaded = shown.execute_script("return performance.getEntriesByType('resource').map((each) => each.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []
    printed = shown.execute_async_script(
        "const done = arguments[0]; fetch('http://127.0.0.1:9/').then(() => done('asked'), (e) => done(e.message))"
    )
    assert "fetch" in printed.lower()
    blocked = [line["message"] for line in console(shown)]
    assert any("Content Security Policy" in line for line in blocked)


def test_the_page_gives_its_curves_as_a_file(shown: Chrome, study: Path, tmp_path: Path) -> None:
    """Under its own policy, without a network: what the link holds is the table of `inveon curves`."""
    behaviour = {"behavior": "allow", "downloadPath": str(tmp_path), "eventsEnabled": False}
    shown.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    (link,) = shown.find_elements(By.CSS_SELECTOR, "figure.curves a[download]")
    assert link.text == "Download the curves (.csv)"
    shown.execute_script("arguments[0].click()", link)
    WebDriverWait(shown, WAIT_S, 0.05).until(lambda _: (tmp_path / "curves-2.csv").exists())
    assert console(shown) == []
    rows = list(csv.DictReader((tmp_path / "curves-2.csv").read_text("utf-8").splitlines()))
    assert [(row["region"], row["frame"]) for row in rows] == [
        *(("field of view", "0"), ("field of view", "1")),
        *(("hottest region", "0"), ("hottest region", "1")),
    ]
    image = inveonimaging.read(study / "m1.pet.img")
    box = inveonimaging.survey_of(image).hottest
    assert box is not None
    for row, frame in zip(rows[2:], (0, 1), strict=True):
        values = image.values(frame)[box.box].astype(float)
        assert float(row["mean"]) == pytest.approx(values.mean(), rel=1e-6)
        assert float(row["max"]) == pytest.approx(values.max(), rel=1e-6)
        assert float(row["suv_mean"]) == pytest.approx(values.mean() * suv_factor(image), rel=1e-6)
    assert float(rows[1]["mean"]) == pytest.approx(image.values(1).mean(dtype=float), rel=1e-6)
    assert (rows[1]["sd"], rows[1]["suv_mean"], rows[1]["voxels"]) == ("", "", str(8 * 7 * 6))


def test_the_page_says_what_to_judge(shown: Chrome) -> None:
    text = shown.find_element(By.TAG_NAME, "main").text
    for message in ("M0042", "24.6 g", "F-18 FDG", "7.03 MBq", "30 s before the start", "Head first, prone", "Bq/mL"):
        assert message in text, message
    drawing = shown.find_element(By.CSS_SELECTOR, "svg.posture")
    assert drawing.size["width"] > 200
    rows = shown.find_elements(By.CSS_SELECTOR, "#series-2 table.numbers tbody tr")
    assert [row.text.split()[0] for row in rows] == ["0", "1"]


def test_search_finds_keys_values_and_lines(shown: Chrome, study: Path) -> None:
    field = shown.find_element(By.ID, "search")
    found = shown.find_element(By.ID, "found")
    rows = "details.header tbody tr:not([hidden])"
    everything = len(shown.find_elements(By.CSS_SELECTOR, rows))

    def searched() -> None:
        """Wait until the page has searched, a while after the last key; its timers end in their order."""
        shown.execute_async_script("setTimeout(arguments[0], 300)")

    def search(words: str) -> list[str]:
        field.clear()
        field.send_keys(words)
        searched()
        found: list[str] = shown.execute_script(
            "return Array.from(document.querySelectorAll(arguments[0]), (row) => row.innerText)", rows
        )
        return found

    (injected,) = search("injection_time")
    number = next(
        number
        for number, line in enumerate((study / "m1.pet.img.hdr").read_text("utf-8").splitlines(), 1)
        if line.startswith("injection_time ")
    )
    assert injected.split() == [str(number), "main", "injection_time", "Tue", "Jun", "17", "13:51:37", "2014"]
    assert found.text == "1 line"
    assert search("INVEON MM platform") == [row for row in search("model 5001") if "Inveon MM Platform" in row] != []
    assert [row.split()[1:-1] for row in search("decay_correction")[-2:]] == [
        ["frame", "0", "decay_correction"],
        ["frame", "1", "decay_correction"],
    ]
    assert search("no such thing") == []
    assert found.text == "0 lines"
    field.clear()
    field.send_keys(" ")
    searched()
    assert len(shown.find_elements(By.CSS_SELECTOR, rows)) == everything > 150


def test_every_key_of_the_headers_is_in_the_page(shown: Chrome, study: Path) -> None:
    for number, name in enumerate(("m1.ct.img.hdr", "m1.pet.img.hdr")):
        lines = (study / name).read_text("utf-8").splitlines()
        expected = [
            [str(line), *[*text.split(None, 1), ""][:2]]
            for line, text in enumerate(lines, 1)
            if text and not text.startswith("#") and text != "end_of_header"
        ]
        cells = shown.execute_script(
            "return document.querySelectorAll('details.header')[arguments[0]].querySelectorAll('tbody tr').values()"
            ".map((row) => [0, 2, 3].map((n) => row.cells[n].textContent)).toArray()",
            number,
        )
        assert [[line, key, value.strip()] for line, key, value in cells] == [
            [line, key, value.strip()] for line, key, value in expected
        ]


HOSTILE = {
    "script": "<script>document.title = window.owned = 'script'</script>",
    "image": "\"'><img src=x onerror=\"window.owned='image'\">",
    "style": "</style></title></textarea><svg onload=window.owned='svg'>",
    "address": "javascript:window.owned='address'",
    "template": "{{ 7 * 7 }}{% raw %}${7*7}",
    "comment": "--><!-- ]]> &lt;script&gt; &#x3c;",
    "control": "a\x1b[31mred\x07\x9b2J\u2028\u202egnp.exe",
    "maths": r"$\frac{1}{$ \n ^_%",
}


def hostile(header: Header) -> Header:
    texts = HOSTILE
    return replace(
        header,
        study=texts["script"],
        institution=texts["address"],
        file_name=texts["image"],
        manufacturer=texts["maths"],
        subject=replace(header.subject, identifier=texts["image"], genus=texts["style"], sex=texts["script"]),
        tracer=replace(header.tracer, compound=texts["style"], isotope=texts["template"]),
        acquisition=replace(header.acquisition, investigator=texts["comment"], notes=texts["control"]),
        user=(User("<script>alert(1)</script>", texts["image"]),),
    )


@blank_pictures
def test_hostile_headers_are_inert_and_shown_as_they_are(browser: Chrome, tmp_path: Path) -> None:
    write_scan(tmp_path / "<img src=x onerror=alert(1)>.img", PET, change=hostile)
    page = write_report(contents_of(read_study(tmp_path), NOW), tmp_path / "report.html")
    assert opened(browser, page) == []
    assert browser.execute_script("return window.owned") is None
    assert browser.title == f"{HOSTILE['image']}: {HOSTILE['script']}"
    scripts = browser.find_elements(By.TAG_NAME, "script")
    assert len(scripts) == 1
    attributes = browser.execute_script(
        "return [...document.querySelectorAll('*')]"
        ".flatMap((each) => [...each.attributes].map((own) => own.name + '=' + own.value))"
    )
    assert [each for each in attributes if each.startswith("on")] == []
    addresses = [each for each in attributes if re.match(r"(src|href|action|style)=", each)]
    assert [
        each
        for each in addresses
        if not each.startswith(("src=data:image/png;base64,", "href=#series-", "href=data:text/csv;"))
    ] == []
    text = browser.execute_script("return document.querySelector('#headers').textContent")
    for name in ("script", "image", "style", "address", "template", "comment", "maths"):
        assert HOSTILE[name] in text, name
    assert r"a\x1b[31mred\x07\x9b2J\u2028\u202egnp.exe" in text
    assert not set(browser.execute_script("return document.documentElement.textContent")) & set(
        "\x1b\x07\x9b\u202e\u2028"
    )


def test_even_without_escaping_nothing_would_run(browser: Chrome, page: Path, tmp_path: Path) -> None:
    """The page's policy is a wall of its own: markup that is put into it by hand does nothing."""
    broken = tmp_path / "broken.html"
    attack = "<script>window.owned = 1</script><img src=x onerror='window.owned = 2'><h1 style='color: red'>"
    broken.write_text(page.read_text("utf-8").replace("<main>", f"<main>{attack}"), "utf-8")
    lines = opened(browser, broken)
    assert browser.execute_script("return window.owned") is None
    assert len([line for line in lines if "Content Security Policy" in line["message"]]) >= 3


def test_it_prints_in_pages_with_dark_pictures(shown: Chrome) -> None:
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        display = shown.execute_script("return getComputedStyle(document.querySelector('.search')).display")
        exact = shown.execute_script("return getComputedStyle(document.querySelector('img')).printColorAdjust")
    finally:
        shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert (display, exact) == ("none", "exact")


def test_printed_numbers_are_whole_and_pages_are_full(shown: Chrome) -> None:
    size = shown.get_window_size()
    resize(shown, 703, 1000)  # A4 between margins of 12 mm, px of 1/96 inch
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        broken = shown.execute_script(
            """
            const inLines = (node) => {
              const range = document.createRange();
              range.selectNodeContents(node);
              return new Set(Array.from(range.getClientRects(), (box) => Math.round(box.top))).size;
            };
            const cells = document.querySelectorAll("table.numbers td, .glance td:nth-child(4), td.where");
            const broken = Array.from(cells).filter((each) => inLines(each) > 1);
            return [cells.length, broken.map((each) => each.textContent)];
            """
        )
        wide = shown.execute_script("return document.documentElement.scrollWidth")
        side_by_side = shown.execute_script(
            "return Array.from(document.querySelectorAll('#series-2 figure')).slice(0, 2)"
            ".map((each) => each.getBoundingClientRect().top)"
        )
        asked = {"printBackground": True, "preferCSSPageSize": True, "paperWidth": 8.27, "paperHeight": 11.69}
        printed = base64.b64decode(shown.execute_cdp_cmd("Page.printToPDF", asked)["data"])
    finally:
        shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        resize(shown, size["width"], size["height"])
    assert broken[0] > 20
    assert broken[1] == []
    assert wide <= 703
    assert side_by_side[0] == side_by_side[1]
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 3  # one more if each series began a page


def test_where_a_value_is_in_the_file_is_a_tooltip(shown: Chrome, study: Path) -> None:
    weight = shown.find_element(By.XPATH, "//dt[.='Weight']/following-sibling::dd/span")
    lines = (study / "m1.ct.img.hdr").read_text("utf-8").splitlines()
    number = next(number for number, line in enumerate(lines, 1) if line.startswith("subject_weight "))
    assert (weight.text, weight.get_dom_attribute("title")) == ("24.6 g", f"m1.ct.img.hdr:{number}")
    assert ".hdr" not in shown.find_element(By.CSS_SELECTOR, ".glance dl").text
    links = shown.find_elements(By.CSS_SELECTOR, "#findings td.where a")
    assert links
    for link in links:
        assert link.text.startswith("series ")
        assert re.fullmatch(r"m1\.(ct|pet)\.img\.hdr line \d+", str(link.get_dom_attribute("title")))


def test_a_narrow_window_needs_no_scrolling_sideways(shown: Chrome) -> None:
    size = shown.get_window_size()
    resize(shown, 520, 900)
    try:
        wide, window = shown.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    finally:
        resize(shown, size["width"], size["height"])
    assert wide <= window


# What the page says.


@blank_pictures
def test_findings_show_the_most_severe_first_with_their_remedy(tmp_path: Path) -> None:
    write_scan(tmp_path / "a.img", replace(PET, orientation=Orientation.UNKNOWN))
    page = html_of(contents_of(read_study(tmp_path), NOW))
    severities = re.findall(r'<tr><td><span class="badge (\w+)">', page)
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    row = re.search(r"<tr>(?:(?!</tr>).)*<code>orientation-unknown</code>.*?</tr>", page, re.DOTALL)
    assert row
    assert "--orientation with the true posture" in row[0]
    assert "a.img.hdr line" in row[0]
    assert "not known; taken as feet first, supine" in page


@blank_pictures
def test_what_matters_and_is_missing_is_reported(tmp_path: Path) -> None:
    def without(header: Header) -> Header:
        tracer = replace(header.tracer, dose=None, injection_time=None)
        return replace(header, tracer=tracer, subject=replace(header.subject, weight=None))

    write_scan(tmp_path / "a.img", PET, change=without)
    page = html_of(contents_of(read_study(tmp_path), NOW))
    absent = re.findall(r'<dt>([^<]+)</dt>\s*<dd class="absent">not given', page)
    assert {"Weight", "Dose", "Injected", "SUV of 1 kBq/mL"} <= set(absent)


@pytest.mark.parametrize(
    ("scan", "expected", "is_drawn"),
    [
        (replace(PET, frames=frames_of(600), gates=3), ["slices", "mip", "frames"], True),
        (replace(PET, frames=frames_of(600), mu_map=True), ["slices", "mip"], False),
        (replace(SPECT_SCAN, shape=(8, 7, 6), spacing_mm=(4, 4, 9)), ["slices", "mip"], True),
        (replace(PET, frames=frames_of(600), beds=(312.5, 345.25)), ["slices", "mip"] * 2, False),
        (replace(CT_SCAN, shape=(8, 7, 6), spacing_mm=(4, 4, 9)), ["slices", "mip", "histogram"], False),
    ],
    ids=["gated", "mu map", "SPECT", "two beds", "CT"],
)
def test_every_kind_of_scan_has_its_pictures(
    request: pytest.FixtureRequest, tmp_path: Path, scan: object, expected: list[str], is_drawn: bool
) -> None:
    if not is_drawn:
        request.getfixturevalue("blank")
    write_scan(tmp_path / "a.img", scan)  # type: ignore[arg-type]
    page = html_of(contents_of(read_study(tmp_path), NOW))
    assert re.findall(r'<figure class="([\w-]+)">', page) == expected


def test_the_same_input_gives_the_same_page(study: Path, page: Path) -> None:
    is_same = html_of(contents_of(read_study(study), NOW)).encode() == page.read_bytes()
    assert is_same


@blank_pictures
def test_a_pair_that_cannot_be_read_is_reported_and_the_others_are_shown(tmp_path: Path) -> None:
    write_small_study(tmp_path)
    (tmp_path / "m1.pet.img").write_bytes(b"short")
    done = inveon("report", tmp_path, "-o", tmp_path / "report.html")
    assert done.exit_code == 1
    assert "error: " in done.stderr
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "the file has 5 bytes" in page
    assert re.findall(r'<figure class="([\w-]+)">', page) == ["slices", "mip", "histogram"]


# The commands.


@blank_pictures
def test_report_writes_the_page_and_shows_its_name(study: Path, tmp_path: Path) -> None:
    done = inveon("report", study, "-o", tmp_path / "a.html")
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'a.html'}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]
    assert done.stderr.startswith("note: ")


@blank_pictures
def test_report_has_a_usual_name(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert inveon("report", study / "m1.ct.img").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@blank_pictures
def test_nothing_is_overwritten_unasked(study: Path, tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text("mine", "utf-8")
    done = inveon("report", study, "-o", page)
    line = assert_one_line_error(done.exit_code, done.stdout, done.stderr)
    assert "exists already" in line
    assert page.read_text("utf-8") == "mine"
    assert inveon("report", study, "-o", page, "--overwrite").exit_code == 0
    assert "M0042" in page.read_text("utf-8")


@blank_pictures
def test_png_writes_the_single_pictures_and_no_page(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = inveon("report", study, "--png", "pictures")
    assert done.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == PICTURES
    assert done.stdout.splitlines() == [str(Path("pictures", name)) for name in sorted(PICTURES, key=_in_page)]
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]
    kept = (tmp_path / "pictures" / PICTURES[0]).read_bytes()
    assert kept.startswith(b"\x89PNG")


def _in_page(name: str) -> tuple[str, int]:
    order = ["slices", "mip", "on-ct", "on-ct-mip", "curves", "frames", "histogram"]
    return name[0], order.index(name.split(".img-")[1].removesuffix(".png"))


@blank_pictures
def test_png_replaces_nothing_unasked_and_writes_all_or_nothing(study: Path, tmp_path: Path) -> None:
    (tmp_path / PICTURES[-1]).write_text("mine", "utf-8")
    done = inveon("report", study, "--png", tmp_path)
    assert_one_line_error(done.exit_code, done.stdout, done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == [PICTURES[-1]]
    assert inveon("report", study, "--png", tmp_path, "--overwrite").exit_code == 0
    assert (tmp_path / PICTURES[-1]).read_bytes().startswith(b"\x89PNG")


@blank_pictures
def test_names_of_files_do_not_lead_elsewhere(tmp_path: Path) -> None:
    write_scan(tmp_path / "a b;$(c) ö.img", replace(PET, frames=frames_of(60)))
    assert inveon("report", tmp_path, "--png", tmp_path / "out").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"1-a_b_c_.img-{name}.png" for name in ("mip", "slices")
    ]


@blank_pictures
def test_an_override_turns_the_pictures(tmp_path: Path) -> None:
    write_scan(tmp_path / "a.img", replace(PET, frames=frames_of(60)))
    inveon("report", tmp_path, "-o", tmp_path / "a.html", "--orientation", "FFS", "--flip", "x")
    page = (tmp_path / "a.html").read_text("utf-8")
    assert "Feet first, supine; stored x mirrored by --flip" in page


@pytest.mark.parametrize("arguments", [["nothing.img"], ["."]], ids=["no file", "empty folder"])
def test_nothing_to_show_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    done = inveon("report", *arguments)
    assert_one_line_error(done.exit_code, done.stdout, done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_no_folder_to_write_to_is_an_error(study: Path, tmp_path: Path) -> None:
    done = inveon("report", study, "-o", tmp_path / "none" / "a.html")
    assert_one_line_error(done.exit_code, done.stdout, done.stderr)


# Beside a study.


@pytest.fixture
def converted(study: Path, tmp_path: Path) -> Path:
    done = inveon("convert", study, tmp_path / "dicom", "--report")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == str(tmp_path / "dicom" / "report.html")
    return tmp_path / "dicom"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@blank_pictures
def test_convert_writes_the_report_beside_the_series(converted: Path) -> None:
    assert names(converted) == ["1", "2", "inveon-manifest.json", "report.html"]
    page = (converted / "report.html").read_text("utf-8")
    assert len(re.findall("<figure", page)) == len(PICTURES)
    assert "M0042" in page


@blank_pictures
def test_overwrite_replaces_the_report(study: Path, converted: Path) -> None:
    done = inveon("convert", study, converted, "--overwrite", "--report", "--orientation", "FFS")
    assert done.exit_code == 0
    assert names(converted) == ["1", "2", "inveon-manifest.json", "report.html"]
    assert "Feet first, supine" in (converted / "report.html").read_text("utf-8")


@blank_pictures
def test_overwrite_takes_a_report_away_that_no_longer_fits(study: Path, converted: Path) -> None:
    assert inveon("convert", study, converted, "--overwrite").exit_code == 0
    assert names(converted) == ["1", "2", "inveon-manifest.json"]


@blank_pictures
def test_a_conversion_that_fails_leaves_the_report(study: Path, converted: Path) -> None:
    before = digests(converted)["report.html"]
    (converted / "2" / "mine.txt").write_text("mine", "utf-8")
    assert inveon("convert", study, converted, "--overwrite", "--report").exit_code == 1
    assert digests(converted)["report.html"] == before


@blank_pictures
def test_a_file_of_the_users_by_that_name_is_kept(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dicom"
    assert inveon("convert", study, folder).exit_code == 0
    (folder / "report.html").write_text("<title>mine</title>", "utf-8")
    before = (folder / "1" / "CT-000001.dcm").stat()
    done = inveon("convert", study, folder, "--overwrite", "--report")
    line = assert_one_line_error(done.exit_code, done.stdout, done.stderr)
    assert "is not a report of this program" in line
    after = (folder / "1" / "CT-000001.dcm").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert inveon("convert", study, folder, "--overwrite").exit_code == 0
    assert (folder / "report.html").read_text("utf-8") == "<title>mine</title>"


def test_a_dry_run_writes_no_report(study: Path, tmp_path: Path) -> None:
    assert inveon("convert", study, tmp_path / "dicom", "--report", "--dry-run").exit_code == 0
    assert list(tmp_path.iterdir()) == []


@blank_pictures
def test_json_names_the_reports(tmp_path: Path) -> None:
    write_small_study(tmp_path / "in" / "a")
    write_small_study(tmp_path / "in" / "b")
    done = inveon("convert", tmp_path / "in", tmp_path / "out", "--recursive", "--report", "--json")
    assert json.loads(done.stdout)["reports"] == [str(tmp_path / "out" / each / "report.html") for each in "ab"]
    assert all((tmp_path / "out" / each / "report.html").is_file() for each in "ab")
