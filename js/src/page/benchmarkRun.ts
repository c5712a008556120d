/** One granted benchmark, job after job: load, first run, comparison with Python, warm-up, runs. */
import { assetKey, getAsset } from "../assets";
import type { KernelClient } from "../kernel";
import type { Feed, FromKernel, Job, Stage } from "../protocol";
import { toWireError } from "../wireError";
import { type Runner, startRunner } from "./runner";
import type { RunState } from "./runState";
import { type ModelReply, pullFeed, pullWeights, putOutputs } from "./transfer";

export type Claim = Extract<FromKernel, { kind: "claim" }>;

/** The kernel compares with Python, perhaps twice: give it minutes. */
const VERIFY_TIMEOUT_MS = 180_000;

export class BenchmarkRun {
  #client: KernelClient;
  #claim: Claim;
  #state: RunState;
  #signal: AbortSignal;
  #runner: Runner | null = null;
  /** The model that the runner keeps. */
  #kept: { index: number; reply: ModelReply } | null = null;

  constructor(client: KernelClient, claim: Claim, state: RunState, signal: AbortSignal) {
    this.#client = client;
    this.#claim = claim;
    this.#state = state;
    this.#signal = signal;
  }

  /** Resolves when every job has ended. Rejects when aborted, when the kernel is gone or the runtime does not start. */
  async run(): Promise<void> {
    const stop = () => void this.#runner?.terminate();
    this.#signal.addEventListener("abort", stop, { once: true });
    try {
      for (const job of this.#claim.jobs) {
        const runner = await this.#ensureRunner();
        try {
          await this.#runJob(runner, job);
          this.#state.setJob(job, { status: "done", stage: null });
        } catch (error) {
          this.#signal.throwIfAborted();
          if (this.#client.closed.aborted) throw error;
          this.#state.setJob(job, { status: "failed", stage: null, error: toWireError(error) });
        }
      }
    } finally {
      this.#signal.removeEventListener("abort", stop);
      await this.#runner?.terminate();
    }
  }

  /** The runner, or a new one if the last died (out of memory, say). */
  async #ensureRunner(): Promise<Runner> {
    if (this.#runner && !this.#runner.dead) return this.#runner;
    this.#kept = null;
    const runtime = await getAsset(this.#client, "runtime.js", "text/javascript", this.#signal);
    this.#runner = await startRunner({
      runtime,
      runtimeKey: assetKey(this.#client, "runtime.js"),
      getFile: async (name) => (await getAsset(this.#client, name, "application/wasm", this.#signal)).arrayBuffer(),
    });
    if (this.#signal.aborted) await this.#runner.terminate();
    this.#signal.throwIfAborted();
    await this.#noteEnvironment(this.#runner);
    return this.#runner;
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
    });
  }

  async #runJob(runner: Runner, job: Job): Promise<void> {
    const { runs, warmup } = this.#claim;
    const model = await this.#keepModel(runner, job);
    this.#progress(job, "backend");
    const { actual, device, software, backendMs } = await runner.request({ kind: "setBackend", backend: job.backend });
    this.#progress(job, "load");
    const { loadMs } = await runner.request({ kind: "load" });
    this.#state.setJob(job, { actual, device, software, backend_ms: backendMs, load_ms: loadMs });
    this.#progress(job, "verify", 0, model.compare ? model.feeds : 1);
    const first = await runner.request({ kind: "infer", feed: 0 });
    this.#state.setFirstRun(job, first.latencyMs);
    await this.#verify(runner, job, model, first.outputs);
    await this.#measure(runner, job, "warmup", warmup);
    await this.#measure(runner, job, "run", runs);
  }

  async #keepModel(runner: Runner, job: Job): Promise<ModelReply> {
    if (this.#kept?.index === job.model) return this.#kept.reply;
    this.#kept = null;
    this.#progress(job, "weights");
    const signal = this.#signal;
    const { message: reply, buffers } = await this.#client.request({ kind: "get_model", model: job.model }, { signal });
    const json = buffers[0]?.slice().buffer;
    if (!json) throw new Error("The kernel sent no model.json. Run the cell again.");
    const total = reply.weight_nbytes;
    const onProgress = (done: number) => this.#progress(job, "weights", done, total);
    onProgress(0);
    const weights = await pullWeights(this.#client, job.model, total, onProgress, signal);
    const feeds: Feed[] = [];
    for (let feed = 0; feed < reply.feeds; feed++) feeds.push(await pullFeed(this.#client, job.model, feed, signal));
    const { format, inputs, outputs } = reply;
    const transfer = [json, weights, ...feeds.flatMap((feed) => feed.buffers)];
    await runner.request({ kind: "setModel", format, json, weights, inputs, outputs, feeds }, transfer);
    this.#kept = { index: job.model, reply };
    return reply;
  }

  /** The kernel is asked in every case: without a reference it answers why there is none. */
  async #verify(runner: Runner, job: Job, model: ModelReply, first: Feed): Promise<void> {
    const signal = this.#signal;
    const { page } = this.#state.snapshot;
    if (model.compare) {
      await putOutputs(this.#client, page, job, 0, first, signal);
      for (let feed = 1; feed < model.feeds; feed++) {
        this.#progress(job, "verify", feed, model.feeds);
        const { outputs } = await runner.request({ kind: "infer", feed });
        await putOutputs(this.#client, page, job, feed, outputs, signal);
      }
      this.#progress(job, "verify", model.feeds, model.feeds);
    }
    const options = { signal, idleTimeoutMs: VERIFY_TIMEOUT_MS };
    const { message } = await this.#client.request({ kind: "verify", page, job }, options);
    this.#state.setJob(job, { parity: message.parity });
  }

  async #measure(runner: Runner, job: Job, phase: "warmup" | "run", samples: number | "auto"): Promise<void> {
    const total = samples === "auto" ? 0 : samples;
    this.#progress(job, phase, 0, total);
    await runner.request({ kind: "measure", phase, samples }, [], ({ latencyMs, batch }) =>
      this.#state.addLatencies(job, phase, latencyMs, batch, total),
    );
  }

  #progress(job: Job, stage: Stage, done = 0, total = 0): void {
    this.#state.setProgress(job, stage, done, total);
  }
}
