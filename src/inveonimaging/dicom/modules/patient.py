"""Patient and Patient Study: the animal."""

from __future__ import annotations

from pydicom.dataset import Dataset

from inveonimaging.animal import Animal
from inveonimaging.dicom import codes
from inveonimaging.dicom.encode import LT, da, dataset, ds, lo, pn, put, text
from inveonimaging.dicom.series import Series
from inveonimaging.study.group import Member

_HUMAN = {"homo sapiens", "human", "homo"}
_HUMAN_CODE = "337915000"


def patient(series: Series) -> Dataset:
    """Patient Module (PS3.3 C.7.1.1), with its attributes for non-human organisms and for groups (C.7.1.4)."""
    animal = series.study.animal
    module = dataset(
        PatientName=pn(animal.name),
        PatientID=lo(animal.id),
        PatientBirthDate=da(animal.birth_date) if animal.birth_date else "",
        PatientSex=animal.sex,
    )
    if is_non_human(animal):
        module.update(_organism(animal, unlimited=series.study.unlimited_text))
    if person := pn(animal.investigator or ""):
        put(module, ResponsiblePerson=person, ResponsiblePersonRole=animal.responsible_role)
    put(module, ResponsibleOrganization=lo(animal.responsible_organization or ""))
    put(module, GroupOfPatientsIdentificationSequence=[_member(each) for each in series.image.group])
    return put(module, PatientComments=series.study.comments)


def _member(member: Member) -> Dataset:
    """Return an item of Group of Patients Identification Sequence (PS3.3 C.7.1.4): an animal, its place and posture."""
    item = dataset(PatientID=lo(member.id), SubjectRelativePositionInImage=list(member.place))
    return put(item, PatientPosition=member.posture.name if member.posture else None)


def patient_study(series: Series) -> Dataset:
    """Patient Study Module (PS3.3 C.7.2.2)."""
    animal = series.study.animal
    module = dataset(PatientSexNeutered="") if is_non_human(animal) else Dataset()
    neutered = None if animal.neutered is None else "ALTERED" if animal.neutered else "UNALTERED"
    return put(
        module,
        PatientSexNeutered=neutered,
        PatientAge=animal.age,
        PatientSize=animal.length_m and ds(animal.length_m),
        PatientWeight=animal.weight_kg and ds(animal.weight_kg),
        AdditionalPatientHistory=text(_history(animal), LT),
    )


def _history(animal: Animal) -> str:
    """Return strain and genetic modifications, whose own elements many programs cannot read, and all else known."""
    nomenclature = animal.modifications_nomenclature
    modifications = ", ".join(animal.modifications)
    parts = (
        animal.strain and f"Strain: {animal.strain}",
        modifications and f"Genetic modifications: {modifications}" + (f" ({nomenclature})" if nomenclature else ""),
        animal.history,
    )
    return "; ".join(part for part in parts if part)


def is_non_human(animal: Animal) -> bool:
    """Return whether a species is known and is not ours; a phantom has none."""
    if not animal.species:
        return animal.species_code is not None and animal.species_code.value != _HUMAN_CODE
    return str(animal.species).lower().split()[:2] not in [name.split() for name in _HUMAN]


def _organism(animal: Animal, *, unlimited: bool) -> Dataset:
    species = animal.species_code or codes.species(animal.species or "")
    coded = codes.items(species, unlimited=unlimited)
    registry = codes.items(codes.registry("breed_registry", animal.breed_registry), unlimited=unlimited)
    registration = dataset(
        BreedRegistrationNumber=lo(animal.breed_registration or ""), BreedRegistryCodeSequence=registry
    )
    module = dataset(
        PatientBreedDescription=lo(animal.breed or ""),
        PatientBreedCodeSequence=[],
        BreedRegistrationSequence=[registration] if registry else [],
        ResponsiblePerson="",
        ResponsibleOrganization=lo(animal.institution or ""),
    )
    return put(
        module,
        PatientSpeciesDescription=lo(animal.species or ("" if coded or not species else species.meaning)),
        PatientSpeciesCodeSequence=coded,
        GeneticModificationsSequence=_modifications(animal) if unlimited else [],
        **_strain(animal, unlimited=unlimited),
    )


def _strain(animal: Animal, *, unlimited: bool) -> dict[str, object]:
    """Return what is known of the strain; Strain Description (0010,0212) has VR UC, and a stock needs its registry."""
    registry = codes.items(codes.registry("strain_source_registry", animal.strain_registry), unlimited=unlimited)
    stock = registry and dataset(
        StrainStockNumber=lo(animal.strain_stock or ""),
        StrainSource=lo(animal.strain_source or ""),
        StrainSourceRegistryCodeSequence=registry,
    )
    return {
        "StrainDescription": lo(animal.strain or "") if unlimited else None,
        "StrainNomenclature": lo(animal.strain_nomenclature or ""),
        "StrainCodeSequence": [item for code in animal.strain_codes for item in codes.items(code, unlimited=unlimited)],
        "StrainStockSequence": stock and [stock],
    }


def _modifications(animal: Animal) -> list[Dataset]:
    """Return an item of Genetic Modifications Sequence for each modification; description and nomenclature are type 1.

    Genetic Modifications Description (0010,0222) has VR UC.
    """
    items = []
    for number, modification in enumerate(animal.modifications):
        item = dataset(
            GeneticModificationsDescription=text(modification, LT),
            GeneticModificationsNomenclature=lo(animal.modifications_nomenclature or ""),
        )
        if animal.modifications_codes:
            item.GeneticModificationsCodeSequence = [codes.item(animal.modifications_codes[number])]
        items.append(item)
    return items
