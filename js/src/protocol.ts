/**
 * All message types, both hops. Logic-free; the parse guards stand in guards.ts.
 *
 * Hop 1, kernel ↔ page: anywidget custom messages (twins: tfjs_magic/bench/protocol.py and state.py; a test keeps them equal).
 *   The page asks, the kernel answers with the same id or with `failed`. Nothing else flows but the synced
 *   trait `snapshot`. Binary data rides in the buffers of the message. Names are snake_case, also where the page
 *   reads them: its own state is a Snapshot.
 * Hop 2, page ↔ worker: postMessage; camelCase; at the end.
 */

// ---------------------------------------------------------------- constants of both sides

/** Bound on the bytes of one message: the browser → kernel hop silently loses messages of 10 MiB and more. */
export const MAX_PIECE_BYTES = 4 * 2 ** 20;

/** Bound on a text of the page's own, in characters: it may go into the synced state. The page cuts what is longer. */
export const MAX_TEXT_LENGTH = 20000;

/** A page that runs reports at least this often. */
export const HEARTBEAT_MS = 2000;

/** Below this many runs the slowest tenth is three runs or fewer, so the 90th percentile is not given. */
export const MIN_RUNS_FOR_P90 = 30;

/** Bound on the rows of a profile: what is left out is summed up. */
export const MAX_PROFILE_ROWS = 200;
/** Bound on the timed runs of a job. */
export const MAX_RUNS = 100000;

/** Fastest first: the order in which they are tried when none is named. */
export const BACKENDS = ["webgpu", "webgl", "wasm", "cpu"] as const;

// ---------------------------------------------------------------- shared pieces

export type BackendName = (typeof BACKENDS)[number];

/** A JavaScript or Python error as data. `message` is hostile text: show it with textContent only. */
export type WireError = { name: string; message: string; stack: string };

/** A tensor. Numbers are raw little-endian bytes in the message's buffers, in the order of the tensors that have
 *  `values: null` (float32, int32, bool as one byte each, complex64 interleaved); strings are in `values`. */
export type WireTensor = { name: string; dtype: string; shape: number[]; values: string[] | null };

/** One model on one backend with one set of inputs that is timed. `backend` is null for "the fastest that works here". */
export type Job = { model: number; backend: BackendName | null; feed: number };

export type Stage = "weights" | "backend" | "load" | "verify" | "warmup" | "run";

/** What the numbers were measured on; recorded with them. */
export type Environment = {
  user_agent: string;
  platform: string;
  hardware_concurrency: number;
  device_memory_gb: number | null;
  cross_origin_isolated: boolean;
  /** Smallest step of performance.now() seen where the model runs. */
  clock_resolution_ms: number;
  /** false: no worker started, the model ran on the page's main thread. */
  worker: boolean;
  /** Why no worker started; "" if one did. */
  worker_problem: string;
  tfjs_version: string;
  /** How long the page was in the background while it ran. */
  hidden_ms: number;
};

/** How one output compared with Python's. Computed in Python (tfjs_magic/bench/verify.py). */
export type OutputParity = {
  output: string;
  max_abs_error: number;
  /** Relative to the largest reference value. */
  max_rel_error: number;
  cosine: number | null;
  top1_agreement: number | null;
  tolerance: number;
  passed: boolean;
};

/** `status`: "passed" | "failed" | "inconclusive" | "reported" (quantized: no verdict without the user's bound) | "no_reference" |
 *  "source_changed" | "source_failed". `note` is a sentence for the reader, "" if none. */
export type Parity = { status: string; note: string; outputs: OutputParity[] };

// ---------------------------------------------------------------- more about one job, once the benchmark has ended

export type TaskKind = "profile" | "divergence";

/** What a page does for one job. */
export type TaskName = { kind: TaskKind; job: Job };

/** wanted: Python asks, the first page to claim it runs it. The benchmark's own numbers do not change meanwhile. */
export type Task = {
  kind: TaskKind;
  job: Job;
  status: "wanted" | "running" | "done" | "failed";
  /** Who runs it, "" while it is wanted. */
  page: string;
  done: number;
  /** 0 for "unknown". */
  total: number;
  error: WireError | null;
};

