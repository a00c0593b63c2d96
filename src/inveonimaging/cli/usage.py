"""What was typed and what was meant: help in panels, and one line with what to type for wrong usage."""

from __future__ import annotations

import contextlib
import difflib
import functools
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from inveonimaging.cli.messages import say_failure
from inveonimaging.cli.outcome import print_failure
from inveonimaging.errors import InputError, OptionError, printable

if TYPE_CHECKING:
    Context = Any  # of click, which typer brings along in some versions and takes from elsewhere in others
    Formatter = Any
    Parameter = Any

HELP_OPTIONS = {"help_option_names": ["--help", "-h"], "max_content_width": 100}
_USAGE_ERROR: Any = typer.BadParameter.__mro__[1]  # which typer does not export

# Help. Options by the names of the functions' arguments; what has no panel is in the first.

_FIRST = "Options"
_PANELS = {
    "Animal": (
        "subjects",
        "patient_name",
        "patient_id",
        "patient_birth_date",
        "patient_dob",
        "patient_sex",
        "species",
        "strain",
        "weight",
        "dose",
        "injected_at",
    ),
    "Geometry": ("orientation", "flip", "bed_direction", "frame_of_reference", "separate_frames", "cycle_length"),
    "Values and times": ("scan_time", "apply_hounsfield", "allow_long_data"),
    "Privacy": ("deidentify", "dates", "shift_days", "key_file"),
    "Output": (
        "form",
        "compress",
        "study_description",
        "file_name",
        "max_object_size",
        "rescale",
        "uids",
        "manifest",
        "unlimited_text",
        "code_table",
        "ct_prefix",
        "pet_prefix",
        "nm_prefix",
        "xnat_route",
    ),
}
_PANEL_OF = {name: panel for panel, names in _PANELS.items() for name in names}
_RARE = {
    *("strict", "patient_name", "patient_sex", "patient_dob", "study_description", "dates", "flip", "dask", "check"),
    *("patient_birth_date", "species", "strain", "bed_direction", "frame_of_reference", "separate_frames"),
    *("cycle_length", "scan_time", "apply_hounsfield", "allow_long_data", "shift_days", "key_file", "file_name"),
    *("max_object_size", "rescale", "uids", "manifest", "unlimited_text", "code_table", "ct_prefix", "pet_prefix"),
    *("nm_prefix", "xnat_route", "only", "ignore", "dask_cluster", "tls_cert", "tls_key", "tls_name", "commit_port"),
    *("chunk_size", "retries", "plain_credentials", "no_config", "only_failed"),
}
"""Options that only `--help-all` shows."""

_LONG_CHOICE = 20  # characters; longer ones are named in the text


