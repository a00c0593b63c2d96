"""Where table, gantry and volume are, as Enhanced CT and PET tell it (PS3.3 C.8.15.3.5, C.8.22.5.4)."""

from __future__ import annotations

from pydicom.dataset import Dataset

from inveonimaging.dicom.encode import dataset, put
from inveonimaging.dicom.series import Series
from inveonimaging.inveon.frame_groups import beds_are_joined


def centres(series: Series) -> Dataset:
    """Return the item of the position macros: bed offset, and centres of gantry and volume in the patient, mm.

    A volume of joined bed positions has no one table position.
    """
    grid = series.image.grid
    gantry = grid.axes @ (0.0, 0.0, grid.bed_mm)
    volume = gantry + grid.axes @ grid.shift_mm
    item = dataset(
        DataCollectionCenterPatient=(gantry + 0.0).tolist(), ReconstructionTargetCenterPatient=(volume + 0.0).tolist()
    )
    return put(
        item, TablePosition=None if beds_are_joined(series.image.header) else series.image.frames[0].bed_offset_mm
    )
