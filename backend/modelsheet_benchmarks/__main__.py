"""`modelsheet bench …`: run a benchmark of quality or speed."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping, Sequence

from modelsheet.diffusion.models.library_logging import silence_libraries

# Modules with add_arguments(parser), which sets `run`; imported on use, for they need torch.
BENCHMARKS: Mapping[str, str] = {
    "base": "modelsheet_benchmarks.sprite32",
    "busy": "modelsheet_benchmarks.speed.busy_machine",
    "gpu": "modelsheet_benchmarks.speed.gpu",
    "interop": "modelsheet_benchmarks.interop.benchmark",
    "klein": "modelsheet_benchmarks.speed.klein_step",
    "likeness": "modelsheet_benchmarks.fidelity.benchmark",
    "motion": "modelsheet_benchmarks.motion.benchmark",
    "painting": "modelsheet_benchmarks.generation_benchmark",
    "resume": "modelsheet_benchmarks.resume",
    "sd15": "modelsheet_benchmarks.speed.sd15_step",
    "speed": "modelsheet_benchmarks.speed.benchmark",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a benchmark with its own options; return the exit code. Raises ModelsheetError."""
    parser = argparse.ArgumentParser(prog="modelsheet bench", description=__doc__)
    parser.add_argument(
        "what",
        choices=tuple(BENCHMARKS),
        help="base: the embedded base model's figures;"
        " busy: what a learning step costs beside busy processes;"
        " gpu: learning and painting on a graphics card;"
        " interop: exported LoRA files in other programs, from checkouts of them;"
        " klein: what steps cost on a FLUX.2 klein of its true size;"
        " likeness: subjects whose right answer is known;"
        " motion: characters in poses whose right pictures are known;"
        " painting: two subjects in one picture, a grid's cost, the service's;"
        " resume: learning that is killed and goes on;"
        " sd15: what a step costs on a Stable Diffusion of its true size;"
        " speed: beside diffusers' own script",
    )
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="its own options; see --help there")
    chosen = parser.parse_args(arguments)
    silence_libraries()
    benchmark = importlib.import_module(BENCHMARKS[chosen.what])
    own = argparse.ArgumentParser(prog=f"modelsheet bench {chosen.what}")
    benchmark.add_arguments(own)
    options = own.parse_args(chosen.rest)
    code: int = options.run(options)
    return code
