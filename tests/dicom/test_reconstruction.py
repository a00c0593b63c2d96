"""Convolution Kernel and Reconstruction Method, as programs that parse them need them."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest

from inveonimaging.dicom.modules.reconstruction import ct_kernel, pet_kernel, reconstruction_method
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import FilterWindow, Rebinning, ReconAlgorithm
from inveonimaging.inveon.hdr.model import Reconstruction
from inveonimaging.inveon.hdr.parse import parse
from inveonimaging.inveon.hdr.values import Filter

NONE, RAMP, HANN, SHEPP = FilterWindow.NONE, FilterWindow.RAMP, FilterWindow.HANN, FilterWindow.SHEPP
FIRST, SECOND = FilterWindow.BUTTERWORTH1, FilterWindow.BUTTERWORTH2
PARZEN, HAMMING = FilterWindow.PARZEN, FilterWindow.HAMMING
LONGEST = 16  # of a Short String


def header(**reconstruction: object) -> Header:
    made = Reconstruction(**reconstruction)  # type: ignore[arg-type]
    return replace(parse(b"model 5001\n")[0], reconstruction=made)


def kernel(*filters: tuple[FilterWindow, float | None] | None) -> str:
    x, y, z = (each and Filter(*each) for each in filters)
    return pet_kernel(header(x_filter=x, y_filter=y, z_filter=z))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (((RAMP, 0.5), (NONE, 0.5), (HANN, 0.5)), "Ramp/-/Hann 0.5"),
        (((RAMP, 0.5), (NONE, 0.0), (NONE, 0.5)), "Ramp/-/- 0.5"),
        (((SHEPP, 0.5), None, None), "Shepp/-/- 0.5"),
        (((NONE, 0.5), (NONE, 0.5), (NONE, 0.5)), ""),
        ((None, None, None), ""),
        (((HANN, 0.5), (HANN, 0.5), (HANN, 0.5)), "Hn/Hn/Hn 0.5"),  # with the names in full it has 18
        (((RAMP, 0.5), (NONE, 0.5), (HANN, 0.3)), "Ra 0.5/-/Hn 0.3"),  # cutoffs that differ
        (((RAMP, 1), (NONE, None), (NONE, None)), "Ramp/-/- 1.0"),
        (((RAMP, None), (NONE, None), (HANN, 0.5)), "Ramp/-/Hann"),  # whose cutoff 0.5 would be is not to be seen
        (((FIRST, 0.5), (NONE, None), (NONE, None)), "BwI/-/- 0.5"),
        (((SECOND, 0.25), (SECOND, 0.25), (SECOND, 0.25)), "BII/BII/BII 0.25"),
        (((PARZEN, 0.5), (PARZEN, 0.25), (HAMMING, 0.1)), "Parz/Parz/Hamm"),
        (((PARZEN, 0.123456), (HAMMING, 0.123456), (HANN, 0.123456)), "Parz/Hamm/Hann"),
        (((RAMP, 1e-5), (NONE, None), (NONE, None)), "Ramp/-/-"),
        (((RAMP, float("inf")), (NONE, None), (NONE, None)), "Ramp/-/-"),
    ],
)
def test_a_pet_has_one_kernel_of_three_windows_and_their_cutoff(
    filters: tuple[tuple[FilterWindow, float | None] | None, ...], expected: str
) -> None:
    assert kernel(*filters) == expected


def size_of(kernel: str) -> float | None:
    """Return the filter's size as PET2BIDS takes it from a kernel; ValueError where it fails."""
    if not re.search(r"\d+.\d+", kernel):
        return None
    match = re.search(r"\d+.\d*", kernel)
    assert match
    return float(match[0])