class Command(TyperCommand):
    """A sub-command whose help has panels: what people need, and all of it with `--help-all`."""

    def __init__(self, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        for each in self.params:
            if getattr(each.type, "choices", None):
                each.type.case_sensitive = False  # type: ignore[attr-defined]

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read what was typed, and keep it, so that messages name options as they were typed."""
        ctx.meta[_TYPED] = tuple(args)
        return super().parse_args(ctx, args)

    def get_params(self, ctx: Context) -> list[Parameter]:
        """Return the parameters, with `--help-all` before `--help` if there is more to show."""
        params = super().get_params(ctx)
        more = sum(each.name in _RARE for each in params)
        if more:
            params.insert(len(params) - 1, _help_all(0 if ctx.meta.get(_EVERYTHING) else more))
        return params

    def format_options(self, ctx: Context, formatter: Formatter) -> None:
        """Write arguments and options, panel by panel."""
        everything = bool(ctx.meta.get(_EVERYTHING))
        panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], _FIRST: [], **{panel: [] for panel in _PANELS}}
        for param in self.get_params(ctx):
            is_shown = everything or param.name not in _RARE
            if is_shown and (record := _record(param, ctx)) is not None:
                if not everything:
                    record = (_OTHER_NAMES.sub(r"\1", record[0]), record[1])
                is_argument = param.param_type_name == "argument"
                panels["Arguments" if is_argument else _PANEL_OF.get(param.name, _FIRST)].append(record)
        for panel, rows in panels.items():
            if rows:
                formatter.write_paragraph()
                formatter.write_heading(_bold(panel))
                with formatter.indentation():
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: Context, formatter: Formatter) -> None:
        """Write the examples, at most two of them unless all is asked for."""
        lines = (self.epilog or "").splitlines()
        shown = lines if ctx.meta.get(_EVERYTHING) else lines[: _HEADING + _EXAMPLES]
        if shown:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text("\n".join(shown))


_HEADING, _EXAMPLES = 2, 2  # lines of an epilog
_EVERYTHING, _TYPED = "inveonimaging.help_all", "inveonimaging.typed"


def as_typed(ctx: Context, param: Parameter) -> str:
    """Return the name of an option as it was typed, else its first long one; of an argument its metavar."""
    typed = [each.partition("=")[0] for each in ctx.meta.get(_TYPED, ())]
    names = [each for each in (*param.opts, *param.secondary_opts) if each.startswith("-")]
    known = [each for each in typed if each in names]
    long = [each for each in names if each.startswith("--")]
    return str(next(iter((*reversed(known), *long)), param.metavar or param.opts[0]))


def _help_all(more: int) -> TyperOption:
    def show(ctx: Context, _param: Parameter, wanted: bool) -> None:
        if wanted and not ctx.resilient_parsing:
            ctx.meta[_EVERYTHING] = True
            typer.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()

    return TyperOption(
        param_decls=["--help-all"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help=f"Show all options{f', {more} more' if more else ''}, and exit.",
    )


def _record(param: Parameter, ctx: Context) -> tuple[str, str] | None:
    """Return a parameter and its help; long lists of values are moved into the help."""
    found: tuple[str, str] | None = param.get_help_record(ctx)
    if found is None:
        return None
    record = _TYPES.sub(lambda match: _METAVAR_OF[match[1]], found[0]), found[1].replace("  [required]", "")
    choices = getattr(param.type, "choices", None)
    if not choices or param.metavar:
        return record
    listed = "|".join(map(str, choices))
    if len(listed) <= _LONG_CHOICE:
        return record[0].replace(f"<{listed}>", listed), record[1]
    name = _METAVARS.get(param.name, "VALUE")
    text, bracket, rest = record[1].partition("  [")
    values = ", ".join(map(str, choices))
    return re.sub(r"[<\[].*[>\]]", name, record[0]), f"{text.rstrip('.')}: {values}.{bracket}{rest}"


_METAVAR_OF = {"str": "TEXT", "path": "FILE", "int range": "N", "int": "N", "float": "N", "float range": "N"}
_OTHER_NAMES = re.compile(r"(--[a-z-]+)(?:, --[a-z-]+)+(?= |$)")
_TYPES = re.compile(f"<({'|'.join(_METAVAR_OF)})>")
_METAVARS = {"orientation": "POSTURE", "form": "FORM", "compress": "METHOD", "frame_of_reference": "WHICH"}


def _bold(text: str) -> str:
    return text if "NO_COLOR" in os.environ else typer.style(text, bold=True, fg="cyan")


def help_of(ctx: Context, name: str | None) -> str:
    """Return the help of a command beside the one that is run, or that of them all.

    Raises:
        click's UsageError: there is no such command.
    """
    parent = ctx.parent
    if name is None:
        return str(parent.get_help())
    command = parent.command.commands.get(name)
    if command is None:
        parent.fail(f"No such command '{name}'.")
    context = type(parent)(command, info_name=name, parent=parent, **command.context_settings)
    return str(context.get_help())


# Wrong usage.


class Commands(TyperGroup):
    """The command `inveon`: wrong usage is one line that says what to type."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run what was typed, and end the process."""
        run = functools.partial(super().main, args, prog_name, complete_var, False, windows_expand_args, **extra)
        if not standalone_mode:
            return run()
        try:
            code = run()
        except _USAGE_ERROR as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()
                sys.exit(2)
            meant, typed = _meant(error), list(sys.argv[1:] if args is None else args)
            if "--json" in typed[: typed.index("--") if "--" in typed else None]:
                print_failure(meant)
            sys.exit(say_failure(meant))
        except typer.Abort:
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)


def _meant(error: Any) -> OptionError:
    """Return wrong usage as an error that says what to type."""
    usage, text = _usage(error.ctx), error.format_message()
    explain = _OF_KIND.get(type(error).__name__)
    if explain:
        return explain(error, usage)
    if "unexpected extra argument" in text:
        extra = re.sub(r".*? arguments?(?:\(s\))? \((.*)\)\.?$", r"\1", text, flags=re.DOTALL)
        return OptionError(f"too many arguments: {printable(extra)}", hint=f"{_of_too_many(error.ctx, extra)}{usage}")
    if text.startswith("No such command"):
        return _no_command(error.ctx, text)
    if text.startswith("Missing command"):
        return OptionError("a command is missing", hint=_commands(error.ctx))
    return OptionError(text[:1].lower() + text[1:].rstrip("."), hint=usage)


