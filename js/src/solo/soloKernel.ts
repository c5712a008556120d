/**
 * Answers the page in the kernel's place, out of what was saved with it: the model, samples, and what Python computed of
 * them. So that widget and page run the same code.
 */
import { assertNever } from "../assertNever";
import { crc32 } from "../crc32";
import type { Model } from "../model";
import type { FromKernel, Job, Parity, Snapshot, ToKernel } from "../protocol";
import { toWireError } from "../wireError";
import { jobsOf, type PageData } from "./pageData";
import { type FileSource, Weights } from "./pageFiles";
import { actualOf, expectedOf, feedOf, type Outputs } from "./samples";
import { newSnapshot, withFound, withReport, withTask, withWanted } from "./soloState";
import { judge } from "./verdict";

type Listener = (message: unknown, buffers: unknown) => void;
type Reply = { message: FromKernel; buffers?: ArrayBufferView[] };
type Verify = Extract<ToKernel, { kind: "verify" }>;
type PutOutput = Extract<ToKernel, { kind: "put_output" }>;

/** What `BenchmarkResult.from_json` reads. */
const FORMAT = { format: "tfjs_magic.Snapshot", version: 1 };
const NO_PYTHON = "This page holds no Python model: look for the layer in a notebook.";

export class SoloKernel implements Model {
  readonly lossless = true;
  #data: PageData;
  #files: FileSource;
  #weights: Weights;
  #snapshot: Snapshot;
  #samples: Promise<Uint8Array<ArrayBuffer>> | null = null;
  /** Feed → the outputs that have arrived. */
  #outputs = new Map<number, Outputs>();
  /** Jobs that are yet to be profiled. */
  #wanted: Job[] = [];
  #listeners = new Map<string, Set<Listener>>();

  constructor(data: PageData, files: FileSource) {
    this.#data = data;
    this.#files = files;
    this.#weights = new Weights(data.shards, files);
    this.#snapshot = newSnapshot(data);
  }

  get(name: string): unknown {
    const { assets, picture } = this.#data;
    switch (name) {
      case "snapshot":
        return this.#snapshot;
      case "assets":
        return Object.fromEntries(Object.entries(assets).map(([file, { sha256 }]) => [file, sha256]));
      case "pictures":
        return [picture];
      case "widget_id":
        return "";
      case "solo":
        return true;
      default:
        return undefined;
    }
  }

  on(event: string, callback: Listener): void {
    this.#listeners.set(event, (this.#listeners.get(event) ?? new Set()).add(callback));
  }

  off(event: string, callback: Listener): void {
    this.#listeners.get(event)?.delete(callback);
  }

