"""The file's own codes, as enumerations with the file's own numbers (header dictionary, section 4)."""

from __future__ import annotations

from enum import IntEnum
from typing import TypeVar

E = TypeVar("E", bound="Labelled")


class Labelled(IntEnum):
    """An enumeration whose members carry the words to show."""

    label: str

    def __new__(cls, value: int, label: str) -> Labelled:  # noqa: PYI034 - Self comes with Python 3.11
        """Make a member with its words."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member

    @classmethod
    def of(cls: type[E], number: int) -> E:  # noqa: PYI019 - likewise
        """Return the member with the file's number; ValueError if there is none."""
        return cls(number)  # type: ignore[call-arg]  # a look-up, not a new member

    def __str__(self) -> str:
        return self.label

    def __format__(self, spec: str) -> str:
        """Return the words, or the number where its form is asked for (`:d`); Python 3.10 has words alone."""
        return int.__format__(self, spec) if spec else self.label


class Modality(Labelled):
    """hdr `modality`; absent in files of R4, P4 and Focus scanners, -1 in files of (X)MedCon: both hold PET."""

    UNKNOWN = -1, "unknown"
    PET = 0, "PET"
    CT = 1, "CT"
    SPECT = 2, "SPECT"


class Model(Labelled):
    """hdr `model`."""

    UNKNOWN = 0, "unknown"
    PRIMATE = 2000, "microPET P4"
    RODENT = 2001, "microPET R4"
    MICROPET2 = 2002, "microPET II"
    FOCUS_220 = 2500, "microPET Focus 220"
    FOCUS_120 = 2501, "microPET Focus 120"
    MCAT = 3000, "microCAT"
    MCAT2 = 3500, "microCAT II"
    MSPECT = 4000, "microSPECT"
    INVEON_PET = 5000, "Inveon Dedicated PET"
    INVEON_MM = 5001, "Inveon MM Platform"
    MR_PET_HEAD = 6000, "MR-PET Head Insert"
    TUEBINGEN = 8000, "Tuebingen PET-MR"


class ModalityConfiguration(Labelled):
    """hdr `modality_configuration`."""

    UNKNOWN = 0, "unknown"
    PRIMATE = 2000, "microPET P4"
    RODENT = 2001, "microPET R4"
    MICROPET2 = 2002, "microPET II"
    FOCUS_220 = 2500, "microPET Focus 220"
    FOCUS_120 = 2501, "microPET Focus 120"
    MCAT = 3000, "microCAT"
    MCAT2 = 3500, "microCAT II"
    MM_STD_CT = 3600, "Inveon MM Std CT"
    MM_HIRES_STD_CT = 3601, "Inveon MM HiRes Std CT"
    MM_STD_LFOV_CT = 3602, "Inveon MM Std LFOV CT"
    MM_HIRES_LFOV_CT = 3603, "Inveon MM HiRes LFOV CT"
    INVEON_PET = 5000, "Inveon Dedicated PET"
    MM_PET = 5500, "Inveon MM PET"


class FileType(Labelled):
    """hdr `file_type`: what the data file holds."""

    UNKNOWN = 0, "unknown"
    LIST_MODE = 1, "list mode"
    SINOGRAM = 2, "sinogram"
    NORMALIZATION = 3, "normalization"
    ATTENUATION = 4, "attenuation correction"
    IMAGE = 5, "image"
    BLANK = 6, "blank"
    UNUSED = 7, "unused"
    MU_MAP = 8, "mu map"
    SCATTER = 9, "scatter correction"
    CRYSTAL_EFFICIENCY = 10, "crystal efficiency"
    CRYSTAL_INTERFERENCE = 11, "crystal interference correction"
    TRANSAXIAL_GEOMETRIC = 12, "transaxial geometric correction"
    AXIAL_GEOMETRIC = 13, "axial geometric correction"
    CT_PROJECTIONS = 14, "CT projections"
    SPECT_PROJECTIONS = 15, "SPECT raw projections"
    SPECT_ENERGY = 16, "SPECT energy data"
    SPECT_NORMALIZATION = 17, "SPECT normalization"
    SPECT_TOMO_CRYSTALGRAM = 18, "SPECT tomography normalization crystalgram"
    SPECT_PLANAR_CRYSTALGRAM = 19, "SPECT planar normalization crystalgram"


