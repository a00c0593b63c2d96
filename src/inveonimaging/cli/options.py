"""The options that say how to read and how to convert, shared by the commands that do."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from datetime import datetime
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from inveonimaging.cli.settings import Settings
    from inveonimaging.conversion.options import Options
    from inveonimaging.redaction.request import Deidentify
    from inveonimaging.study.corrections import Corrections

Posture = Literal["FFP", "HFP", "FFS", "HFS", "FFDR", "HFDR", "FFDL", "HFDL"]

Asked = Callable[[], "Options"]
"""Makes the options from what was typed; OptionError for what makes no sense."""

AskedCorrections = Callable[[], "Corrections"]
"""Makes the corrections from what was typed; OptionError for what makes no sense."""


AskedDeidentification = Callable[[], "Deidentify | None"]
"""Makes what is asked for of redaction from what was typed; OptionError for what makes no sense."""

Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", help="Each sub-folder is a study; others go on if one fails.")
]

Split = Annotated[bool, typer.Option("--split", help="Cut scans of several animals, by --subjects.")]
Boxes = Annotated[
    Path | None, typer.Option("--boxes", metavar="FILE", help="Where each animal lies, instead of finding them.")
]

MaskOthers = Annotated[bool, typer.Option("--mask-others", help="Set neighbours to air, 0 in PET.")]


_PLACES = ("source", "sources", "path", "root")
ARGUMENTS = {  # of the attributes that have another name here
    "weight_kg": "weight",
    "dose_mbq": "dose",
    "cycle_ms": "cycle_length",
    "sheet": "subjects",
    "name": "patient_name",
    "id": "patient_id",
    "birth_date": "patient_birth_date",
    "sex": "patient_sex",
    "largest_object": "max_object_size",
    "compression": "compress",
    "codes": "code_table",
    "refuse_strays": "strict",
    "ignored_suffixes": "ignore",
}
_CONTEXT = Parameter("_ctx", Parameter.KEYWORD_ONLY, annotation=typer.Context)
_NO_CONFIG = Parameter(
    "no_config",
    Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[bool, typer.Option("--no-config", help="Ignore the settings of inveon.toml.")],
)


def _takes(
    name: str, make: Callable[..., Any], command: Callable[..., Any], *, settings: bool = False
) -> Callable[..., Any]:
    """Give a command all options of `make`, in the place of its argument of this name.

    With `settings`, what nobody typed is taken from `inveon.toml`, unless `--no-config` is.
    """
    types = dict.fromkeys(("Options", "Corrections", "Deidentify"), object)
    shared = dict(inspect.signature(make, eval_str=True, locals=types).parameters)
    own = inspect.signature(command, eval_str=True, locals=types).parameters

    @functools.wraps(command)
    def with_options(**given: Any) -> Any:
        options = {each: given.pop(each) for each in shared}
        if not settings:
            return command(**given, **{name: functools.partial(make, **options)})
        context = given.pop(_CONTEXT.name) if own_context is None else given[own_context]
        named = functools.partial(_by_option, context, make)
        if given.pop("no_config"):
            return command(**given, **{name: functools.partial(named, **options)})
        place = next(given[each] for each in _PLACES if each in given)
        return command(**given, **{name: functools.partial(_with_settings, named, options, place)})

    own_context = next((each.name for each in own.values() if each.annotation is typer.Context), None)
    more = (*shared.values(), _NO_CONFIG) if settings else tuple(shared.values())
    if settings and own_context is None:  # Typer gives it once
        more += (_CONTEXT,)
    taken = [each for key, one in own.items() for each in (more if key == name else (one,))]
    signature = inspect.Signature([each.replace(kind=Parameter.KEYWORD_ONLY) for each in taken])
    with_options.__signature__ = signature  # type: ignore[attr-defined]
    with_options.__annotations__ = {each.name: each.annotation for each in taken}
    return with_options


def _by_option(context: Any, make: Callable[..., Any], **options: Any) -> Any:
    """Make what was asked for; an error names the option as it was typed.

    Raises:
        OptionError: what makes no sense.
    """
    from inveonimaging.cli.usage import as_typed
    from inveonimaging.errors import OptionError

    try:
        return make(**options)
    except OptionError as error:
        argument = ARGUMENTS.get(error.attribute or "", error.attribute)
        param = next((each for each in context.command.params if each.name == argument), None)
        if param is None or error.path is not None:
            raise
        raise error.named(as_typed(context, param)) from error


def _with_settings(make: Callable[..., Any], options: dict[str, Any], place: Path | list[Path]) -> Any:
    """Make what was asked for, with what `inveon.toml` says where nothing was typed; a note says so.

    Raises:
        OptionError: what makes no sense, in the file, too; several places have settings that differ.
    """
    from dataclasses import replace

    from inveonimaging.cli.messages import say_settings

    filled, taken = _settings_of(place if isinstance(place, list) else [place]).filled(options)
    made = make(**filled)
    say_settings({name: (value.text, str(value.path)) for name, value in taken.items()})
    if not taken or not hasattr(made, "settings"):
        return made
    return replace(made, settings={name: value.origin for name, value in taken.items()})


def _settings_of(places: list[Path]) -> Settings:
    """Return the settings for what lies in some places.

    Raises:
        OptionError: they differ.
    """
    from inveonimaging.cli.settings import settings_for
    from inveonimaging.errors import OptionError, printable

    first, *others = [settings_for(each) for each in places]
    for place, each in zip(places[1:], others, strict=True):
        known, own = ({name: value.taken for name, value in one.values.items()} for one in (first, each))
        if own != known:
            hint = "run one input after the other, or ignore inveon.toml with --no-config"
            raise OptionError(
                f"the settings for it differ from those for {printable(places[0], 200)}", path=place, hint=hint
            )
    return first


def corrections_of(
    *,
    patient_name: Annotated[str | None, typer.Option(help="Patient's Name.")] = None,
    patient_id: Annotated[str | None, typer.Option(help="Patient ID.")] = None,
    patient_birth_date: Annotated[str | None, typer.Option(metavar="DATE", help="Birth date, 2014-03-04.")] = None,
    patient_sex: Annotated[str | None, typer.Option("--patient-sex", "--sex", metavar="M|F|O", help="Sex.")] = None,
    species: Annotated[str | None, typer.Option(help="Species, as mouse.")] = None,
    strain: Annotated[str | None, typer.Option(help="Strain, as C57BL/6J.")] = None,
    weight: Annotated[str | None, typer.Option(metavar="WEIGHT", help="Weight with its unit, 24.6g.")] = None,
    dose: Annotated[str | None, typer.Option(metavar="ACTIVITY", help="Dose at the injection, 7.03MBq.")] = None,
    injected_at: Annotated[str | None, typer.Option(metavar="TIME", help="When injected, 2014-06-17T13:51:37.")] = None,
    subjects: Annotated[
        Path | None, typer.Option("--subjects", metavar="FILE", help="Sheet of subjects or scans.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Read this scan of a folder, not the others; repeatable.")
    ] = None,
    scan_time: Annotated[
        datetime | None,
        typer.Option(
            metavar="TIME",
            formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"],
            help="Start of scans whose header has none, 2014-03-04T14:05:09.",
        ),
    ] = None,
    orientation: Annotated[
        Posture | None,
        typer.Option("--orientation", "--posture", help="How the animal lay"),
    ] = None,
    flip: Annotated[
        str | None,
        typer.Option(metavar="AXES", help="Stored axes to mirror, letters of xyz; see docs/how-to/orientation.md."),
    ] = None,
    bed_direction: Annotated[
        Literal["forward", "reverse"] | None, typer.Option(help="Where a larger bed_offset looks, along the slices.")
    ] = None,
    cycle_length: Annotated[
        float | None, typer.Option(metavar="MS", help="Nominal length of a heart beat or breath of gated scans.")
    ] = None,
    separate_frames: Annotated[
        bool | None,
        typer.Option(
            "--separate-frames", help="Make each frame block a series, if the header does not distinguish them."
        ),
    ] = None,
    frame_of_reference: Annotated[
        Literal["auto", "shared", "separate"], typer.Option(help="Which series lie in one space, for fusion.")
    ] = "auto",
    apply_hounsfield: Annotated[
        bool | None,
        typer.Option(
            "--apply-hounsfield/--no-apply-hounsfield",
            help="CT: apply ct_hounsfield_scale and ct_hounsfield_offset.",
        ),
    ] = None,
    allow_long_data: Annotated[
        bool | None,
        typer.Option(
            "--allow-long-data/--no-allow-long-data", help="Accept .img files that are longer than the header says."
        ),
    ] = None,
) -> Corrections:
    """Return what counts instead of the headers.

    Raises:
        OptionError: what makes no sense.
    """
    from inveonimaging.animal import given_subject
    from inveonimaging.study.corrections import Corrections

    return Corrections(
        subject=given_subject(patient_name, patient_id, patient_birth_date, patient_sex),
        species=species,
        strain=strain,
        weight_kg=weight,
        dose_mbq=dose,
        injected_at=injected_at,
        sheet=subjects,
        only=only or (),
        scan_time=scan_time,
        orientation=orientation,
        flip=flip,
        bed_direction=bed_direction,
        cycle_ms=cycle_length,
        separate_frames=separate_frames,
        frame_of_reference=frame_of_reference,
        apply_hounsfield=apply_hounsfield,
        allow_long_data=allow_long_data,
    )


def takes_corrections(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all options of `corrections_of`, in the place of its argument `corrections`."""
    return _takes("corrections", corrections_of, command, settings=True)


