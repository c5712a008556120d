/** The state of a benchmark that no kernel keeps. Twin of tfjs_magic/bench/snapshot.py, for the one page that runs it. */
import { newJobState, sameJob } from "../page/runState";
import type { Job, JobReport, JobState, Latencies, Snapshot, Task, TaskName, ToKernel } from "../protocol";
import { noiseLines } from "./noise";
import { jobsOf, type PageData, seriesOf } from "./pageData";

type Report = Extract<ToKernel, { kind: "report" }>;
type TaskReport = Extract<ToKernel, { kind: "report_task" }>;

/** Before anything has run. */
export function newSnapshot(data: PageData, jobs: readonly Job[] = jobsOf(data, data.backends)): Snapshot {
  const { label, format, weight_nbytes: nbytes } = data;
  return {
    status: "pending",
    page: "",
    models: [{ label, format, nbytes }],
    environment: null,
    jobs: jobs.map((job) => newJobState(job, seriesOf(data, job))),
    error: null,
    task: null,
    warnings: [],
  };
}

export function withReport(before: Snapshot, { status, environment, error, jobs: told }: Report): Snapshot {
  const jobs = before.jobs.map((state) => {
    const report = told.find(({ progress }) => sameJob(progress.job, state.job));
    return report ? reported(state, report) : state;
  });
  const after = { ...before, status, environment, error, jobs };
  return status === "running" ? after : { ...after, warnings: noiseLines(after) };
}

/** `found` goes into the state of a job. */
export function withFound(before: Snapshot, job: Job, found: Partial<JobState>): Snapshot {
  return { ...before, jobs: before.jobs.map((state) => (sameJob(state.job, job) ? { ...state, ...found } : state)) };
}

/** With a task that the page shall take. */
export function withWanted(before: Snapshot, name: TaskName): Snapshot {
  return { ...before, task: { ...name, status: "wanted", page: "", done: 0, total: 0, error: null } };
}

export function withTask(before: Snapshot, report: TaskReport, layers: Readonly<Record<string, string>>): Snapshot {
  const { page, task, status, done, total, error, profile } = report;
  const told: Task = { ...task, status, page, done, total, error };
  const after = { ...before, task: told };
  if (!profile) return after;
  const rows = profile.rows.map((row) => ({
    ...row,
    layer: Object.hasOwn(layers, row.node) ? (layers[row.node] ?? row.layer) : row.layer,
  }));
  return withFound(after, task.job, { profile: { ...profile, rows } });
}

function reported(kept: JobState, { progress, warmup, run }: JobReport): JobState {
  const warmup_ms = spliced(kept.warmup_ms, warmup);
  return { ...kept, ...progress, warmup_ms, run_ms: spliced(kept.run_ms, run) };
}

function spliced(kept: readonly number[], { first_index: start, latency_ms: told }: Latencies): number[] {
  return [...kept.slice(0, start), ...told, ...kept.slice(start + told.length)];
}
