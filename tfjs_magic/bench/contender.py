"""A model in a benchmark: what both sides run, what Python gives for it, and the verdict on what the browser gave."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tfjs_magic.artifacts import Array, Artifacts, LayerTensor, Reference
from tfjs_magic.bench.feeds import Feed, TimedFeed, timed_feeds
from tfjs_magic.bench.protocol import ProtocolError
from tfjs_magic.bench.state import Parity
from tfjs_magic.bench.trial import Redraw, Trial, find_trial
from tfjs_magic.bench.verify import as_foretold, compare, may_be_one_dnn, without_one_dnn
from tfjs_magic.errors import reason_of
from tfjs_magic.options import Backend, BenchmarkOptions

#: Models with more bytes of weights are not compiled only to look at oneDNN.
MOST_BYTES_FOR_XLA = 2**26


class NotComparedError(Exception):
    """The outputs have nothing to be compared with."""

    def __init__(self, status: str, note: str) -> None:
        super().__init__(note)
        self.status = status
        self.note = note


@dataclasses.dataclass(frozen=True, eq=False)
class Contender:
    """A model in the benchmark: its label, the feeds that browser and Python both run, and Python's side of it.

    Safe from any thread.

    Attributes:
        timed: What is timed, and what is compared with it; without any, the first feed, and all.
        redraw: Draws other feeds of the same shapes, where these do not tell right from wrong; None to leave them.
    """

    label: str
    model: Artifacts
    feeds: Sequence[Feed]
    timed: Sequence[TimedFeed] = ()
    redraw: Redraw | None = None
    _lock: threading.Lock = dataclasses.field(default_factory=threading.Lock, init=False, repr=False)
    _found: list[Trial | NotComparedError] = dataclasses.field(default_factory=list, init=False, repr=False)
    _failing: dict[int, NotComparedError] = dataclasses.field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.timed:
            object.__setattr__(self, "timed", (TimedFeed.first_of(self.feeds),))

    @property
    def quantized(self) -> bool:
        """Whether any weight is stored in fewer bits than it is used with."""
        return any(spec.quantization is not None for group in self.model.groups for spec in group.specs)

    @property
    def trial(self) -> Trial:
        """What both sides run, and Python's outputs, computed once.

        Raises:
            NotComparedError: There are none.
        """
        reference = self.model.reference
        if reference is None:
            raise NotComparedError("no_reference", "There is no Python model to compare with.")
        with self._lock:
            if not self._found:
                self._found.append(self._find(reference))
        if isinstance(found := self._found[0], NotComparedError):
            raise found
        return found

    def what_runs(self) -> tuple[Sequence[Feed], LayerTensor | None]:
        """Return the feeds, and the tensor that is compared beside the outputs."""
        try:
            return self.trial.feeds, self.trial.inside
        except NotComparedError:
            return self.feeds, None

    def compared_tensors(self, trial: Trial) -> dict[str, str]:
        """Return name in the verdict → name of the tensor that the page sends."""
        outputs = {info.name: info.name for info in self.model.outputs}
        return outputs if trial.inside is None else outputs | {trial.inside.label: trial.inside.tensor}

    def check_output(self, name: str, dtype: str) -> None:
        """Refuse what is no output of the model, nor compared beside them.

        Raises:
            ProtocolError: It is neither, or of another kind.
        """
        output = next((info for info in self.model.outputs if info.name == name), None)
        if output is None:
            inside = self.what_runs()[1]
            if inside is not None and name == inside.tensor:
                return
            raise ProtocolError(f"the model has no output '{name:.80}'.")
        if (dtype == "string") != (output.dtype == "string"):
            raise ProtocolError(f"output '{name}' is {dtype:.80}; expected {output.dtype}.")

    def check_reference(self, feeds: Iterable[int]) -> None:
        """Refuse feeds that Python itself cannot run, though it can run others.

        Raises:
            NotComparedError: One is among them.
        """
        for feed in feeds:
            if feed in self._failing:
                raise self._failing[feed]

    def judge(
        self,
        trial: Trial,
        feeds: Sequence[int],
        actual: Sequence[Mapping[str, Array]],
        *,
        backend: Backend | None,
        tolerance: float | None,
    ) -> Parity:
        """Compare what the browser gave; where oneDNN may be to blame, once more with what Python gives without it.

        Args:
            trial: What was run.
            feeds: Which of its feeds are compared.
            actual: The browser's outputs of these.
            backend: What really ran; None if unknown.
            tolerance: The user's own bound.
        """

        def judged(wanted: Sequence[Feed]) -> Parity:
            return compare(wanted, actual, backend=backend, quantized=self.quantized, tolerance=tolerance)

        parity = judged([trial.expected[feed] for feed in feeds])
        if may_be_one_dnn(parity):
            by_xla = run_by_xla(self.model, [trial.feeds[feed] for feed in feeds])
            parity = parity if by_xla is None else without_one_dnn(parity, judged(by_xla))
        parity = as_foretold(parity, self.model.report.backends.get(str(backend), ()), backend=backend)
        return {**parity, "note": f"{trial.note} {parity['note']}".strip()}

    def _find(self, reference: Reference) -> Trial | NotComparedError:
        def run(feeds: Sequence[Feed]) -> list[Feed]:
            return _run(reference, feeds)

        try:
            return find_trial(self.model, self.feeds, self.timed[0].compared, redraw=self.redraw, run=run)
        except NotComparedError as why:
            if why.status != "source_failed":
                return why
            return self._find_partly(reference) or why

    def _find_partly(self, reference: Reference) -> Trial | None:
        """Leave out what Python cannot run, such as one batch size of several; None if nothing is left."""
        failing = {i: why for i, feed in enumerate(self.feeds) if (why := _why_not(reference, feed)) is not None}
        running = [timed for timed in self.timed if failing.keys().isdisjoint(timed.compared)]
        if not running:
            return None

        def run(feeds: Sequence[Feed]) -> list[Feed]:
            return [{} if i in failing else _run(reference, [feed])[0] for i, feed in enumerate(feeds)]

        try:
            trial = find_trial(self.model, self.feeds, running[0].compared, redraw=self.redraw, run=run)
        except NotComparedError:
            return None
        self._failing.update(failing)
        return trial


def _run(reference: Reference, feeds: Sequence[Feed]) -> list[Feed]:
    try:
        if not reference.changed():
            return [{name: np.asarray(value) for name, value in reference(feed).items()} for feed in feeds]
    except Exception as error:
        # The source is the user's code.
        why = f"Not compared: Python itself cannot run the model ({type(error).__name__}: {reason_of(error)})."
        raise NotComparedError("source_failed", f"{why} The conversion does not depend on that.") from error
    raise NotComparedError("source_changed", "Not compared: the model changed after the conversion.")


def _why_not(reference: Reference, feed: Feed) -> NotComparedError | None:
    try:
        _run(reference, [feed])
    except NotComparedError as why:
        return why
    return None


def run_by_xla(model: Artifacts, feeds: Sequence[Feed]) -> list[Feed] | None:
    """Return Python's outputs by other kernels; None where there are none, or compiling would take minutes."""
    reference = model.reference
    if reference is None or reference.by_xla is None or model.nbytes > MOST_BYTES_FOR_XLA:
        return None
    with contextlib.suppress(Exception):  # what XLA cannot compile is no news to the reader
        return [{name: np.asarray(value) for name, value in reference.by_xla(feed).items()} for feed in feeds]
    return None


def contenders_of(models: Mapping[str, Artifacts], options: BenchmarkOptions) -> list[Contender]:
    """Return the contenders of a benchmark: models by label, with the samples that the options name or seed.

    Raises:
        ValueError: The samples do not fit a model, or none can be drawn for it.
    """
    contenders = []
    for label, model in models.items():
        feeds, timed = timed_feeds(model.inputs, options.samples, seed=options.seed, batches=options.batch)
        redraw = _redraw(model, options) if options.samples is None else None
        contenders.append(Contender(label, model, feeds, timed, redraw))
    return contenders


def _redraw(model: Artifacts, options: BenchmarkOptions) -> Redraw:
    def drawn(attempt: int, amplitude: float) -> list[Feed]:
        seed = options.seed + attempt
        return timed_feeds(model.inputs, None, seed=seed, batches=options.batch, amplitude=amplitude)[0]

    return drawn