/** All calls of one kernel by one node of the graph or one layer, per run of the model. */
export type ProfileRow = {
  /** Name of the graph's node; of a layers model's layer, with "/" between a model and what is in it. */
  node: string;
  /** The Keras layer that it computes for, or what the name of a graph's node suggests; the kernel knows better. */
  layer: string;
  kernel: string;
  /** By the first call in a run. */
  order: number;
  calls: number;
  ms: number;
  /** Standard error of `ms`. */
  error_ms: number;
  /** Bytes of the outputs. */
  nbytes: number;
};

/** Where the time of a run goes: rows by falling time, MAX_PROFILE_ROWS at most. */
export type Profile = {
  rows: ProfileRow[];
  /** Rows that are left out, and their time per run. */
  more_rows: number;
  more_ms: number;
  /** Runs that were profiled, and as many that were not, in turns. */
  runs: number;
  /** Mean of those runs, as all times here. */
  profiled_ms: number;
  /** Mean of the runs beside them: `profiled_ms` less this is what profiling costs. */
  plain_ms: number;
  /** How the time was taken, in a sentence. */
  note: string;
};
/** What the reader chose in the widget: null for what the cell asked for. No backend: the fastest. */
export type RunChoice = { backends: BackendName[] | null; runs: number | null };

/** How the output of one Keras layer compared with Python's; errors are null where it was not compared. */
export type LayerRow = {
  layer: string;
  layer_class: string;
  max_abs_error: number | null;
  /** Relative to the layer's largest value in Python. */
  max_rel_error: number | null;
  /** What that is more than the largest of the layers that it takes. */
  added: number | null;
  tolerance: number | null;
  passed: boolean;
  /** Why it was not compared, "" if it was. */
  note: string;
};

/** Where a model differs: a row per layer in the order of the calls. */
export type Divergence = {
  rows: LayerRow[];
  /** The first layer beyond `bound`; of a quantized model without a bound of the user's the one that adds most; or "". */
  first: string;
  sentence: string;
  bound: number;
  feed: number;
  /** Whether every layer was compared that can be. */
  complete: boolean;
};

// ---------------------------------------------------------------- the state of a benchmark

/** What the page that runs a benchmark says of it. */
export type RunStatus = "running" | "finished" | "stopped" | "failed";

/** Memory of one job, beside what the browser and TF.js itself take. */
export type Memory = {
  /** Tensors of the loaded model; weights that are stored in fewer bits are unpacked. */
  model_nbytes: number;
  /** Most bytes of tensors at a time in a run, those of model and inputs included. */
  peak_nbytes: number;
  /** Tensors that a run leaves behind, 0 unless TF.js leaks. */
  leaked_tensors: number;
  /** Of the WebAssembly heap, which never shrinks; null on other backends. */
  wasm_nbytes: number | null;
};

/** What is timed, where a model runs with several sizes: "" if it runs with one; examples in one call. */
export type Series = { label: string; examples: number };

/** What that page says of one job, but for the latencies of warm-up and runs. */
export type JobProgress = {
  job: Job;
  status: "waiting" | "running" | "done" | "failed" | "stopped";
  stage: Stage | null;
  done: number;
  total: number;
  /** What tf.getBackend() says. */
  actual: BackendName | null;
  /** Renderer or adapter, "" if unknown. */
  device: string;
  /** A CPU emulates the GPU. */
  software: boolean;
  backend_ms: number | null;
  /** model.json, weights and samples from the kernel; the jobs of one model share it. */
  transfer_ms: number | null;
  /** Decoding the weights and building the model. */
  load_ms: number | null;
  first_ms: number | null;
  memory: Memory | null;
  /** Calls per run, where the clock is too coarse for one; each latency is already per call. */
  batch: number;
  error: WireError | null;
};

export type JobState = JobProgress & {
  series: Series;
  warmup_ms: number[];
  run_ms: number[];
  parity: Parity | null;
  profile: Profile | null;
  divergence: Divergence | null;
};

