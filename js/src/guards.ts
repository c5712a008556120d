/** What comes from the kernel is parsed, not cast: each guard mirrors one type of protocol.ts. */
import {
  type Assets,
  BACKENDS,
  type Divergence,
  type Environment,
  type FromKernel,
  type Job,
  type JobState,
  type LayerRow,
  type Memory,
  type OutputParity,
  type Parity,
  type Profile,
  type ProfileRow,
  type Snapshot,
  type Stage,
  type Task,
  type WireError,
  type WireTensor,
} from "./protocol";

type Guard<T> = (value: unknown) => value is T;

const isString: Guard<string> = (value) => typeof value === "string";
const isNumber: Guard<number> = (value) => typeof value === "number";
const isBoolean: Guard<boolean> = (value) => typeof value === "boolean";

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function nullable<T>(guard: Guard<T>): Guard<T | null> {
  return (value): value is T | null => value === null || guard(value);
}

function arrayOf<T>(guard: Guard<T>): Guard<T[]> {
  return (value): value is T[] => Array.isArray(value) && value.every(guard);
}

function oneOf<const T extends string>(...names: T[]): Guard<T> {
  return (value): value is T => names.some((name) => name === value);
}

function either<A, B>(first: Guard<A>, second: Guard<B>): Guard<A | B> {
  return (value): value is A | B => first(value) || second(value);
}

function object<T extends object>(fields: { [K in keyof T]-?: Guard<T[K]> }): Guard<T> {
  const entries = Object.entries<Guard<unknown>>(fields);
  return (value): value is T => isRecord(value) && entries.every(([name, guard]) => guard(value[name]));
}

const isBackend = oneOf(...BACKENDS);
const isStage = oneOf<Stage>("weights", "backend", "load", "verify", "warmup", "run");
const isWireError = object<WireError>({ name: isString, message: isString, stack: isString });
const isJob = object<Job>({ model: isNumber, backend: nullable(isBackend), feed: isNumber });
const isWireTensor = object<WireTensor>({
  name: isString,
  dtype: isString,
  shape: arrayOf(isNumber),
  values: nullable(arrayOf(isString)),
});
const isOutputParity = object<OutputParity>({
  output: isString,
  max_abs_error: isNumber,
  max_rel_error: isNumber,
  cosine: nullable(isNumber),
  top1_agreement: nullable(isNumber),
  tolerance: isNumber,
  passed: isBoolean,
});
const isParity = object<Parity>({ status: isString, note: isString, outputs: arrayOf(isOutputParity) });
const isEnvironment = object<Environment>({
  user_agent: isString,
  platform: isString,
  hardware_concurrency: isNumber,
  device_memory_gb: nullable(isNumber),
  cross_origin_isolated: isBoolean,
  clock_resolution_ms: isNumber,
  worker: isBoolean,
  worker_problem: isString,
  tfjs_version: isString,
  hidden_ms: isNumber,
});
const isProfileRow = object<ProfileRow>({
  node: isString,
  layer: isString,
  kernel: isString,
  order: isNumber,
  calls: isNumber,
  ms: isNumber,
  error_ms: isNumber,
  nbytes: isNumber,
});
const isProfile = object<Profile>({
  rows: arrayOf(isProfileRow),
  more_rows: isNumber,
  more_ms: isNumber,
  runs: isNumber,
  profiled_ms: isNumber,
  plain_ms: isNumber,
  note: isString,
});
const isLayerRow = object<LayerRow>({
  layer: isString,
  layer_class: isString,
  max_abs_error: nullable(isNumber),
  max_rel_error: nullable(isNumber),
  added: nullable(isNumber),
  tolerance: nullable(isNumber),
  passed: isBoolean,
  note: isString,
});
const isDivergence = object<Divergence>({
  rows: arrayOf(isLayerRow),
  first: isString,
  sentence: isString,
  bound: isNumber,
  feed: isNumber,
  complete: isBoolean,
});
const isTask = object<Task>({
  kind: oneOf("profile", "divergence"),
  job: isJob,
  status: oneOf("wanted", "running", "done", "failed"),
  page: isString,
  done: isNumber,
  total: isNumber,
  error: nullable(isWireError),
});
const isMemory = object<Memory>({
  model_nbytes: isNumber,
  peak_nbytes: isNumber,
  leaked_tensors: isNumber,
  wasm_nbytes: nullable(isNumber),
});
const isJobState = object<JobState>({
  job: isJob,
  series: object<JobState["series"]>({ label: isString, examples: isNumber }),
  status: oneOf("waiting", "running", "done", "failed", "stopped"),
  stage: nullable(isStage),
  done: isNumber,
  total: isNumber,
  actual: nullable(isBackend),
  device: isString,
  software: isBoolean,
  backend_ms: nullable(isNumber),
  transfer_ms: nullable(isNumber),
  load_ms: nullable(isNumber),
  first_ms: nullable(isNumber),
  warmup_ms: arrayOf(isNumber),
  run_ms: arrayOf(isNumber),
  memory: nullable(isMemory),
  batch: isNumber,
  parity: nullable(isParity),
  profile: nullable(isProfile),
  divergence: nullable(isDivergence),
  error: nullable(isWireError),
});
const isSnapshot = object<Snapshot>({
  status: oneOf("pending", "running", "finished", "stopped", "failed", "interrupted"),
  page: isString,
  models: arrayOf(object<Snapshot["models"][number]>({ label: isString, format: isString, nbytes: isNumber })),
  environment: nullable(isEnvironment),
  jobs: arrayOf(isJobState),
  error: nullable(isWireError),
  task: nullable(isTask),
  warnings: arrayOf(isString),
});

