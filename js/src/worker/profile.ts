/**
 * Time per kernel.
 *
 * wasm and cpu compute before a kernel returns, so each kernel is timed where it is called, in each of many runs of the
 * whole model: in its real surroundings, caches included. A browser's clock may step by 0.1 ms or 1 ms, far more than a
 * kernel takes. But a kernel that begins anywhere between two steps meets a step with the probability of its length in
 * steps, so that the mean over the runs is its length; the standard error, given with it, says how well. webgl and webgpu
 * only queue their work: there each kernel is put between two queries of the GPU's own clock.
 *
 * Plain runs take turns with profiled ones, so that what the profiler costs is seen.
 */
import * as tf from "@tensorflow/tfjs-core";
import { MAX_PROFILE_ROWS, type ModelFormat, type Profile, type ProfileRow } from "../protocol";
import { layerOf } from "./attribution";
import { nbytesOf, type Outputs, withKernels } from "./kernels";
import { macrotask, timeSample } from "./measure";
import type { LoadedModel } from "./model";

export type Profiling = {
  model: LoadedModel;
  format: ModelFormat;
  feed: ReadonlyMap<string, tf.Tensor>;
  clockResolutionMs: number;
  stopped: () => boolean;
  /** Latencies of profiled runs that follow those reported before. */
  report: (latencyMs: number[]) => void;
};

/** The first pairs of runs are not counted: the wrapped kernels are compiled in them. */
const WARMUP_PAIRS = 2;
const MIN_PAIRS = 10;
const MAX_PAIRS = 10_000;
/** Until both this and MIN_PAIRS are reached … */
const MIN_MS = 3000;
/** … but a slow model is not run for longer. */
const MAX_MS = 30_000;
const REPORT_EVERY_MS = 100;
/** Node and kernel together stay below what the kernel takes. */
const MAX_NAME_LENGTH = 400;

export async function profile(options: Profiling): Promise<Profile> {
  const { model, feed } = options;
  const backend = tf.getBackend();
  const gpu = gpuTimer(backend);
  if (gpu === undefined) return untimed(backend);
  const recorder = new Recorder(gpu, options.clockResolutionMs);
  const unwatch = model.watch((name) => recorder.enter(name));
  const plain: number[] = [];
  const profiled: number[] = [];
  let unreported: number[] = [];
  let begin = performance.now();
  let lastReport = begin;
  try {
    for (let pair = 0; !enough(profiled.length, performance.now() - begin); pair++) {
      if (options.stopped()) throw new Error("The run was stopped.");
      const counts = pair >= WARMUP_PAIRS;
      if (pair === WARMUP_PAIRS) begin = performance.now();
      const withoutMs = async () => (await timeSample(model, feed, 1)).latencyMs;
      const withMs = () => recorder.record(withoutMs, counts);
      const order = pair % 2 === 0 ? [withoutMs, withMs] : [withMs, withoutMs];
      for (const run of order) {
        const ms = await run();
        if (counts) (run === withMs ? profiled : plain).push(ms);
        await macrotask();
      }
      if (counts) unreported.push(profiled.at(-1) ?? 0);
      if (performance.now() - lastReport >= REPORT_EVERY_MS) {
        options.report(unreported);
        unreported = [];
        lastReport = performance.now();
      }
    }
  } finally {
    unwatch();
  }
  options.report(unreported);
  return summed(recorder.rows(options.format), plain, profiled, recorder.note());
}

function enough(pairs: number, elapsedMs: number): boolean {
  if (pairs >= MAX_PAIRS || (pairs > 1 && elapsedMs >= MAX_MS)) return true;
  return pairs >= MIN_PAIRS && elapsedMs >= MIN_MS;
}

