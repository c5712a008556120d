/** The state of a run. The page that runs it owns it, shows it, and reports to the kernel what changed. */

import type { RunStatus, Series, Snapshot, Stage, WireError } from "../protocol";
import { type Environment, type Job, type JobState, MAX_RUNS } from "../protocol";

export type RunSnapshot = Snapshot & { status: RunStatus };

export function newJobState(job: Job, series: Series = { label: "", examples: 1 }): JobState {
  return {
    job,
    series,
    status: "waiting",
    stage: null,
    done: 0,
    total: 0,
    actual: null,
    device: "",
    software: false,
    backend_ms: null,
    transfer_ms: null,
    load_ms: null,
    first_ms: null,
    warmup_ms: [],
    run_ms: [],
    memory: null,
    batch: 1,
    parity: null,
    profile: null,
    divergence: null,
    error: null,
  };
}

export function sameJob(one: Job, other: Job): boolean {
  return one.model === other.model && one.backend === other.backend && one.feed === other.feed;
}

function sameFeed(one: Job, other: Job): boolean {
  return one.model === other.model && one.feed === other.feed;
}

/** The state with which a granted claim begins: results of an earlier run are gone. */
export function begun(before: Snapshot, page: string, jobs: readonly Job[]): RunSnapshot {
  const task = before.task?.status === "wanted" ? before.task : null;
  const fresh = jobs.map((job) => newJobState(job, before.jobs.find((state) => sameFeed(state.job, job))?.series));
  return { ...before, status: "running", page, environment: null, jobs: fresh, error: null, task, warnings: [] };
}

/** The state in which nothing runs any more. */
export function ended<T extends RunStatus>(state: Snapshot, status: T, error: WireError | null = null) {
  return { ...state, status, error, jobs: state.jobs.map(stopped) };
}

function stopped(job: JobState): JobState {
  return job.status === "waiting" || job.status === "running" ? { ...job, status: "stopped", stage: null } : job;
}

/** To 0.1 µs: the finest browser clock steps by 5 µs, and the saved notebook shrinks by half. */
export function rounded(ms: number): number {
  return Math.round(ms * 1e4) / 1e4;
}

const FLUSH_EVERY_MS = 100;

/** Until when a job runs: both are reached. */
export type Goal = { runs: number; minTimeMs: number };

/** Latencies that come one by one go into the state in portions: a copy for each would take longer than the run. */
export class LatencyBuffer {
  #state: RunState;
  #job: Job;
  #goal: Goal;
  #count = 0;
  #spentMs = 0;
  #waiting: number[] = [];
  #batch = 1;
  #flushed = performance.now();

  constructor(state: RunState, job: Job, goal: Goal) {
    this.#state = state;
    this.#job = job;
    this.#goal = goal;
    state.setProgress(job, "run", 0, goal.runs);
  }

  get reached(): boolean {
    return this.#count >= this.#goal.runs && this.#spentMs >= this.#goal.minTimeMs;
  }

  add(latencyMs: readonly number[], batch: number): void {
    this.#waiting.push(...latencyMs);
    this.#batch = batch;
    this.#count += latencyMs.length;
    this.#spentMs += batch * latencyMs.reduce((sum, ms) => sum + ms, 0);
    if (performance.now() - this.#flushed >= FLUSH_EVERY_MS) this.flush();
  }

  flush(): void {
    this.#state.addLatencies(this.#job, "run", this.#waiting, this.#batch, this.#expected());
    this.#waiting = [];
    this.#flushed = performance.now();
  }

  /** How many runs there will be in all, as it looks now. */
  #expected(): number {
    const { runs, minTimeMs } = this.#goal;
    if (this.reached) return this.#count;
    const forTime = this.#spentMs > 0 ? Math.ceil((minTimeMs * this.#count) / this.#spentMs) : 0;
    return Math.min(MAX_RUNS, Math.max(runs, forTime, this.#count));
  }
}

export class RunState {
  #snapshot: RunSnapshot;
  #onChange: (snapshot: RunSnapshot) => void;

  constructor(snapshot: RunSnapshot, onChange: (snapshot: RunSnapshot) => void) {
    this.#snapshot = snapshot;
    this.#onChange = onChange;
  }

  /** Another object after every change; what did not change is the same object as before. */
  get snapshot(): RunSnapshot {
    return this.#snapshot;
  }

  setEnvironment(environment: Environment): void {
    this.#set({ ...this.#snapshot, environment });
  }

  /** `job` is one of the claim's own objects. */
  setJob(job: Job, fields: Partial<JobState>): void {
    const jobs = this.#snapshot.jobs.map((state) => (state.job === job ? { ...state, ...fields } : state));
    this.#set({ ...this.#snapshot, jobs });
  }

  setProgress(job: Job, stage: Stage, done: number, total: number): void {
    this.setJob(job, { status: "running", stage, done, total });
  }

  setFirstRun(job: Job, ms: number): void {
    this.setJob(job, { first_ms: rounded(ms) });
  }

  /** Latencies that follow those before, with the progress that they are. */
  addLatencies(job: Job, phase: "warmup" | "run", latencyMs: readonly number[], batch: number, total: number): void {
    const key = phase === "run" ? "run_ms" : "warmup_ms";
    const before = this.#snapshot.jobs.find((state) => state.job === job)?.[key] ?? [];
    const all = [...before, ...latencyMs.map(rounded)];
    const fields = { status: "running", stage: phase, done: all.length, total, [key]: all } as const;
    this.setJob(job, phase === "run" ? { ...fields, batch } : fields);
  }

  end(status: Exclude<RunStatus, "running">, error: WireError | null = null): void {
    this.#set(ended(this.#snapshot, status, error));
  }

  #set(snapshot: RunSnapshot): void {
    this.#snapshot = snapshot;
    this.#onChange(snapshot);
  }
}
