"""What a package index and people who cite see: metadata, long description, citation, changelog."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable
from email.message import Message
from email.parser import Parser
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from helpers import ROOT
from inveonimaging.version import __version__

CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.fixture(scope="module")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> Message:
    """Return what a wheel of this source says of itself; hatchling refuses classifiers that are none."""
    folder = tmp_path_factory.mktemp("metadata")
    code = f"from hatchling.build import prepare_metadata_for_build_wheel as made; made({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=300)
    (path,) = folder.glob("*/METADATA")
    return Parser().parsestr(path.read_text("utf-8"))


def description(metadata: Message) -> str:
    return str(metadata.get_payload())


def test_the_metadata_name_author_licences_and_where_the_commands_were_published(metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("inveonimaging", __version__)
    assert metadata["Author"] == "The inveonimaging developers"
    assert metadata["License-Expression"] == "0BSD AND Apache-2.0 AND BSD-2-Clause AND ISC AND MIT"
    licences = metadata.get_all("License-File")
    assert licences == [
        "LICENSE",
        "src/inveonimaging/app/static/htmx/LICENSE",
        "src/inveonimaging/reports/niivue/LICENSE",
    ]
    (where,) = metadata.get_all("Project-URL") or []
    address = where.split(", ")[1]
    assert address in (ROOT / "docs" / "reference" / "published.md").read_text("utf-8")


def test_the_licences_that_are_named_are_those_of_the_files_inside() -> None:
    text = (ROOT / "src" / "inveonimaging" / "reports" / "niivue" / "LICENSE").read_text("utf-8")
    first_lines = {
        "BSD-2-Clause": "BSD 2-Clause License",
        "ISC": "ISC License",
        "MIT": "MIT License",
    }
    assert all(line in text for line in first_lines.values())


@pytest.mark.parametrize(
    "extra", ["app", "arrays", "bids", "compress", "dask", "nifti", "report", "send", "viewer", "xlsx"]
)
def test_every_extra_that_a_page_names_is_there(metadata: Message, extra: str) -> None:
    assert extra in (metadata.get_all("Provides-Extra") or [])


def imported(folder: Path) -> set[str]:
    """Return the packages, of others, that the tests import."""
    own = {"inveonimaging", *(path.stem for each in ("tests", "tools") for path in (ROOT / each).iterdir())}
    nodes = [node for path in folder.rglob("*.py") for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in names} - own - sys.stdlib_module_names


def needed(requirements: Iterable[str], extras: Iterable[str] = ()) -> set[str]:
    """Return the distributions that requirements bring, and what those require."""
    found: set[str] = set()
    known, left = set(), [(each, tuple(sorted(extras))) for each in requirements]
    while left:
        asked = left.pop()
        if asked in known:
            continue
        known.add(asked)
        one = Requirement(asked[0])
        is_wanted = one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *asked[1]))
        if is_wanted and one.name != "inveonimaging":
            found.add(canonicalize_name(one.name))
            left += [(each, tuple(sorted(one.extras))) for each in requires(one.name) or ()]
    return found


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 knows few of the packages that distributions hold")
def test_the_extra_test_alone_brings_all_that_the_tests_import(metadata: Message) -> None:
    """The gate installs `dev`, which has more; the README says `test`."""
    extras = ("test", "compress", "dask", "send", "viewer", "xlsx")
    found = needed(metadata.get_all("Requires-Dist") or [], extras)
    of = packages_distributions()
    assert {
        name for name in imported(ROOT / "tests") if not found & {canonicalize_name(each) for each in of[name]}
    } == set()


def test_the_viewer_brings_one_package_and_reports_none(metadata: Message) -> None:
    required = metadata.get_all("Requires-Dist") or []
    names = {extra: [each for each in required if f"extra == '{extra}'" in each] for extra in ("report", "viewer")}
    assert names == {"report": [], "viewer": ["nibabel>=5.2; extra == 'viewer'"]}
    base = {re.split(r"[<>=]", each)[0] for each in required if "extra ==" not in each}
    assert base == {"filelock", "jinja2", "matplotlib", "numpy", "pydicom", "tomli", "typer"}


def test_the_long_description_leads_to_nothing_that_an_index_does_not_have(metadata: Message) -> None:
    text = description(metadata)
    assert metadata["Description-Content-Type"] == "text/markdown"
    targets = re.findall(r"\]\(([^)]*)\)", text)
    assert targets  # those that are addresses are kept
    assert all(each.startswith("https://") for each in targets)
    assert "![" not in text
    assert "<img" not in text


def test_the_long_description_is_otherwise_the_readme(metadata: Message) -> None:
    """All that is left out: one picture with its caption, and the targets of links."""
    readme = (ROOT / "README.md").read_text("utf-8")
    words = re.sub(r"\]\([^)\s]*\)", "]()", readme)
    picture = re.search(r"!\[[^]]*\]\(\)\n\n\*.*?\*\n\n", words, re.DOTALL)
    assert picture
    plain = re.sub(r"\[([^]]*)\]\(\)", r"\1", words.replace(picture[0], ""))
    assert re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", description(metadata)) == plain


def test_the_citation_is_of_this_version() -> None:
    """By the Citation File Format 1.2.0: these keys are required, and a name alone is an entity."""
    cited: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert (cited["cff-version"], cited["title"], cited["version"]) == ("1.2.0", "inveonimaging", __version__)
    assert cited["message"]
    assert cited["authors"] == [{"name": "The inveonimaging developers"}]
    assert cited["license"] in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_changelog_is_in_the_form_of_keep_a_changelog() -> None:
    versions = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    assert versions[0] == "[Unreleased]" or versions[0].startswith(f"[{__version__}] - ")
    for each in versions[1:]:
        assert re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", each)
    kinds = re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert len(kinds) >= len(versions)
