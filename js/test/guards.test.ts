import { describe, expect, it } from "vitest";
import { parseAssets, parseFromKernel, parseSnapshot } from "../src/guards";
import { newJobState } from "../src/page/runState";

const ERROR = { name: "E", message: "m", stack: "" };
const SNAPSHOT = {
  status: "running",
  page: "p",
  models: [{ label: "m", format: "graph-model", nbytes: 3 }],
  environment: null,
  jobs: [newJobState({ model: 0, backend: null, feed: 0 })],
  error: null,
  task: null,
  warnings: [],
};

describe("parseFromKernel", () => {
  const good = [
    { kind: "asset", id: 1, encoding: "gzip" },
    {
      kind: "claim",
      id: 1,
      granted: true,
      jobs: [{ model: 0, backend: "wasm", feed: 0 }],
      runs: 3,
      min_time_ms: 0,
      warmup: "auto",
      seed: 0,
    },
    { kind: "claim", id: 1, granted: false, jobs: [], runs: 3, min_time_ms: 0, warmup: 2, seed: 0 },
    { kind: "weights", id: 1, offset: 0, crc32: 7 },
    { kind: "feed", id: 1, tensors: [{ name: "x", dtype: "string", shape: [1], values: ["a"] }] },
    { kind: "verified", id: 1, parity: { status: "passed", note: "", outputs: [] } },
    { kind: "ack", id: 1 },
    { kind: "failed", id: 1, error: ERROR },
  ];
  it.each(good)("takes $kind", (message) => {
    expect(parseFromKernel(message)).toEqual(message);
  });

  const bad: [string, unknown][] = [
    ["null", null],
    ["a string", "ack"],
    ["an unknown kind", { kind: "surprise", id: 1 }],
    ["a kind of Object.prototype", { kind: "toString", id: 1 }],
    ["a missing field", { kind: "weights", id: 1, offset: 0 }],
    ["a field of the wrong type", { kind: "ack", id: "1" }],
    ["an unknown backend", { ...good[1], jobs: [{ model: 0, backend: "cuda", feed: 0 }] }],
    ["a bad element deep inside", { ...good[4], tensors: [{ name: "x", dtype: "int32", shape: ["1"], values: null }] }],
  ];
  it.each(bad)("refuses %s", (_name, message) => {
    expect(parseFromKernel(message)).toBeNull();
  });
});

describe("parseSnapshot", () => {
  it("takes the state of a run", () => {
    expect(parseSnapshot(SNAPSHOT)).toEqual(SNAPSHOT);
  });

  it("refuses an unknown status and an empty trait", () => {
    expect(parseSnapshot({ ...SNAPSHOT, status: "dreaming" })).toBeNull();
    expect(parseSnapshot({})).toBeNull();
    expect(parseSnapshot(undefined)).toBeNull();
  });
});

describe("parseAssets", () => {
  it("keeps names with a hash", () => {
    expect(parseAssets({ "page.js": "abc", odd: 3 })).toEqual({ "page.js": "abc" });
    expect(parseAssets(undefined)).toEqual({});
  });
});
