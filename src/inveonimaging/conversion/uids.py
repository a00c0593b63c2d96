"""The UIDs of a study and of all that is in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from inveonimaging.animal.sheet_values import SheetValues
from inveonimaging.conversion.options import Options, Uids
from inveonimaging.conversion.plan import SeriesPlan, StudyPlan
from inveonimaging.dicom.iods import MultiFrameIod
from inveonimaging.dicom.series import Concatenation, MultiFrame, Study
from inveonimaging.dicom.uids import UID, ContentUids, RandomUids
from inveonimaging.study.masking import digest_of
from inveonimaging.version import __version__


class StudyNames:
    """The UIDs of a study and of what is in it."""

    def __init__(self, planned: StudyPlan, digests: Sequence[str], options: Options) -> None:
        """Name a study of these voxels: `digests` has one of each series."""
        identity = (*digests, _identity(planned, options))
        self.uids = RandomUids() if options.uids is Uids.RANDOM else ContentUids()
        self._planned = planned
        self._content_study = ContentUids().uid("study", *identity)
        self.study = Study(
            uid=self.uids.uid("study", *identity),
            id=planned.id,
            description=planned.description,
            start=planned.start,
            animal=planned.animal,
            deidentified=options.deidentify.dates if options.deidentify else None,
            comments=comments_of(planned.sheet_values, options),
            unlimited_text=options.unlimited_text,
            specified=options.specified,
            group_id=planned.study.part.whole.animal.id if planned.study.part else "",
        )

    def series(self, planned: SeriesPlan) -> UID:
        """Return a Series Instance UID; each form of an image has its own."""
        form = (planned.iod.sop_class,) if isinstance(planned.iod, MultiFrameIod) else ()
        return self.uids.uid("series", self.study.uid, planned.number, *form)

    def frame_of_reference_uid(self, planned: SeriesPlan) -> UID:
        """Return a Frame of Reference UID."""
        return self.uids.uid("frame of reference", self.study.uid, planned.frame_of_reference)

    def attenuation(self, planned: SeriesPlan) -> UID | None:
        """Return the UID of the series that the attenuation was corrected with, if it is in the study."""
        return next((self.series(each) for each in self._planned.series if each.number == planned.attenuation), None)

    def single_frames(self, planned: SeriesPlan) -> Callable[[int], UID]:
        """Return what gives the UID of a single-frame instance by its number.

        Where another form is written, it is that of the conversion that by default gives single-frame instances.
        """
        if not isinstance(planned.iod, MultiFrameIod):
            return partial(self.uids.uid, "instance", self.series(planned))
        series = ContentUids().uid("series", self._content_study, planned.number)
        return partial(ContentUids().uid, "instance", series)

    def multi_frames(self, planned: SeriesPlan, series: UID) -> tuple[MultiFrame, ...]:
        """Return the multi-frame objects of a series, if any; several that hold one whole are a concatenation."""
        objects = planned.objects if isinstance(planned.iod, MultiFrameIod) else ()
        is_concatenation = len(objects) > 1 and planned.iod.may_be_concatenated
        whole = self.uids.uid("concatenation", series), self.uids.uid("concatenation source", series)
        return tuple(
            MultiFrame(
                uid=self.uids.uid("object", series, slices),
                number=1 if is_concatenation else number,
                slices=slices,
                concatenation=Concatenation(*whole, number, len(objects)) if is_concatenation else None,
            )
            for number, slices in enumerate(objects, 1)
        )


def _identity(study: StudyPlan, options: Options) -> str:
    """Return what the instances say beyond headers and voxels, as text: options where they took effect, and version.

    The form is not part of it: the objects of all forms belong to one study.
    """
    series = [
        (
            each.start,
            each.frame_of_reference,
            each.image.grid,
            each.image.scaling,
            each.gating,
            *_of_tracer(each),
            (each.animal.weight_kg, each.animal.length_m, each.animal.age),
            *(each.sheet_values.get(name) for name in ("series_description", "protocol")),
            options.codes.radionuclide(each.image.header.tracer.isotope or ""),
            *filter(None, (digest_of(each.image),)),
        )
        for each in study.series
    ]
    animal = replace(study.animal, sources={})
    route = tuple(filter(None, (comments_of(study.sheet_values, options),)))
    hidden = () if options.deidentify is None else ("deidentified", options.deidentify.dates.value)
    unlimited = ("unlimited text",) if options.unlimited_text else ()
    specified = ("specified",) if options.specified else ()
    group = [[(one.id, one.place, one.posture) for one in each.image.group] for each in study.series]
    several = ("several animals", group) if any(group) else ()
    words = (
        study.description,
        study.id,
        animal,
        options.rescale.value,
        series,
        *route,
        *hidden,
        *unlimited,
        *specified,
        *several,
    )
    return repr((__version__, *words))


def _of_tracer(planned: SeriesPlan) -> tuple[object, ...]:
    """Return dose and injection, which a sheet may give; the same from sheet and header are alike to the last digit."""
    tracer = planned.image.header.tracer
    return (None if tracer.dose_bq is None else f"{tracer.dose_bq:.12g}", tracer.injected_at)


def comments_of(sheet_values: SheetValues, options: Options) -> str:
    """Return the text of Patient Comments (0010,4000), which XNAT files a study by; empty if nobody says where."""
    if options.xnat_route:
        return options.xnat_route.comments
    labels = {"Project": "project", "Subject": "xnat_subject", "Session": "xnat_session"}
    return " ".join(f"{label}: {sheet_values.get(name)}" for label, name in labels.items() if sheet_values.get(name))