function summed(rows: ProfileRow[], plain: number[], profiled: number[], note: string): Profile {
  const sorted = rows.sort((a, b) => b.ms - a.ms);
  const more = sorted.slice(MAX_PROFILE_ROWS);
  return {
    rows: sorted.slice(0, MAX_PROFILE_ROWS),
    more_rows: more.length,
    more_ms: rounded(more.reduce((sum, { ms }) => sum + ms, 0)),
    runs: profiled.length,
    profiled_ms: rounded(mean(profiled)),
    plain_ms: rounded(mean(plain)),
    note,
  };
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const rounded = (ms: number) => Math.round(ms * 1e5) / 1e5;

type Totals = {
  node: string;
  kernel: string;
  calls: number;
  nbytes: number;
  run: number;
  sum: number;
  squares: number;
};
type GpuTimer = { time(f: () => void): Promise<tf.BackendTimingInfo> };

class Recorder {
  #gpu: GpuTimer | null;
  #clockResolutionMs: number;
  #totals = new Map<string, Totals>();
  #node = "";
  #runs = 0;
  /** Of each kernel that runs, the outermost first: the time of the kernels inside it. */
  #inside: number[] = [];
  #waiting: Promise<void>[] = [];

  constructor(gpu: GpuTimer | null, clockResolutionMs: number) {
    this.#gpu = gpu;
    this.#clockResolutionMs = clockResolutionMs;
  }

  enter(node: string): void {
    this.#node = node;
  }

  /** One run with wrapped kernels; gives what `run` gives. */
  async record(run: () => Promise<number>, counts: boolean): Promise<number> {
    this.#node = "";
    const result = await withKernels((kernel, original) => this.#wrapped(kernel, original), run);
    await Promise.all(this.#waiting);
    this.#waiting = [];
    if (counts) this.#close();
    else this.#totals.clear();
    return result;
  }

  rows(format: ModelFormat): ProfileRow[] {
    const runs = this.#runs;
    // A kernel that never met a step may have been about to.
    const least = this.#gpu ? 0 : this.#clockResolutionMs / runs;
    return [...this.#totals.values()].map(({ node, kernel, calls, nbytes, sum, squares }, order) => {
      const variance = runs > 1 ? Math.max(0, squares - (sum * sum) / runs) / (runs - 1) : 0;
      const name = node.slice(0, MAX_NAME_LENGTH);
      return {
        node: name,
        layer: layerOf(name, format),
        kernel: kernel.slice(0, MAX_NAME_LENGTH),
        order,
        calls: calls / runs,
        ms: rounded(sum / runs),
        error_ms: rounded(Math.max(Math.sqrt(variance / runs), least)),
        nbytes: Math.round(nbytes / runs),
      };
    });
  }

  note(): string {
    if (this.#gpu) return `Means of ${this.#runs} runs, by the GPU's own clock; ± is the standard error.`;
    const step = `the clock steps by ${Number(this.#clockResolutionMs.toPrecision(2))} ms`;
    return `Means of ${this.#runs} runs of the whole model; ${step}, ± is the standard error.`;
  }

  #close(): void {
    this.#runs += 1;
    for (const totals of this.#totals.values()) {
      totals.sum += totals.run;
      totals.squares += totals.run ** 2;
      totals.run = 0;
    }
  }

  #wrapped(kernel: string, original: tf.KernelFunc): tf.KernelFunc {
    const gpu = this.#gpu;
    return (params) => {
      const node = this.#node;
      // A kernel inside of another belongs to it: GPU queries do not nest.
      if (gpu)
        return this.#inside.length > 0 ? original(params) : this.#queried(gpu, node, kernel, () => original(params));
      this.#inside.push(0);
      const start = performance.now();
      try {
        const out = original(params);
        const elapsed = performance.now() - start;
        const inside = this.#inside.at(-1) ?? 0;
        this.#add(node, kernel, out).run += elapsed - inside;
        const outer = this.#inside.length - 2;
        if (outer >= 0) this.#inside[outer] = (this.#inside[outer] ?? 0) + elapsed;
        return out;
      } finally {
        this.#inside.pop();
      }
    };
  }

  #queried(gpu: GpuTimer, node: string, kernel: string, compute: () => Outputs): Outputs {
    let out: Outputs | undefined;
    this.#inside.push(0);
    try {
      const timing = gpu.time(() => {
        out = compute();
      });
      if (!out) throw new Error(`The kernel '${kernel}' gave nothing.`);
      const totals = this.#add(node, kernel, out);
      const add = ({ kernelMs }: tf.BackendTimingInfo) => {
        totals.run += typeof kernelMs === "number" ? kernelMs : 0;
      };
      this.#waiting.push(timing.then(add));
      return out;
    } finally {
      this.#inside.pop();
    }
  }

  #add(node: string, kernel: string, out: Outputs): Totals {
    const key = `${node}\n${kernel}`;
    const totals = this.#totals.get(key) ?? { node, kernel, calls: 0, nbytes: 0, run: 0, sum: 0, squares: 0 };
    this.#totals.set(key, totals);
    totals.calls += 1;
    totals.nbytes += nbytesOf(out);
    return totals;
  }
}

/** null where kernels compute before they return; undefined where they do not and nothing times them. */
function gpuTimer(backend: string): GpuTimer | null | undefined {
  if (backend !== "webgl" && backend !== "webgpu") return null;
  const timer = tf.backend();
  const available = backend === "webgl" ? timer.timerAvailable() : Reflect.get(timer, "supportTimestampQuery") === true;
  return available ? { time: async (f) => timer.time(f) } : undefined;
}

/** No rows, but a sentence. */
function untimed(backend: string): Profile {
  const note = `The backend '${backend}' offers no timer query here, so what a kernel takes on the GPU is not known. Profile wasm or cpu.`;
  return { rows: [], more_rows: 0, more_ms: 0, runs: 0, profiled_ms: 0, plain_ms: 0, note };
}
