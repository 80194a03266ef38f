"""Settings of doors: what is not theirs, or not there, is told before anything starts."""

from __future__ import annotations

import pytest

from entrepot.app import check_doors
from entrepot.config import Config
from entrepot.errors import ConfigInvalid


@pytest.mark.parametrize(
    ("doors", "name"),
    [
        ({"s4": {}}, "doors.s4"),
        ({"monitor": {"metrics_token": "let-me-see"}}, "doors.monitor.metrics_token"),
        ({"s3": {"regoin": "x"}}, "doors.s3.regoin"),
        ({"s3": {"region": "eu-x"}}, "doors.s3.region"),
    ],
)
def test_what_no_door_takes_is_refused_by_name(doors: dict[str, dict[str, object]], name: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        check_doors(Config(doors=doors))
    assert refused.value.name == name


def test_a_server_without_a_door_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match="every one is closed"):
        check_doors(Config(doors={"s3": {"enabled": False}, "monitor": {"enabled": False}}))


def test_the_usual_doors_pass() -> None:
    check_doors(Config())
