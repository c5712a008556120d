/**
 * Does the browser compute what Python computed? Twin of tfjs_magic/bench/verify.py, for pages without a kernel:
 * js/test/verdicts.json holds cases on which both give the same verdict.
 */
import type { BackendName, OutputParity, Parity } from "../protocol";
import { exponent, general, quotedList, tuple } from "./pythonText";
import { constant, type Fields, finiteAt, isWhole, type Numbers, spread, unequal } from "./values";

/** Largest error that passes, relative to the largest reference value of the output, for float32 weights. */
const TOLERANCES: Record<BackendName, number> = { cpu: 1e-4, wasm: 1e-4, webgl: 1e-3, webgpu: 1e-3 };
const TELLING_FACTOR = 100;
const PRECISION = 2 ** -23;
/** Float32 in another order reaches 1e-3 in deep networks; ten times that is left to oneDNN. */
const ONE_DNN_ERROR = 1e-2;
const UNBOUNDED = Number.MAX_VALUE;

export const ONE_DNN_NOTE =
  "TensorFlow's oneDNN kernels round differently and can be the side that is off: " +
  "compare again with TF_ENABLE_ONEDNN_OPTS=0 set before the kernel starts.";
const NOT_ONE_DNN_NOTE =
  "Python's outputs were computed again by XLA's kernels, without oneDNN, and differ likewise: please report it.";
const ONE_DNN_WAS_OFF =
  "TensorFlow's oneDNN kernels are the side that is off: the browser gives what Python gives by XLA's kernels, with " +
  "which it was compared.";

export type Terms = {
  /** What really ran; null if unknown, which takes the widest tolerance. */
  backend: BackendName | null;
  quantized: boolean;
  /** The user's own bound, instead of the table. */
  tolerance: number | null;
  /** Whether Python computed with oneDNN. */
  oneDnn: boolean;
};

/** Compare the outputs of every feed; where oneDNN may be to blame, once more with what XLA's kernels gave. */
export function judge(
  expected: readonly Fields[],
  byXla: readonly Fields[] | null,
  actual: readonly Fields[],
  terms: Terms,
): Parity {
  const parity = compare(expected, actual, terms);
  if (!byXla || !parity.note.includes(ONE_DNN_NOTE)) return parity;
  const again = compare(byXla, actual, terms);
  if (again.status === "failed") return { ...parity, note: parity.note.replace(ONE_DNN_NOTE, NOT_ONE_DNN_NOTE) };
  return { ...again, note: `${ONE_DNN_WAS_OFF} ${again.note}`.trim() };
}

export function compare(expected: readonly Fields[], actual: readonly Fields[], terms: Terms): Parity {
  const { backend, quantized, tolerance } = terms;
  const bound = tolerance ?? TOLERANCES[backend ?? "webgl"];
  const notes: string[] = [];
  const outputs = [...(expected[0]?.keys() ?? [])].map((name) =>
    compareOutput(name, column(expected, name), column(actual, name), bound, notes),
  );
  let status = outputs.every(({ passed }) => passed) ? "passed" : "failed";
  if (quantized && tolerance === null) {
    status = "reported";
    notes.push("The weights are quantized: the error is reported, and judged only against your own tolerance.");
  } else if (status === "failed" && notes.length === 0) notes.push(...likelyCause(outputs, bound, terms));
  if (status !== "failed") {
    const still = mute(expected, outputs, tolerance === null && !quantized);
    const reason = untelling(expected, still);
    if (reason) {
      status = "inconclusive";
      notes.push(`The samples cannot tell right from wrong: ${reason}.`);
    } else if (still.length > 0) {
      notes.push(`The samples prove little of ${quotedList(still)}: hardly anything there depends on them.`);
    }
  }
  return { status, note: [...new Set(notes)].join(" "), outputs };
}

function column(feeds: readonly Fields[], name: string): Numbers[] {
  return feeds.map((feed) => {
    const found = feed.get(name);
    if (!found) throw new Error(`The output '${name}' has not arrived in full.`);
    return found;
  });
}

function likelyCause(outputs: readonly OutputParity[], bound: number, { quantized, oneDnn }: Terms): string[] {
  const error = Math.max(...outputs.map(({ max_rel_error }) => max_rel_error));
  if (quantized) {
    const missed = `The weights are quantized, and their error of ${exponent(error)} exceeds your tolerance of ${general(bound)}.`;
    return [missed, "float16 and uint16 are closer; so is leaving the weights out that matter most."];
  }
  return [oneDnn && error <= ONE_DNN_ERROR ? ONE_DNN_NOTE : "No rounding explains this error: please report it."];
}

function compareOutput(
  name: string,
  expected: readonly Numbers[],
  actual: readonly Numbers[],
  bound: number,
  notes: string[],
): OutputParity {
  const pairs = expected.map((want, i) => ({ want, have: actual[i] ?? want }));
  const misshapen = pairs.find(({ want, have }) => want.shape.join() !== have.shape.join());
  if (misshapen) {
    const { want, have } = misshapen;
    notes.push(`Output '${name}' has shape ${tuple(have.shape)} in the browser; Python gives ${tuple(want.shape)}.`);
    return row(name, UNBOUNDED, UNBOUNDED, bound, false);
  }
  const dtype = expected[0]?.dtype ?? "";
  if (expected[0] && isWhole(expected[0])) {
    const count = pairs.reduce((sum, { want, have }) => sum + unequal(want, have), 0);
    if (count > 0) notes.push(`Output '${name}' differs in ${count} values; it is ${dtype}, which must be equal.`);
    const error = count > 0 ? largestDifference(pairs) : 0;
    return row(name, error, error, 0, count === 0);
  }
  const [absolute, relative] = errors(pairs);
  if (absolute === UNBOUNDED) {
    notes.push(`Output '${name}' is NaN or infinite in places where Python's is not, or the reverse.`);
  }
  return {
    ...row(name, absolute, relative, bound, relative <= bound),
    cosine: cosine(pairs),
    top1_agreement: top1Agreement(pairs),
  };
}

