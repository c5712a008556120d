/** The page gives the verdicts that Python gives: tests/bench/verdicts.py writes the cases. */
import { describe, expect, it } from "vitest";
import type { BackendName, Parity } from "../src/protocol";
import type { Fields, Numbers } from "../src/solo/values";
import { compare, judge, ONE_DNN_NOTE, type Terms } from "../src/solo/verdict";
import table from "./verdicts.json";

type Plain = { dtype: string; kind: string; shape: number[]; values: (number | boolean | string)[] };
type Case = {
  name: string;
  expected: Record<string, Plain>[];
  actual: Record<string, Plain>[];
  terms: { backend: BackendName | null; quantized: boolean; tolerance: number | null; one_dnn: boolean };
  parity: Parity;
};
const cases = table as unknown as Case[];

function numbers({ dtype, kind, shape, values }: Plain): Numbers {
  if (kind === "O") return { dtype, kind, shape, re: new Float64Array(), im: null, texts: values.map(String) };
  const all = Float64Array.from(values, (value) =>
    value === "inf" ? 1 / 0 : value === "-inf" ? -1 / 0 : Number(value),
  );
  if (kind !== "c") return { dtype, kind, shape, re: all, im: null, texts: null };
  return {
    dtype,
    kind,
    shape,
    re: all.filter((_, i) => i % 2 === 0),
    im: all.filter((_, i) => i % 2 === 1),
    texts: null,
  };
}

function fields(feed: Record<string, Plain>): Fields {
  return new Map(Object.entries(feed).map(([name, plain]) => [name, numbers(plain)]));
}

function termsOf({ terms: { one_dnn: oneDnn, ...terms } }: Case): Terms {
  return { ...terms, oneDnn };
}

describe("the verdict is Python's", () => {
  it.each(cases)("$name", (one) => {
    const { outputs, ...rest } = compare(one.expected.map(fields), one.actual.map(fields), termsOf(one));
    const { outputs: wanted, ...wantedRest } = one.parity;
    expect(rest).toEqual(wantedRest);
    expect(outputs.map(({ cosine: _, ...row }) => row)).toEqual(wanted.map(({ cosine: _, ...row }) => row));
    for (const [i, { cosine }] of outputs.entries()) {
      const want = wanted[i]?.cosine ?? null;
      if (want === null || cosine === null) expect(cosine).toBe(want);
      else expect(cosine).toBeCloseTo(want, 11);
    }
  });
});

describe("where oneDNN may be to blame", () => {
  const one = cases.find(({ name }) => name === "beyond, rounding");
  if (!one) throw new Error("the table lacks a case");
  const [expected, actual] = [one.expected.map(fields), one.actual.map(fields)];

  it("what XLA's kernels gave decides", () => {
    const parity = judge(expected, actual, actual, termsOf(one));
    expect(parity.status).toBe("passed");
    expect(parity.note).toContain("oneDNN kernels are the side that is off");
  });

  it("an error that they show too is the browser's", () => {
    const parity = judge(expected, expected, actual, termsOf(one));
    expect(parity.status).toBe("failed");
    expect(parity.note).not.toContain(ONE_DNN_NOTE);
    expect(parity.note).toContain("please report it");
  });

  it("without them the note says so", () => {
    expect(judge(expected, null, actual, termsOf(one)).note).toBe(ONE_DNN_NOTE);
  });
});
