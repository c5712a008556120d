/** What tfjs_magic/bench/static_page.py writes into a page that needs no kernel: it is ours, so that it is not checked. */
import type { BackendName, Job, ModelFormat, Series, WireTensor } from "../protocol";

export const PAGE_VERSION = 1;

/** Where a file of the page is; `encoding` is that of its bytes. */
export type PageFile = { path: string; encoding: "gzip" | "identity" };

/** A part of samples.bin. */
type Bytes = { offset: number; nbytes: number };
export type StoredTensor = WireTensor & Bytes;
/** An array of Python's: float32 or float64 numbers, complex ones interleaved; texts in `values`. */
export type StoredArray = {
  name: string;
  dtype: string;
  kind: string;
  shape: number[];
  values: string[] | null;
  bits: 32 | 64;
} & Bytes;

export type Reference = {
  /** Python's outputs, one list per feed. */
  expected: StoredArray[][];
  /** The same by XLA's kernels, where oneDNN's may be the side that is off; null where there are none. */
  by_xla: StoredArray[][] | null;
  /** Name in the verdict, and that of the tensor which the runtime gives. */
  tensors: [label: string, tensor: string][];
  /** What is unusual about the samples. */
  note: string;
  one_dnn: boolean;
};

export type PageData = {
  version: number;
  label: string;
  format: ModelFormat;
  weight_nbytes: number;
  inputs: string[];
  outputs: string[];
  inside: string;
  compared: { feed: number; feeds: number[] }[];
  feeds: StoredTensor[][];
  reference: Reference | null;
  /** Why there is none. */
  not_compared: { status: string; note: string } | null;
  quantized: boolean;
  tolerance: number | null;
  /** Of a graph: node → the Keras layer that it computes for. */
  layers: Record<string, string>;
  backends: BackendName[] | null;
  series: Series[];
  runs: number;
  min_time_ms: number;
  warmup: number | "auto";
  seed: number;
  profile: boolean;
  assets: Record<string, PageFile & { sha256: string }>;
  model: PageFile;
  samples: PageFile;
  /** The weights, end to end. */
  shards: (PageFile & { nbytes: number; crc32: number })[];
  picture: unknown;
};

/** The jobs of a run on these backends, or on the fastest. */
export function jobsOf({ compared }: PageData, backends: readonly BackendName[] | null): Job[] {
  const wanted = backends && backends.length > 0 ? backends : [null];
  return wanted.flatMap((backend) => compared.map(({ feed }) => ({ model: 0, backend, feed })));
}

/** Which series a job times. */
export function seriesOf({ compared, series }: PageData, job: Job): Series {
  return series[compared.findIndex(({ feed }) => feed === job.feed)] ?? { label: "", examples: 1 };
}
