/** The status line: what happens now, in words and as a share. */
import { assertNever } from "../assertNever";
import { formatBytes } from "../format";
import { seriesLabel } from "../plot/series";
import type { JobState, Snapshot, Stage, Task } from "../protocol";
import { waitingText } from "../waiting";
import { sameJob } from "./runState";
import type { View } from "./session";

export type StatusLine = {
  text: string;
  /** For screen readers: without the numbers, which change too often to be read out. */
  spoken: string;
  /** 0 to 1, null for "unknown", undefined for "nothing runs". */
  share: number | null | undefined;
};

/** What a view shows when nothing can be run any more stays what it was, and this. */
const GONE = "The kernel has ended or restarted since: run the cell again for another run.";

export function statusLine(view: View): StatusLine {
  const line = lineOf(view);
  if (!view.gone || view.snapshot.status === "failed") return line;
  return { ...line, text: `${line.text} ${GONE}`, spoken: `${line.spoken} ${GONE}` };
}

function lineOf(view: View): StatusLine {
  const { snapshot, activity, waiting } = view;
  if (waiting) return plainLine(waitingText(waiting), null);
  if (activity === "queued") return plainLine("Waiting for another benchmark in this browser to end …", null);
  if (activity === "claiming") return plainLine("Starting …", null);
  if (snapshot.task?.status === "running") return taskLine(snapshot, snapshot.task);
  switch (snapshot.status) {
    case "pending":
      return plainLine("Not run yet.");
    case "running": {
      const line = runningLine(snapshot);
      return view.elsewhere ? { ...line, text: `In another tab: ${line.text}` } : line;
    }
    case "finished":
      return plainLine(finishedText(snapshot));
    case "stopped":
      return plainLine("Stopped. Results so far stay below.");
    case "failed":
      return {
        ...plainLine("The benchmark failed."),
        spoken: `The benchmark failed. ${snapshot.error?.message ?? ""}`,
      };
    case "interrupted":
      return plainLine("Interrupted: the page that ran it was closed or reloaded.");
    default:
      return assertNever(snapshot.status);
  }
}

function plainLine(text: string, share?: null): StatusLine {
  return { text, spoken: text, share };
}

const TASK_WORDS: Record<Task["kind"], string> = { profile: "profiling", divergence: "looking for the layer" };

function taskLine(snapshot: Snapshot, { kind, job, done, total }: Task): StatusLine {
  const state = snapshot.jobs.find((other) => sameJob(other.job, job));
  const spoken = `${state ? seriesLabel(snapshot, state) : ""}: ${TASK_WORDS[kind]}`;
  return {
    text: total > 0 ? `${spoken}, ${done} of ${total}` : `${spoken} …`,
    spoken,
    share: total > 0 ? done / total : null,
  };
}

const SPOKEN: Record<Stage, string> = {
  weights: "downloading the model",
  backend: "starting the backend",
  load: "building the model",
  verify: "comparing with Python",
  warmup: "warming up",
  run: "running",
};

function finishedText(snapshot: Snapshot): string {
  const failed = snapshot.jobs.filter((job) => job.status === "failed").length;
  if (failed === 0) return "Finished.";
  return failed === snapshot.jobs.length
    ? "Finished: nothing could run."
    : `Finished; ${failed} of ${snapshot.jobs.length} failed.`;
}

function runningLine(snapshot: Snapshot): StatusLine {
  const racing = snapshot.jobs.filter((job) => job.status === "running" && job.stage === "run");
  if (racing.length > 1) return turnsLine(racing);
  const index = snapshot.jobs.findLastIndex((job) => job.status === "running");
  const job = snapshot.jobs[index];
  if (!job) return plainLine("Loading TensorFlow.js …", null);
  const step = snapshot.jobs.length > 1 ? ` (${index + 1} of ${snapshot.jobs.length})` : "";
  const name = seriesLabel(snapshot, job);
  const share = job.total > 0 ? job.done / job.total : null;
  return {
    text: `${name}${step}: ${stageText(job)}`,
    spoken: `${name}${step}: ${SPOKEN[job.stage ?? "weights"]}`,
    share,
  };
}

function turnsLine(racing: readonly JobState[]): StatusLine {
  const done = Math.min(...racing.map((job) => job.done));
  const total = racing[0]?.total ?? 0;
  const spoken = `${racing.length} run in turns`;
  return { text: `${spoken}: round ${done} of ${total}`, spoken, share: total > 0 ? done / total : null };
}

function stageText(job: JobState): string {
  const { stage, done, total } = job;
  switch (stage) {
    case null:
      return "starting …";
    case "weights":
      return total > 0
        ? `downloading weights, ${formatBytes(done)} of ${formatBytes(total)}`
        : "downloading the model …";
    case "backend":
      return "starting the backend …";
    case "load":
      return "building the model …";
    case "verify":
      return job.first_ms === null ? "first run (compiling) …" : "comparing with Python …";
    case "warmup":
      return total > 0 ? `warm-up ${done} of ${total}` : `warm-up ${done}, until stable`;
    case "run":
      return `run ${done} of ${total}`;
    default:
      return assertNever(stage);
  }
}
