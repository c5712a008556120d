"""What Python or a reader asks of a page after the benchmark: more about one job, one task at a time."""

from __future__ import annotations

import dataclasses
from typing import Literal

from tfjs_magic.bench import snapshot as states
from tfjs_magic.bench.protocol import ProtocolError, ReportTask
from tfjs_magic.bench.state import CONCLUDED, Snapshot, Task, TaskKind, TaskName, WireError

#: As it stands in a sentence.
TITLES: dict[TaskKind, str] = {"profile": "the profile", "divergence": "the search for the layer"}


@dataclasses.dataclass(eq=False)
class Ticket:
    """What Python asked for, and what became of it."""

    name: TaskName
    status: Literal["wanted", "running", "done", "failed"] = "wanted"
    error: WireError | None = None


class TaskDesk:
    """Hands tasks to pages. Its methods take the state of the benchmark and give the next one.

    Not safe from several threads: the session that has it holds its lock.
    """

    def __init__(self) -> None:
        self._tickets: list[Ticket] = []

    def want(self, snapshot: Snapshot, name: TaskName) -> tuple[Ticket, Snapshot]:
        """Ask the pages for a task; who asks again for one that waits, runs or has its answer is not asked twice.

        Raises:
            ProtocolError: The job does not exist.
        """
        state = states.job_state(snapshot, name["job"])
        divergence = state["divergence"]
        found = divergence is not None and divergence["complete"]
        if state["profile"] is not None if name["kind"] == "profile" else found:
            return Ticket(name, "done"), snapshot
        ticket = next((ticket for ticket in self._tickets if ticket.name == name), None)
        if ticket is None:
            task = snapshot["task"]
            runs_already = states.runs_task(snapshot) and task is not None and _name_of(task) == name
            ticket = Ticket(name, "running" if runs_already else "wanted")
            self._tickets.append(ticket)
        return ticket, self._offered(snapshot)

    def claim(self, snapshot: Snapshot, page: str, name: TaskName) -> Snapshot | None:
        """Return the state in which the page runs the task; None if it may not: the same claim twice is granted twice.

        Raises:
            ProtocolError: The job does not exist.
        """
        states.job_state(snapshot, name["job"])
        task = snapshot["task"]
        if snapshot["status"] not in CONCLUDED:
            return None
        if task is not None and task["status"] == "running":
            return snapshot if (task["page"], _name_of(task)) == (page, name) else None
        for ticket in self._tickets:
            if ticket.name == name:
                ticket.status = "running"
        return states.with_task(snapshot, {**states.wanted(name), "status": "running", "page": page})

    def report(self, snapshot: Snapshot, message: ReportTask) -> Snapshot:
        """Return the state after a report of the page that runs the task; one that has ended is not changed.

        Raises:
            ProtocolError: The page does not run it, or what it found cannot be.
        """
        task = self.task_of(snapshot, message["page"], message["task"])
        if task["status"] != "running":
            return snapshot
        if (profile := message["profile"]) is not None:
            snapshot = states.with_profile(snapshot, task["job"], profile)
        done, total = message["done"], message["total"]
        told: Task = {**task, "status": message["status"], "done": done, "total": total, "error": message["error"]}
        return self._ended(snapshot, told)

    def task_of(self, snapshot: Snapshot, page: str, name: TaskName) -> Task:
        """Return the task that the page runs, or ran last.

        Raises:
            ProtocolError: It is not this page's.
        """
        task = snapshot["task"]
        if task is None or (task["page"], _name_of(task)) != (page, name):
            raise ProtocolError(f"this page does not run {TITLES[name['kind']]}.")
        return task

    def lose(self, snapshot: Snapshot, why: str) -> Snapshot:
        """Return the state after the page that ran a task went away."""
        task = snapshot["task"]
        if task is None or task["status"] != "running":
            return snapshot
        message = f"{TITLES[task['kind']].capitalize()} did not end: {why}"
        error: WireError = {"name": "Error", "message": message, "stack": ""}
        return self._ended(snapshot, {**task, "status": "failed", "error": error})

    def close(self, snapshot: Snapshot) -> Snapshot:
        """Return the state in which nothing is wanted any more."""
        snapshot = self.lose(snapshot, "the benchmark was closed.")
        error: WireError = {"name": "Error", "message": "The benchmark was closed; run its cell again.", "stack": ""}
        for ticket in self._tickets:
            ticket.status, ticket.error = "failed", error
        self._tickets.clear()
        task = snapshot["task"]
        return states.with_task(snapshot, None) if task is not None and task["status"] == "wanted" else snapshot

    def _ended(self, snapshot: Snapshot, task: Task) -> Snapshot:
        snapshot = states.with_task(snapshot, task)
        if task["status"] == "running":
            return snapshot
        for ticket in self._tickets:
            if ticket.name == _name_of(task):
                ticket.status, ticket.error = task["status"], task["error"]
        self._tickets = [ticket for ticket in self._tickets if ticket.status not in {"done", "failed"}]
        return self._offered(snapshot)

    def _offered(self, snapshot: Snapshot) -> Snapshot:
        """Show the pages what is wanted next; what ended stays shown if nothing is."""
        task = snapshot["task"]
        free = task is None or task["status"] in {"done", "failed"}
        return states.with_task(snapshot, states.wanted(self._tickets[0].name)) if self._tickets and free else snapshot


def _name_of(task: Task) -> TaskName:
    return {"kind": task["kind"], "job": task["job"]}