def _usage(ctx: Context | None) -> str:
    """Return the arguments of a command in their order, as they are typed."""
    if ctx is None:
        return '"inveon --help" shows the commands, "inveon COMMAND --help" the options'
    names = [each.metavar or each.name.upper() for each in ctx.command.params if each.param_type_name == "argument"]
    required = [str(each.opts[-1]) + f" {each.metavar}" for each in ctx.command.params if _is_needed(each)]
    path = ctx.command_path
    if hasattr(ctx.command, "commands"):
        names = ["COMMAND"]
    return f'type: {" ".join([path, *names, *required])}; "{path} --help" shows the options'


def _is_needed(param: Parameter) -> bool:
    return bool(param.param_type_name == "option" and param.required)


_OF_OTHER_TOOLS = {  # and of the published commands
    **dict.fromkeys(("-o", "--output", "--out", "--outdir", "--output-dir"), "the output is the last argument"),
    **dict.fromkeys(("-i", "--input", "--in"), "the input is the first argument"),
    **dict.fromkeys(("-z", "--gzip", "--zip"), "--compress rle, jpegls or j2k compresses the pixels"),
    **dict.fromkeys(("-F", "--force", "-y", "--yes", "-w", "--replace"), "--overwrite replaces an earlier conversion"),
    **dict.fromkeys(("-m", "--multiframe", "--enhanced"), "--as enhanced writes one Enhanced object a series"),
    **dict.fromkeys(("-l", "--legacyconverted", "--legacy"), "--as legacy writes Legacy Converted Enhanced objects"),
    **dict.fromkeys(("--anonymize", "--anonymise", "--anon", "--deid"), "--deidentify removes names and places"),
    **dict.fromkeys(("-b", "--bids", "-ba"), "inveon bids makes a BIDS data set, with sidecars"),
    **dict.fromkeys(("-v", "-q", "--verbose", "--quiet"), "findings are on stderr, --json has all"),
    **dict.fromkeys(("-R", "--recurse", "--depth"), "--recursive looks into sub-folders"),
    **dict.fromkeys(
        ("--ignoreAllExtraFiles", "--ignoreFileWithExt", "-e"), "without --strict other files are left out, with a note"
    ),
    **dict.fromkeys(("-V", "-version"), '"inveon --version" shows the version'),
}


def _no_option(error: Any, usage: str) -> OptionError:
    return OptionError(f"there is no option {printable(error.option_name)}", hint=_for_option(error, usage))


def _for_option(error: Any, usage: str) -> str:
    name = error.option_name
    known = {opt for each in error.ctx.command.get_params(error.ctx) for opt in each.opts}
    single = {each.partition("=")[0] for each in error.ctx.meta.get(_TYPED, ()) if each.startswith(f"{name}")}
    if long := next((f"-{each}" for each in sorted(single) if f"-{each}" in known), None):
        return f"did you mean {long}? {usage}"
    advice = _OF_OTHER_TOOLS.get(name)
    if advice and (not advice.startswith("--") or advice.split()[0] in known):
        return f"{advice}; {usage}" if "argument" in advice else advice
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.7) if name.startswith("--") else []
    return f"did you mean {' or '.join(near)}? {usage}" if near else usage


_POSTURES = {"prone": "P", "supine": "S", "right": "DR", "left": "DL"}
_NEAREST = 0.4
_MOST_JOINED = 20  # words
_BACKSLASH = "a path in quotation marks must not end in a backslash, which joins it to what follows"


def _missing(error: Any, usage: str) -> OptionError:
    is_joined = any('"' in each for each in error.ctx.meta.get(_TYPED, ()))
    hint = f"{_BACKSLASH}; {usage}" if is_joined else usage
    return OptionError(f"{error.param.metavar or error.param.opts[0]} is missing", hint=hint)