def test_every_kernel_fits_and_no_other_number_is_taken_for_a_cutoff() -> None:
    """All windows in three directions, with cutoffs that are equal and that differ."""
    numbers = (0.5, 1, 0.123456789, 12.0, 1e-7)
    cutoffs = [(a, b, c) for n, a in enumerate(numbers) for b, c in ((a, a), (numbers[n - 1], numbers[n - 2]))]
    for windows, three in itertools.product(itertools.product(FilterWindow, repeat=3), cutoffs):
        filters = tuple(zip(windows, three, strict=True))
        found = kernel(*filters)
        messages = {cutoff for window, cutoff in filters if window}
        assert len(found) <= LONGEST
        assert "\\" not in found
        size = size_of(found)
        assert size is None or any(size == pytest.approx(cutoff, rel=1e-5) for cutoff in messages)  # of six digits


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        (ReconAlgorithm.FELDKAMP, "Feldkamp Cone Be"),  # as the vendor's workstation writes it
        (ReconAlgorithm.FBP, "Filtered Backpro"),
        (ReconAlgorithm.OSEM3D, "OSEM3D"),
        (ReconAlgorithm.UNKNOWN, ""),
        (ReconAlgorithm.UNUSED, ""),
        (None, ""),
    ],
)
def test_a_ct_has_the_algorithm_as_its_kernel(algorithm: ReconAlgorithm | None, expected: str) -> None:
    assert ct_kernel(header(algorithm=algorithm, x_filter=Filter(SHEPP, 0.5))) == expected


COUNTS = {"map_subsets": 16, "map_osem3d_iterations": 2, "map_iterations": 18}


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({"algorithm": ReconAlgorithm.OSEM3D, **COUNTS}, "OSEM3D, 2i16s"),
        ({"algorithm": ReconAlgorithm.OSEM3D_MAP, **COUNTS}, "OSEM3D/MAP 2i16s, 18 MAP iterations"),
        (
            {"algorithm": ReconAlgorithm.OSEM3D_MAP, **COUNTS, "map_beta": 0.1},
            "OSEM3D/MAP 2i16s, 18 MAP iterations, beta 0.1",
        ),
        ({"algorithm": ReconAlgorithm.OSEM3D_MAP, "map_iterations": 18}, "OSEM3D/MAP, 18 MAP iterations"),
        ({"algorithm": ReconAlgorithm.MAP3D, **COUNTS}, "MAP3D, 18i16s"),
        ({"algorithm": ReconAlgorithm.MAPTR, **COUNTS}, "MAPTR, 18i16s"),
        ({"algorithm": ReconAlgorithm.OSEM2D, "osem2d_subsets": 16, "osem2d_iterations": 4}, "OSEM2D, 4i16s"),
        ({"algorithm": ReconAlgorithm.OSEM2D, "osem2d_iterations": 4}, "OSEM2D, 4 iterations"),
        ({"algorithm": ReconAlgorithm.OSEM2D, "osem2d_subsets": -1, "osem2d_iterations": -1}, "OSEM2D"),
        (
            {"algorithm": ReconAlgorithm.OSEM2D, "osem2d_subsets": 16, "osem2d_iterations": 100},
            "OSEM2D, 100 iterations, 16 subsets",  # PET2BIDS would read 00i16s
        ),
        ({"algorithm": ReconAlgorithm.OSEM3D}, "OSEM3D"),
        ({"algorithm": ReconAlgorithm.FBP, **COUNTS}, "Filtered Back Projection"),
        ({"algorithm": ReconAlgorithm.FBP, "rebinning_type": Rebinning.FORE}, "FORE + Filtered Back Projection"),
        ({"algorithm": ReconAlgorithm.REPROJECTION_3D}, "3D Reprojection (Kinahan-Rogers)"),
        ({"algorithm": ReconAlgorithm.UNKNOWN, **COUNTS}, ""),
        ({"algorithm": ReconAlgorithm.UNUSED, **COUNTS}, ""),
        ({}, ""),
    ],
)
def test_iterations_and_subsets_stand_in_their_short_form(made: dict[str, object], expected: str) -> None:
    assert reconstruction_method(header(**made)) == expected
