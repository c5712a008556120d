/** Where the time goes, on real TF.js (cpu) in Node. */
import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { ProfileRow } from "../../src/protocol";
import { randomNumbers } from "../../src/random";
import { layerOf, watchLayers } from "../../src/worker/attribution";
import { type LoadedModel, loadModel } from "../../src/worker/model";
import { profile } from "../../src/worker/profile";
import { convLayers, dynamicGraph, seeded, type TestModel, twoByTwoGraph } from "../models";

const LONG = { timeout: 30_000 };

beforeEach(async () => {
  await tf.setBackend("cpu");
});
afterEach(() => {
  vi.restoreAllMocks();
});

function busy(): void {
  const end = Date.now() + 5;
  while (Date.now() < end);
}

/** Let `delay` happen in each call of a kernel while `task` runs. */
async function slowed<T>(kernel: string, delay: () => unknown, task: () => Promise<T>): Promise<T> {
  const config = tf.getKernel(kernel, "cpu");
  const { kernelFunc } = config;
  config.kernelFunc = (params) => {
    delay();
    return kernelFunc(params);
  };
  try {
    return await task();
  } finally {
    config.kernelFunc = kernelFunc;
  }
}

const settings = { format: "graph-model", stopped: () => false, report: () => undefined } as const;

async function open(model: TestModel) {
  const { format, outputs } = model;
  const json = new TextEncoder().encode(model.json).buffer;
  const inputs = model.inputs.map(({ name }) => name);
  const loaded = await loadModel({ format, json, weights: model.weights.buffer, inputs, outputs });
  const feed = new Map(
    model.inputs.map(({ name, shape }, i) => [name, tf.tensor(seeded(tf.util.sizeFromShape(shape), i + 1), shape)]),
  );
  return { loaded, feed };
}

async function profiled(model: TestModel, stopped = () => false) {
  const { loaded, feed } = await open(model);
  const reported: number[] = [];
  const { format } = model;
  const report = (latencyMs: number[]) => void reported.push(...latencyMs);
  const found = await profile({ model: loaded, format, feed, clockResolutionMs: 0.1, stopped, report });
  loaded.dispose();
  tf.dispose([...feed.values()]);
  return { found, reported };
}

const names = (rows: ProfileRow[]) => rows.map(({ node, kernel }) => `${node}: ${kernel}`).sort();

describe("the kernel that was made slow on purpose comes first", () => {
  it("in a graph model, with its node; nothing stays behind", LONG, async () => {
    const before = tf.memory().numTensors;
    const { kernelFunc } = tf.getKernel("Add", "cpu");
    const { found, reported } = await slowed("BatchMatMul", busy, () => profiled(twoByTwoGraph()));
    expect(found.rows[0]).toMatchObject({ node: "product", kernel: "BatchMatMul", calls: 1, nbytes: 24 });
    expect(names(found.rows)).toEqual(["added: Add", "product: BatchMatMul", "result: Add"]);
    expect(found.rows[0]?.ms).toBeGreaterThan(3.9);
    expect(found.plain_ms).toBeGreaterThan(3.9);
    const sum = found.rows.reduce((total, { ms }) => total + ms, 0);
    expect(sum).toBeLessThan(found.profiled_ms);
    expect(found.runs).toBe(reported.length);
    expect(found).toMatchObject({ more_rows: 0, more_ms: 0 });
    expect(tf.memory().numTensors).toBe(before);
    expect(tf.getKernel("Add", "cpu").kernelFunc).toBe(kernelFunc);
  });

  it("in a layers model, with its layer", LONG, async () => {
    const { found } = await slowed("Mean", busy, () => profiled(convLayers(8, 4, 2)));
    expect(found.rows[0]).toMatchObject({ node: "mean", layer: "mean", kernel: "Mean" });
    expect(names(found.rows)).toEqual(expect.arrayContaining(["conv_0: FusedConv2D", "conv_1: FusedConv2D"]));
  });
});

it("a clock that steps by far more than a kernel takes gives its mean, and how sure that is", LONG, async () => {
  let now = 0;
  const random = randomNumbers(1);
  const { loaded, feed } = await open(twoByTwoGraph());
  const predict: LoadedModel["predict"] = (given) => {
    now += 1 + random();
    return loaded.predict(given);
  };
  vi.spyOn(performance, "now").mockImplementation(() => Math.floor(now / 0.1) * 0.1);
  const found = await slowed(
    "BatchMatMul",
    () => (now += 0.03),
    () => profile({ ...settings, model: { ...loaded, predict }, feed, clockResolutionMs: 0.1 }),
  );
  const [first] = found.rows;
  expect(first?.kernel).toBe("BatchMatMul");
  expect(first?.error_ms).toBeGreaterThan(0.0005);
  expect(first?.error_ms).toBeLessThan(0.003);
  expect(Math.abs((first?.ms ?? 0) - 0.03)).toBeLessThan(3 * (first?.error_ms ?? 0));
});

