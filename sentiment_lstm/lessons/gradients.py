"""The lesson ``learn gradients``: how much of the loss's gradient reaches the first word.

Three small classifiers (a tanh RNN; an LSTM whose forget gates start at bias 0; one with bias 1) learn a task in which
the first word alone decides the label. Before and after, the norm of dL/dh_t is measured at every word t. Each h_t is
read by the next step alone and only h_T by the output, so all that arrives at the first word has come through time:

    dL/dh_1 = (dh_T/dh_1)^T dL/dh_T

Bengio, Simard and Frasconi 1994 and Pascanu, Mikolov and Bengio 2013, equation 5 (why it vanishes); Jozefowicz,
Zaremba and Sutskever 2015 (the forget gate's bias).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sentiment_lstm.lessons.language import Say, table
from sentiment_lstm.lessons.reading import read
from sentiment_lstm.model.recurrent import Recurrent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NETWORKS = (("rnn", None), ("lstm", 0.0), ("lstm", 1.0))  # kind and the forget gates' first bias
SIZES = {"words": 30, "V": 12, "E": 16, "H": 32, "C": 2}  # words 0 and 1 are the labels' own
EMBEDDING_STD = 0.2
STEPS, BATCH_SIZE, LEARNING_RATE, CLIP = 200, 32, 0.002, 1.0
MEASURED = 64  # sequences
LEARNT = 0.9  # accuracy; guessing gives 0.5


class SmallClassifier(nn.Module):
    """Embedding, one recurrent layer, linear layer on its last hidden state."""

    def __init__(self, kind: str, forget_bias: float | None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(SIZES["V"], SIZES["E"])
        self.recurrent = Recurrent(kind, SIZES["E"], SIZES["H"])
        self.output = nn.Linear(SIZES["H"], SIZES["C"])
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)
        if forget_bias is not None:
            _, _, b, b_more = self.recurrent.forwards[0].parameters()
            for bias, value in ((b, forget_bias), (b_more, 0.0)):
                nn.init.constant_(bias[SIZES["H"] : 2 * SIZES["H"]], value)  # gates: input, forget, cell, output

    def forward(self, words: Tensor) -> Tensor:
        """Return the (B, C) logits of (B, T) token ids."""
        _, last_hidden = self.recurrent(self.embedding(words), torch.full((len(words),), words.shape[1]))
        return self.output(last_hidden[-1])


@dataclass(frozen=True)
class Flow:
    """How gradients flow through a network, first word first; means over sequences of Euclidean norms.

    Attributes
    ----------
    hidden : norm of dL/dh_t at each word
    cell : norm of dL/dc_t at each word; empty for an RNN
    accuracy : share of the sequences answered rightly
    """

    hidden: tuple[float, ...]
    cell: tuple[float, ...]
    accuracy: float


@dataclass(frozen=True)
class Network:
    """One of the three networks, before and after training."""

    kind: str
    forget_bias: float | None
    untrained: Flow
    trained: Flow


@dataclass(frozen=True)
class Gradients:
    """What the lesson measured."""

    seed: int
    networks: tuple[Network, ...]


def ratio(norms: Sequence[float]) -> float:
    """Return the norm at the first word divided by that at the last one."""
    return norms[0] / norms[-1]


def measure(seed: int = 1) -> Gradients:
    """Draw, measure, train and measure the three networks, each on the same sequences."""
    networks = []
    for kind, forget_bias in NETWORKS:
        draw = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = SmallClassifier(kind, forget_bias)
        words, labels = draw_sequences(MEASURED, draw)
        untrained = measure_flow(model, words, labels)
        train(model, draw)
        networks.append(Network(kind, forget_bias, untrained, measure_flow(model, words, labels)))
    return Gradients(seed, tuple(networks))


def draw_sequences(number: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return (N, T) token ids and their (N,) labels: the first word is the label, all others mean nothing."""
    labels = torch.randint(SIZES["C"], (number,), generator=draw)
    words = torch.randint(SIZES["C"], SIZES["V"], (number, SIZES["words"]), generator=draw)
    words[:, 0] = labels
    return words, labels


