/** Answers the page's commands, one at a time and in order. The same code in a worker and on the main thread. */
import * as tf from "@tensorflow/tfjs-core";
import { assertNever } from "../assertNever";
import { type Deferred, deferred } from "../promises";
import type { Feed, ToWorker } from "../protocol";
import { fromWireError, toWireError } from "../wireError";
import { selectBackend } from "./backend";
import { GpuLostError, watchGpu } from "./gpuLoss";
import { clockResolutionMs, macrotask, measure } from "./measure";
import { measureMemory } from "./memory";
import { type LoadedModel, loadModel, type ModelFiles } from "./model";
import type { Port } from "./port";
import { profile } from "./profile";
import { feedTensors, readTensors } from "./tensors";

type Command = Exclude<ToWorker, { kind: "file" | "noFile" }>;

export class Runtime {
  #port: Port;
  #clockResolutionMs = clockResolutionMs();
  #files: (ModelFiles & { feeds: Feed[] }) | null = null;
  #model: LoadedModel | null = null;
  /** The feed that is timed, and which one it is. */
  #timedFeed: Map<string, tf.Tensor> = new Map();
  #timed = 0;
  #modelNbytes = 0;
  #batch = 1;
  #wanted = new Map<number, Deferred<ArrayBuffer>>();
  #work: Promise<void> = Promise.resolve();
  #stopped = false;
  #gpuIsLost = () => false;
  /** Ends the command that is being executed, though it may wait for ever. */
  #giveUp: () => void = () => undefined;

  constructor(port: Port) {
    this.#port = port;
    port.listen((message) => this.#dispatch(message));
    const tfjsVersion = tf.version_core;
    port.post({ kind: "hello", id: 0, tfjsVersion, clockResolutionMs: this.#clockResolutionMs });
  }

  /** End after the sample that is being measured, and free the tensors. Only the main thread needs it. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const waiting of this.#wanted.values()) waiting.reject(new Error("The run was stopped."));
    await this.#work;
    this.#unload();
  }

  #dispatch(message: ToWorker): void {
    if (message.kind === "file") this.#wanted.get(message.id)?.resolve(message.bytes);
    else if (message.kind === "noFile") this.#wanted.get(message.id)?.reject(fromWireError(message.error));
    else this.#work = this.#work.then(() => this.#answer(message));
  }

  async #answer(command: Command): Promise<void> {
    if (this.#stopped) return;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#giveUp = () => reject(new GpuLostError());
        this.#execute(command).then(resolve, reject);
      });
    } catch (error) {
      await macrotask(); // a lost device is told after what fails because of it
      const cause = this.#gpuIsLost() && !(error instanceof GpuLostError) ? new GpuLostError(error) : error;
      if (!this.#stopped) this.#port.post({ kind: "failed", id: command.id, error: toWireError(cause) });
    }
  }

  async #execute(command: Command): Promise<void> {
    const { id } = command;
    switch (command.kind) {
      case "setModel":
        this.#unload();
        this.#files = command;
        return this.#port.post({ kind: "done", id });
      case "setBackend": {
        this.#unload();
        const selected = await selectBackend(command.backend, (name) => this.#want(name));
        this.#gpuIsLost = watchGpu(tf.backend(), () => this.#giveUp());
        return this.#port.post({ kind: "backend", id, ...selected });
      }
      case "load":
        return this.#port.post({ kind: "loaded", id, loadMs: await this.#load(command.feed) });
      case "infer":
        return this.#infer(id, command.feed);
      case "lookInside":
        return this.#lookInside(id, command.feed, command.tensors);
      case "measure":
        this.#batch = await measure({
          model: this.#loaded(),
          feed: this.#timedFeed,
          samples: command.samples,
          minTimeMs: command.minTimeMs ?? 0,
          batch: this.#batch,
          clockResolutionMs: this.#clockResolutionMs,
          stopped: () => this.#stopped,
          gpuIsLost: this.#gpuIsLost,
          report: (latencyMs, batch) => this.#port.post({ kind: "samples", id, latencyMs, batch }),
        });
        return this.#port.post({ kind: "done", id });
      case "memory": {
        const memory = await measureMemory(this.#loaded(), this.#timedFeed, this.#modelNbytes);
        return this.#port.post({ kind: "memory", id, memory });
      }
      case "profile": {
        const found = await profile({
          model: this.#loaded(),
          format: this.#kept().format,
          feed: this.#timedFeed,
          clockResolutionMs: this.#clockResolutionMs,
          stopped: () => this.#stopped,
          report: (latencyMs) => this.#port.post({ kind: "samples", id, latencyMs, batch: 1 }),
        });
        return this.#port.post({ kind: "profiled", id, profile: found });
      }
      default:
        return assertNever(command);
    }
  }

  async #load(feed: number): Promise<number> {
    this.#unload();
    const before = tf.engine().state.numBytes;
    const start = performance.now();
    this.#model = await loadModel(this.#kept());
    const loadMs = performance.now() - start;
    this.#modelNbytes = tf.engine().state.numBytes - before;
    this.#timed = feed;
    this.#timedFeed = feedTensors(this.#feed(feed));
    return loadMs;
  }

  async #infer(id: number, which: number | Feed): Promise<void> {
    const model = this.#loaded();
    const timed = which === this.#timed;
    const feed = timed ? this.#timedFeed : feedTensors(typeof which === "number" ? this.#feed(which) : which);
    try {
      const start = performance.now();
      const tensors = await model.predict(feed);
      await Promise.all(tensors.map((tensor) => tensor.data()));
      const latencyMs = performance.now() - start;
      const outputs = await readTensors(this.#kept().outputs, tensors);
      if (this.#gpuIsLost()) throw new GpuLostError();
      model.release(tensors, feed);
      this.#port.post({ kind: "inferred", id, latencyMs, outputs }, outputs.buffers);
    } finally {
      if (!timed) tf.dispose([...feed.values()]);
    }
  }

  async #lookInside(id: number, index: number, tensors: readonly string[]): Promise<void> {
    const model = this.#loaded();
    const timed = index === this.#timed;
    const feed = timed ? this.#timedFeed : feedTensors(this.#feed(index));
    try {
      const found = await model.inside(feed, tensors);
      const outputs = await readTensors(tensors, found);
      model.release(found, feed);
      this.#port.post({ kind: "inside", id, outputs }, outputs.buffers);
    } finally {
      if (!timed) tf.dispose([...feed.values()]);
    }
  }

  #unload(): void {
    this.#model?.dispose();
    this.#model = null;
    tf.dispose([...this.#timedFeed.values()]);
    this.#timedFeed = new Map();
    this.#batch = 1;
  }

  #kept(): ModelFiles & { feeds: Feed[] } {
    if (!this.#files) throw new Error("No model was given.");
    return this.#files;
  }

  #loaded(): LoadedModel {
    if (this.#gpuIsLost()) throw new GpuLostError();
    if (!this.#model) throw new Error("The model is not loaded.");
    return this.#model;
  }

  #feed(index: number): Feed {
    const feed = this.#kept().feeds[index];
    if (!feed)
      throw new Error(`The model has ${this.#kept().feeds.length} sets of samples; number ${index} was asked.`);
    return feed;
  }

  #want(name: string): Promise<ArrayBuffer> {
    const id = this.#wanted.size + 1;
    const waiting = deferred<ArrayBuffer>();
    this.#wanted.set(id, waiting);
    this.#port.post({ kind: "want", id, name });
    return waiting.promise;
  }
}
