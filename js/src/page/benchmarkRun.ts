/** One granted benchmark: load, first run, comparison with Python and warm-up of each job; then their runs, in turns. */
import type { KernelClient } from "../kernel";
import { type Feed, type FromKernel, type Job, MAX_RUNS, type Stage } from "../protocol";
import { randomNumbers, shuffled } from "../random";
import { toWireError } from "../wireError";
import { checkBatch, checkRuns } from "./batchBounds";
import { watchHidden } from "./hiddenTime";
import { buffersOf, type PulledModel, pullModel, startRuntime } from "./loading";
import type { Runner } from "./runner";
import { LatencyBuffer, type RunState, rounded } from "./runState";
import { type ModelReply, putOutputs } from "./transfer";

export type Claim = Extract<FromKernel, { kind: "claim" }>;

/** The kernel compares with Python, perhaps twice: give it minutes. */
const VERIFY_TIMEOUT_MS = 180_000;

/** A job that is loaded, compared and warm, in a runtime of its own. */
type Contender = { job: Job; runner: Runner };

export class BenchmarkRun {
  #client: KernelClient;
  #claim: Claim;
  #state: RunState;
  #signal: AbortSignal;
  #runners = new Set<Runner>();
  /** The last model that was pulled, while a later job needs it too. */
  #pulled: (PulledModel & { index: number; transferMs: number }) | null = null;

  constructor(client: KernelClient, claim: Claim, state: RunState, signal: AbortSignal) {
    this.#client = client;
    this.#claim = claim;
    this.#state = state;
    this.#signal = signal;
  }

