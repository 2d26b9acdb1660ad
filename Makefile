# `make fast` before each commit, `make test` for everything; both need `./install.sh test` once.
PYTHON := .venv/bin/python
# Unit tests of a second or two each: no Krita, no Chromium, no training, no service of its own.
FAST_TESTS := tests/test_walls.py tests/test_secrets.py tests/test_settings.py \
	tests/test_operating_system.py tests/api tests/files tests/imaging tests/prompts \
	tests/setup tests/subjects tests/lora/test_reader.py \
	tests/service/queue tests/service/http tests/service/storage

# torch and what its wheels bring for a graphics card come from PyTorch's own indexes too, as other
# files of the same versions: they have no hashes.
UNLOCKED := torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti \
	nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile \
	nvidia-curand nvidia-cusolver nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 \
	nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx

.PHONY: fast check lock test demo release

fast:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	$(PYTHON) -m pytest -q -m "not slow and not krita and not gpu" $(FAST_TESTS)

check:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --strict
	.venv/bin/mypy --strict --platform win32 --cache-dir .mypy_cache/win32
	.venv/bin/mypy --strict --platform darwin --cache-dir .mypy_cache/darwin
	.venv/bin/bandit --quiet --recursive --configfile pyproject.toml backend krita_plugin
	shellcheck install.sh .ci/run

# After each change of constraints.txt or of the dependencies; needs uv.
lock:
	{ echo '# Hashes of what install.sh installs, in the versions of constraints.txt. Made by: make lock'; \
	printf 'hatchling\neditables\npip\n' | uv pip compile pyproject.toml - --constraints constraints.txt \
		--universal --python-version 3.10 --generate-hashes --no-annotate --no-header \
		$(addprefix --no-emit-package ,$(UNLOCKED)); } >requirements.txt.new
	mv requirements.txt.new requirements.txt

test:
	./install.sh test

demo:
	./install.sh demo

# Needs uv: it runs CycloneDX's own program, which nothing else here needs.
release:
	rm -rf dist
	$(PYTHON) -m modelsheet krita zip dist/modelsheet_krita.zip
	unzip -q -j dist/modelsheet_krita.zip '*.whl' -d dist
	version=$$(sed -n 's/^__version__ = //p' backend/modelsheet/__init__.py); \
		sed "s/^dynamic = .*/version = $$version/" pyproject.toml >dist/pyproject.toml
	grep '^torch==' constraints.txt | cat requirements.txt - | \
		uv tool run --from cyclonedx-bom==7.5.0 cyclonedx-py requirements - \
		--pyproject dist/pyproject.toml --output-reproducible --of JSON \
		--output-file dist/modelsheet.cdx.json
	rm dist/pyproject.toml
	cd dist && sha256sum * >SHA256SUMS
