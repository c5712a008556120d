/** Snapshots and series for the tests of what the page shows. */
import { newJobState } from "../src/page/runState";
import type { Series } from "../src/plot/series";
import type { BackendName, JobState, Snapshot } from "../src/protocol";

export function job(backend: BackendName, run_ms: number[], rest: Partial<JobState> = {}): JobState {
  return { ...newJobState({ model: 0, backend, feed: 0 }), status: "done", actual: backend, run_ms, ...rest };
}

export function snapshotOf(jobs: JobState[], ...labels: string[]): Snapshot {
  const models = (labels.length > 0 ? labels : ["model"]).map((label) => ({
    label,
    format: "graph-model",
    nbytes: 100,
  }));
  const none = { environment: null, error: null, task: null, warnings: [] };
  return { status: "finished", page: "", models, jobs, ...none };
}

export function series(rest: Partial<Series>): Series {
  const style = { color: "#006ead", symbol: "circle", hollow: false } as const;
  const numbers = { firstMs: null, warmupMs: [], runMs: [], expectedRuns: 10 };
  return { ...style, ...numbers, job: 0, label: "cpu", ...rest };
}
