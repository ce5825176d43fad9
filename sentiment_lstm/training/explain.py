"""One optimiser step with all its numbers: what ``train --explain-step`` tells before training begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sentiment_lstm.data.batching import Batch, collate
from sentiment_lstm.data.tokenizer import Tokenizer
from sentiment_lstm.training.objectives import targets_of
from sentiment_lstm.training.optimizers import layer_norms
from sentiment_lstm.training.runtime import random_state, set_random_state
from sentiment_lstm.training.trainer import Trainer


@dataclass(frozen=True)
class LayerStep:
    """What the step did to one layer's trained weights. Norms are Euclidean, over all of them together.

    Attributes
    ----------
    name : as ``layer_of`` has it
    shapes : of each of its tensors
    weight_norm : before the step
    gradient_norm : before clipping
    learning_rate : the schedule's, times the layer's own factor
    update_norm : of weights after less weights before
    """

    name: str
    shapes: tuple[tuple[int, ...], ...]
    weight_norm: float
    gradient_norm: float
    learning_rate: float
    update_norm: float


@dataclass(frozen=True)
class FirstReview:
    """The first review of the step's first batch.

    Attributes
    ----------
    tokens, token_ids : without padding
    label : index of its class; where teachers gave probabilities, of the most probable one
    has_soft_label : whether teachers did
    logits, probabilities : one a class, of the forward pass in training mode
    loss : cross-entropy, in nats
    """

    id: str
    tokens: tuple[str, ...]
    token_ids: tuple[int, ...]
    label: int
    has_soft_label: bool
    logits: tuple[float, ...]
    probabilities: tuple[float, ...]
    loss: float


@dataclass(frozen=True)
class ExplainedStep:
    """The first optimiser step of a run.

    Attributes
    ----------
    layers : those that are trained, from the words up
    frozen : names of the parameters that are not
    lengths : tokens of the shortest and of the longest review of the first batch
    shapes : of each stage of the first batch's forward pass, by name
    num_batches, num_reviews : of the step
    loss, loss_after : mean over the step's reviews as training counts it, and once more with the new weights; the same
        words and numbers are dropped out
    gradient_norm : of the whole gradient, before clipping
    num_steps : of the first epoch
    """

    layers: tuple[LayerStep, ...]
    frozen: tuple[str, ...]
    lengths: tuple[int, int]
    shapes: dict[str, tuple[int, ...]]
    first: FirstReview
    num_batches: int
    num_reviews: int
    loss: float
    loss_after: float
    gradient_norm: float
    num_steps: int


def explain_step(trainer: Trainer, tokenizer: Tokenizer) -> ExplainedStep:
    """Take a trainer's first step and return its numbers. Random generators are put back, the trainer is not.

    Parameters
    ----------
    trainer : Trainer
        One that has taken no step and that nobody needs: of a copy of the model.
    tokenizer : of the reviews

    Raises
    ------
    TrainingError
        As :meth:`Trainer.train_step`.
    """
    device, model, progress = trainer.runtime.device, trainer.model, trainer.progress
    start = random_state(device)
    try:
        groups = trainer.plan(progress.epoch)
        group, progress.total_steps = groups[0], len(groups)
        split = trainer.train_split
        batch = collate(trainer.token_ids, group[0], split.labels, split.soft_labels).to(device)
        model.train()
        shapes, logits = _forward(trainer, batch)

        set_random_state(start, device)  # so that the same words and numbers are dropped out, here and below
        before = {name: value.detach().clone() for name, value in trainer.parameters.items()}
        trainer.train_step(group, progress)
        update = {name: value.detach() - before[name] for name, value in trainer.parameters.items()}

        set_random_state(start, device)
        loss_after, _, num_reviews, _ = trainer.compute_gradient(group)
    finally:
        set_random_state(start, device)
    rates = {own["layer"]: float(own["lr"]) for own in trainer.optimizer.param_groups}
    norms = [layer_norms(own, trainer.layers.values()).tolist() for own in (before, update)]
    return ExplainedStep(
        layers=tuple(
            LayerStep(layer, tuple(tuple(before[n].shape) for n in names), weight, gradient, rates[layer], moved)
            for (layer, names), weight, moved, gradient in zip(
                trainer.layers.items(), *norms, progress.norm_sums, strict=False
            )
        ),
        frozen=tuple(name for name, value in model.named_parameters() if not value.requires_grad),
        lengths=(int(batch.lengths.min()), int(batch.lengths.max())),
        shapes=shapes,
        first=_first_review(trainer, batch, logits, tokenizer),
        num_batches=len(group),
        num_reviews=int(num_reviews),
        loss=progress.loss,
        loss_after=loss_after / num_reviews,
        gradient_norm=progress.norm_sums[-1],
        num_steps=len(groups),
    )


@torch.no_grad()
def _forward(trainer: Trainer, batch: Batch) -> tuple[dict[str, tuple[int, ...]], Tensor]:
    """Return the shape of each stage, and the (B, C) logits."""
    model = trainer.model
    shapes = {"token_ids": tuple(batch.token_ids.shape)}

    def watch(stage: str) -> torch.utils.hooks.RemovableHandle:
        def hook(module: nn.Module, inputs: object, outputs: Tensor | Sequence[Tensor]) -> None:
            shapes[stage] = tuple((outputs if isinstance(outputs, Tensor) else outputs[0]).shape)

        return getattr(model, stage).register_forward_hook(hook)

    stages = [stage for stage in ("embedding", "conv", "recurrent", "pooling") if getattr(model, stage) is not None]
    handles = [watch(stage) for stage in stages]
    try:
        with trainer.runtime.autocast():
            logits: Tensor = model(batch.token_ids, batch.lengths)
    finally:
        for handle in handles:
            handle.remove()
    shapes["logits"] = tuple(logits.shape)
    return shapes, logits


def _first_review(trainer: Trainer, batch: Batch, logits: Tensor, tokenizer: Tokenizer) -> FirstReview:
    targets, first = targets_of(batch)[:1], logits[:1]
    token_ids = batch.token_ids[0, : int(batch.lengths[0])].tolist()
    return FirstReview(
        id=trainer.train_split.reviews[int(batch.indices[0])].id,
        tokens=tuple(tokenizer.tokens[number] for number in token_ids),
        token_ids=tuple(token_ids),
        label=int(targets[0] if targets.dim() == 1 else targets[0].argmax()),
        has_soft_label=targets.dim() == 2,
        logits=tuple(first[0].tolist()),
        probabilities=tuple(first[0].softmax(0).tolist()),
        loss=float(F.cross_entropy(first, targets)),
    )
