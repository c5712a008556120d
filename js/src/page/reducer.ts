/** BenchEvent → Snapshot. Pure; the kernel applies the same events to its own copy. */
import { assertNever } from "../assert";
import type { BenchEvent, Job, JobState, Snapshot } from "../protocol";

export function newJobState(job: Job): JobState {
  return {
    job,
    status: "waiting",
    stage: null,
    done: 0,
    total: 0,
    actual: null,
    device: "",
    software: false,
    backend_ms: null,
    load_ms: null,
    first_ms: null,
    warmup_ms: [],
    run_ms: [],
    batch: 1,
    parity: null,
    error: null,
  };
}

/** The snapshot with which a granted claim begins. */
export function beginRun(before: Snapshot, page: string, jobs: readonly Job[]): Snapshot {
  return { ...before, status: "running", page, environment: null, jobs: jobs.map(newJobState), error: null };
}

export function applyEvent(state: Snapshot, event: BenchEvent): Snapshot {
  switch (event.kind) {
    case "environment":
      return { ...state, environment: event.environment };
    case "finished":
      return { ...state, status: "finished" };
    case "stopped":
      return { ...state, status: "stopped", jobs: state.jobs.map(stopJob) };
    case "run_failed":
      return { ...state, status: "failed", error: event.error, jobs: state.jobs.map(stopJob) };
    case "progress":
    case "ready":
    case "samples":
    case "parity":
    case "job_done":
    case "job_failed":
      return { ...state, jobs: state.jobs.map((job) => (sameJob(job.job, event.job) ? applyToJob(job, event) : job)) };
    default:
      return assertNever(event);
  }
}

export function sameJob(a: Job, b: Job): boolean {
  return a.model === b.model && a.backend === b.backend;
}

function stopJob(job: JobState): JobState {
  return job.status === "waiting" || job.status === "running" ? { ...job, status: "stopped", stage: null } : job;
}

function applyToJob(state: JobState, event: Extract<BenchEvent, { job: Job }>): JobState {
  switch (event.kind) {
    case "progress":
      return { ...state, status: "running", stage: event.stage, done: event.done, total: event.total };
    case "ready": {
      const { actual, device, software, backend_ms, load_ms } = event;
      return { ...state, actual, device, software, backend_ms, load_ms };
    }
    case "samples":
      return applySamples(state, event);
    case "parity":
      return { ...state, parity: event.parity };
    case "job_done":
      return { ...state, status: "done", stage: null };
    case "job_failed":
      return { ...state, status: "failed", stage: null, error: event.error };
    default:
      return assertNever(event);
  }
}

function applySamples(state: JobState, event: Extract<BenchEvent, { kind: "samples" }>): JobState {
  const { first_index: at, latency_ms: latencies } = event;
  const put = (before: readonly number[]) => [
    ...before.slice(0, at),
    ...latencies,
    ...before.slice(at + latencies.length),
  ];
  switch (event.phase) {
    case "first":
      return { ...state, first_ms: latencies[0] ?? null };
    case "warmup":
      return { ...state, warmup_ms: put(state.warmup_ms) };
    case "run":
      return { ...state, batch: event.batch, run_ms: put(state.run_ms) };
    default:
      return assertNever(event.phase);
  }
}
