"""The picture: General Image, Image Plane, Image Pixel, VOI LUT."""

from __future__ import annotations

from pydicom.dataset import Dataset

from inveonimaging.dicom.encode import dataset, ds, put
from inveonimaging.dicom.series import Instance, Series
from inveonimaging.dicom.specified import filter_names
from inveonimaging.physics.quantification import Slope


def general_image(series: Series, instance: Instance) -> dict[str, str]:
    """General Image Module (PS3.3 C.7.6.1)."""
    return {"InstanceNumber": str(instance.number)}


def image_comments(series: Series) -> Dataset:
    """Image Comments (0020,4000): names of the filters; none in de-identified data, where no comment may stay."""
    return put(Dataset(), ImageComments=None if series.study.deidentified else filter_names(series.image.header))


def image_plane(series: Series) -> Dataset:
    """Image Plane Module (PS3.3 C.7.6.2), what is constant in a series."""
    grid = series.image.grid
    x, y, z = grid.spacing_mm
    return dataset(
        PixelSpacing=[ds(y), ds(x)],
        ImageOrientationPatient=[ds(cosine) for cosine in grid.image_orientation],
        SliceThickness=ds(z),
        SpacingBetweenSlices=ds(z),
    )


def image_position(series: Series, k: int) -> dict[str, list[str]]:
    """Image Position (Patient) (0020,0032) of the Image Plane Module (PS3.3 C.7.6.2)."""
    return {"ImagePositionPatient": [ds(coordinate) for coordinate in series.image.grid.positions[k]]}


def slice_location(series: Series, k: int) -> dict[str, str]:
    """Slice Location (0020,1041) of the Image Plane Module (PS3.3 C.7.6.2)."""
    return {"SliceLocation": ds(series.image.grid.slice_locations[k])}


def image_pixel(series: Series) -> Dataset:
    """Image Pixel Module (PS3.3 C.7.6.3): signed 16 bit, without the pixels."""
    columns, rows, _ = series.image.grid.shape
    return dataset(
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=rows,
        Columns=columns,
        BitsAllocated=16,
        BitsStored=16,
        HighBit=15,
        PixelRepresentation=1,
    )


def rescale(series: Series, slope: Slope) -> Dataset:
    """Rescale Intercept and Slope of the CT and PET Image Modules; the slope that the pixels were quantised with."""
    intercept = series.image.scaling.intercept
    return dataset(RescaleIntercept=ds(intercept) if intercept else "0", RescaleSlope=slope.text)


def voi_lut(series: Series) -> Dataset:
    """VOI LUT Module (PS3.3 C.11.2): one window for the whole series, so that slices compare."""
    if series.window is None:
        return Dataset()
    centre, width = series.window
    window = dataset(WindowCenter=ds(centre), WindowWidth=ds(width))
    if width < 1:
        window.VOILUTFunction = "LINEAR_EXACT"  # LINEAR, the default, has no width below 1
    return window
