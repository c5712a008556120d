/** The real runtime on real TF.js (cpu) in Node. */
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, describe, expect, it } from "vitest";
import type { Feed, FromWorker } from "../../src/protocol";
import { Runtime } from "../../src/worker/runtime";
import { convLayers, dynamicGraph, seeded, type TestModel, twoByTwoGraph } from "../models";
import { TestPort } from "./port";

let port: TestPort;
let runtime: Runtime;

beforeEach(() => {
  port = new TestPort();
  runtime = new Runtime(port);
});

function feedOf(model: TestModel, seed: number): Feed {
  return {
    tensors: model.inputs.map(({ name, shape }) => ({ name, shape, dtype: "float32", values: null })),
    buffers: model.inputs.map(
      ({ shape }, i) =>
        seeded(
          shape.reduce((a, b) => a * b, 1),
          seed + i,
        ).buffer,
    ),
  };
}

async function ask<K extends FromWorker["kind"]>(
  command: Parameters<TestPort["request"]>[0],
  kind: K,
): Promise<Extract<FromWorker, { kind: K }>> {
  const answer = await port.request(command);
  if (answer.kind === "failed") throw new Error(answer.error.message);
  expect(answer.kind).toBe(kind);
  return answer as Extract<FromWorker, { kind: K }>;
}

async function setUp(model: TestModel, feeds: Feed[] = [feedOf(model, 5)]): Promise<void> {
  const json = new TextEncoder().encode(model.json).buffer;
  const { format, outputs } = model;
  const inputs = model.inputs.map(({ name }) => name);
  await ask({ kind: "setModel", format, json, weights: model.weights.buffer, inputs, outputs, feeds }, "done");
  expect(await ask({ kind: "setBackend", backend: "cpu" }, "backend")).toMatchObject({
    actual: "cpu",
    software: false,
  });
  await ask({ kind: "load", feed: 0 }, "loaded");
}

function floats(feed: Feed, index: number): Float32Array {
  const buffer = feed.buffers[index];
  if (!buffer) throw new Error(`no output ${index}`);
  return new Float32Array(buffer);
}

/** To six decimals: the values are of size 1 and computed in float32. */
function expectClose(have: ArrayLike<number>, want: ArrayLike<number>): void {
  expect(have.length).toBe(want.length);
  for (const [i, value] of Array.from(have).entries()) expect(value).toBeCloseTo(want[i] ?? Number.NaN, 6);
}

it("says hello with the version of TF.js and a real clock step", () => {
  expect(port.posted[0]).toMatchObject({ kind: "hello", tfjsVersion: tf.version_core });
  const hello = port.posted[0];
  expect(hello?.kind === "hello" && hello.clockResolutionMs > 0 && hello.clockResolutionMs < 5).toBe(true);
});

it("memory is what the tensors take, and what a run leaves behind", async () => {
  const model = convLayers(8, 4, 2);
  await setUp(model);
  const { memory } = await ask({ kind: "memory" }, "memory");
  const input = 4 * 8 * 8 * 3;
  const output = 4 * 8 * 8 * 4;
  expect(memory).toMatchObject({ model_nbytes: model.weights.byteLength, leaked_tensors: 0, wasm_nbytes: null });
  expect(memory.peak_nbytes).toBeGreaterThanOrEqual(memory.model_nbytes + input + 2 * output);
  expect(memory.peak_nbytes).toBeLessThan(memory.model_nbytes + input + 8 * output);
  const config = tf.getKernel("Mean", "cpu");
  const { kernelFunc } = config;
  config.kernelFunc = (params) => {
    tf.keep(tf.zeros([5]));
    return kernelFunc(params);
  };
  const leaking = (await ask({ kind: "memory" }, "memory")).memory;
  config.kernelFunc = kernelFunc;
  expect(leaking.leaked_tensors).toBe(1);
});

describe("a graph model", () => {
  it("computes what the formula says, by the signature's names and in the asked order", async () => {
    const model = twoByTwoGraph();
    const feeds = [feedOf(model, 5), feedOf(model, 50)];
    await setUp(model, feeds);
    for (const [index, feed] of feeds.entries()) {
      const { outputs } = await ask({ kind: "infer", feed: index }, "inferred");
      expect(outputs.tensors.map(({ name, shape }) => [name, shape])).toEqual([
        ["total", [2, 3]],
        ["sum", [2, 4]],
      ]);
      const [a, b] = [floats(feed, 0), floats(feed, 1)];
      const sum = a.map((value, i) => value + (b[i] ?? 0));
      expect(floats(outputs, 1)).toEqual(sum);
      const [kernel, bias] = [seeded(12, 3), seeded(3, 4)];
      const total = Array.from({ length: 6 }, (_, i) => {
        const [row, column] = [Math.floor(i / 3), i % 3];
        const terms = [0, 1, 2, 3].map((k) => (sum[4 * row + k] ?? 0) * (kernel[3 * k + column] ?? 0));
        return terms.reduce((x, y) => x + y, bias[column] ?? 0);
      });
      expectClose(floats(outputs, 0), total);
    }
  });

  it("with an op of dynamic shape runs asynchronously", async () => {
    const model = dynamicGraph();
    const feed: Feed = {
      tensors: [{ name: "x", dtype: "float32", shape: [4], values: null }],
      buffers: [Float32Array.of(1, -1, 2, -2).buffer],
    };
    await setUp(model, [feed]);
    const { outputs } = await ask({ kind: "infer", feed: 0 }, "inferred");
    expect(outputs.tensors).toEqual([{ name: "places", dtype: "int32", shape: [2, 1], values: null }]);
    expect([...new Int32Array(outputs.buffers[0] ?? new ArrayBuffer(0))]).toEqual([0, 2]);
  });
});