type Answers = { [K in FromKernel["kind"]]: Guard<Omit<Extract<FromKernel, { kind: K }>, "kind" | "id">> };
const isAnswer: Answers = {
  asset: object({ encoding: oneOf("gzip", "identity") }),
  claim: object({
    granted: isBoolean,
    jobs: arrayOf(isJob),
    runs: isNumber,
    min_time_ms: isNumber,
    warmup: either(isNumber, oneOf("auto")),
    seed: isNumber,
  }),
  model: object({
    format: oneOf("layers-model", "graph-model"),
    weight_nbytes: isNumber,
    feeds: isNumber,
    compared: arrayOf(object<{ feed: number; feeds: number[] }>({ feed: isNumber, feeds: arrayOf(isNumber) })),
    inputs: arrayOf(isString),
    outputs: arrayOf(isString),
    inside: isString,
    compare: isBoolean,
  }),
  weights: object({ offset: isNumber, crc32: isNumber }),
  feed: object({ tensors: arrayOf(isWireTensor) }),
  verified: object({ parity: isParity }),
  result: object({}),
  layers: object({ feed: isNumber, groups: arrayOf(arrayOf(isString)) }),
  layers_compared: object({ divergence: isDivergence }),
  ack: object({}),
  failed: object({ error: isWireError }),
};

const isKind = oneOf(...(Object.keys(isAnswer) as FromKernel["kind"][]));

function isFromKernel(value: unknown): value is FromKernel {
  return isRecord(value) && isKind(value["kind"]) && isNumber(value["id"]) && isAnswer[value["kind"]](value);
}

/** null for a message that this version does not know. */
export function parseFromKernel(value: unknown): FromKernel | null {
  return isFromKernel(value) ? value : null;
}

/** null for a snapshot that this version cannot show. */
export function parseSnapshot(value: unknown): Snapshot | null {
  return isSnapshot(value) ? value : null;
}

/** Name → sha256; entries that are no strings are left out. */
export function parseAssets(value: unknown): Assets {
  if (!isRecord(value)) return {};
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => isString(entry[1])));
}
