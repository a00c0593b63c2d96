"""The documentation says what the program does: keys, findings, options, links."""

from __future__ import annotations

import argparse
import ast
import functools
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from pydicom.datadict import dictionary_description

from helpers import ROOT
from inveonimaging import inveonFile2DICOM, inveonFolder2DICOM
from inveonimaging.cli.main import app
from inveonimaging.inveon.hdr import enums
from inveonimaging.inveon.hdr.fields import FRAME, MAIN

SOURCE = ROOT / "src" / "inveonimaging"
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
LABELS = {"INFO": "note", "WARNING": "warning", "ERROR": "error"}


def page(name: str) -> str:
    """Return the text of a page, whichever part of the documentation it is in."""
    (found,) = DOCS.rglob(name)
    return found.read_text("utf-8")


def first_cells(text: str) -> list[str]:
    """Return the names in backquotes that open the rows of tables."""
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["header.md", "mapping.md"])
def test_every_key_has_one_row(name: str) -> None:
    main, frame = re.split(r"^## Frame blocks$", page(name), flags=re.MULTILINE)
    frame = re.split(r"^## ", frame, flags=re.MULTILINE)[0]
    assert sorted(first_cells(main)) == sorted(MAIN)
    assert sorted(first_cells(frame)) == sorted(FRAME)


def test_every_code_has_its_words() -> None:
    text = page("header.md")
    listed = [enum for enum in vars(enums).values() if isinstance(enum, type) and issubclass(enum, enums.Labelled)]
    codes = {f"`{int(member)}` {member.label}" for enum in listed for member in enum}
    assert {code for code in codes if code not in text} == set()


