/** What the plot and the table show of each job: label, colour, symbol. */
import type { JobState, Snapshot } from "../protocol";

export type MarkSymbol = "circle" | "square" | "triangle" | "diamond" | "star" | "wye";

export type Series = {
  label: string;
  color: string;
  symbol: MarkSymbol;
  firstMs: number | null;
  warmupMs: readonly number[];
  runMs: readonly number[];
  /** Runs to come included. */
  expectedRuns: number;
};

/** Okabe and Ito's colours without the two that vanish on white: distinct for colour-blind readers, 3:1 on both. */
const COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc6699", "#8a6d00", "#3a8fd0"] as const;
const SYMBOLS = ["circle", "square", "triangle", "diamond", "star", "wye"] as const;

export function colorOf(index: number): string {
  return COLORS[index % COLORS.length] ?? COLORS[0];
}

export function symbolOf(index: number): MarkSymbol {
  return SYMBOLS[index % SYMBOLS.length] ?? SYMBOLS[0];
}

/** The backend that really ran, or the one that was asked for; with what tells one size from another. */
export function backendLabel(state: JobState): string {
  const name = state.actual ?? state.job.backend ?? "fastest backend";
  const { label } = state.series;
  return `${name}${state.software ? " (software GPU)" : ""}${label && `, ${label}`}`;
}

export function modelLabel(snapshot: Snapshot, state: JobState): string {
  return snapshot.models[state.job.model]?.label ?? `model ${state.job.model + 1}`;
}

/** The backend; of several models, the model first. */
export function seriesLabel(snapshot: Snapshot, state: JobState): string {
  const backend = backendLabel(state);
  return snapshot.models.length > 1 ? `${modelLabel(snapshot, state)}, ${backend}` : backend;
}

/** One series per job. */
export function seriesOf(snapshot: Snapshot): Series[] {
  return snapshot.jobs.map((state, index) => ({
    label: seriesLabel(snapshot, state),
    color: colorOf(index),
    symbol: symbolOf(index),
    firstMs: state.first_ms,
    warmupMs: state.warmup_ms,
    runMs: state.run_ms,
    expectedRuns: Math.max(state.run_ms.length, state.stage === "run" ? state.total : 0),
  }));
}
