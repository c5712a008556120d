/** What the plot, the legend and the table show of each job: label, colour, symbol. */
import { printable } from "../format";
import { BACKENDS, type JobState, type Snapshot } from "../protocol";

export type MarkSymbol = "circle" | "square" | "triangle" | "diamond" | "star" | "wye";

/** How the marks of a job look. */
export type MarkStyle = { color: string; symbol: MarkSymbol; hollow: boolean };

export type Series = MarkStyle & {
  /** Index in the snapshot. */
  job: number;
  label: string;
  firstMs: number | null;
  warmupMs: readonly number[];
  runMs: readonly number[];
  /** Runs to come included; 0 while their number is unknown. */
  expectedRuns: number;
};

/**
 * Distinct for colour-blind readers and at least 3:1 on white and on the dark themes. In grey those with an even index
 * differ from each other by their lightness, and so do those with an odd one.
 */
export const COLORS = ["#006ead", "#cf6000", "#00a57a", "#d070a0", "#907f00", "#8055b5"] as const;
const SYMBOLS = ["circle", "square", "triangle", "diamond", "star", "wye"] as const;

/**
 * The colour says which model, the symbol which backend; of one model the colour says the backend too. Every second
 * model's marks are hollow, so that 12 jobs can be told apart in grey. Jobs that differ in neither, or in one backend
 * only, are numbered instead.
 */
export function stylesOf({ jobs }: Pick<Snapshot, "jobs">): MarkStyle[] {
  const backends = jobs.map((state) => Math.max(0, BACKENDS.indexOf(backendOf(state) ?? BACKENDS[0])));
  const models = jobs.map(({ job }) => job.model);
  const pairs = new Set(jobs.map((_, i) => `${models[i]} ${backends[i]}`));
  const severalModels = new Set(models).size > 1;
  if (pairs.size < jobs.length || (severalModels && new Set(backends).size === 1))
    return jobs.map((_, i) => numbered(i));
  return backends.map((backend, i) => {
    const model = models[i] ?? 0;
    return severalModels ? styleOf(model, backend, model % 2 === 1) : styleOf(backend, backend, false);
  });
}

function numbered(index: number): MarkStyle {
  return styleOf(index, index, index % (2 * SYMBOLS.length) >= SYMBOLS.length);
}

function styleOf(color: number, symbol: number, hollow: boolean): MarkStyle {
  return {
    color: COLORS[color % COLORS.length] ?? COLORS[0],
    symbol: SYMBOLS[symbol % SYMBOLS.length] ?? SYMBOLS[0],
    hollow,
  };
}

function backendOf(state: JobState) {
  return state.actual ?? state.job.backend;
}

/** The backend that really ran, or the one that was asked for; with what tells one size from another. */
export function backendLabel(state: JobState): string {
  const name = backendOf(state) ?? "fastest backend";
  const { label } = state.series;
  return `${name}${state.software ? " (software GPU)" : ""}${label && `, ${label}`}`;
}

/** For readers; files have the label itself. */
export function modelLabel(snapshot: Snapshot, state: JobState): string {
  return printable(snapshot.models[state.job.model]?.label ?? `model ${state.job.model + 1}`);
}

/** The backend; of several models, the model first. */
export function seriesLabel(snapshot: Snapshot, state: JobState): string {
  const backend = backendLabel(state);
  return snapshot.models.length > 1 ? `${modelLabel(snapshot, state)}, ${backend}` : backend;
}

/** One series per job. */
export function seriesOf(snapshot: Snapshot): Series[] {
  const styles = stylesOf(snapshot);
  return snapshot.jobs.map((state, job) => ({
    ...(styles[job] ?? numbered(job)),
    job,
    label: seriesLabel(snapshot, state),
    firstMs: state.first_ms,
    warmupMs: state.warmup_ms,
    runMs: state.run_ms,
    expectedRuns: Math.max(state.run_ms.length, state.stage === "run" ? state.total : 0),
  }));
}