def train(model: SmallClassifier, draw: torch.Generator) -> None:
    """Train with Adam on fresh sequences at every step."""
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    for _ in range(STEPS):
        words, labels = draw_sequences(BATCH_SIZE, draw)
        loss = F.cross_entropy(model(words), labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()


def measure_flow(model: SmallClassifier, words: Tensor, labels: Tensor) -> Flow:
    """Return the norms of dL/dh_t and dL/dc_t, L being each sequence's own cross-entropy."""
    (steps,) = read(model.recurrent, model.embedding(words))
    logits = model.output(steps[-1].h)
    loss = F.cross_entropy(logits.double(), labels, reduction="sum")  # double: 1 - p must not be rounded to 0
    hidden = [step.h for step in steps]
    cell = [step.c for step in steps if step.c is not None]
    norms = [float(own.double().norm(dim=1).mean()) for own in torch.autograd.grad(loss, hidden + cell)]
    accuracy = float((logits.argmax(1) == labels).float().mean())
    return Flow(tuple(norms[: len(hidden)]), tuple(norms[len(hidden) :]), accuracy)


def lines(result: Gradients, say: Say) -> Iterator[str]:
    """Tell the ratios as a table and what they mean in a sentence."""
    yield say("gradients.title", seed=result.seed, steps=STEPS, rate=LEARNING_RATE, batch=BATCH_SIZE, **SIZES)
    yield ""
    columns = ("network", "hidden_untrained", "hidden_trained", "cell_untrained", "cell_trained", "accuracy")
    body = []
    for own in result.networks:
        flows = (own.untrained.hidden, own.trained.hidden, own.untrained.cell, own.trained.cell)
        ratios = [f"{ratio(norms):.1e}" if norms else "-" for norms in flows]
        body.append([name_of(own, say), *ratios, f"{own.trained.accuracy:.2f}"])
    yield from table([say(f"gradients.column_{name}") for name in columns], body)
    yield ""
    yield shown(result, say)
    learnt = [name_of(own, say) for own in result.networks if own.trained.accuracy >= LEARNT]
    others = [name_of(own, say) for own in result.networks if own.trained.accuracy < LEARNT]
    nobody = say("gradients.none")
    yield say("gradients.learnt", learnt="; ".join(learnt) or nobody, others="; ".join(others) or nobody)
    yield say("gradients.cell")


def shown(result: Gradients, say: Say) -> str:
    """Say in one sentence what the picture shows."""
    ratios = [
        say(
            "gradients.ratio",
            network=name_of(own, say),
            untrained=f"{ratio(own.untrained.hidden):.1e}",
            trained=f"{ratio(own.trained.hidden):.1e}",
        )
        for own in result.networks
    ]
    return say("gradients.shown", distance=SIZES["words"] - 1, ratios="; ".join(ratios))


def name_of(network: Network, say: Say) -> str:
    """Return what a network is called."""
    return say(f"gradients.{network.kind}", bias=f"{network.forget_bias or 0:g}")


def to_dict(result: Gradients) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    networks = []
    for own in result.networks:
        values = asdict(own)
        for state in ("untrained", "trained"):
            values[state]["ratio"] = ratio(values[state]["hidden"])
        networks.append(values)
    return {"lesson": "gradients", "seed": result.seed, "words": SIZES["words"], "networks": networks}


def draw(result: Gradients, say: Say) -> Figure:
    """Draw the norms against the distance from the end, those at the end being 1."""
    from sentiment_lstm.lessons.pictures import logarithmic, new_figure

    figure, axes = new_figure(2, width=6.0, height=4.6)
    for axis, state in zip(axes, ("untrained", "trained"), strict=True):
        flows = [getattr(own, state) for own in result.networks]
        names = [name_of(own, say) for own in result.networks]
        if state == "trained":
            names = [say("gradients.accuracy", accuracy=f"{flow.accuracy:.2f}") for flow in flows]
        _draw_panel(axis, list(zip(names, flows, strict=True)))
        logarithmic(axis)
        axis.set_title(say(f"gradients.{state}", steps=STEPS))
        axis.set_xlabel(say("gradients.distance"))
    low = min(min(own.get_ylim()) for own in axes)
    for axis in axes:
        axis.set_ylim(low, 3)
        axis.legend(frameon=False, loc="lower left")
    axes[0].set_ylabel(say("gradients.norm"))
    return figure


def _draw_panel(axis: Axes, flows: Sequence[tuple[str, Flow]]) -> None:
    from sentiment_lstm.lessons.pictures import COLOURS

    for (name, flow), colour, marker, style in zip(flows, COLOURS, "osv", ("-", "--", "-."), strict=False):
        relative = [norm / flow.hidden[-1] for norm in reversed(flow.hidden)]
        axis.plot(
            range(len(relative)), relative, style, marker=marker, markevery=3, color=colour, linewidth=2, label=name
        )
