/** Runs a model on pictures, in a runtime that stays for the next one until the benchmark needs the machine. */
import type { KernelClient } from "../kernel";
import { inPageQueue } from "../pageShared";
import type { BackendName, Feed } from "../protocol";
import { buffersOf, pullModel, startRuntime } from "./loading";
import type { Runner } from "./runner";

export type Answered = { outputs: Feed; latencyMs: number; backend: BackendName };

export class PictureRun {
  #client: KernelClient;
  #model: number;
  #signal: AbortSignal;
  #loaded: { runner: Runner; wanted: BackendName | null; backend: BackendName } | null = null;

  constructor(client: KernelClient, model: number, signal: AbortSignal) {
    this.#client = client;
    this.#model = model;
    this.#signal = signal;
    signal.addEventListener("abort", () => void this.stop(), { once: true });
  }

  /** Run on one feed, after what else runs on this page; `backend` null for the fastest. `onStep` tells what takes long. */
  async run(feed: Feed, backend: BackendName | null, onStep: (text: string) => void): Promise<Answered> {
    const answers: Answered[] = [];
    await inPageQueue(this.#signal, async () => {
      const loaded = await this.#load(backend, onStep);
      onStep("Running …");
      const { outputs, latencyMs } = await loaded.runner.request({ kind: "infer", feed });
      answers.push({ outputs, latencyMs, backend: loaded.backend });
    });
    const [answered] = answers;
    if (!answered) throw new Error("The model gave no answer.");
    return answered;
  }

  async stop(): Promise<void> {
    const runner = this.#loaded?.runner;
    this.#loaded = null;
    await runner?.terminate();
  }

  async #load(wanted: BackendName | null, onStep: (text: string) => void) {
    if (this.#loaded && this.#loaded.wanted === wanted && !this.#loaded.runner.dead) return this.#loaded;
    await this.stop();
    onStep("Loading the model …");
    const runner = await startRuntime(this.#client, this.#signal);
    try {
      const { command } = await pullModel(this.#client, this.#model, () => undefined, this.#signal);
      await runner.request(command, buffersOf(command));
      const { actual: backend } = await runner.request({ kind: "setBackend", backend: wanted });
      await runner.request({ kind: "load", feed: 0 });
      this.#loaded = { runner, wanted, backend };
      return this.#loaded;
    } catch (error) {
      await runner.terminate();
      throw error;
    }
  }
}
