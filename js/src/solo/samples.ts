/** samples.bin as tensors to run, and as numbers to compare. */
import type { WireTensor } from "../protocol";
import type { StoredArray, StoredTensor } from "./pageData";
import type { Fields, Numbers } from "./values";

/** Name → what the runtime gave. */
export type Outputs = Map<string, { tensor: WireTensor; bytes: Uint8Array }>;

const KINDS: Record<string, string> = { float32: "f", int32: "i", bool: "b", complex64: "c", string: "O" };

/** The inputs of one feed, as a message holds them. */
export function feedOf(stored: readonly StoredTensor[], samples: Uint8Array) {
  const tensors = stored.map(({ name, dtype, shape, values }) => ({ name, dtype, shape, values }));
  const buffers = stored.flatMap(({ values, offset, nbytes }) =>
    values === null ? [samples.slice(offset, offset + nbytes)] : [],
  );
  return { tensors, buffers };
}

/** Python's outputs of one feed. */
export function expectedOf(stored: readonly StoredArray[], samples: Uint8Array): Fields {
  return new Map(stored.map((array) => [array.name, arrayOf(array, samples)]));
}

function arrayOf({ dtype, kind, shape, values, bits, offset, nbytes }: StoredArray, samples: Uint8Array): Numbers {
  const { buffer } = samples.slice(offset, offset + nbytes);
  const all = bits === 32 ? Float64Array.from(new Float32Array(buffer)) : new Float64Array(buffer);
  return { dtype, kind, shape, ...parts(all, kind), texts: values };
}

/** What the runtime gave for one feed, under the names of the verdict. */
export function actualOf(outputs: Outputs, tensors: readonly [label: string, tensor: string][]): Fields {
  return new Map(
    tensors.map(([label, name]) => {
      const found = outputs.get(name);
      if (!found) throw new Error(`The output '${name}' has not arrived in full.`);
      return [label, numbersOf(found.tensor, found.bytes.slice().buffer)];
    }),
  );
}

function numbersOf({ dtype, shape, values }: WireTensor, buffer: ArrayBuffer): Numbers {
  const kind = KINDS[dtype] ?? "";
  const all = Float64Array.from(values === null ? typed(dtype, buffer) : []);
  return { dtype, kind, shape, ...parts(all, kind), texts: values };
}

function typed(dtype: string, buffer: ArrayBuffer): ArrayLike<number> {
  if (dtype === "int32") return new Int32Array(buffer);
  return dtype === "bool" ? new Uint8Array(buffer) : new Float32Array(buffer);
}

function parts(all: Float64Array, kind: string): Pick<Numbers, "re" | "im"> {
  if (kind !== "c") return { re: all, im: null };
  return { re: all.filter((_, i) => i % 2 === 0), im: all.filter((_, i) => i % 2 === 1) };
}
