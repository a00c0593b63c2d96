"""What the images of one animal say of the group's images from which they were cut (PS3.3 C.7.1.4, C.12.4)."""

from __future__ import annotations

from pydicom.dataset import Dataset

from inveonimaging.animal.sheet_values import Code
from inveonimaging.dicom import codes
from inveonimaging.dicom.encode import dataset, lo, put
from inveonimaging.dicom.series import Instance, MultiFrame, Series, SourceImage
from inveonimaging.study.masking import shown_value

_EXTRACTED = Code("113131", "DCM", "Extraction of individual subject from group")  # CID 7203
_MASKED = Code("113047", "DCM", "Pixel by pixel mask")
_PREDECESSOR = Code("113130", "DCM", "Predecessor containing group of imaging subjects")  # CID 7202


def source_group(series: Series) -> Dataset:
    """Source Patient Group Identification Sequence (0010,0026) of the Patient Module (PS3.3 C.7.1.1, C.7.1.4)."""
    group = series.study.group_id
    return dataset(SourcePatientGroupIdentificationSequence=[dataset(PatientID=lo(group))]) if group else Dataset()


def derivation(series: Series) -> Dataset:
    """Derivation Description and Code Sequence (0008,2111), (0008,9215) of the General Reference Module (PS3.3 C.12.4).

    Each step has a code, in their order. A description is there if voxels were changed, but not in de-identified data,
    from which the profile removes it (PS3.15 E.1).
    """
    if not series.is_cut:
        return Dataset()
    if not series.image.source.hidden_voxels:
        return dataset(DerivationCodeSequence=[codes.item(_EXTRACTED)])
    module = dataset(DerivationCodeSequence=[codes.item(_EXTRACTED), codes.item(_MASKED)])
    text = f"Voxels of other animals of the group were replaced by {shown_value(series.image)}"
    return put(module, DerivationDescription=None if series.study.deidentified else text)


def derivation_of_frame(series: Series) -> Dataset:
    """Derivation Image Macro (PS3.3 C.7.6.16.2.6), but for the source; its sequence may be empty, and must be there."""
    module = derivation(series)
    if module and series.source is None:
        module.SourceImageSequence = []
    return module


def purpose(series: Series) -> Dataset:
    """Purpose of Reference Code Sequence (0040,A170) of an item of Source Image Sequence."""
    return dataset(PurposeOfReferenceCodeSequence=[codes.item(_PREDECESSOR)]) if series.source else Dataset()


def source_image(series: Series, instance: Instance) -> dict[str, str]:
    """Image SOP Instance Reference Macro (PS3.3 10.3) of what one slice was cut from."""
    return _reference(series.source.image_of(instance.frame, instance.k)) if series.source else {}


def _reference(source: SourceImage) -> dict[str, str]:
    frame = {} if source.frame is None else {"ReferencedFrameNumber": str(source.frame)}
    return {"ReferencedSOPClassUID": source.sop_class, "ReferencedSOPInstanceUID": source.uid, **frame}


def source_images(series: Series, multi_frame: MultiFrame) -> Dataset:
    """Source Image Sequence (0008,2112) of an object without functional groups: an item for each source object."""
    items = []
    for (sop_class, uid), frames in _objects(series, multi_frame).items():
        item = dataset(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=uid, ReferencedFrameNumber=frames)
        item.PurposeOfReferenceCodeSequence = [codes.item(_PREDECESSOR)]
        items.append(item)
    return dataset(SourceImageSequence=items) if items else Dataset()


def source_evidence(series: Series, multi_frame: MultiFrame) -> Dataset:
    """Source Image Evidence Sequence (0008,9154) of Enhanced objects (PS3.3 C.8.15.2, C.8.22.3): the source objects."""
    objects = _objects(series, multi_frame)
    if series.source is None:
        return Dataset()
    instances = [dataset(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=uid) for sop_class, uid in objects]
    of_series = dataset(SeriesInstanceUID=series.source.series, ReferencedSOPSequence=instances)
    of_study = dataset(StudyInstanceUID=series.source.study, ReferencedSeriesSequence=[of_series])
    return dataset(SourceImageEvidenceSequence=[of_study])


def _objects(series: Series, multi_frame: MultiFrame) -> dict[tuple[str, str], list[str]]:
    """Return class and UID of the source objects of an object, with the frames that its own were cut from."""
    found: dict[tuple[str, str], list[str]] = {}
    order = series.in_space_and_time[multi_frame.slices.start : multi_frame.slices.stop]
    for source in (series.source.image_of(*each) for each in order if series.source):
        found.setdefault((source.sop_class, source.uid), []).append(str(source.frame))
    return found
