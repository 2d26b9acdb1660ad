"""The registry of added models, changed by several at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from modelsheet.base_models.user_models import UserModel, add_model, read_registry, remove_model
from modelsheet.errors import Conflict


def test_models_added_at_once_are_all_on_the_list(tmp_path: Path) -> None:
    def add(number: int) -> None:
        add_model(tmp_path, UserModel(id=f"model-{number}", path="/models/x"), [])

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(add, range(24)))

    assert {model.id for model in read_registry(tmp_path).models} == {
        f"model-{number}" for number in range(24)
    }


def test_of_two_of_one_name_added_at_once_one_is_refused(tmp_path: Path) -> None:
    def add(_: int) -> bool:
        try:
            add_model(tmp_path, UserModel(id="same", path="/models/x"), [])
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(12) as threads:
        assert sorted(threads.map(add, range(12))) == [False] * 11 + [True]
    remove_model(tmp_path, "same")
    assert read_registry(tmp_path).models == []
