"""Patient and Patient Study: the animal."""

from __future__ import annotations

from pydicom.dataset import Dataset

from inveonimaging.dicom import codes
from inveonimaging.dicom.encode import LT, da, dataset, ds, lo, pn, put, text
from inveonimaging.dicom.series import Series
from inveonimaging.subject import Animal

_HUMAN = {"homo sapiens", "human", "homo"}


def patient(series: Series) -> Dataset:
    """Patient Module (PS3.3 C.7.1.1), with its attributes for non-human organisms."""
    animal = series.study.animal
    module = dataset(
        PatientName=pn(animal.name),
        PatientID=lo(animal.id),
        PatientBirthDate=da(animal.birth_date) if animal.birth_date else "",
        PatientSex=animal.sex,
    )
    if is_non_human(animal):
        module.update(_organism(animal))
    if investigator := pn(animal.investigator or ""):
        put(module, ResponsiblePerson=investigator, ResponsiblePersonRole="INVESTIGATOR")
    return module


def patient_study(series: Series) -> Dataset:
    """Patient Study Module (PS3.3 C.7.2.2)."""
    animal = series.study.animal
    module = dataset(PatientSexNeutered="") if is_non_human(animal) else Dataset()
    return put(
        module,
        PatientAge=animal.age,
        PatientSize=animal.length_m and ds(animal.length_m),
        PatientWeight=animal.weight_kg and ds(animal.weight_kg),
        AdditionalPatientHistory=animal.history and text(animal.history, LT),
    )


def is_non_human(animal: Animal) -> bool:
    """Return whether a species is known and is not ours; a phantom has none."""
    return bool(animal.species) and str(animal.species).lower().split()[:2] not in [name.split() for name in _HUMAN]


def _organism(animal: Animal) -> Dataset:
    species = codes.species(animal.species or "")
    module = dataset(
        PatientSpeciesDescription=lo(animal.species or ""),
        PatientBreedDescription="",
        PatientBreedCodeSequence=[],
        BreedRegistrationSequence=[],
        ResponsiblePerson="",
        ResponsibleOrganization=lo(animal.institution or ""),
    )
    return put(
        module,
        PatientSpeciesCodeSequence=species and [codes.item(species)],
        StrainDescription=animal.strain and lo(animal.strain),
    )