describe("a layers model", () => {
  it("computes what the same layers compute when called one by one", async () => {
    const model = convLayers(6, 4, 1);
    await setUp(model);
    const { outputs } = await ask({ kind: "infer", feed: 0 }, "inferred");
    const want = tf.tidy(() => {
      const image = tf.tensor4d(floats(feedOf(model, 5), 0), [1, 6, 6, 3]);
      const kernel = tf.tensor4d(seeded(108, 7), [3, 3, 3, 4]);
      return tf
        .mean(tf.relu(tf.add(tf.conv2d(image, kernel, 1, "same"), tf.tensor1d(seeded(4, 70)))), [1, 2])
        .dataSync();
    });
    expect(outputs.tensors[0]).toMatchObject({ name: "mean", shape: [1, 4] });
    expectClose(floats(outputs, 0), want);
  });
});

describe("measure", () => {
  it("gives exactly as many positive samples as asked", async () => {
    await setUp(convLayers(8, 4, 2));
    await ask({ kind: "measure", phase: "run", samples: 25 }, "done");
    const all = port.posted.flatMap((message) => (message.kind === "samples" ? message.latencyMs : []));
    expect(all).toHaveLength(25);
    expect(all.every((ms) => ms > 0)).toBe(true);
  });

  it("goes on until the time is spent too", async () => {
    await setUp(convLayers(8, 4, 2));
    await ask({ kind: "measure", phase: "run", samples: 2, minTimeMs: 600 }, "done");
    const spent = port.posted.flatMap((m) => (m.kind === "samples" ? m.latencyMs.map((ms) => ms * m.batch) : []));
    const sum = spent.reduce((a, b) => a + b, 0);
    expect(spent.length).toBeGreaterThan(2);
    expect(sum).toBeGreaterThanOrEqual(300);
    expect(sum - (spent.at(-1) ?? 0)).toBeLessThanOrEqual(610);
  });

  it("ends an automatic warm-up by itself", async () => {
    await setUp(convLayers(8, 4, 2));
    await ask({ kind: "measure", phase: "warmup", samples: "auto" }, "done");
    const count = port.posted.flatMap((message) => (message.kind === "samples" ? message.latencyMs : [])).length;
    expect(count).toBeGreaterThanOrEqual(3);
    expect(count).toBeLessThanOrEqual(20);
  });

  it.each([
    ["layers", convLayers(8, 4, 2)],
    ["graph", twoByTwoGraph()],
    ["asynchronous graph", dynamicGraph()],
  ])("leaks no tensor with a %s model, and unloading frees all", async (_name, model) => {
    const before = tf.memory().numTensors;
    await setUp(model);
    await ask({ kind: "infer", feed: 0 }, "inferred");
    const loaded = tf.memory().numTensors;
    await ask({ kind: "measure", phase: "run", samples: 10 }, "done");
    await ask({ kind: "infer", feed: 0 }, "inferred");
    expect(tf.memory().numTensors).toBe(loaded);
    await runtime.stop();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("ends soon after stop", async () => {
    await setUp(convLayers(8, 4, 2));
    void port.request({ kind: "measure", phase: "run", samples: 1e9 });
    await new Promise((resolve) => setTimeout(resolve, 150));
    await runtime.stop();
    const { length } = port.posted;
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(port.posted.length).toBe(length);
  });
});

it("the same model loads again on the kept bytes", async () => {
  const model = twoByTwoGraph();
  await setUp(model);
  const first = await ask({ kind: "infer", feed: 0 }, "inferred");
  await ask({ kind: "setBackend", backend: "cpu" }, "backend");
  await ask({ kind: "load", feed: 0 }, "loaded");
  expect(floats((await ask({ kind: "infer", feed: 0 }, "inferred")).outputs, 0)).toEqual(floats(first.outputs, 0));
});

describe("failures are answers", () => {
  it("a backend that this place lacks", async () => {
    const answer = await port.request({ kind: "setBackend", backend: "webgl" });
    expect(answer).toMatchObject({
      kind: "failed",
      error: { message: expect.stringContaining("'webgl' needs WebGL") },
    });
  });

  it("broken model.json, missing inputs, a feed that does not exist", async () => {
    const model = twoByTwoGraph();
    await expect(setUp({ ...model, json: "{" })).rejects.toThrow();
    const feed = feedOf(model, 1);
    await setUp(model, [{ tensors: feed.tensors.slice(0, 1), buffers: feed.buffers.slice(0, 1) }]);
    await expect(ask({ kind: "infer", feed: 0 }, "inferred")).rejects.toThrow("no input 'b'");
    await expect(ask({ kind: "infer", feed: 7 }, "inferred")).rejects.toThrow("number 7 was asked");
  });
});