class AcquisitionMode(Labelled):
    """hdr `acquisition_mode`."""

    UNKNOWN = 0, "unknown acquisition"
    BLANK = 1, "blank"
    EMISSION = 2, "emission"
    DYNAMIC = 3, "dynamic emission"
    GATED = 4, "gated emission"
    CONTINUOUS_BED = 5, "continuous bed motion"
    SINGLES_TX = 6, "singles transmission"
    WINDOWED_TX = 7, "windowed coincidence transmission"
    NON_WINDOWED_TX = 8, "non-windowed coincidence transmission"
    CT = 9, "CT"
    CT_CALIBRATION = 10, "CT calibration"
    SPECT_PLANAR = 11, "SPECT planar"
    SPECT = 12, "SPECT multi-projection"
    SPECT_CALIBRATION = 13, "SPECT calibration"
    SPECT_TOMO_NORMALIZATION = 14, "SPECT tomographic normalization"
    SPECT_DETECTOR_SETUP = 15, "SPECT detector setup"
    SPECT_SCOUT = 16, "SPECT scout view"
    SPECT_PLANAR_NORMALIZATION = 17, "SPECT planar normalization"


class BedControl(Labelled):
    """hdr `bed_control`."""

    UNKNOWN = 0, "unknown"
    DEDICATED_PET = 1, "dedicated PET"
    MICROCAT2 = 2, "microCAT II"
    MULTIMODALITY = 3, "multimodality"
    MICROPET = 4, "microPET"


class BedMotion(Labelled):
    """hdr `bed_motion`."""

    STATIC = 0, "static or unknown"
    CONTINUOUS = 1, "continuous"
    STEP_AND_SHOOT = 2, "step and shoot"


class CalibrationUnits(Labelled):
    """hdr `calibration_units`: the unit after multiplication by `calibration_factor`."""

    UNKNOWN = 0, "unknown"
    NCI_PER_CC = 1, "nCi/cc"
    BQ_PER_CC = 2, "Bq/cc"
    HOUNSFIELD = 3, "Hounsfield units"


class Smoothing(Labelled):
    """hdr `smooth_types`: the filter that the workstation ran over the voxels."""

    UNKNOWN = 0, "unknown"
    BOXCAR = 1, "3 point boxcar"
    GAUSSIAN = 2, "3 point Gaussian"
    TRIANGULAR = 3, "3 point triangular"


class ActivityUnits(Labelled):
    """hdr `dose_units` and `activity_units`."""

    UNKNOWN = 0, "unknown"
    MCI = 1, "mCi"
    MBQ = 2, "MBq"


class LengthUnits(Labelled):
    """hdr `subject_length_units`."""

    UNKNOWN = 0, "unknown"
    MM = 1, "mm"
    CM = 2, "cm"
    INCH = 3, "inch"


class WeightUnits(Labelled):
    """hdr `subject_weight_units`."""

    UNKNOWN = 0, "unknown"
    GRAM = 1, "g"
    OUNCE = 2, "oz"
    KILOGRAM = 3, "kg"
    POUND = 4, "lb"


class DeadtimeCorrection(Labelled):
    """hdr `deadtime_correction_applied`."""

    NONE = 0, "none"
    SINGLES = 1, "global, from singles"
    SINGLES_CMS = 2, "CMS, from singles"
    RUNNING = 3, "global, running average"
    BLANK_TX = 4, "block based, blank/TX"


class Normalization(Labelled):
    """hdr `normalization_applied`."""

    NONE = 0, "none"
    POINT_INVERSE = 1, "point source inversion"
    POINT_COMPONENT = 2, "point source component based"
    CYLINDER_INVERSE = 3, "cylinder inversion"
    CYLINDER_COMPONENT = 4, "cylinder component based"
    CT_LOG = 5, "dark/bright field log"
    SPECT_FLOOD = 6, "SPECT flood"


class Attenuation(Labelled):
    """hdr `attenuation_applied`."""

    NONE = 0, "none"
    POINT_WINDOWED = 1, "point source, windowed coincidence TX"
    POINT_SINGLES = 2, "point source, singles TX"
    SEGMENTED_COINCIDENCE = 3, "segmented coincidence TX"
    SEGMENTED_SINGLES = 4, "segmented singles TX"
    GEOMETRIC = 5, "calculated from geometry"
    NON_POSITRON_SINGLES = 6, "non-positron source, singles TX"
    POINT_NON_WINDOWED = 7, "point source, non-windowed coincidence TX"
    CT = 8, "CT"


