"""`inveon send`: DICOM files to a server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inveonimaging.cli.messages import say, shown
from inveonimaging.cli.outcome import one_line_errors, print_json
from inveonimaging.errors import OptionError, printable
from inveonimaging.units import counted, duration

if TYPE_CHECKING:
    from inveonimaging.conversion.job import StudyResult
    from inveonimaging.progress import Progress
    from inveonimaging.sending import SendOptions, SendResult
    from inveonimaging.sending.job import Sending

EXAMPLES = """\b
Examples:
  inveon send dicom dicom://INVEON@ARCHIVE:pacs:11112
  inveon send dicom dicom://INVEON@ARCHIVE:pacs:2762 --tls --tls-ca ca.pem
  inveon send dicom https://pacs.example/dicom-web --resume sent.jsonl
"""
_MIB = 2**20


def send(
    paths: Annotated[list[Path], typer.Argument(metavar="DICOM...", help="Files, or folders with DICOM at any depth.")],
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help="dicom://CALLING@CALLED:host:port, https://host/dicom-web, or a name in inveon.toml."
        ),
    ],
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="FILE", help="Journal of what arrived; what it lists is not sent again."),
    ] = None,
    tls: Annotated[bool, typer.Option("--tls", help="Encrypt dicom:// connections.")] = False,
    tls_ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM file of the authorities to trust, instead of the system's.")
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM file of this computer's certificate.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="PEM file of its key.")] = None,
    tls_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name in the server's certificate, if it is not the host.")
    ] = None,
    commit: Annotated[
        bool, typer.Option("--commit", help="Ask the server for storage commitment; dicom:// only.")
    ] = False,
    commit_port: Annotated[
        int | None, typer.Option(metavar="PORT", min=1, max=65535, help="Where to listen for its answer.")
    ] = None,
    chunk_size: Annotated[
        int, typer.Option(metavar="MIB", min=1, max=4095, help="Size of an https:// request, in MiB.")
    ] = 32,
    retries: Annotated[
        int, typer.Option(metavar="N", min=0, max=20, help="How often a lost connection is tried again.")
    ] = 4,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, help="How long the server may be silent.")
    ] = 120.0,
    plain_credentials: Annotated[
        bool, typer.Option("--plain-credentials", help="Send credentials unencrypted, to http:// of another computer.")
    ] = False,
    no_config: Annotated[bool, typer.Option("--no-config", help="Ignore the settings of inveon.toml.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Show what would be sent; connect to nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
) -> None:
    """Send DICOM files to a server, by C-STORE or STOW-RS. Credentials come from the environment or netrc."""
    with one_line_errors(as_json=as_json):
        from inveonimaging.cli.progress import bar
        from inveonimaging.sending.job import plan_sending
        from inveonimaging.sending.options import SendOptions

        if any(str(path).startswith(("dicom:", "http:", "https:")) for path in paths):
            raise OptionError("the target is before the files", hint="type: inveon send DICOM... TARGET")
        options = SendOptions(
            tls=tls,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
            tls_name=tls_name,
            commit=commit,
            commit_port=commit_port,
            chunk_size=chunk_size * _MIB,
            journal=resume,
            retries=retries,
            timeout_s=timeout,
            plain_credentials=plain_credentials,
        )
        address = address_of(target, no_config=no_config)
        with bar("Looking for files") as advance:
            planned = plan_sending(paths, address, options, progress=advance)
        if dry_run:
            _show_plan(planned, as_json=as_json)
            return
        result = sent(planned)
        if as_json:
            print_json(document(result))
        show_sent(result, as_json=as_json)


def address_of(target: str, *, no_config: bool) -> str:
    """Return the address of a target, which may be a name of the settings; OptionError."""
    from inveonimaging.cli.settings import Settings, settings_for

    return (Settings() if no_config else settings_for(None)).target(target)


def refuse_target(target: str, options: SendOptions | None = None) -> None:
    """Refuse a target, credentials or certificates that make no sense, before any work is done; OptionError."""
    import os

    from inveonimaging.sending.job import way_to
    from inveonimaging.sending.options import SendOptions
    from inveonimaging.sending.target import target_of

    way_to(target_of(target), options or SendOptions(), os.environ)


def send_converted(studies: Sequence[StudyResult], target: str) -> SendResult:
    """Send what was just converted; the result says if a server cannot be reached."""
    from inveonimaging.commands import convert

    instances = sum(series.instances for study in studies for series in study.series)
    with _sending(instances) as advance:
        return convert.send_converted(studies, target, advance)


def sent(planned: Sending) -> SendResult:
    """Send, with a progress bar."""
    from inveonimaging.sending.job import send_planned

    with _sending(len(planned.items), has_journal=planned.options.journal is not None) as advance:
        return send_planned(planned, advance)


@contextlib.contextmanager
def _sending(instances: int, *, has_journal: bool = False) -> Iterator[Progress]:
    """Show a progress bar; an interruption says how far it came."""
    from inveonimaging.cli.progress import bar

    so_far = [0, instances]
    with bar("Sending") as advance:

        def step(done: int, total: int) -> None:
            so_far[:] = done, total
            advance(done, total)

        try:
            yield step
        except BaseException as error:
            if not isinstance(error, Exception):
                again = "the same command" if has_journal else "with --resume FILE the next run"
                say("note", f"{so_far[0]} of {so_far[1]} instances are confirmed or refused; {again} sends the rest")
            raise


def document(result: SendResult) -> dict[str, Any]:
    """Return the result for programs."""
    return {"dry_run": False, **vars(result), "complete": result.is_complete}


def show_sent(result: SendResult, *, as_json: bool = False) -> None:
    """Print each file that was refused on stderr, one a line, and what was sent on stdout.

    It ends the command with exit code 1 if the server does not have everything.
    """
    if not as_json:
        typer.echo(printable(_summary(result), 1000))
    for warning in result.warnings:
        say("warning", warning)
    for failure in result.failures:
        say("error", failure)
    if result.stopped:
        left = f" ({counted(len(result.unsent), 'file was', 'files were')} not sent)" if result.unsent else ""
        say("error", f"{result.target}: {result.stopped}{left}")
    if not result.is_complete:
        raise typer.Exit(1)


def _summary(result: SendResult) -> str:
    rate = result.accepted / result.seconds if result.seconds else 0
    parts = [f"{result.accepted} of {counted(result.files, 'file')} accepted"]
    if result.skipped:
        parts.append(f"{result.skipped} were there before")
    if result.committed is not None:
        parts.append(f"{result.committed} committed to storage")
    parts.append(f"{result.bytes / 1e6:.1f} MB in {duration(result.seconds)} ({rate:.0f} a second)")
    return f"{result.target}: {', '.join(parts)}"


def _show_plan(planned: Sending, *, as_json: bool) -> None:
    from inveonimaging.sending.dimse.c_store import named

    kinds: dict[tuple[str, str], list[int]] = {}
    for item in planned.items:
        kinds.setdefault((item.sop_class, item.syntax), []).append(item.size)
    rows = [
        {"sop_class": named(sop_class), "transfer_syntax": named(syntax), "files": len(sizes), "bytes": sum(sizes)}
        for (sop_class, syntax), sizes in kinds.items()
    ]
    if as_json:
        print_json({"dry_run": True, "target": str(planned.target), "kinds": rows, "failures": planned.failures})
    else:
        from inveonimaging.cli.table import show

        cells = [[printable(str(value)) for value in row.values()] for row in rows]
        show(f"Would be sent to {shown(planned.target)}", ("SOP Class", "Transfer Syntax", "Files", "Bytes"), cells)
    for failure in planned.failures:
        say("error", failure)
    if planned.failures:
        raise typer.Exit(1)
