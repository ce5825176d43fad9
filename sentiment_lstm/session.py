"""Training in a run folder, from its start or from a checkpoint, in such a way that nothing is ever lost."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from sentiment_lstm import files, signals
from sentiment_lstm.errors import ArchiveError, Interrupted, RunFailure, TrainingError, UsageError
from sentiment_lstm.experiment import Experiment, describe_run
from sentiment_lstm.inference import archive
from sentiment_lstm.inference.teaching import save_answers
from sentiment_lstm.resumption import identity
from sentiment_lstm.training.checkpoint import Checkpoint, Checkpoints
from sentiment_lstm.training.processes import losses_named
from sentiment_lstm.training.progress import EpochRecord, Progress
from sentiment_lstm.training.state import kept_weights, restore, training_state
from sentiment_lstm.training.trainer import Trainer

logger = logging.getLogger(__name__)


class Reporter(Protocol):
    """Who is told how training goes."""

    def on_start(self, experiment: Experiment) -> None: ...

    def on_step(self, progress: Progress) -> None: ...

    def on_epoch(self, record: EpochRecord) -> None: ...

    def on_end(self) -> None: ...


@dataclass(frozen=True)
class Result:
    """What became of a training run."""

    best: EpochRecord | None
    stop_reason: str
    seconds: float  # of training, interrupted processes included


def claim_folder(folder: Path, force: bool) -> None:
    """Make an empty run folder, or empty an old one of its run files where ``force`` allows it.

    Raises
    ------
    UsageError
        Where the folder holds anything and ``force`` is not given, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not files.is_free(folder):
            if not force:
                raise UsageError(f"{folder} is not empty: choose another --output, or add --force to replace the run")
            for name in archive.RUN_FILES:
                (folder / name).unlink(missing_ok=True)
            for path in (folder / "evaluation").glob("*"):
                path.unlink()
            Checkpoints(folder, keep=0).forget()
    except OSError as error:
        raise UsageError(f"cannot use {folder} as a run folder: {error.strerror}") from error


class Session:
    """One process's work on a run: what it saves, and when it stops."""

    def __init__(self, experiment: Experiment, folder: Path, reporter: Reporter) -> None:
        self.experiment = experiment
        self.folder = folder
        self.reporter = reporter
        self.processes = experiment.runtime.processes
        self.checkpoints = Checkpoints(folder, experiment.config.training.keep_checkpoints)
        self._identity = identity(experiment)
        self.saved_at = time.perf_counter()
        self.checkpoint_seconds = 0.0
        self.trainer = experiment.build_trainer(self._on_step, self._on_scored)

    def resume(self, checkpoint: Checkpoint) -> None:
        """Put everything back to where the checkpoint was written, the best epoch's weights too."""
        restore(self.trainer, checkpoint.tensors, checkpoint.values)
        if self.processes.is_main:
            self._restore_best()

    def run(self) -> None:
        """Train to the end."""
        for record in self.trainer.fit():
            if self.processes.is_main:
                if record.is_best:
                    archive.save_weights(self.trainer.kept_weights(), self.folder)
                files.append_line(self.folder / archive.HISTORY, asdict(record))
            self.save()
            self.reporter.on_epoch(record)
            self._stop_if_asked()

    def save(self) -> None:
        """Write a checkpoint of this moment. All processes must call it together; the first one writes."""
        if self.checkpoints.keep == 0:
            return
        started = time.perf_counter()
        tensors, values = training_state(self.trainer)
        if self.processes.is_main:
            own_tensors, own_values = self._identity
            progress, best = self.trainer.progress, self.trainer.best
            self.checkpoints.save(
                (progress.epoch, progress.steps),
                {**tensors, **own_tensors},
                {**values, **own_values},
                (best.epoch + 1, 0) if best else None,
            )
        self.processes.wait_for_the_first()
        self.saved_at = time.perf_counter()
        self.checkpoint_seconds += self.saved_at - started

    def _on_step(self, progress: Progress) -> None:
        self.reporter.on_step(progress)
        self._stop_if_asked()
        if self.processes.any(self._is_due()):
            self.save()

    def _on_scored(self, count: int) -> None:
        if self.processes.count == 1:  # several have to agree on when to stop, which they do after validation
            signals.check()

    def _stop_if_asked(self) -> None:
        if number := self.processes.largest(signals.came() or 0):
            raise Interrupted(number)

    def _is_due(self) -> bool:
        config = self.experiment.config.training
        steps, minutes = config.checkpoint_every_steps, config.checkpoint_every_minutes
        if steps is not None and self.trainer.steps_done % steps == 0:
            return True
        return minutes is not None and self.processes.is_main and time.perf_counter() - self.saved_at >= 60 * minutes

    def _restore_best(self) -> None:
        """A kill can come between a best epoch's weights and its checkpoint: make one follow from the other."""
        best = self.trainer.best
        if best is None:
            return
        try:
            tensors = self.checkpoints.load((best.epoch + 1, 0)).tensors
        except ArchiveError as error:
            logger.warning("%s is left as it is: the best epoch's checkpoint is lost (%s)", archive.WEIGHTS, error)
            return
        archive.save_weights(kept_weights(self.trainer, tensors), self.folder)


