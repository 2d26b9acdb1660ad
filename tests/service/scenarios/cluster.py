"""A Ray cluster of several nodes on this machine, each with one pretended GPU. It takes its time to
come up: make one for many tests.

The cluster lives in a process of its own (`python -m tests.service.scenarios.cluster HOME NODES`):
Ray opens sockets that tests may not, and leaves processes behind that can be
ended with their parent.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

from tests.paths import ROOT

_STORE_BYTES = 80 << 20  # about the least that Ray takes
_START_S = 200.0
_END_S = 60.0


class ToyCluster:
    """A head without a GPU and nodes with one each; their actors' files go below `home`.

    `toys` is the folder where the toy runner, on whichever node, looks for `go` and leaves its
    marks.
    """

    def __init__(self, home: Path, nodes: int) -> None:
        self.toys = home / "toys"
        self.toys.mkdir(parents=True)
        environment = {
            **os.environ,
            "MODELSHEET_HOME": str(home),
            "MODELSHEET_TOYS": str(self.toys),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "backend")]),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",  # or whatever else runs here holds them up
            "OMP_NUM_THREADS": "1",
        }
        self._errors = (home / "cluster.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.service.scenarios.cluster", str(nodes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            cwd=ROOT,
            start_new_session=True,
        )
        try:
            self.address = str(self._answer())
        except AssertionError:
            self.close()
            raise AssertionError((home / "cluster.log").read_text(errors="replace")) from None

    def go(self) -> None:
        """Let the jobs that wait for it go on."""
        (self.toys / "go").touch()

    def kill_node(self) -> None:
        """End a node as a power cut does: its raylet and the actors below it at once."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"kill\n")
        self._process.stdin.flush()
        self._answer()

    def close(self) -> None:
        left = [self._process.pid, *(p.pid for p in _children(self._process.pid))]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        for pid in left:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if "ray" in f"{process.name()} {process.cmdline()}":
                    process.kill()
        self._process.wait(_END_S)
        self._process.stdout.close()
        self._errors.close()

    def _answer(self) -> object:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the cluster does not come up"
        return json.loads(line)


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def main() -> None:
    """Start the cluster, say its address, kill a node for each line read, end with the input."""
    from ray.cluster_utils import Cluster

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ray prints
    temporary = tempfile.mkdtemp(prefix="ray-")  # short: sockets lie in it
    # Where Ray notes its newest cluster, whatever temporary folder that has; it must be there.
    Path(tempfile.gettempdir(), "ray").mkdir(exist_ok=True)
    about = {"num_cpus": 1, "object_store_memory": _STORE_BYTES}
    head = {**about, "num_gpus": 0, "include_dashboard": False, "temp_dir": temporary}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(num_gpus=1, wait=False, **about) for _ in range(int(sys.argv[1]))]
    cluster.wait_for_nodes(timeout=_START_S)
    print(json.dumps(cluster.address), file=answers, flush=True)  # noqa: T201
    for _ in sys.stdin:
        node = nodes.pop()
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        for process in [raylet, *raylet.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        cluster.remove_node(node, allow_graceful=False)
        print(json.dumps("killed"), file=answers, flush=True)  # noqa: T201
    cluster.shutdown()
    shutil.rmtree(temporary, ignore_errors=True)


if __name__ == "__main__":
    main()