it("a kernel that met no step of the clock is not said to be free", LONG, async () => {
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  const { loaded, feed } = await open(twoByTwoGraph());
  const predict: LoadedModel["predict"] = (given) => {
    now += 100;
    return loaded.predict(given);
  };
  const found = await profile({ ...settings, model: { ...loaded, predict }, feed, clockResolutionMs: 1 });
  expect(found.rows[0]).toMatchObject({ ms: 0, error_ms: Number((1 / found.runs).toFixed(5)) });
});

it("what TF.js runs asynchronously is told by node too", LONG, async () => {
  expect(names((await profiled(dynamicGraph())).found.rows)).toContain("positive: Greater");
});

it("stops when it is told to, and leaves the kernels as they were", async () => {
  const { kernelFunc } = tf.getKernel("Add", "cpu");
  await expect(profiled(twoByTwoGraph(), () => true)).rejects.toThrow("stopped");
  expect(tf.getKernel("Add", "cpu").kernelFunc).toBe(kernelFunc);
});

it("a layer in a model in a model has its path, and the outer one goes on behind it", () => {
  const inner = tfl.sequential({ name: "inner", layers: [tfl.layers.dense({ units: 2, name: "d", inputShape: [3] })] });
  const input = tfl.input({ shape: [3] });
  const model = tfl.model({ inputs: input, outputs: inner.apply(input) as tfl.SymbolicTensor });
  const entered: string[] = [];
  const unwatch = watchLayers(model, (name) => entered.push(name));
  const predict = () => tf.dispose(model.predict(tf.zeros([1, 3])));
  predict();
  const own = (name: string) => name === "" || name.startsWith("inner");
  expect(entered.filter(own)).toEqual(["inner", "inner/d", "inner", ""]);
  unwatch();
  predict();
  expect(entered.filter(own)).toHaveLength(4);
});

it.each([
  ["small_cnn_1/conv2d_1/Relu", "conv2d_1"],
  ["small_cnn_1/bn_1/batchnorm/mul_1", "bn_1"],
  ["dense/BiasAdd", "dense"],
  ["output", ""],
])("the scope of the node %s is %j", (node, layer) => {
  expect(layerOf(node, "graph-model")).toBe(layer);
});

/** A backend that only queues its work, with the kernels of cpu; each takes 2 ms by its own clock, a product 7 ms. */
class QueueingBackend extends MathBackendCPU {
  timed = 0;

  override timerAvailable(): boolean {
    return true;
  }

  override async time(f: () => void): Promise<tf.BackendTimingInfo> {
    f();
    this.timed += 1;
    return { kernelMs: this.timed % 3 === 2 ? 7 : 2 };
  }
}

describe("on a GPU", () => {
  async function onGpu(backend: QueueingBackend) {
    tf.registerBackend("webgl", () => backend);
    await tf.setBackend("webgl");
    let now = 0;
    const { loaded, feed } = await open(twoByTwoGraph());
    const predict: LoadedModel["predict"] = (given) => {
      now += 50;
      return loaded.predict(given);
    };
    vi.spyOn(performance, "now").mockImplementation(() => now);
    try {
      return await profile({ ...settings, model: { ...loaded, predict }, feed, clockResolutionMs: 0.1 });
    } finally {
      await tf.setBackend("cpu");
      tf.removeBackend("webgl");
    }
  }

  beforeAll(() => {
    tf.copyRegisteredKernels("cpu", "webgl");
  });

  it("its own clock tells, kernel by kernel", LONG, async () => {
    const found = await onGpu(new QueueingBackend());
    expect(found.rows.map(({ node, ms, error_ms }) => [node, ms, error_ms])).toEqual([
      ["product", 7, 0],
      ["added", 2, 0],
      ["result", 2, 0],
    ]);
    expect(found.note).toContain("by the GPU's own clock");
  });

  it("without a timer there is a sentence, and no number is made up", LONG, async () => {
    const backend = new QueueingBackend();
    backend.timerAvailable = () => false;
    const found = await onGpu(backend);
    expect(found).toMatchObject({ rows: [], runs: 0, note: expect.stringContaining("'webgl' offers no timer query") });
    expect(backend.timed).toBe(0);
  });
});
