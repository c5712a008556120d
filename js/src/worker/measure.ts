/** Timed samples. The interval holds prediction and read-back, nothing else. */
import type * as tf from "@tensorflow/tfjs-core";
import { MAX_RUNS } from "../protocol";
import { nextBatch, warmupDone } from "../stats";
import { GpuLostError } from "./gpuLoss";
import type { LoadedModel } from "./model";

export type Sample = { latencyMs: number; elapsedMs: number };

/** `batch` calls in one interval; `latencyMs` is per call. Outputs are disposed after it. */
export async function timeSample(
  model: LoadedModel,
  feed: ReadonlyMap<string, tf.Tensor>,
  batch: number,
): Promise<Sample> {
  const results: tf.Tensor[][] = [];
  const start = performance.now();
  for (let call = 0; call < batch; call++) {
    const outputs = await model.predict(feed);
    // Reading back is the only point on every backend at which the work is known to be done.
    await Promise.all(outputs.map((output) => output.data()));
    results.push(outputs);
  }
  const elapsedMs = performance.now() - start;
  for (const outputs of results) model.release(outputs, feed);
  return { latencyMs: elapsedMs / batch, elapsedMs };
}

export type Measurement = {
  model: LoadedModel;
  feed: ReadonlyMap<string, tf.Tensor>;
  /** "auto": until stable. */
  samples: number | "auto";
  /** Least time spent in them. */
  minTimeMs: number;
  batch: number;
  clockResolutionMs: number;
  stopped: () => boolean;
  gpuIsLost: () => boolean;
  /** Latencies that follow those reported before. */
  report: (latencyMs: number[], batch: number) => void;
};

const REPORT_EVERY_MS = 100;

/** Measure and report in portions; gives the batch size that the next measurement starts with. */
export async function measure(options: Measurement): Promise<number> {
  const latencies: number[] = [];
  const begin = performance.now();
  let { batch } = options;
  let usedBatch = batch;
  let reported = 0;
  let lastReport = begin;
  const report = () => {
    if (reported < latencies.length) options.report(latencies.slice(reported), usedBatch);
    reported = latencies.length;
    lastReport = performance.now();
  };
  let spentMs = 0;
  const finished = () => {
    if (options.samples === "auto") return warmupDone(latencies, performance.now() - begin);
    const reached = latencies.length >= options.samples && spentMs >= options.minTimeMs;
    return reached || latencies.length >= MAX_RUNS;
  };
  while (!finished()) {
    if (options.stopped()) throw new Error("The run was stopped.");
    const sample = await timeSample(options.model, options.feed, batch);
    if (options.gpuIsLost()) throw new GpuLostError();
    latencies.push(sample.latencyMs);
    spentMs += sample.elapsedMs;
    usedBatch = batch;
    batch = nextBatch(batch, sample.elapsedMs, options.clockResolutionMs);
    if (performance.now() - lastReport >= REPORT_EVERY_MS) report();
    await macrotask();
  }
  report();
  return batch;
}

/** Let messages, timers and, on the main thread, the page have their turn; timers alone are clamped to 4 ms. */
export function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** The smallest step of performance.now() seen in a few milliseconds of looking. */
export function clockResolutionMs(): number {
  let smallest = Number.POSITIVE_INFINITY;
  const end = performance.now() + 5;
  let before = performance.now();
  while (before < end) {
    const now = performance.now();
    if (now > before) smallest = Math.min(smallest, now - before);
    before = now;
  }
  return Number.isFinite(smallest) ? Number(smallest.toPrecision(3)) : 5;
}