class Scatter(Labelled):
    """hdr `scatter_correction`."""

    NONE = 0, "none"
    TAIL_FIT = 1, "fit of emission tail"
    MONTE_CARLO = 2, "Monte Carlo of emission and transmission"
    ANALYTIC = 3, "direct calculation from analytical formulas"
    MODEL_SINGLES_TX = 4, "model based for singles TX"
    OFF_WINDOW = 5, "TX off-window windowed subtraction"
    SCALED_SINGLES_TX = 6, "singles TX scaling"


class TransmissionSource(Labelled):
    """hdr `tx_src_type`."""

    UNKNOWN = 0, "unknown"
    POINT = 1, "point"
    LINE = 2, "line"


class DataType(Labelled):
    """hdr `data_type`: type and byte order of the voxels."""

    INT8 = 1, "int8"
    INT16_LE = 2, "int16, little endian"
    INT32_LE = 3, "int32, little endian"
    FLOAT32_LE = 4, "float32, little endian"
    FLOAT32_BE = 5, "float32, big endian"
    INT16_BE = 6, "int16, big endian"
    INT32_BE = 7, "int32, big endian"


class DataOrder(Labelled):
    """hdr `data_order`; images are x fastest, then y, z and frame under both."""

    VIEW = 0, "view mode"
    SINOGRAM = 1, "sinogram mode"


class FilterWindow(Labelled):
    """First token of hdr `x_filter`, `y_filter`, `z_filter`."""

    NONE = 0, "none"
    RAMP = 1, "Ramp"
    BUTTERWORTH1 = 2, "Butterworth1"
    HANN = 3, "Hann"
    HAMMING = 4, "Hamming"
    PARZEN = 5, "Parzen"
    SHEPP = 6, "Shepp"
    BUTTERWORTH2 = 7, "Butterworth2"


class Rebinning(Labelled):
    """hdr `rebinning_type`."""

    NONE = 0, "none"
    FULL_3D = 1, "full 3D"
    SSRB = 2, "SSRB"
    FORE = 3, "FORE"


class ReconAlgorithm(Labelled):
    """hdr `recon_algorithm`."""

    UNKNOWN = 0, "unknown"
    FBP = 1, "FBP"
    OSEM2D = 2, "OSEM2D"
    OSEM3D = 3, "OSEM3D"
    REPROJECTION_3D = 4, "3D reprojection"
    UNUSED = 5, "unused"
    OSEM3D_MAP = 6, "OSEM3D/MAP"
    MAPTR = 7, "MAPTR"
    MAP3D = 8, "MAP3D"
    FELDKAMP = 9, "Feldkamp cone beam"


class Osem2dMethod(Labelled):
    """hdr `osem2d_method`."""

    UNWEIGHTED = 0, "unweighted"
    ATTENUATION_WEIGHTED = 1, "attenuation weighted"


class Registration(Labelled):
    """hdr `registration_available`."""

    NONE = 0, "none"
    CT = 1, "CT registration data"
    PET = 2, "PET registration data"


class Orientation(Labelled):
    """hdr `subject_orientation`; members are named after DICOM's Patient Position (0018,5100)."""

    UNKNOWN = 0, "unknown"
    FFP = 1, "feet first, prone"
    HFP = 2, "head first, prone"
    FFS = 3, "feet first, supine"
    HFS = 4, "head first, supine"
    FFDR = 5, "feet first, right"
    HFDR = 6, "head first, right"
    FFDL = 7, "feet first, left"
    HFDL = 8, "head first, left"


class GantryRotation(Labelled):
    """hdr `gantry_rotation`."""

    NONE = 0, "none"
    STEPS = 1, "discrete steps"
    CONTINUOUS = 2, "continuous"


class RotationDirection(Labelled):
    """hdr `rotation_direction`."""

    CLOCKWISE = 0, "clockwise"
    COUNTERCLOCKWISE = 1, "counterclockwise"


class CtWarping(Labelled):
    """hdr `ct_warping`."""

    UNKNOWN = 0, "unknown"
    NONE = 1, "none"
    BILINEAR = 2, "bilinear"
    NEAREST = 3, "nearest neighbour"


class CtInterpolation(Labelled):
    """hdr `ct_projection_interpolation`."""

    UNKNOWN = 0, "unknown"
    BILINEAR = 1, "bilinear"
    NEAREST = 2, "nearest neighbour"


class EventType(Labelled):
    """hdr `event_type`, of a frame."""

    UNKNOWN = 0, "unknown"
    SINGLES = 1, "singles"
    PROMPTS = 2, "prompts"
    DELAYS = 3, "delays"
    TRUES = 4, "trues (prompts - delays)"
    ENERGY_SPECTRUM = 5, "energy spectrum"