/** Part of a job's latencies, from an index on. */
export type Latencies = { first_index: number; latency_ms: number[] };

/** A job that changed since the report before: of its latencies only the new ones. The verdict is the kernel's own. */
export type JobReport = { progress: JobProgress; warmup: Latencies; run: Latencies };

/** Trait `snapshot`: what a mirror, a second tab or a reopened notebook shows. Same fields as the page's own state. */
export type Snapshot = {
  /** pending: nobody has run it yet (the first view to claim does); interrupted: the page that ran it went away. */
  status: RunStatus | "pending" | "interrupted";
  page: string;
  models: { label: string; format: string; nbytes: number }[];
  environment: Environment | null;
  jobs: JobState[];
  /** Nothing could run at all: the kernel restarted, the runtime did not arrive … */
  error: WireError | null;
  /** The last one. */
  task: Task | null;
  /** Sentences on why the numbers may be worth less than they look; the kernel's, once the run has ended. */
  warnings: string[];
};

/** Trait `assets`: name → sha256, so that a page that has a file already does not ask for it again. */
export type Assets = Record<string, string>;

// ---------------------------------------------------------------- hop 1: page → kernel

export type ToKernel =
  /** A file of tfjs_magic/static/. Answer: asset + 1 buffer. */
  | { kind: "get_asset"; id: number; name: string }
  /** May this page run the benchmark, or a task? `again`: the user pressed Run again. Answer: claim. */
  | { kind: "claim"; id: number; page: string; again: boolean; choice: RunChoice | null; task: TaskName | null }
  /** Answer: model + 1 buffer (model.json, UTF-8). */
  | { kind: "get_model"; id: number; model: number }
  /** Answer: weights + 1 buffer. `length` ≤ MAX_PIECE_BYTES. */
  | { kind: "get_weights"; id: number; model: number; offset: number; length: number }
  /** One set of inputs. Answer: feed + buffers. */
  | { kind: "get_feed"; id: number; model: number; feed: number }
  /** Part of one output of one feed, cut every MAX_PIECE_BYTES: 1 buffer, none for strings. Answer: ack. */
  | {
      kind: "put_output";
      id: number;
      page: string;
      job: Job;
      feed: number;
      tensor: WireTensor;
      offset: number;
      total: number;
    }
  /** All outputs of all feeds are there, as `actual` gave them: compare. Answer: verified. */
  | { kind: "verify"; id: number; page: string; job: Job; actual: BackendName | null }
  /** The tensors to compare layer by layer, in groups that travel together. Answer: layers. */
  | { kind: "get_layers"; id: number; page: string; job: Job }
  /** All tensors of a group are there, by put_output: compare. Answer: layers_compared. */
  | { kind: "compare_layers"; id: number; page: string; job: Job; group: number }
  /** What changed: at most four messages a second, at least one in HEARTBEAT_MS, then perhaps without jobs. Answer: ack. */
  | {
      kind: "report";
      id: number;
      page: string;
      status: RunStatus;
      environment: Environment | null;
      error: WireError | null;
      jobs: JobReport[];
    }
  /** How the claimed task stands: at most four messages a second, at least one in HEARTBEAT_MS. Answer: ack. */
  | {
      kind: "report_task";
      id: number;
      page: string;
      task: TaskName;
      status: "running" | "done" | "failed";
      done: number;
      total: number;
      error: WireError | null;
      /** What a profile found, once it is done. */
      profile: Profile | null;
    }
  /** The finished plot as SVG text, for the saved notebook. Answer: ack. */
  | { kind: "picture"; id: number; page: string; svg: string }
  /** The numbers as BenchmarkResult.to_json writes them. Answer: result + 1 buffer (UTF-8). */
  | { kind: "get_result"; id: number };

// ---------------------------------------------------------------- hop 1: kernel → page