def findings_in(module: Path) -> Iterator[tuple[str, str]]:
    """Yield code and severity of each finding that a module makes; both may be chosen from several."""
    text = module.read_text("utf-8")
    for function in ast.walk(ast.parse(text)) if "Finding(" in text else ():
        if isinstance(function, ast.FunctionDef):
            values = {
                target.id: node.value
                for node in ast.walk(function)
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Finding":
                    yield from ((code, severity_of(call)) for code in texts_of(call.args[0], values))


def texts_of(node: ast.expr, values: dict[str, ast.expr]) -> list[str]:
    """Return what an expression can be: a text, one of two, or a variable's value."""
    if isinstance(node, ast.Name):
        return texts_of(values[node.id], values)
    if isinstance(node, ast.IfExp):
        return texts_of(node.body, values) + texts_of(node.orelse, values)
    assert isinstance(node, ast.Constant), ast.unparse(node)
    return [str(node.value)]


def severity_of(call: ast.Call) -> str:
    given = [*call.args[2:3], *(keyword.value for keyword in call.keywords if keyword.arg == "severity")]
    return LABELS[given[0].attr] if given and isinstance(given[0], ast.Attribute) else "warning"


def test_every_finding_is_explained_and_every_explanation_has_its_finding() -> None:
    made = {finding for module in SOURCE.rglob("*.py") for finding in findings_in(module)}
    rows = re.findall(r"^\| `([a-z-]+)` \| (\w+) \|", page("findings.md"), re.MULTILINE)
    assert sorted(rows) == sorted(made)


@functools.cache
def the_commands() -> Any:
    """Return the commands as Typer builds them, which takes long."""
    return typer.main.get_command(app)


def options_of(command: str) -> list[str]:
    group = the_commands()
    chosen = group.commands[command] if command else group
    return [name for option in chosen.params for name in (*option.opts, *option.secondary_opts) if name.startswith("-")]


def section(text: str, title: str) -> str:
    """Return what is under a heading of the second level."""
    return re.split(rf"^## {re.escape(title)}$", text, flags=re.MULTILINE)[1].split("\n## ")[0]


COMMANDS = [
    *("convert", "batch", "info", "check", "explain", "report", "verify", "xnat", "subjects", "send", "demo", "remove"),
    "config",
    "nifti",
    "bids",
    "curves",
    "restore",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_described(command: str) -> None:
    described = section(page("cli.md"), f"inveon {command}")
    if "(#corrections)" in described:  # all options of the one table, and nothing in between
        described += section(page("cli.md"), "Corrections")
    names = options_of(command)
    assert [name for name in names if f"`{name}`" not in described] == []
    known = {*names, "--help"}
    assert set(re.findall(r"`(--?[A-Za-z][\w-]*)`", described)) <= known


def test_options_of_the_program_are_described() -> None:
    assert [name for name in options_of("") if f"`{name}`" not in page("cli.md")] == []


@pytest.mark.parametrize("module", [inveonFolder2DICOM, inveonFile2DICOM])
def test_every_option_of_the_published_commands_is_described(module: object) -> None:
    parser: argparse.ArgumentParser = module.parser()  # type: ignore[attr-defined]
    described = section(page("cli.md"), str(parser.prog).removesuffix(".py"))
    names = [name for action in parser._actions for name in action.option_strings or [action.dest]]
    assert [name for name in names if f"`{name}`" not in described] == []


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_messages_that_a_page_quotes_are_printed() -> None:
    """Quoted messages are cut at `...` and at what the program puts in, such as the key of a header."""
    nodes = [node for path in SOURCE.rglob("*.py") for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    quoted = re.findall(r"^\| (`.*?`)[^`]*? \| ", page("messages.md"), re.MULTILINE)
    keys = sorted({*MAIN, *FRAME}, key=len, reverse=True)
    put_in = "|".join((r"\.\.\.", r"(?<!\w)--?[a-z][\w-]*(?: is)?", r"-?\d+", "expected", "NM Image", *keys))
    messages = [each for line in quoted for each in line.split("`")[1::2]]
    pieces = {piece.strip(" ,:") for each in messages for piece in re.split(put_in, each)}
    known = "\n".join(texts)
    assert len(pieces) > len(messages) / 2
    assert [piece for piece in sorted(pieces) if piece not in known] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_resolve(path: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8"))
    for link in links:
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_tags_are_those_of_the_data_dictionary(path: Path) -> None:
    text = " ".join(path.read_text("utf-8").split())
    named = re.findall(r"([A-Z][^|`;,>]*?) \(([0-9A-F]{4}),([0-9A-F]{4})\)", text)
    for name, group, element in named:
        if int(group, 16) % 2 == 0:
            assert name.endswith(dictionary_description(int(group + element, 16))), f"{name} ({group},{element})"


@pytest.mark.parametrize("folder", ["src", "tests", "tools", "benchmarks", "xnat"])
def test_pages_that_the_source_names_are_there(folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".json", ".html", ".sh")]
    named = {
        name for path in files for name in re.findall(r"\bdocs/[\w./-]+\.(?:md|json|png)", path.read_text("utf-8"))
    }
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_modules_that_pages_name_are_there(path: Path) -> None:
    text = path.read_text("utf-8")
    for module, names in re.findall(r"from (inveonimaging[\w.]*) import ([\w, ]+)", text):
        assert [name for name in names.split(", ") if not hasattr(import_module(module), name.strip())] == [], module
    files = re.findall(r"\binveonimaging/[\w/]+\.py\b", text)
    assert [file for file in files if not (SOURCE.parent / file).exists()] == []


def test_readme_has_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert "    pip install .\n    inveon demo demo\n" in text
    assert '    pip install ".[test]"\n    pytest\n' in text


def test_no_command_needs_more_than_any_shell_has() -> None:
    """PowerShell 5, that of Windows, does not know `&&`."""
    lines = (line for path in PAGES for line in path.read_text("utf-8").splitlines() if line.startswith("    "))
    assert [line for line in lines if "&&" in line] == []


def command_lines(path: Path) -> list[str]:
    """Return the command lines of `inveon` in a page's blocks, without comments, variables and redirections."""
    lines = re.findall(r"^    +(?:[A-Z_]+=\S+ )*inveon (\S.*)$", path.read_text("utf-8"), re.MULTILINE)
    return [re.split(r"\s+[#>]\s|\s&&\s", line)[0] for line in lines if "[" not in line]


COMMAND_LINES = [(path, line) for path in PAGES for line in command_lines(path)]


@pytest.mark.parametrize(("path", "line"), COMMAND_LINES, ids=lambda each: getattr(each, "name", each))
def test_every_command_line_is_valid_usage(path: Path, line: str) -> None:
    """Options are known and have values that they take; files need not be there."""
    name, *arguments = shlex.split(line)
    if name.startswith("--"):
        return
    command = the_commands().commands[name]
    context = command.make_context(name, arguments)
    assert context.params, path


def test_command_lines_are_found() -> None:
    assert len(COMMAND_LINES) > 100
