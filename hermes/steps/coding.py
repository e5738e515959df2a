"""What a run of the code loop goes by: the incumbent, what was tried, who changes the code.

Limit first: an incumbent is read from its bundle once in a session; one that was judged in this
session is known before it is sealed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hermes import codec, files
from hermes.errors import BrokenFile
from hermes.measured import Code
from hermes.model import Manifest, Origin
from hermes.steps.session import Session

if TYPE_CHECKING:
    from hermes.acceptance import Decision
    from hermes.executing.candidate import CodeOrder, Given, Incumbent
    from hermes.layout import BundleLayout
    from hermes.steps.plan import Planned


class Codes:
    """What a session knows of the candidates of its experiment."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._incumbents: dict[str, Incumbent | None] = {}
        self._seen: dict[tuple[str, str], str] = {}
        self._sealed: dict[str, str] = {}  # the digests of the manifests of accepted runs
        for line in session.lab.index(session.experiment).read().lines:
            if line.accepted:
                self._sealed[line.run_id] = line.sha256
            if not line.outcome.is_retried:
                self.note(line.run_id, line.code)

    def note(self, run_id: str, code: Code | None) -> None:
        """Take in that a run was made, and of which candidate."""
        if code is not None and code.candidate is not None:
            self._seen.setdefault((code.evaluator, code.candidate), run_id)

    def seen(self, evaluator: str, candidate: str) -> str | None:
        """Return the first run that has tried a candidate."""
        return self._seen.get((evaluator, candidate))

    def incumbent(self, tier: str) -> Incumbent | None:
        """Return the incumbent of now; None before the first, and when its bundle is lost."""
        best = self._session.state.incumbents.get(tier)
        if best is None:
            return None
        if best.run_id not in self._incumbents:
            self._incumbents[best.run_id] = self._read(best.run_id)
        return self._incumbents[best.run_id]

    def keep(self, run_id: str, bundle: BundleLayout, code: Code, decision: Decision) -> None:
        """Remember a candidate that was accepted; ``bundle`` may not be sealed yet."""
        from hermes.acceptance import standing_after
        from hermes.executing import candidate

        assert code.candidate is not None, "what was accepted is a candidate"
        changed, _ = candidate.load(bundle)
        self._incumbents[run_id] = candidate.Incumbent(
            changed,
            code.candidate,
            code.evaluator,
            standing_after(run_id, decision),
            decision.case.measurement.holdout,
        )

    def _read(self, run_id: str) -> Incumbent | None:
        """Read an incumbent from its bundle; without it the next run is a baseline again.

        What was changed since it was sealed is not believed: it would be what others must beat.
        """
        session, bundle = self._session, self._session.layout.run(run_id)
        try:
            sealed = session.lab.bundles.read(session.experiment, run_id)
            code = sealed.manifest.code
            if code is None:
                return None
            if sealed.sha256 != self._sealed.get(run_id):
                raise BrokenFile(str(bundle.manifest), "is not the one that the index names")
            _check_sealed(bundle, sealed.manifest)
            self.keep(run_id, bundle, code, read_decision(bundle))
        except BrokenFile:  # told by ``verify``
            return None
        return self._incumbents[run_id]


def _check_sealed(bundle: BundleLayout, manifest: Manifest) -> None:
    """Hold the records of a candidate to its manifest; they name what else is read of it.

    Raises BrokenFile.
    """
    for path in (bundle.decision, bundle.candidate_record):
        stated = manifest.files.get(path.relative_to(bundle.folder).as_posix())
        try:
            found = codec.digest(files.read(path) or b"")
        except OSError as error:
            raise BrokenFile(str(path), str(error)) from None
        if stated is None or found != stated.sha256:
            raise BrokenFile(str(path), "is not the file that its manifest names")


def read_decision(bundle: BundleLayout) -> Decision:
    """Read the decision on a run. Raises BrokenFile."""
    from hermes.acceptance import Decision

    try:
        return codec.read_record(Decision, files.read(bundle.decision) or b"")
    except (OSError, ValueError) as error:
        raise BrokenFile(str(bundle.decision), str(error)) from None


def is_whole(bundle: BundleLayout, code: Code | None) -> bool:
    """Say whether the candidate that a record speaks of, if it does, is in the bundle."""
    from hermes.executing import candidate

    if code is None or code.candidate is None:
        return True
    try:
        candidate.load(bundle)
    except BrokenFile:
        return False
    return True


def codes(session: Session) -> Codes:
    """Return what the session knows of candidates, read when it is first asked."""
    if session.codes is None:
        session.codes = Codes(session)
    return session.codes


def needs_baseline(session: Session) -> bool:
    """Say whether nothing was measured yet that a candidate could be compared with."""
    return session.spec.at_tier(session.tier).is_code_loop and (
        codes(session).incumbent(session.tier) is None
    )


def code_order(session: Session, planned: Planned) -> CodeOrder | None:
    """Return what a run goes by; None outside of the code loop."""
    tier = planned.manifest.fidelity_tier
    if not session.spec.at_tier(tier).is_code_loop:
        return None
    from hermes.executing.candidate import CodeOrder
    from hermes.steps.commissioning import commission

    known, given = codes(session), _given(session, planned)
    return CodeOrder(
        incumbent=partial(known.incumbent, tier),
        seen=known.seen,
        given=given,
        ask=commission(session, planned) if given is None else None,
        applied=lambda: session.applied,
    )


def _given(session: Session, planned: Planned) -> Given | None:
    """Return the candidate that an agent sent, or that was made before the run was cut off."""
    from hermes.executing import candidate
    from hermes.steps import submitted

    request, parent = planned.manifest.request, planned.manifest.parent_run
    if planned.manifest.origin is Origin.AGENT and request is not None:
        return submitted.given(session, request)
    if parent is None:
        return None
    sealing, bundle = session.sealing, session.layout.run(parent)
    if sealing is not None and sealing.line.run_id == parent:  # not in its place yet
        bundle = sealing.planned.folder.run
    try:
        return candidate.Given(*candidate.load(bundle))
    except BrokenFile:
        return None