type Pair = { want: Numbers; have: Numbers };

function row(output: string, absolute: number, relative: number, tolerance: number, passed: boolean): OutputParity {
  const errors = { max_abs_error: absolute, max_rel_error: relative };
  return { output, ...errors, cosine: null, top1_agreement: null, tolerance, passed };
}

/** Largest difference of integers; 1 for booleans and text, where only "another" exists. */
function largestDifference(pairs: readonly Pair[]): number {
  if (!pairs.every(({ want }) => "iu".includes(want.kind))) return 1;
  let largest = 0;
  for (const { want, have } of pairs)
    want.re.forEach((value, i) => {
      largest = Math.max(largest, Math.abs(value - (have.re[i] ?? Number.NaN)));
    });
  return largest;
}

/** Largest absolute error, and that relative to the largest finite reference value (to 1 if all are 0). */
function errors(pairs: readonly Pair[]): [absolute: number, relative: number] {
  let [absolute, largest] = [0, 0];
  for (const { want, have } of pairs) {
    for (let i = 0; i < want.re.length; i++) {
      const [a, b] = [at(want, i), at(have, i)];
      const finite = finiteAt(want, i);
      if (finite !== finiteAt(have, i) || !(finite || sameGap(a, b))) return [UNBOUNDED, UNBOUNDED];
      if (!finite) continue;
      absolute = Math.max(absolute, Math.hypot(a[0] - b[0], a[1] - b[1]));
      largest = Math.max(largest, Math.hypot(...a));
    }
  }
  return [absolute, largest > 0 ? absolute / largest : absolute];
}

function at({ re, im }: Numbers, i: number): [re: number, im: number] {
  return [re[i] ?? Number.NaN, im?.[i] ?? 0];
}

function sameGap(a: [number, number], b: [number, number]): boolean {
  return (a.some(Number.isNaN) && b.some(Number.isNaN)) || (a[0] === b[0] && a[1] === b[1]);
}

function cosine(pairs: readonly Pair[]): number | null {
  let [product, wants, haves] = [0, 0, 0];
  for (const { want, have } of pairs) {
    for (let i = 0; i < want.re.length; i++) {
      if (!finiteAt(want, i) || !finiteAt(have, i)) continue;
      const [a, b] = [at(want, i), at(have, i)];
      product += a[0] * b[0] + a[1] * b[1];
      wants += a[0] ** 2 + a[1] ** 2;
      haves += b[0] ** 2 + b[1] ** 2;
    }
  }
  const norms = Math.sqrt(wants) * Math.sqrt(haves);
  return norms > 0 ? product / norms : null;
}

/** Share of rows whose largest value stands at the same place; null where rows have fewer than two values. */
function top1Agreement(pairs: readonly Pair[]): number | null {
  const width = pairs[0]?.want.shape.at(-1) ?? 0;
  if (width < 2 || pairs[0]?.want.kind === "c") return null;
  let [equal, rows] = [0, 0];
  for (const { want, have } of pairs) {
    for (let start = 0; start < want.re.length; start += width, rows++) {
      if (argmax(want.re, start, width) === argmax(have.re, start, width)) equal++;
    }
  }
  return rows > 0 ? equal / rows : null;
}

/** The first of the largest, or the first NaN, as numpy has it. */
function argmax(values: Float64Array, start: number, width: number): number {
  let best = 0;
  for (let i = 0; i < width; i++) {
    const value = values[start + i] ?? Number.NaN;
    if (Number.isNaN(value)) return i;
    if (value > (values[start + best] ?? Number.NaN)) best = i;
  }
  return best;
}

/** Why a pass would prove nothing, "" if it proves something; `still`: the outputs that hardly depend on the samples. */
function untelling(expected: readonly Fields[], still: readonly string[]): string {
  const reason = flatness(expected.flatMap((feed) => [...feed.values()]));
  if (reason) return reason;
  const names = [...(expected[0]?.keys() ?? [])];
  const empty = names.filter((name) => !hasNumbers(column(expected, name)));
  if (empty.length > 0) return `no value of ${quotedList(empty)} is finite`;
  if (still.length < names.length) return "";
  const largest = exponent(Math.max(...names.map((name) => spread(column(expected, name)))));
  return `their outputs differ by ${largest} of the largest value, less than ${TELLING_FACTOR} times the error or the precision of float32; pass samples that matter (samples=, --samples)`;
}

/** The outputs that differ less between the feeds than an error would be seen in. */
function mute(expected: readonly Fields[], outputs: readonly OutputParity[], exact: boolean): string[] {
  if (expected.length < 2) return [];
  const hidden = outputs.filter(({ output, max_rel_error }) => {
    const noise = Math.max(exact ? max_rel_error : 0, PRECISION);
    return spread(column(expected, output)) < TELLING_FACTOR * noise;
  });
  return hidden.map(({ output }) => output);
}

function hasNumbers(arrays: readonly Numbers[]): boolean {
  return arrays.some((array) => isWhole(array) || array.re.length === 0 || array.re.some((_, i) => finiteAt(array, i)));
}

function flatness(arrays: readonly Numbers[]): string {
  const numbers = arrays.some((array) => isWhole(array) || array.re.some((_, i) => finiteAt(array, i)));
  if (!numbers) return "no value of any output is finite";
  return arrays.every(constant) ? "every value of every output is equal" : "";
}
