/** Tensors inside a model: nodes of a graph, layers of a layers model and of models in it. */
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers";
import { describe, expect, it } from "vitest";
import { insideLayers } from "../../src/worker/insideLayers";
import { loadModel } from "../../src/worker/model";
import { seeded, type TestModel, twoByTwoGraph } from "../models";

function filesOf(model: TestModel) {
  const json = new TextEncoder().encode(model.json).buffer;
  const inputs = model.inputs.map(({ name }) => name);
  return { format: model.format, json, weights: model.weights.buffer, inputs, outputs: model.outputs };
}

const rounded = (tensor: tf.Tensor | undefined) => Array.from(tensor?.dataSync() ?? [], (value) => value.toFixed(5));

describe("a graph model", () => {
  it("gives nodes by their own names, also where a key of the signature reads like one", async () => {
    const model = await loadModel(filesOf(twoByTwoGraph()));
    const feed = new Map([
      ["a", tf.ones([2, 4])],
      ["b", tf.ones([2, 4])],
    ]);
    const before = tf.memory().numTensors;
    const [product, added] = await model.inside(feed, ["product", "added"]);
    expect(added?.dataSync()).toEqual(new Float32Array(8).fill(2));
    const kernel = tf.tensor2d(seeded(12, 3), [4, 3]);
    expect(rounded(product)).toEqual(rounded(tf.matMul(tf.fill([2, 4], 2), kernel)));
    model.release(
      [product, added].flatMap((tensor) => tensor ?? []),
      feed,
    );
    expect(tf.memory().numTensors).toBe(before + 3);
    await expect(model.inside(feed, ["nothing"])).rejects.toThrow("nothing");
  });
});

describe("a layers model", () => {
  const inner = layers.sequential({ name: "inner" });
  inner.add(layers.layers.dense({ units: 3, activation: "relu", name: "hidden", inputShape: [4] }));
  inner.add(layers.layers.dense({ units: 3, name: "mixed" }));
  const input = layers.input({ shape: [4], name: "x" });
  const first = layers.layers.dense({ units: 4, name: "first" }).apply(input);
  const last = layers.layers.dense({ units: 2, activation: "softmax", name: "last" }).apply(inner.apply(first));
  const model = layers.model({ inputs: input, outputs: last as layers.SymbolicTensor });

  it("gives what its layers and those of models in it give, and leaves nothing behind", () => {
    const x = tf.tensor2d(seeded(8, 9), [2, 4]);
    const run = () => tf.dispose(model.predictOnBatch(x));
    run();
    const before = tf.memory().numTensors;
    const found = insideLayers(model, ["hidden", "first", "last:before", "last", "mixed"], run);
    expect(tf.memory().numTensors).toBe(before + 5);
    const [hidden, outer, logits, output, mixed] = found;
    expect(rounded(outer)).toEqual(rounded(model.getLayer("first").call(x, {}) as tf.Tensor));
    expect(rounded(hidden)).toEqual(rounded(inner.getLayer("hidden").call(outer as tf.Tensor, {}) as tf.Tensor));
    expect(rounded(mixed)).toEqual(rounded(inner.getLayer("mixed").call(hidden as tf.Tensor, {}) as tf.Tensor));
    expect(rounded(output)).toEqual(rounded(tf.softmax(logits as tf.Tensor)));
    expect(Object.hasOwn(model.getLayer("first"), "call")).toBe(false);
  });

  it("says so where it does not call a layer of that name, and leaves nothing behind", () => {
    const x = tf.tensor2d(seeded(8, 9), [2, 4]);
    const before = tf.memory().numTensors;
    expect(() => insideLayers(model, ["first", "none"], () => tf.dispose(model.predictOnBatch(x)))).toThrow("'none'");
    expect(tf.memory().numTensors).toBe(before);
  });
});