def train(experiment: Experiment, folder: Path, reporter: Reporter, checkpoint: Checkpoint | None = None) -> Result:
    """Train, keeping the best epoch by validation in ``folder``, and checkpoints to resume from.

    Whatever ends training, the folder then holds a usable model: the best epoch's, or where none was finished the
    weights as they are.

    Parameters
    ----------
    experiment : Experiment
    folder : Path
        A run folder: an empty one, or the one that ``checkpoint`` is from.
    reporter : Reporter
    checkpoint : Checkpoint, optional
        Where to go on; see :func:`load_checkpoint`.

    Raises
    ------
    RunFailure
        On a non-finite loss, too little memory or a full disk; the message says what was kept.
    Interrupted
        On Ctrl-C or SIGTERM, after the step under way was finished and a checkpoint written.
    """
    session = Session(experiment, folder, reporter)
    trainer = session.trainer
    if checkpoint is not None:
        session.resume(checkpoint)
    if session.processes.is_main:
        meta = describe_run(experiment)
        if checkpoint is not None:
            meta = _continued(_read_meta(folder), meta, trainer)
        _tidy(folder, trainer)
        if experiment.answers is not None and checkpoint is None:
            save_answers(experiment.answers, folder)
        archive.save_description(folder, experiment.config, experiment.tokenizer, experiment.labels, meta)
    reason = "failed"
    reporter.on_start(experiment)
    session.processes.wait_for_the_first()
    with signals.waiting(), losses_named():
        try:
            session.run()
            reason = trainer.stop_reason or ""
        except KeyboardInterrupt as error:
            reason = "interrupted"
            session.save()
            error.args = (f"interrupted {_place(trainer.progress)}; {_kept(trainer)} is kept in {folder}",)
            raise
        except TrainingError as error:
            raise type(error)(f"{error}; {_kept(trainer)} is kept in {folder}") from error
        finally:
            reporter.on_end()
            seconds = trainer.seconds
            if session.processes.is_main:
                _finish(session, reason, seconds)
    return Result(trainer.best, reason, seconds)


def _tidy(folder: Path, trainer: Trainer) -> None:
    """Remove what a killed process left half done, and make ``history.jsonl`` say what the checkpoint says."""
    for path in filter(files.is_stray, folder.iterdir()):
        path.unlink(missing_ok=True)
    if trainer.history:
        lines = "".join(files.json_line(asdict(record)) for record in trainer.history)
        files.write_file(folder / archive.HISTORY, lines.encode())
    else:
        (folder / archive.HISTORY).unlink(missing_ok=True)


def _place(progress: Progress) -> str:
    if progress.steps:
        return f"after step {progress.steps} of epoch {progress.epoch}"
    return f"after epoch {progress.epoch - 1}" if progress.epoch > 1 else "before the first step"


def _kept(trainer: Trainer) -> str:
    return f"the model of epoch {trainer.best.epoch}" if trainer.best else "the model of the last good step"


def _finish(session: Session, reason: str, seconds: float) -> None:
    """Write what a run leaves behind, however it ended."""
    trainer, folder = session.trainer, session.folder
    best = trainer.best
    summary: dict[str, Any] = {
        "best_epoch": best.epoch if best else None,
        "validation_accuracy": best.validation_accuracy if best else None,
        "validation_loss": best.validation_loss if best else None,
        "epochs": len(trainer.history),
        "stop_reason": reason,
        "seconds": seconds,
        "checkpoint_seconds": session.checkpoint_seconds,
    }
    try:
        if best is None or not (folder / archive.WEIGHTS).is_file():
            archive.save_weights(trainer.kept_weights(), folder)
        files.write_json(folder / archive.METRICS, summary)
        if trainer.history:
            from sentiment_lstm.evaluation.plots import plot_curves

            plot_curves([asdict(record) for record in trainer.history], folder / archive.CURVES, folder.name)
    except (RunFailure, OSError):
        if reason != "failed":  # else what failed first is the one to tell of
            raise


def _continued(meta: dict[str, Any], now: dict[str, Any], trainer: Trainer) -> dict[str, Any]:
    """The run's own description, with one more entry in its list of resumptions where something is left to do."""
    if trainer.stop_reason is not None:
        return meta or now
    progress = trainer.progress
    entry = {
        key: now[key] for key in ("sentiment_lstm", "command", "started", "device", "precision", "threads", "processes")
    }
    place = {"epoch": progress.epoch, "step": progress.steps}
    return {**meta, "resumed": [*meta.get("resumed", []), {**place, **entry}]}


def _read_meta(folder: Path) -> dict[str, Any]:
    try:
        meta = json.loads((folder / archive.META).read_bytes())
    except (OSError, ValueError):
        return {}  # describes, decides nothing
    return meta if isinstance(meta, dict) else {}