  send(content: unknown, _callbacks?: undefined, buffers: ArrayBufferView[] = []): void {
    // Ours: it comes from KernelClient alone.
    const message = content as ToKernel;
    void this.#answer(message, buffers)
      .catch((error): Reply => ({ message: { kind: "failed", id: message.id, error: toWireError(error) } }))
      .then((reply) => this.#emit("msg:custom", reply.message, reply.buffers ?? []));
  }

  async #answer(message: ToKernel, buffers: readonly ArrayBufferView[]): Promise<Reply> {
    const { id } = message;
    const ack: Reply = { message: { kind: "ack", id } };
    switch (message.kind) {
      case "get_asset": {
        const file = this.#data.assets[message.name];
        if (!file) throw new Error(`There is no file '${message.name}'.`);
        return { message: { kind: "asset", id, encoding: file.encoding }, buffers: [await this.#files(file)] };
      }
      case "claim":
        return { message: { kind: "claim", id, granted: true, ...this.#claim(message) } };
      case "get_model": {
        const { format, weight_nbytes, feeds, compared, inputs, outputs, inside, reference, model } = this.#data;
        const compare = reference !== null;
        const told = { format, weight_nbytes, feeds: feeds.length, compared, inputs, outputs, inside, compare };
        return { message: { kind: "model", id, ...told }, buffers: [await this.#files(model)] };
      }
      case "get_weights": {
        const { offset, length } = message;
        const piece = await this.#weights.read(offset, length);
        return { message: { kind: "weights", id, offset, crc32: crc32(piece) }, buffers: [piece] };
      }
      case "get_feed": {
        const { tensors, buffers: inputs } = feedOf(this.#data.feeds[message.feed] ?? [], await this.#sampleBytes());
        return { message: { kind: "feed", id, tensors }, buffers: inputs };
      }
      case "put_output":
        this.#putOutput(message, buffers);
        return ack;
      case "verify": {
        const parity = await this.#verify(message);
        this.#snapshot = withFound(this.#snapshot, message.job, { parity });
        return { message: { kind: "verified", id, parity } };
      }
      case "get_layers":
      case "compare_layers":
        throw new Error(NO_PYTHON);
      case "report":
        this.#snapshot = withReport(this.#snapshot, message);
        if (message.status === "finished" && this.#data.profile) {
          this.#wanted = this.#snapshot.jobs.filter(({ status }) => status === "done").map(({ job }) => job);
        }
        if (message.status !== "running") this.#offer();
        return ack;
      case "report_task":
        this.#snapshot = withTask(this.#snapshot, message, this.#data.layers);
        if (message.status !== "running") this.#offer();
        return ack;
      case "picture":
        return ack;
      case "get_result": {
        const text = JSON.stringify({ ...FORMAT, snapshot: { ...this.#snapshot, task: null } }, null, 2);
        return { message: { kind: "result", id }, buffers: [new TextEncoder().encode(text)] };
      }
      default:
        return assertNever(message);
    }
  }

  #claim({ page, choice, task }: Extract<ToKernel, { kind: "claim" }>) {
    const { backends, runs, min_time_ms, warmup, seed } = this.#data;
    const terms = { runs: choice?.runs ?? runs, min_time_ms, warmup, seed };
    if (task) return { ...terms, jobs: [task.job] };
    const jobs = jobsOf(this.#data, choice?.backends ?? backends);
    this.#snapshot = { ...newSnapshot(this.#data, jobs), status: "running", page };
    this.#outputs.clear();
    this.#wanted = [];
    return { ...terms, jobs };
  }

  #sampleBytes(): Promise<Uint8Array<ArrayBuffer>> {
    this.#samples ??= this.#files(this.#data.samples).catch((error) => {
      this.#samples = null;
      throw error;
    });
    return this.#samples;
  }

  #putOutput({ feed, tensor, offset, total }: PutOutput, [piece]: readonly ArrayBufferView[]): void {
    const outputs = this.#outputs.get(feed) ?? new Map();
    this.#outputs.set(feed, outputs);
    const kept = outputs.get(tensor.name) ?? { tensor, bytes: new Uint8Array(total) };
    if (piece) kept.bytes.set(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength), offset);
    outputs.set(tensor.name, kept);
  }

  async #verify({ job, actual: ran }: Verify): Promise<Parity> {
    const { reference, not_compared: why, compared, quantized, tolerance } = this.#data;
    if (!reference) return { status: why?.status ?? "no_reference", note: why?.note ?? "", outputs: [] };
    const samples = await this.#sampleBytes();
    const feeds = compared.find(({ feed }) => feed === job.feed)?.feeds ?? [job.feed];
    const actual = feeds.map((feed) => actualOf(this.#outputs.get(feed) ?? new Map(), reference.tensors));
    this.#outputs.clear();
    const read = (arrays: typeof reference.expected) => feeds.map((feed) => expectedOf(arrays[feed] ?? [], samples));
    const terms = { backend: job.backend ?? ran, quantized, tolerance, oneDnn: reference.one_dnn };
    const parity = judge(read(reference.expected), reference.by_xla && read(reference.by_xla), actual, terms);
    return { ...parity, note: `${reference.note} ${parity.note}`.trim() };
  }

  /** Show the page what ended, and what it shall do next. */
  #offer(): void {
    const job = this.#wanted.shift();
    if (job) this.#snapshot = withWanted(this.#snapshot, { kind: "profile", job });
    // The page's run is over once its last report is answered.
    setTimeout(() => this.#emit("change:snapshot"));
  }

  #emit(event: string, message?: unknown, buffers: unknown = []): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) listener(message, buffers);
  }
}
