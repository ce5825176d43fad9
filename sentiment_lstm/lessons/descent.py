"""The lesson ``learn descent``: what four optimisers and three learning rates do on a loss surface one can see."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sentiment_lstm.errors import UsageError
from sentiment_lstm.lessons.language import Say, table
from sentiment_lstm.lessons.loss_slice import DIRECTIONS, Slice, make_slice
from sentiment_lstm.lessons.optimizers_by_hand import SGD, Adam, Momentum, Optimizer, RMSprop
from sentiment_lstm.lessons.small_classifier import data, train

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

START = (-0.4, 0.8)  # alpha and beta: up the steep wall and along the flat valley
GRID = 41  # points along each axis
REACH = 1.0  # the axes go from -REACH to REACH
MARKED = (1, 2, 3, 5, 8, 12, 18, 27, 40, 60, 90, 135, 200, 300, 450)  # steps that the picture marks

# The learning rates were chosen by trying 0.003 to 1.6 on four seeds and four starts: all four optimisers arrive, none
# jumps out of the valley. In RIGHT and the like the unit is 2 / curvature, which makes them hold for any seed.
MOMENTUM_RATE, RMSPROP_RATE, ADAM_RATE = 0.01, 0.02, 0.05
SMALL, RIGHT, LARGE = 0.001, 0.05, 1.25

BESIDE = (0.1, 0.95, 1.05)  # rates of the trial beside the minimum, in the same unit
BESIDE_DISTANCE = 1e-4  # so near that the surface is a parabola
BESIDE_STEPS = 20


@dataclass(frozen=True)
class Path:
    """Where an optimiser went.

    Attributes
    ----------
    name : ``sgd``, ``momentum``, ``rmsprop``, ``adam``; of the rates ``small``, ``right``, ``large`` or ``yours``
    rate : learning rate
    points : (alpha, beta) before the first step and after each; one that diverges ends where the loss is last finite
    losses : at these points
    diverged : whether the loss became infinite
    """

    name: str
    rate: float
    points: tuple[tuple[float, float], ...]
    losses: tuple[float, ...]
    diverged: bool

    @property
    def steps(self) -> int:
        """How many steps it made; the last is the one that led to an infinite loss, where one did."""
        return len(self.losses) - 1 + self.diverged

    @property
    def distance(self) -> float:
        """How far from the minimum, (0, 0), the path ends."""
        return math.inf if self.diverged else math.hypot(*self.points[-1])

    @property
    def last_loss(self) -> float:
        """The loss where it ends."""
        return math.inf if self.diverged else self.losses[-1]


@dataclass(frozen=True)
class Beside:
    """Gradient descent beside the minimum: by how much a step multiplies the distance.

    Attributes
    ----------
    rate : learning rate
    expected : |1 - rate curvature|, which holds where the loss is a parabola
    measured : mean over the steps
    """

    rate: float
    expected: float
    measured: float


@dataclass(frozen=True)
class Descent:
    """What the lesson shows.

    Attributes
    ----------
    seed, steps : as asked for
    right : how many sentences the trained model answers right
    minimum : its loss, at (0, 0)
    curvature : how much the loss bends at the minimum: its largest second derivative in the plane
    steepest_curvature : the same, the largest of all points of the grid that are no higher than the start
    axis : GRID values of alpha, and of beta
    surface : loss by beta, then alpha
    optimizers, rates : the two experiments
    beside : the third
    """

    seed: int
    steps: int
    right: int
    minimum: float
    curvature: float
    steepest_curvature: float
    axis: tuple[float, ...]
    surface: tuple[tuple[float, ...], ...]
    optimizers: tuple[Path, ...]
    rates: tuple[Path, ...]
    beside: tuple[Beside, ...]

    @property
    def limit(self) -> float:
        """The rate beyond which gradient descent cannot come to rest at the minimum: 2 / curvature."""
        return 2 / self.curvature


def descend(seed: int = 1, steps: int = 100, learning_rate: float | None = None) -> Descent:
    """Train the small model, cut a plane through its weights, and let the optimisers loose on it.

    Parameters
    ----------
    steps : of each optimiser
    learning_rate : one more rate for the second experiment

    Raises
    ------
    UsageError
        Where the learning rate is not a number above 0.
    """
    if learning_rate is not None and not 0 < learning_rate < math.inf:
        raise UsageError(f"--learning-rate {learning_rate:g}: give a number above 0, for example 0.1")
    trained, right, draw = train(seed)
    plane = make_slice(trained, draw)
    minimum = torch.zeros(1, 2, dtype=torch.float64)
    bends, directions = plane.curvature(minimum)
    curvature = float(bends[0])
    limit = 2 / curvature
    start = torch.tensor(START, dtype=torch.float64)
    optimizers: dict[str, Optimizer] = {
        "sgd": SGD(RIGHT * limit),
        "momentum": Momentum(MOMENTUM_RATE),
        "rmsprop": RMSprop(RMSPROP_RATE),
        "adam": Adam(ADAM_RATE),
    }
    rates: dict[str, Optimizer] = {
        "small": SGD(SMALL * limit),
        "right": SGD(RIGHT * limit),
        "large": SGD(LARGE * limit),
    }
    if learning_rate is not None:
        rates["yours"] = SGD(learning_rate)
    paths = walk(plane, optimizers | rates, start, steps)
    axis, surface = measure(plane)
    return Descent(
        seed, steps, right, float(plane.loss(minimum)),
        curvature, largest_curvature(plane, start), axis, surface,
        paths[: len(optimizers)], paths[len(optimizers) :], walk_beside(plane, curvature, directions[0]),
    )  # fmt: skip


def walk(plane: Slice, optimizers: dict[str, Optimizer], start: Tensor, steps: int) -> tuple[Path, ...]:
    """Let every optimiser take its steps from the same (2,) start; their gradients are computed together."""
    points = start.expand(len(optimizers), 2)
    every_point, every_loss = [points], []
    for _ in range(steps):
        losses, gradients = plane.gradient(points)
        moved = [one.step(w, g) for one, w, g in zip(optimizers.values(), points, gradients, strict=True)]
        points = torch.stack(moved)
        every_loss.append(losses)
        every_point.append(points)
    every_loss.append(plane.loss(points))
    visited, losses = torch.stack(every_point), torch.stack(every_loss)  # (steps + 1, G, 2) and (steps + 1, G)
    return tuple(
        _path(name, one.rate, visited[:, place], losses[:, place])
        for place, (name, one) in enumerate(optimizers.items())
    )


def _path(name: str, rate: float, points: Tensor, losses: Tensor) -> Path:
    finite = torch.isfinite(losses) & torch.isfinite(points).all(dim=1)
    end = len(losses) if finite.all() else int(finite.double().argmin())  # of the first that is not
    visited = tuple((alpha, beta) for alpha, beta in points[:end].tolist())
    return Path(name, rate, visited, tuple(losses[:end].tolist()), diverged=end < len(losses))


def measure(plane: Slice) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
    """Return the values along an axis and the loss at every point of the grid, row by row of beta."""
    axis, points = grid()
    losses = plane.loss(points).view(GRID, GRID)
    return tuple(axis.tolist()), tuple(tuple(row) for row in losses.tolist())


def largest_curvature(plane: Slice, start: Tensor) -> float:
    """Return how much the loss bends at most where it is no higher than at the (2,) start.

    Where it is L at most, a rate below 2 / L lowers the loss with every step (Nesterov 2004, section 1.2.3).
    """
    _, points = grid()
    below = points[plane.loss(points) <= plane.loss(start[None])]
    return float(plane.curvature(below)[0].max())


def grid() -> tuple[Tensor, Tensor]:
    """Return the (GRID,) values along an axis and the (GRID * GRID, 2) points, row by row of beta."""
    axis = torch.linspace(-REACH, REACH, GRID, dtype=torch.float64)
    beta, alpha = torch.meshgrid(axis, axis, indexing="ij")
    return axis, torch.stack([alpha.flatten(), beta.flatten()], dim=1)


def walk_beside(plane: Slice, curvature: float, steepest: Tensor) -> tuple[Beside, ...]:
    """Start a hair's breadth from the minimum, where the loss bends most, and measure how the distance changes.

    There the loss is curvature x^2 / 2 and its gradient curvature x, so a step takes x to (1 - rate curvature) x:
    nearer below a rate of 2 / curvature, farther above it.
    """
    trials: dict[str, Optimizer] = {f"{share}": SGD(share * 2 / curvature) for share in BESIDE}
    paths = walk(plane, trials, BESIDE_DISTANCE * steepest, BESIDE_STEPS)
    return tuple(
        Beside(path.rate, abs(1 - path.rate * curvature), (path.distance / BESIDE_DISTANCE) ** (1 / BESIDE_STEPS))
        for path in paths
    )


def lines(result: Descent, say: Say) -> Iterator[str]:
    """Tell the three experiments, each as a table and a sentence."""
    words, _ = data()
    yield say("descent.title", seed=result.seed, sentences=len(words), right=result.right)
    yield say("descent.plane", directions=DIRECTIONS, minimum=f"{result.minimum:.4f}", alpha=START[0], beta=START[1])
    yield ""
    yield say("descent.code")
    yield ""
    yield from _table_of_paths(
        result.optimizers, "optimizer", {path.name: path.name for path in result.optimizers}, say
    )
    yield ""
    by_distance = sorted(result.optimizers, key=lambda path: path.distance)
    nearest, farthest = by_distance[0], by_distance[-1]
    yield say(
        "descent.compared", steps=result.steps, nearest=nearest.name, nearest_distance=f"{nearest.distance:.4f}",
        farthest=farthest.name, farthest_distance=f"{farthest.distance:.4f}",
    )  # fmt: skip
    yield ""
    yield from _table_of_paths(
        result.rates, "sgd", {path.name: say(f"descent.{path.name}") for path in result.rates}, say
    )
    yield ""
    small, right, large = (_number(path.last_loss) for path in result.rates[:3])
    yield say("descent.rates", steps=result.steps, small=small, right=right, large=large)
    yield ""
    head = [say("descent.column_beside"), *(say(f"descent.column_{key}") for key in ("expected", "measured"))]
    body = [[f"{own.rate:.4f}", f"{own.expected:.3f}", f"{own.measured:.3f}"] for own in result.beside]
    yield from table(head, body)
    yield ""
    yield say(
        "descent.limit", curvature=f"{result.curvature:.3f}", limit=f"{result.limit:.3f}",
        steps=BESIDE_STEPS,
        steepest=f"{result.steepest_curvature:.1f}", safe=f"{2 / result.steepest_curvature:.3f}",
    )  # fmt: skip


def _table_of_paths(paths: Sequence[Path], first: str, names: dict[str, str], say: Say) -> Iterator[str]:
    keys = (first, "rate", "steps", "loss_start", "loss_end", "distance")
    body = []
    for path in paths:
        numbers = (_number(own) for own in (path.losses[0], path.last_loss, path.distance))
        body.append([names[path.name], f"{path.rate:.4g}", str(path.steps), *numbers])
    yield from table([say(f"descent.column_{key}") for key in keys], body)


def _number(value: float) -> str:
    return f"{value:.4f}" if value < 1e5 or math.isinf(value) else f"{value:.1e}"


def to_dict(result: Descent) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    return {"lesson": "descent", **asdict(result), "limit": result.limit}


def draw(result: Descent, say: Say) -> Figure:
    """Draw the surface with the four paths, and the loss by step of the rates."""
    from sentiment_lstm.lessons.pictures import new_figure

    figure, (left, right) = new_figure(2, width=6.5, height=5.4)
    _draw_surface(left, result, say)
    _draw_rates(right, result, say)
    return figure


def _draw_surface(axes: Axes, result: Descent, say: Say) -> None:
    from sentiment_lstm.lessons.pictures import BLUE, GREEN, ORANGE, PINK

    top = max(max(row) for row in result.surface)
    ratio = top / result.minimum
    levels = [result.minimum * ratio ** (place / 14) for place in range(1, 15)]  # each as many times the one before
    axes.contourf(result.axis, result.axis, result.surface, [0, *levels], cmap="Greys", alpha=0.35)
    heights = axes.contour(result.axis, result.axis, result.surface, levels, colors="#999999", linewidths=0.7)
    axes.clabel(heights, levels[1::2], fmt="%.2g", fontsize=9)
    looks = ((BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "^", "-."), (PINK, "D", ":"))
    for path, (colour, marker, style) in zip(result.optimizers, looks, strict=True):
        alpha, beta = zip(*path.points, strict=True)
        axes.plot(
            alpha, beta, color=colour, marker=marker, linestyle=style, linewidth=2, markersize=6,
            markevery=[step for step in MARKED if step < len(path.points)], label=f"{path.name}, {path.rate:.2g}",
        )  # fmt: skip
    axes.plot(*START, marker="X", color="black", markersize=11, linestyle="", label=say("descent.start"))
    axes.plot(0, 0, marker="*", color="black", markersize=15, linestyle="", label=say("descent.minimum"))
    axes.set_xlim(-REACH, REACH)
    axes.set_ylim(-REACH, REACH)
    axes.set_xlabel(say("descent.alpha"))
    axes.set_ylabel(say("descent.beta"))
    axes.set_title(say("descent.surface"))
    axes.legend(loc="lower left", framealpha=0.9, fontsize=10)


def _draw_rates(axes: Axes, result: Descent, say: Say) -> None:
    from sentiment_lstm.lessons.pictures import BLUE, GREEN, ORANGE, PINK, logarithmic

    looks = ((ORANGE, "s", "--"), (BLUE, "o", "-"), (PINK, "D", ":"), (GREEN, "^", "-."))
    for path, (colour, marker, style) in zip(result.rates, looks, strict=False):
        width = 1.2 if path.name == "large" else 2  # that one goes up and down at every step
        axes.plot(
            path.losses, color=colour, marker=marker, linestyle=style, linewidth=width, markersize=6,
            markevery=max(1, result.steps // 12), label=f"{say(f'descent.{path.name}')}: {path.rate:.3g}",
        )  # fmt: skip
    logarithmic(axes)
    highest = min(max(max(path.losses) for path in result.rates), 1e3)
    axes.set_ylim(result.minimum * 0.8, 20 * highest)  # room for the legend
    axes.set_xlabel(say("descent.step"))
    axes.set_ylabel(say("descent.loss"))
    axes.set_title(say("descent.sgd_rates"))
    axes.legend(loc="upper right", framealpha=0.9)
