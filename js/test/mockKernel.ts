/**
 * Gives models and files as a kernel does, and keeps what it is told. It decides and computes nothing: what a kernel
 * makes of claims and reports stands in conversation.json.
 */
import { assertNever } from "../src/assertNever";
import { crc32 } from "../src/crc32";
import type { Model } from "../src/model";
import { newJobState } from "../src/page/runState";
import type { FromKernel, Job, LayerRow, Parity, Snapshot, ToKernel } from "../src/protocol";
import { seeded, type TestModel } from "./models";

type Listener = (message: unknown, buffers: unknown) => void;
export type Report = Extract<ToKernel, { kind: "report" }>;
type Reply = { message: FromKernel; buffers?: ArrayBufferView[] };

export type MockOptions = {
  models: TestModel[];
  jobs: Job[];
  runs?: number;
  minTimeMs?: number;
  warmup?: number | "auto";
  /** Packed static files and their hashes. */
  assets?: Record<string, { sha256: string; packed: Uint8Array<ArrayBuffer> }>;
  /** null for no reference. */
  /** A tensor that is compared beside the outputs. */
  inside?: string;
  /** The tensors of a divergence, in groups. */
  layers?: string[][];
  compare?: ((job: Job, outputs: Map<string, Uint8Array>) => Parity) | null;
};

const FEEDS = 2;

function layerRow(layer: string): LayerRow {
  const error = { max_abs_error: 1e-6, max_rel_error: 1e-6, added: 0, tolerance: 1e-4 };
  return { layer, layer_class: "Conv2D", ...error, passed: true, note: "" };
}

export class MockKernel implements Model {
  widget_manager: unknown = undefined;
  /** Everything that the page asked, in order. */
  received: ToKernel[] = [];
  pictures: string[] = [];
  /** Whether the next claim is granted. */
  grants = true;
  /** Called before each answer; may wait (a busy kernel) or throw (a lost message). */
  beforeAnswer: (message: ToKernel) => Promise<void> | void = () => undefined;
  snapshot: Snapshot;
  #options: MockOptions;
  #listeners = new Map<string, Set<Listener>>();
  #outputs = new Map<string, Uint8Array>();

  constructor(options: MockOptions) {
    this.#options = options;
    const models = options.models.map(({ label, format, weights }) => ({ label, format, nbytes: weights.length }));
    const jobs = options.jobs.map((job) => newJobState(job));
    const rest = { environment: null, error: null, task: null, warnings: [] };
    this.snapshot = { status: "pending", page: "", models, jobs, ...rest };
  }

