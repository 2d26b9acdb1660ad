"""Run diffusers' own DreamBooth LoRA script in a process of its own, as a baseline.

The script is `examples/dreambooth/train_dreambooth_lora.py` of diffusers, fetched by the user. A
copy of it runs, with two lines changed: torchvision's import names `torchvision_shim`, and the
check for an unreleased diffusers is left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from modelsheet.errors import InvalidRequest, ModelsheetError
from modelsheet_benchmarks import torchvision_shim

_TORCHVISION = "from torchvision import transforms"
_SHIM_IMPORT = "import torchvision_shim as transforms"
_FEW_STEPS = (5, 65)
_WEIGHTS = "pytorch_lora_weights.safetensors"


@dataclass(frozen=True)
class ProcessCost:
    """The cost of a process: wall time, peak resident memory in bytes, and processor time, which
    other programs lengthen less.
    """

    seconds: float
    peak_bytes: int
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class ScriptSettings:
    """The script's options by our names; `class_images` 0 means no prior preservation."""

    base: Path
    prompt: str
    class_prompt: str
    resolution: int
    steps: int
    learning_rate: float = 1e-4  # its README's
    batch: int = 1
    rank: int = 4
    text_encoder: bool = True
    class_images: int = 0
    seed: int = 0
    mixed_precision: str = "no"


@dataclass(frozen=True)
class ScriptTiming:
    """Seconds that the script takes to start, and for one step."""

    start_s: float
    step_s: float

    def steps_in(self, seconds: float) -> int:
        """Return the number of steps that fit into so many seconds, at least one."""
        return max(1, int(seconds / self.step_s))


def measure_timing(
    script: Path, pictures: Sequence[Image.Image], settings: ScriptSettings
) -> ScriptTiming:
    """Measure the script's timing by a short and a longer run. A step takes no less than its
    processor time on all cores, even where a noisy machine makes the longer run the shorter one.

    Raises InvalidRequest, ModelsheetError.
    """
    short, long = _FEW_STEPS
    costs = []
    for steps in (short, long):
        with tempfile.TemporaryDirectory() as folder:
            _, cost = run_script(script, pictures, replace(settings, steps=steps), Path(folder))
            costs.append(cost)
    quick, slow = costs
    on_all_cores = (slow.cpu_seconds - quick.cpu_seconds) / (os.cpu_count() or 1)
    step_s = max(slow.seconds - quick.seconds, on_all_cores) / (long - short)
    if step_s <= 0.0:
        raise ModelsheetError(f"{long} steps took no longer than {short}; run it again.")
    return ScriptTiming(max(0.0, quick.seconds - short * step_s), step_s)


def run_script(
    script: Path, pictures: Sequence[Image.Image], settings: ScriptSettings, out: Path
) -> tuple[Path, ProcessCost]:
    """Run the script on the pictures; return its adapter's file and the cost of the whole job.

    Raises InvalidRequest when it is another script, ModelsheetError when it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        instances = Path(folder) / "instances"
        instances.mkdir()
        for index, picture in enumerate(pictures):
            picture.convert("RGB").save(instances / f"{index:02}.png")
        copy = _copy_of(script, Path(folder))
        classes = Path(folder) / "classes"
        cost = run_timed([sys.executable, str(copy), *_options(settings, instances, classes, out)])
    weights = out / _WEIGHTS
    if not weights.is_file():
        raise ModelsheetError(f"{script.name} ended without writing {_WEIGHTS}.")
    return weights, cost


def run_timed(line: Sequence[str], environment: Mapping[str, str] | None = None) -> ProcessCost:
    """Run a command to its end, by default in this process' environment. Raises ModelsheetError
    with the end of its output if it fails.
    """
    with tempfile.TemporaryFile() as output:
        began = time.monotonic()
        process = subprocess.Popen(line, stdout=output, stderr=subprocess.STDOUT, env=environment)
        _, status, usage = os.wait4(process.pid, 0)  # type: ignore[attr-defined, unused-ignore]
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        if process.returncode:
            output.seek(0)
            said = output.read().decode(errors="replace")[-1500:]
            raise ModelsheetError(f"{' '.join(line[:2])} failed; its output ends:\n{said}")
    unit = 1 if sys.platform == "darwin" else 1024
    return ProcessCost(seconds, usage.ru_maxrss * unit, usage.ru_utime + usage.ru_stime)


def _copy_of(script: Path, folder: Path) -> Path:
    try:
        text = script.read_text("utf-8")
    except OSError as error:
        raise InvalidRequest(f"{script} cannot be read ({error.strerror}).") from None
    if _TORCHVISION not in text:
        raise InvalidRequest(
            f"{script} is not diffusers' examples/dreambooth/train_dreambooth_lora.py: "
            f"it has no line “{_TORCHVISION}”."
        )
    lines = [line for line in text.splitlines() if not line.startswith("check_min_version(")]
    copy = folder / script.name
    copy.write_text("\n".join(lines).replace(_TORCHVISION, _SHIM_IMPORT), "utf-8")
    shutil.copy(torchvision_shim.__file__, folder / "torchvision_shim.py")
    return copy


def _options(settings: ScriptSettings, instances: Path, classes: Path, out: Path) -> list[str]:
    values: dict[str, object] = {
        "pretrained_model_name_or_path": settings.base,
        "instance_data_dir": instances,
        "instance_prompt": settings.prompt,
        "output_dir": out,
        "resolution": settings.resolution,
        "train_batch_size": settings.batch,
        "gradient_accumulation_steps": 1,
        "learning_rate": settings.learning_rate,
        "lr_scheduler": "constant",
        "lr_warmup_steps": 0,
        "max_train_steps": settings.steps,
        "checkpointing_steps": settings.steps + 1,
        "rank": settings.rank,
        "seed": settings.seed,
        "mixed_precision": settings.mixed_precision,
        "report_to": "tensorboard",
    }
    flags = ["--train_text_encoder"] if settings.text_encoder else []
    if settings.class_images:
        flags.append("--with_prior_preservation")
        values |= {
            "class_data_dir": classes,
            "class_prompt": settings.class_prompt,
            "num_class_images": settings.class_images,
            "prior_loss_weight": 1.0,
        }
    return [*flags, *(f"--{name}={value}" for name, value in values.items())]