  /**
   * Each job in a worker of its own is loaded, compared and warmed up, one after the other; then all take turns, so that
   * load and drift of the machine fall on all alike. A single job runs through, and so does one on the page's main
   * thread, which has one runtime only.
   *
   * Resolves when every job has ended. Rejects when aborted, when the kernel is gone or the runtime does not start.
   */
  async run(): Promise<void> {
    const stop = () => void this.#terminate();
    this.#signal.addEventListener("abort", stop, { once: true });
    const { jobs } = this.#claim;
    const hiddenMs = watchHidden();
    const contenders: Contender[] = [];
    try {
      for (const job of jobs) {
        const runner = await this.#startRunner();
        const takesTurns = jobs.length > 1 && runner.workerProblem === "";
        const succeeded = await this.#attempt(job, async () => {
          await this.#prepare(runner, job);
          if (!takesTurns) await this.#measureRuns(runner, job);
        });
        if (succeeded && takesTurns) contenders.push({ job, runner });
        else if (succeeded) this.#state.setJob(job, { status: "done", stage: null });
        else if (takesTurns) await this.#end(runner);
      }
      await this.#takeTurns(contenders);
    } finally {
      this.#signal.removeEventListener("abort", stop);
      const { environment } = this.#state.snapshot;
      if (environment) this.#state.setEnvironment({ ...environment, hidden_ms: hiddenMs() });
      await this.#terminate();
    }
  }

  /** Whether it succeeded; if not, the job failed, unless the whole run did. */
  async #attempt(job: Job, task: () => Promise<unknown>): Promise<boolean> {
    try {
      await task();
      return true;
    } catch (error) {
      this.#signal.throwIfAborted();
      if (this.#client.closed.aborted) throw error;
      this.#state.setJob(job, { status: "failed", stage: null, error: toWireError(error) });
      return false;
    }
  }

  /**
   * Rounds in which every contender runs once, in random order, until all have runs and time enough; the n-th latency
   * of each belongs to round n.
   */
  async #takeTurns(contenders: Contender[]): Promise<void> {
    const random = randomNumbers(this.#claim.seed);
    let racing = contenders.map((contender) => ({ ...contender, buffer: this.#buffer(contender.job) }));
    for (let round = 0; round < MAX_RUNS && !racing.every(({ buffer }) => buffer.reached); round++) {
      for (const contender of shuffled(racing, random)) {
        const { job, runner, buffer } = contender;
        const command = { kind: "measure", phase: "run", samples: 1 } as const;
        const alive = await this.#attempt(job, () =>
          runner.request(command, [], ({ latencyMs, batch }) => buffer.add(latencyMs, batch)),
        );
        if (!alive) racing = racing.filter((other) => other !== contender);
      }
    }
    for (const { job, buffer } of racing) {
      buffer.flush();
      this.#state.setJob(job, { status: "done", stage: null });
    }
  }

  #buffer(job: Job): LatencyBuffer {
    const { runs, min_time_ms: minTimeMs } = this.#claim;
    return new LatencyBuffer(this.#state, job, { runs, minTimeMs });
  }

  /** A new worker; where there is none, the page's one runtime. */
  async #startRunner(): Promise<Runner> {
    const onPage = [...this.#runners].find((runner) => runner.workerProblem !== "" && !runner.dead);
    if (onPage) return onPage;
    const runner = await startRuntime(this.#client, this.#signal);
    this.#runners.add(runner);
    if (this.#signal.aborted) await runner.terminate();
    this.#signal.throwIfAborted();
    await this.#noteEnvironment(runner);
    return runner;
  }

  async #end(runner: Runner): Promise<void> {
    this.#runners.delete(runner);
    await runner.terminate();
  }

  async #terminate(): Promise<void> {
    await Promise.all([...this.#runners].map((runner) => this.#end(runner)));
  }

  async #noteEnvironment(runner: Runner): Promise<void> {
    if (this.#state.snapshot.environment) return;
    const { clockResolutionMs, tfjsVersion } = await runner.hello;
    const memory: unknown = "deviceMemory" in navigator ? navigator.deviceMemory : null;
    this.#state.setEnvironment({
      user_agent: navigator.userAgent,
      platform: navigator.platform,
      hardware_concurrency: navigator.hardwareConcurrency,
      device_memory_gb: typeof memory === "number" ? memory : null,
      cross_origin_isolated: globalThis.crossOriginIsolated === true,
      clock_resolution_ms: clockResolutionMs,
      worker: runner.workerProblem === "",
      worker_problem: runner.workerProblem,
      tfjs_version: tfjsVersion,
      hidden_ms: 0,
    });
  }

  async #prepare(runner: Runner, job: Job): Promise<void> {
    const model = await this.#giveModel(runner, job);
    this.#progress(job, "backend");
    const { actual, device, software, backendMs } = await runner.request({ kind: "setBackend", backend: job.backend });
    checkBatch(this.#state.snapshot.jobs, job, actual);
    this.#progress(job, "load");
    const { loadMs } = await runner.request({ kind: "load", feed: job.feed });
    this.#state.setJob(job, { actual, device, software, backend_ms: backendMs, load_ms: loadMs });
    this.#progress(job, "verify", 0, model.compare ? comparedWith(model, job).length : 1);
    const first = await runner.request({ kind: "infer", feed: job.feed });
    this.#state.setFirstRun(job, first.latencyMs);
    checkRuns(this.#state.snapshot.jobs, job, first.latencyMs, this.#claim.runs);
    await this.#verify(runner, job, model, first.outputs);
    const { memory } = await runner.request({ kind: "memory" });
    this.#state.setJob(job, { memory });
    await this.#warmUp(runner, job, this.#claim.warmup);
  }

  /** Pull the model unless the job before had it; the last job that needs it takes the bytes along. */
  async #giveModel(runner: Runner, job: Job): Promise<ModelReply> {
    if (this.#pulled?.index !== job.model) {
      this.#pulled = null;
      const begin = performance.now();
      const pulled = await this.#pull(job);
      this.#pulled = { index: job.model, transferMs: performance.now() - begin, ...pulled };
    }
    const { reply, command, transferMs } = this.#pulled;
    this.#state.setJob(job, { transfer_ms: rounded(transferMs) });
    const { jobs } = this.#claim;
    const isLast = !jobs.slice(jobs.indexOf(job) + 1).some(({ model }) => model === job.model);
    if (isLast) this.#pulled = null;
    await runner.request(command, isLast ? buffersOf(command) : []);
    return reply;
  }

  async #pull(job: Job): Promise<PulledModel> {
    this.#progress(job, "weights");
    const onProgress = (done: number, total: number) => this.#progress(job, "weights", done, total);
    return pullModel(this.#client, job.model, onProgress, this.#signal);
  }

  /** The kernel is asked in every case: without a reference it answers why there is none. */
  async #verify(runner: Runner, job: Job, model: ModelReply, first: Feed): Promise<void> {
    const signal = this.#signal;
    const { page } = this.#state.snapshot;
    if (model.compare) {
      const feeds = comparedWith(model, job);
      await putOutputs(this.#client, page, job, job.feed, first, signal);
      for (const [index, feed] of feeds.entries()) {
        if (feed === job.feed) continue;
        this.#progress(job, "verify", index, feeds.length);
        const { outputs } = await runner.request({ kind: "infer", feed });
        await putOutputs(this.#client, page, job, feed, outputs, signal);
      }
      for (const feed of model.inside === "" ? [] : feeds) {
        const { outputs } = await runner.request({ kind: "lookInside", feed, tensors: [model.inside] });
        await putOutputs(this.#client, page, job, feed, outputs, signal);
      }
      this.#progress(job, "verify", feeds.length, feeds.length);
    }
    const options = { signal, idleTimeoutMs: VERIFY_TIMEOUT_MS };
    // The report that names it may come later.
    const actual = this.#state.snapshot.jobs.find((state) => state.job === job)?.actual ?? null;
    const { message } = await this.#client.request({ kind: "verify", page, job, actual }, options);
    this.#state.setJob(job, { parity: message.parity });
  }

  async #warmUp(runner: Runner, job: Job, samples: number | "auto"): Promise<void> {
    const total = samples === "auto" ? 0 : samples;
    this.#progress(job, "warmup", 0, total);
    await runner.request({ kind: "measure", phase: "warmup", samples }, [], ({ latencyMs, batch }) =>
      this.#state.addLatencies(job, "warmup", latencyMs, batch, total),
    );
  }

  async #measureRuns(runner: Runner, job: Job): Promise<void> {
    const { runs: samples, min_time_ms: minTimeMs } = this.#claim;
    const buffer = this.#buffer(job);
    await runner.request({ kind: "measure", phase: "run", samples, minTimeMs }, [], ({ latencyMs, batch }) => {
      buffer.add(latencyMs, batch);
      buffer.flush();
    });
  }

  #progress(job: Job, stage: Stage, done = 0, total = 0): void {
    this.#state.setProgress(job, stage, done, total);
  }
}

/** The feed that is timed, and those that are compared beside it. */
function comparedWith(model: ModelReply, job: Job): number[] {
  return model.compared.find(({ feed }) => feed === job.feed)?.feeds ?? [job.feed];
}