export type FromKernel =
  | { kind: "asset"; id: number; encoding: "gzip" | "identity" }
  /** `granted` false: another page runs it, or something else. `jobs` in the order to run; `seed` of the order in which they take turns. */
  | {
      kind: "claim";
      id: number;
      granted: boolean;
      jobs: Job[];
      /** Each job runs until it has so many, and so much time was spent in them. */
      runs: number;
      min_time_ms: number;
      warmup: number | "auto";
      seed: number;
    }
  | {
      kind: "model";
      id: number;
      format: "layers-model" | "graph-model";
      weight_nbytes: number;
      feeds: number;
      /** Timed feed → the feeds whose outputs are compared, itself first. */
      compared: { feed: number; feeds: number[] }[];
      inputs: string[];
      outputs: string[];
      /** A tensor inside that is compared beside the outputs, which alone would not tell right from wrong; "" for none. */
      inside: string;
      /** Whether Python has a reference, so that outputs are worth sending. */
      compare: boolean;
    }
  /** `crc32` of the buffer. */
  | { kind: "weights"; id: number; offset: number; crc32: number }
  | { kind: "feed"; id: number; tensors: WireTensor[] }
  | { kind: "verified"; id: number; parity: Parity }
  | { kind: "result"; id: number }
  /** `feed` is the one to run. */
  | { kind: "layers"; id: number; feed: number; groups: string[][] }
  | { kind: "layers_compared"; id: number; divergence: Divergence }
  | { kind: "ack"; id: number }
  | { kind: "failed"; id: number; error: WireError };

/** A message as its sender writes it; who sends it adds the id. */
export type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;

// ---------------------------------------------------------------- hop 2: page → worker

/** One set of inputs with its bytes; see WireTensor. */
export type Feed = { tensors: WireTensor[]; buffers: ArrayBuffer[] };

export type ModelFormat = "layers-model" | "graph-model";

export type ToWorker =
  /** Keep a model for the next `load`s; replaces the one before. `json` is model.json as UTF-8. */
  | {
      kind: "setModel";
      id: number;
      format: ModelFormat;
      json: ArrayBuffer;
      weights: ArrayBuffer;
      inputs: string[];
      outputs: string[];
      feeds: Feed[];
    }
  /** Answer: backend. */
  | { kind: "setBackend"; id: number; backend: BackendName | null }
  /** Build the kept model on the current backend; `feed` will be timed. Answer: loaded. */
  | { kind: "load"; id: number; feed: number }
  /** One run on one of the model's feeds, or on another. Answer: inferred. */
  | { kind: "infer"; id: number; feed: number | Feed }
  /** One run on one feed that gives tensors inside the model. Answer: inside, under the same names. */
  | { kind: "lookInside"; id: number; feed: number; tensors: string[] }
  /** One run, not timed. Answer: memory. */
  | { kind: "memory"; id: number }
  /** Timed samples of that feed, until there are `samples` of them, which took `minTimeMs`. Answer: any number of `samples`, then done. */
  | { kind: "measure"; id: number; phase: "warmup" | "run"; samples: number | "auto"; minTimeMs?: number }
  /** Time per kernel of runs of that feed. Answer: any number of `samples`, then profiled. */
  | { kind: "profile"; id: number }
  /** Answer to `want`, with its id. */
  | { kind: "file"; id: number; bytes: ArrayBuffer }
  | { kind: "noFile"; id: number; error: WireError };

export type FromWorker =
  /** Sent once, unasked: the runtime works. */
  | { kind: "hello"; id: 0; tfjsVersion: string; clockResolutionMs: number }
  /** The worker's own request for a static file. */
  | { kind: "want"; id: number; name: string }
  | { kind: "backend"; id: number; actual: BackendName; device: string; software: boolean; backendMs: number }
  | { kind: "loaded"; id: number; loadMs: number }
  | { kind: "inferred"; id: number; latencyMs: number; outputs: Feed }
  | { kind: "inside"; id: number; outputs: Feed }
  | { kind: "samples"; id: number; latencyMs: number[]; batch: number }
  | { kind: "memory"; id: number; memory: Memory }
  | { kind: "profiled"; id: number; profile: Profile }
  | { kind: "done"; id: number }
  | { kind: "failed"; id: number; error: WireError };
