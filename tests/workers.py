"""Processes that train together without torchrun: started once, they run one command line after another.

Each imports torch once, which takes longer than all that they are then asked.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import importlib.util
import itertools
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentiment_lstm.training.trainer import Trainer

TIMEOUT = 90  # seconds; of one request


class Workers:
    """Processes that call the functions they are told to, each with its own rank."""

    def __init__(self, count: int) -> None:
        from torch import distributed as dist

        self._store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # a port that is free
        self._attempts = itertools.count(1)
        settings = {"cwd": Path(__file__).parent, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._processes = [subprocess.Popen([sys.executable, __file__], **settings) for _ in range(count)]

    def call(self, function: str, *arguments: Any, count: int = 2, folder: Path | None = None) -> list[Any]:
        """Return what a function, "file:name", returns in each of ``count`` processes, by rank."""
        attempt = next(self._attempts)
        processes = self._processes[:count]
        for rank, process in enumerate(processes):
            environment = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
            environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": self._store.port}
            environment |= {"WORKERS_ATTEMPT": attempt}
            request = {"function": function, "arguments": arguments, "environment": environment, "folder": str(folder)}
            assert process.stdin is not None
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        return self._answers(processes)

    def _answers(self, processes: list[subprocess.Popen[bytes]]) -> list[Any]:
        answers: dict[int, Any] = {}
        deadline = time.monotonic() + TIMEOUT
        with selectors.DefaultSelector() as selector:
            for rank, process in enumerate(processes):
                selector.register(process.stdout, selectors.EVENT_READ, rank)  # type: ignore[arg-type]
            while len(answers) < len(processes):
                ready = selector.select(deadline - time.monotonic())
                if not ready:
                    self.close()
                    raise AssertionError(f"no answer within {TIMEOUT} s; answered: {answers}")
                for key, _ in ready:
                    line = processes[key.data].stdout.readline()  # type: ignore[union-attr]
                    assert line, f"process {key.data} has died; answered: {answers}"
                    answers[key.data] = json.loads(line)
                    selector.unregister(key.fileobj)
                    if isinstance(answers[key.data], dict) and answers[key.data].get("code"):
                        for rank in set(range(len(processes))) - set(answers):  # as torchrun does when one has failed
                            processes[rank].send_signal(signal.SIGTERM)
        return [answers[rank] for rank in range(len(processes))]

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()


@functools.cache
def load(file: str) -> ModuleType:
    """Import a test module by its path: its folder is not where modules are looked for."""
    specification = importlib.util.spec_from_file_location(f"worker_{Path(file).stem}", file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def happens(event: str, trainer: Trainer) -> None:
    """Something that can go wrong in one of the processes."""
    if event == "out of memory":
        raise MemoryError
    elif event == "not a number":
        next(trainer.model.parameters()).data.fill_(float("nan"))
    else:
        os.kill(os.getpid(), signal.Signals[event])


def run(arguments: list[str], event: list[Any]) -> dict[str, Any]:
    """Run the command line as this process's part of a training; in a worker.

    Parameters
    ----------
    arguments : list of str
    event : [rank, step, what], or empty
        What :func:`happens` to that process in its so-many-th step.

    Returns
    -------
    dict
        Exit code, what was printed, which files were opened for writing, the hash of the weights at the end.
    """
    import pytest
    from conftest import run_main

    from sentiment_lstm.session import Session
    from sentiment_lstm.training.trainer import Trainer

    sessions: list[Session] = []
    steps = itertools.count(1)
    step, train = Trainer.compute_gradient, Session.run

    def compute_gradient(trainer: Trainer, group: Any) -> list[float]:
        if event[:2] == [trainer.processes.rank, next(steps)]:
            happens(event[2], trainer)
        return step(trainer, group)

    def remembered(session: Session) -> None:
        sessions.append(session)
        train(session)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sentiment_lstm.experiment.matrix_rates", lambda: (1.0, None))
        patch.setattr(Trainer, "compute_gradient", compute_gradient)
        patch.setattr(Session, "run", remembered)
        written = opened_for_writing()
        written.clear()
        outcome = run_main(*arguments)
        files = [path for path in written if "torchinductor" not in path]  # torch's own
    states = [session.trainer.kept_weights() for session in sessions]
    weights = [hashlib.sha256(value.numpy().tobytes()).hexdigest() for state in states for value in state.values()]
    return {"code": outcome.code, "out": outcome.out, "err": outcome.err, "written": files, "weights": weights}


@functools.cache
def opened_for_writing() -> list[str]:
    """The paths that this process has opened to write, from now on."""
    paths: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            paths.append(str(arguments[0]))
        elif event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate"):
            paths.append(f"{event} {arguments[0]}")

    sys.addaudithook(hook)
    return paths


def serve() -> None:
    """Answer requests, one a line, until stdin ends."""
    from torch.distributed import TCPStore, distributed_c10d

    own_environment = dict(os.environ)
    join = distributed_c10d.init_process_group

    def join_at(backend: str, **settings: Any) -> None:
        """As torchrun's workers do, but each request for itself."""
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = TCPStore(host, port, is_master=False, timeout=settings["timeout"])
        join(backend, store=distributed_c10d.PrefixStore(os.environ["WORKERS_ATTEMPT"], store), **settings)

    sys.modules["torch.distributed"].init_process_group = join_at  # type: ignore[attr-defined]
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    for line in sys.stdin:
        request = json.loads(line)
        os.environ |= {name: str(value) for name, value in request["environment"].items()}
        if request["folder"] != "None":
            os.chdir(request["folder"])
        file, name = request["function"].split(":")
        answer = getattr(load(file), name)(*request["arguments"])
        gc.collect()  # closes the connections to the others, as the end of a process does
        os.environ.clear()
        os.environ.update(own_environment)
        print(json.dumps(answer), file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    serve()
