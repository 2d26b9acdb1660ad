"""Each benchmark that `modelsheet bench` names can be imported and explains its options."""

from __future__ import annotations

import pytest

from modelsheet_benchmarks.__main__ import BENCHMARKS, main


@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_benchmark_explains_its_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])

    assert stop.value.code == 0
    assert f"modelsheet bench {name}" in capsys.readouterr().out
