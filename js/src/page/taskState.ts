/** The state of a task. The page that runs it owns it, and reports it to the kernel; the benchmark's numbers stay. */
import type { Request } from "../kernel";
import type { JobState, Snapshot, Task, TaskKind, TaskName, WireError } from "../protocol";
import { sameJob } from "./runState";

export type TaskSnapshot = Snapshot & { task: Task };

export const TASK_TITLES: Record<TaskKind, string> = {
  profile: "The profile",
  divergence: "The search for the layer",
};

export function sameTask(one: TaskName, other: TaskName): boolean {
  return one.kind === other.kind && sameJob(one.job, other.job);
}

/** The state with which a granted task begins. */
export function begunTask(before: Snapshot, page: string, { kind, job }: TaskName): TaskSnapshot {
  return { ...before, task: { kind, job, status: "running", page, done: 0, total: 0, error: null } };
}

export function failedTask(state: TaskSnapshot, error: WireError): TaskSnapshot {
  return { ...state, task: { ...state.task, status: "failed", error } };
}

export class TaskState {
  #snapshot: TaskSnapshot;
  #onChange: (snapshot: TaskSnapshot) => void;

  constructor(snapshot: TaskSnapshot, onChange: (snapshot: TaskSnapshot) => void) {
    this.#snapshot = snapshot;
    this.#onChange = onChange;
  }

  /** Another object after every change. */
  get snapshot(): TaskSnapshot {
    return this.#snapshot;
  }

  get job(): JobState {
    const { job } = this.#snapshot.task;
    const found = this.#snapshot.jobs.find((state) => sameJob(state.job, job));
    if (!found) throw new Error("The benchmark has no such job. Run it again.");
    return found;
  }

  setProgress(done: number, total: number): void {
    this.#set({ ...this.#snapshot, task: { ...this.#snapshot.task, done, total } });
  }

  /** `found` goes into the state of the job, and more may follow. */
  note(found: Partial<JobState>): void {
    const before = this.job;
    const jobs = this.#snapshot.jobs.map((state) => (state === before ? { ...state, ...found } : state));
    this.#set({ ...this.#snapshot, jobs });
  }

  /** Likewise, and that was all. */
  succeed(found: Partial<JobState>): void {
    this.note(found);
    this.#set({ ...this.#snapshot, task: { ...this.#snapshot.task, status: "done" } });
  }

  fail(error: WireError): void {
    this.#set(failedTask(this.#snapshot, error));
  }

  #set(snapshot: TaskSnapshot): void {
    this.#snapshot = snapshot;
    this.#onChange(snapshot);
  }
}

/** What to tell the kernel. */
export function taskReportOf(state: TaskSnapshot): Extract<Request, { kind: "report_task" }> {
  const { kind, job, status, page, done, total, error } = state.task;
  const found = status === "done" && kind === "profile" ? state.jobs.find((other) => sameJob(other.job, job)) : null;
  return {
    kind: "report_task",
    page,
    task: { kind, job },
    status: status === "wanted" ? "running" : status,
    done,
    total,
    error,
    profile: found?.profile ?? null,
  };
}
