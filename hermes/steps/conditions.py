"""What a run depends on, as it was and as it is now: SPEC, workspace, evaluator, machine.

Limits first. Reads only. Of an older SPEC the fields are known while the checkpoint still is the
one that was made from it. Whether a copied workspace has changed git can tell, where there is one,
but not of files that it ignores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hermes.lab import Lab
from hermes.model import Execution, Json, Manifest
from hermes.reproduction.records import Condition
from hermes.store.specs import LoadedSpec, checkpointed

_SHORT = 12


def conditions(
    lab: Lab, loaded: LoadedSpec, manifest: Manifest, execution: Execution | None
) -> tuple[Condition, ...]:
    """Return all that can be told; of the workspace only once it has been made again."""
    found = [_spec(lab, loaded, manifest)]
    if execution is not None:
        code = [*code_conditions(manifest, execution)]
        is_known = bool(code) and all(condition.same for condition in code)
        found += [_workspace(manifest.workspace, execution.workspace, is_known=is_known), *code]
    return (*found, *_machine(manifest.machine))


def _spec(lab: Lab, loaded: LoadedSpec, manifest: Manifest) -> Condition:
    recorded, now = manifest.spec_sha256, loaded.sha256
    if recorded == now:
        return Condition("spec", recorded, now, same=True)
    before = checkpointed(lab.layout.experiment(manifest.experiment), recorded)
    note = "edited since; which fields is not known any more"
    if before is not None:
        note = f"edited since: {', '.join(_differing(before, loaded.mapping))}"
    return Condition("spec", recorded, now, same=False, note=note)


def _differing(before: Mapping[str, Json], now: Mapping[str, Json]) -> list[str]:
    """Return the fields in which two SPECs differ; comments make no difference."""
    names = sorted(before.keys() | now.keys())
    return [name for name in names if before.get(name) != now.get(name)] or ["no field"]


def code_conditions(manifest: Manifest, execution: Execution) -> Iterator[Condition]:
    """Yield what measured the candidate, and what it is; nothing for other runs."""
    before, now = manifest.code, execution.code
    if before is None or now is None:
        return
    pairs = {
        "evaluator": (before.evaluator, now.evaluator),
        "candidate": (before.candidate, now.candidate),
    }
    for name, (then, there) in pairs.items():
        if there is not None:
            yield Condition(name, then or "", there, same=then == there)


def _workspace(before: Mapping[str, Json], now: Mapping[str, Json], *, is_known: bool) -> Condition:
    """Compare two workspaces; ``is_known``: digests have told that their contents are the same."""
    then, there = _described(before), _described(now)
    if before.get("mode") == "in-place":
        return Condition(
            "workspace", then, there, same=None, note="that run was in it, this one in a copy of it"
        )
    if before.get("mode") != "copy":
        return Condition("workspace", then, there, same=then == there)
    if is_known:
        return Condition("workspace", then, there, same=True, note="by the digests below")
    if then != there:
        return Condition("workspace", then, there, same=False, note="it has changed since")
    if before.get("git_dirty") is False:
        return Condition("workspace", then, there, same=True, note="but for what git ignores")
    return Condition("workspace", then, there, same=None, note="it may have changed since")


def _described(facts: Mapping[str, Json]) -> str:
    """Say where a workspace came from, and in what state that was."""
    mode, root, commit = facts.get("mode"), facts.get("root"), facts.get("git_revision")
    if not isinstance(root, str):
        return f"{mode or 'none'}"
    state = ""
    if isinstance(commit, str):
        dirty = mode != "git" and facts.get("git_dirty") is True
        state = f" at {commit[:_SHORT]}{' with changes' if dirty else ''}"
    return f"{mode} of {root}{state}"


def _machine(before: Mapping[str, Json]) -> Iterator[Condition]:
    from hermes.executing.provenance import machine

    then, now = _named(before), _named(machine())
    for name in now:
        if name in then:
            yield Condition(name, then[name], now[name], same=then[name] == now[name])


def _named(machine: Mapping[str, Json]) -> dict[str, str]:
    """Return what tells machines apart; which Python the lab itself runs on is one fact."""
    told = {name: f"{value}" for name, value in machine.items()}
    implementation = told.pop("implementation", "")
    if "python" in told:
        told["python"] = f"{implementation} {told['python']}".strip()
    return told
