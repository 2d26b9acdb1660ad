# `make fast` before each commit, `make test` for everything; both need `./install.sh test` once.
PYTHON := .venv/bin/python
# Unit tests of a second or two each: no Krita, no Chromium, no training, no service of its own.
FAST_TESTS := tests/test_walls.py tests/test_secrets.py tests/test_settings.py tests/api tests/files \
	tests/imaging tests/prompts tests/subjects tests/lora/test_reader.py \
	tests/service/queue tests/service/http tests/service/storage

.PHONY: fast check test demo

fast:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	$(PYTHON) -m pytest -q -m "not slow and not krita and not gpu" $(FAST_TESTS)

check:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --strict
	.venv/bin/bandit --quiet --recursive --configfile pyproject.toml backend krita_plugin
	shellcheck install.sh .ci/run

test:
	./install.sh test

demo:
	./install.sh demo