def _bad_value(error: Any, usage: str) -> OptionError:
    param, message = error.param, error.message
    name = as_typed(error.ctx, param)
    quoted = re.match(r"'(.*?)' is not", message, re.DOTALL)
    choices = [str(each) for each in getattr(param.type, "choices", ())]
    if quoted and not choices and re.search(r" is not a valid (float|int)", message):
        without = ", without its unit" if re.match(r"[-+.\d]", quoted[1]) else ""
        kind = "number" if "float" in message else "whole number"
        return OptionError(key=name, got=quoted[1], expected=f"a {kind}{without}", hint=usage)
    if not quoted or not choices:
        return OptionError(f"{name}: {message.rstrip('.')}", hint=usage)
    got, hint = quoted[1], None
    if "HFP" in choices:
        side = next((end for word, end in _POSTURES.items() if word in got.lower()), None)
        ends = [each for each in choices if side and each in (f"FF{side}", f"HF{side}")]
        if ends:
            hint = f"{ends[1]} if the head went into the scanner first, {ends[0]} if the feet did"
    else:
        near = difflib.get_close_matches(got.lower(), choices, n=1, cutoff=_NEAREST)
        hint = f"did you mean {near[0]}?" if near else None
    return OptionError(key=name, got=got, expected=f"one of {', '.join(choices)}", hint=hint)


_OF_KIND = {"NoSuchOption": _no_option, "MissingParameter": _missing, "BadParameter": _bad_value}


def _of_too_many(ctx: Context, extra: str) -> str:
    """Return what was meant by too many arguments: a path with blanks, an output, or several inputs."""
    typed = ctx.meta.get(_TYPED, ())[:_MOST_JOINED]
    joined = (" ".join(typed[at:end]) for at in range(len(typed)) for end in range(len(typed), at + 1, -1))
    if path := next(filter(os.path.exists, joined), None):
        return f'a path with blanks takes quotation marks: "{printable(path, 300)}"; '
    if any("-o" in each.opts for each in ctx.command.params) and not os.path.exists(extra):  # noqa: PTH110 - as below
        return f'the output takes -o: -o "{printable(extra, 300)}"; '
    if any("--root" in each.opts for each in ctx.command.params):
        return f'a folder takes --root: --root "{printable(extra, 300)}"; '
    return _one_at_a_time(ctx)


def _one_at_a_time(ctx: Context) -> str:
    names = {each.metavar for each in ctx.command.params if each.param_type_name == "argument"}
    inputs = {"INPUT", "PATH", "SOURCE", "ROOT"} & names
    return f"{inputs.pop()} is one folder or one file: put what belongs together into one folder; " if inputs else ""


def _no_command(ctx: Context, text: str) -> OptionError:
    typed = re.sub(r"^No such command (['\"])(.*?)\1\..*", r"\2", text, flags=re.DOTALL)
    known = list(ctx.command.commands)
    near = difflib.get_close_matches(typed, known, n=1)
    if os.path.exists(typed):  # noqa: PTH110 - Path.exists raises for names that no file can have
        hint = f'a command comes first: inveon info "{printable(typed)}", or inveon convert "{printable(typed)}" OUTPUT'
    else:
        hint = f"did you mean inveon {near[0]}?" if near else _commands(ctx)
    return OptionError(f"there is no command '{printable(typed)}'", hint=hint)


def _commands(ctx: Context) -> str:
    return f'the commands are {", ".join(ctx.command.commands)}; "inveon --help" says what they do'


@contextlib.contextmanager
def swapped(command: str, source: Path, other: Path) -> Iterator[None]:
    """Say that arguments are swapped, where the files that were sought lie in the other one."""
    try:
        yield
    except InputError as error:
        is_of_source = error.path and _plain(error.path) == _plain(source) != _plain(other)
        if is_of_source and _is_nothing(error) and _holds_pairs(other):
            typed = f'inveon {command} "{printable(other, 300)}" "{printable(source, 300)}"'
            hint = f"the Inveon files come first: {typed}"
            raise InputError(error.message, path=error.path, expected=error.expected, hint=hint) from error
        raise


@contextlib.contextmanager
def replaceable(command: str) -> Iterator[None]:
    """Say which option of a command replaces what is in an output that is used."""
    from inveonimaging.storage.staging import UsedError

    try:
        yield
    except UsedError as error:
        raise error.hinted(f"inveon {command} --overwrite replaces an earlier conversion") from error


def _is_nothing(error: InputError) -> bool:
    """Return whether nothing that can be read was where it was sought."""
    return (error.message or "").startswith("no ")


def _plain(path: str | Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - links stay as they are


def _holds_pairs(path: Path) -> bool:
    from inveonimaging.inveon.pairs import first_below, pair_of, scan_folder

    try:
        folder = scan_folder(path) if path.is_dir() else None
        return bool(pair_of(path)) if folder is None else bool(folder.pairs or first_below(folder))
    except (InputError, OSError, ValueError):
        return False