def takes_typed_corrections(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the same, without settings of `inveon.toml`."""
    return _takes("corrections", corrections_of, command)


def deidentification_of(
    *,
    deidentify: Annotated[bool, typer.Option("--deidentify", help="Remove names, places, file names.")] = False,
    dates: Annotated[
        Literal["keep", "shift"] | None, typer.Option(help="With --deidentify: what happens to dates; default shift.")
    ] = None,
    shift_days: Annotated[
        int | None, typer.Option(metavar="N", help="With --deidentify: days added to all dates, as -3000.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --deidentify: secret that makes pseudonyms and shifts.")
    ] = None,
) -> Deidentify | None:
    """Return how headers are redacted; None leaves them as they are.

    Raises:
        OptionError: what makes no sense, or the secret cannot be read.
    """
    from inveonimaging.redaction.request import request_of

    return request_of(deidentify, dates, shift_days, key_file)


def takes_deidentification(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all options of `deidentification_of`, in the place of its argument `deidentification`."""
    return _takes("deidentification", deidentification_of, command)


@takes_deidentification
@takes_typed_corrections
def conversion_options(
    *,
    corrections: AskedCorrections,
    strict: Annotated[bool, typer.Option(help="Refuse other files and nested folders; fail on warnings.")] = False,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="EXT", help="Extension of files that --strict allows; repeatable.")
    ] = None,
    form: Annotated[
        Literal["classic", "enhanced", "legacy"],
        typer.Option("--as", help="One object a slice, or a series"),
    ] = "classic",
    file_name: Annotated[
        str | None, typer.Option("--file", "-f", metavar="NAME", help="Name of multi-frame objects' files.")
    ] = None,
    max_object_size: Annotated[
        str, typer.Option(metavar="SIZE", help="Larger multi-frame objects become a concatenation of several.")
    ] = "2GiB",
    compress: Annotated[
        Literal["none", "rle", "jpegls", "j2k", "deflated"], typer.Option(help="Without loss")
    ] = "none",
    study_description: Annotated[
        str | None, typer.Option("--study-description", "-s", help="Study Description.")
    ] = None,
    rescale: Annotated[
        Literal["auto", "series", "frame", "slice"], typer.Option(help="What shares one rescale slope.")
    ] = "auto",
    uids: Annotated[Literal["content", "random"], typer.Option(help="UIDs from the content, or random.")] = "content",
    code_table: Annotated[
        Path | None, typer.Option("--code-table", "-C", help="JSON file with codes for isotopes.")
    ] = None,
    ct_prefix: Annotated[
        str | None, typer.Option("--ct-prefix", "-c", help="Start of CT file names, instead of CT-.")
    ] = None,
    pet_prefix: Annotated[
        str | None, typer.Option("--pet-prefix", "-p", help="Start of PET file names, instead of PET-.")
    ] = None,
    nm_prefix: Annotated[str | None, typer.Option(help="Start of SPECT file names, instead of NM-.")] = None,
    xnat_route: Annotated[
        str | None, typer.Option(metavar="P/S/L", help="Project, subject and session that XNAT files it in.")
    ] = None,
    deidentification: AskedDeidentification,
    unlimited_text: Annotated[
        bool,
        typer.Option("--unlimited-text", help="Write elements that some programs cannot read, as Strain Description."),
    ] = False,
) -> Options:
    """Return what was asked for.

    Raises:
        OptionError: what makes no sense.
    """
    from inveonimaging.conversion.instance_layout import object_size
    from inveonimaging.conversion.options import PREFIXES, Options

    return Options(
        **corrections().values,
        form=form,
        file_name=file_name,
        largest_object=object_size(max_object_size),
        compression=compress,
        study_description=study_description,
        xnat_route=xnat_route,
        deidentify=deidentification(),
        rescale=rescale,
        uids=uids,
        prefixes={
            modality: own if typed is None else typed
            for (modality, own), typed in zip(PREFIXES.items(), (ct_prefix, pet_prefix, nm_prefix), strict=True)
        },
        codes=code_table,
        refuse_strays=strict,
        ignored_suffixes=ignore or (),
        fail_on_warnings=strict,
        unlimited_text=unlimited_text,
    )


def takes_conversion_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all options of `conversion_options`, in the place of its argument `asked`."""
    return _takes("asked", conversion_options, command, settings=True)
