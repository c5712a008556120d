/** Arrays as the comparison reads them: numbers in float64, or texts. */

export type Numbers = {
  /** numpy's name of it, for readers. */
  dtype: string;
  /** numpy's kind: "f" and "c" have errors, everything else must be equal; "O", "S" and "U" are texts. */
  kind: string;
  shape: readonly number[];
  re: Float64Array;
  im: Float64Array | null;
  texts: readonly string[] | null;
};

/** Output name → its values. */
export type Fields = ReadonlyMap<string, Numbers>;

/** Whether any difference is an error. */
export function isWhole({ kind }: Numbers): boolean {
  return kind !== "f" && kind !== "c";
}

export function finiteAt({ re, im }: Numbers, i: number): boolean {
  return Number.isFinite(re[i]) && (im === null || Number.isFinite(im[i]));
}

function size({ texts, re }: Numbers): number {
  return texts?.length ?? re.length;
}

function sameAt(a: Numbers, i: number, b: Numbers, j: number): boolean {
  if (a.texts || b.texts) return a.texts !== null && b.texts !== null && a.texts[i] === b.texts[j];
  return a.re[i] === b.re[j] && (a.im?.[i] ?? 0) === (b.im?.[j] ?? 0);
}

/** In how many places two arrays of one shape differ. */
export function unequal(want: Numbers, have: Numbers): number {
  let count = 0;
  for (let i = 0; i < size(want); i++) if (!sameAt(want, i, have, i)) count++;
  return count;
}

/** Whether there are several values and all are equal. */
export function constant(array: Numbers): boolean {
  if (size(array) < 2) return false;
  for (let i = 0; i < size(array); i++) if (!sameAt(array, 0, array, i)) return false;
  return true;
}

/** How far the feeds' references differ, relative to their largest value; infinite where all differ in shape. */
export function spread(arrays: readonly Numbers[]): number {
  const alike = new Map<string, Numbers[]>();
  for (const array of arrays) alike.set(array.shape.join(), [...(alike.get(array.shape.join()) ?? []), array]);
  const several = [...alike.values()].filter((group) => group.length > 1);
  return several.length > 0 ? Math.max(...several.map(spreadOf)) : Number.POSITIVE_INFINITY;
}

function spreadOf(arrays: readonly Numbers[]): number {
  const [first, ...others] = arrays;
  if (!first) return 0;
  if (isWhole(first)) return others.some((other) => unequal(first, other) > 0) ? Number.POSITIVE_INFINITY : 0;
  let [largest, furthest] = [0, 0];
  for (let i = 0; i < first.re.length; i++) {
    if (!arrays.every((array) => finiteAt(array, i))) continue;
    for (const { re, im } of arrays) {
      const [a, b] = [re[i] ?? 0, im?.[i] ?? 0];
      largest = Math.max(largest, Math.hypot(a, b));
      furthest = Math.max(furthest, Math.hypot(a - (first.re[i] ?? 0), b - (first.im?.[i] ?? 0)));
    }
  }
  return largest > 0 ? furthest / largest : 0;
}
