"""A newer reference only has to be fed to the script."""

import json
from pathlib import Path
from typing import Any

import pytest

from tgm.telegram.make_catalog import main


def one(type_: str, *, required: bool = False) -> dict[str, Any]:
    return {"type": type_, "required": required}


REFERENCE = {
    "version": "99.1",
    "methods": {
        "sendParcel": {"params": {"chat_id": one("Integer", required=True), "to": one("Place")}},
        "getParcels": {"params": {}},
    },
    "types": {
        "Update": {"update_id": one("Integer", required=True), "parcel": one("Parcel")},
        "Parcel": {"weight": one("Float", required=True)},
        "Place": {},
        "PlaceHouse": {"type": one("String", required=True)},
        "PlaceBoat": {"type": one("String", required=True)},
        "PlaceNames": {"type": one("String")},
        "Nothing": {},
    },
}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    source = tmp_path / "reference.json"
    source.write_text(json.dumps(REFERENCE))
    main(source, tmp_path)
    return tmp_path


def test_the_methods_and_the_kinds_of_update_are_in_the_catalogue(made: Path) -> None:
    catalogue: dict[str, Any] = {}
    exec((made / "catalog.py").read_text(), catalogue)  # noqa: S102 - just written
    assert catalogue["VERSION"] == "99.1"
    assert catalogue["METHODS"] == ("getParcels", "sendParcel")
    assert catalogue["UPDATE_KINDS"] == ("parcel",)
    assert catalogue["canonical"]("SENDPARCEL") == "sendParcel"


def test_each_method_has_its_parameters(made: Path) -> None:
    assert json.loads((made / "parameters.json").read_text()) == {
        "getParcels": [],
        "sendParcel": [["chat_id", "Integer", True], ["to", "Place", False]],
    }


def test_each_type_has_its_fields_or_those_it_stands_for(made: Path) -> None:
    types = json.loads((made / "types.json").read_text())
    assert types["Parcel"] == [["weight", "Float", True]]
    assert types["Place"] == "PlaceBoat or PlaceHouse"
    assert types["Nothing"] == []
