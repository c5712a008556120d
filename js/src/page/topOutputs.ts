/** The largest values of what a model gave for one example. */
import type { Feed, WireTensor } from "../protocol";

export const SHOWN = 5;

export type Top = {
  output: string;
  /** Rows by falling value. `name` is the class, or its number. */
  rows: { name: string; value: number }[];
  /** Values lie in 0 to 1 and sum to 1. */
  shares: boolean;
};

type Read = { tensor: WireTensor; values: ArrayLike<number> };

/** Of the output that has as many values as there are names, else of the first that is a list; null if none is. */
export function topOutputs(outputs: Feed, names: readonly string[] | null): Top | null {
  let next = 0;
  const read = outputs.tensors.flatMap((tensor): Read[] => {
    const buffer = tensor.values === null ? outputs.buffers[next++] : undefined;
    return buffer ? [{ tensor, values: typed(tensor.dtype, buffer) }] : [];
  });
  const lists = read.filter(({ tensor, values }) => values.length > 0 && tensor.shape.at(-1) === values.length);
  const named = lists.find(({ values }) => values.length === names?.length);
  const found = named ?? lists[0];
  if (!found) return null;
  const numbers = Array.from(found.values);
  const order = numbers.map((_, i) => i).sort((a, b) => rank(numbers[b]) - rank(numbers[a]) || a - b);
  const labels = named ? names : null;
  const rows = order.slice(0, SHOWN).map((i) => ({ name: labels?.[i] ?? String(i), value: numbers[i] ?? Number.NaN }));
  const sum = numbers.reduce((total, value) => total + value, 0);
  const shares = numbers.length > 1 && numbers.every((value) => value >= 0 && value <= 1) && Math.abs(sum - 1) < 1e-3;
  return { output: found.tensor.name, rows, shares };
}

/** NaN comes last. */
function rank(value: number | undefined): number {
  return value === undefined || Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
}

function typed(dtype: string, buffer: ArrayBuffer): ArrayLike<number> {
  if (dtype === "int32") return new Int32Array(buffer);
  if (dtype === "bool") return new Uint8Array(buffer);
  return dtype === "float32" ? new Float32Array(buffer) : [];
}