  get(name: string): unknown {
    if (name === "snapshot") return structuredClone(this.snapshot);
    if (name === "widget_id") return "mock-widget";
    const assets = Object.entries(this.#options.assets ?? {});
    return name === "assets" ? Object.fromEntries(assets.map(([file, { sha256 }]) => [file, sha256])) : undefined;
  }

  on(event: string, callback: Listener): void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(callback));
  }

  off(event: string, callback: Listener): void {
    this.#listeners.get(event)?.delete(callback);
  }

  send(content: unknown, _callbacks?: undefined, buffers: ArrayBufferView[] = []): void {
    const message = content as ToKernel;
    this.received.push(message);
    void this.#handle(message, buffers);
  }

  emit(event: string, message?: unknown, buffers: unknown = []): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) listener(message, buffers);
  }

  async #handle(message: ToKernel, buffers: ArrayBufferView[]): Promise<void> {
    try {
      await this.beforeAnswer(message);
    } catch {
      return;
    }
    await Promise.resolve();
    const reply = this.#answer(message, buffers);
    const copies = (reply.buffers ?? []).map(({ buffer, byteOffset, byteLength }) => {
      return new DataView(buffer.slice(byteOffset, byteOffset + byteLength));
    });
    this.emit("msg:custom", reply.message, copies);
  }

  #answer(message: ToKernel, buffers: ArrayBufferView[]): Reply {
    const { id } = message;
    const { layers } = this.#options;
    const fail = (text: string): Reply => ({
      message: { kind: "failed", id, error: { name: "Error", message: text, stack: "" } },
    });
    switch (message.kind) {
      case "get_asset": {
        const asset = this.#options.assets?.[message.name];
        if (!asset) return fail(`no asset '${message.name}'`);
        return { message: { kind: "asset", id, encoding: "gzip" }, buffers: [asset.packed] };
      }
      case "claim": {
        const { runs = 30, minTimeMs = 0, warmup = "auto" } = this.#options;
        const jobs = message.task ? [message.task.job] : this.#options.jobs;
        return {
          message: { kind: "claim", id, granted: this.grants, jobs, runs, min_time_ms: minTimeMs, warmup, seed: 0 },
        };
      }
      case "get_model": {
        const model = this.#model(message.model);
        const { format, outputs } = model;
        const inputs = model.inputs.map(({ name }) => name);
        const compare = this.#options.compare !== null;
        const compared = this.#options.jobs.map(({ feed }) => ({ feed, feeds: [0, 1] }));
        const weight_nbytes = model.weights.length;
        const json = new TextEncoder().encode(model.json);
        return {
          message: {
            kind: "model",
            id,
            format,
            weight_nbytes,
            feeds: FEEDS,
            inputs,
            outputs,
            inside: this.#options.inside ?? "",
            compare,
            compared,
          },
          buffers: [json],
        };
      }
      case "get_weights": {
        const bytes = this.#model(message.model).weights.subarray(message.offset, message.offset + message.length);
        return { message: { kind: "weights", id, offset: message.offset, crc32: crc32(bytes) }, buffers: [bytes] };
      }
      case "get_feed": {
        const { inputs } = this.#model(message.model);
        const tensors = inputs.map(({ name, shape }) => ({ name, shape, dtype: "float32", values: null }));
        const values = inputs.map(({ shape }, i) =>
          seeded(
            shape.reduce((a, b) => a * b, 1),
            11 * i + message.feed + 1,
          ),
        );
        return { message: { kind: "feed", id, tensors }, buffers: values };
      }
      case "put_output": {
        const [view] = buffers;
        const key = `${message.feed}/${message.tensor.name}`;
        const all = this.#outputs.get(key) ?? new Uint8Array(message.total);
        if (view) all.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), message.offset);
        this.#outputs.set(key, all);
        return { message: { kind: "ack", id } };
      }
      case "verify": {
        const compare = this.#options.compare ?? (() => ({ status: "no_reference", note: "No source.", outputs: [] }));
        const parity = compare(message.job, this.#outputs);
        this.#outputs = new Map();
        return { message: { kind: "verified", id, parity } };
      }
      case "get_layers":
        return layers ? { message: { kind: "layers", id, feed: 1, groups: layers } } : fail("no layers");
      case "compare_layers": {
        const { feed, bound } = { feed: 1, bound: 1e-4 };
        const rows = [...this.#outputs.keys()].map((key) => layerRow(key));
        const complete = message.group === (layers?.length ?? 0) - 1;
        const divergence = { rows, first: "", sentence: "All agree.", bound, feed, complete };
        return { message: { kind: "layers_compared", id, divergence } };
      }
      case "report":
      case "report_task":
        return { message: { kind: "ack", id } };
      case "picture":
        this.pictures.push(message.svg);
        return { message: { kind: "ack", id } };
      case "get_result":
        return { message: { kind: "result", id }, buffers: [new TextEncoder().encode("{}")] };
      default:
        return assertNever(message);
    }
  }

  #model(index: number): TestModel {
    const model = this.#options.models[index];
    if (!model) throw new Error(`no model ${index}`);
    return model;
  }

  /** Another state arrives in the synced trait. */
  publish(snapshot: Partial<Snapshot>): void {
    this.snapshot = { ...this.snapshot, ...snapshot };
    this.emit("change:snapshot");
  }

  get reports(): Report[] {
    return this.received.filter((message) => message.kind === "report");
  }
}
