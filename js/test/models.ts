/** Small models in TF.js's web format, written out by hand, with seeded weights. */
import type { ModelFormat } from "../src/protocol";

export type TestModel = {
  label: string;
  format: ModelFormat;
  json: string;
  weights: Uint8Array<ArrayBuffer>;
  inputs: { name: string; shape: number[] }[];
  outputs: string[];
};

/** Deterministic values in [-0.5, 0.5). */
export function seeded(count: number, seed = 1): Float32Array<ArrayBuffer> {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
}

type Weight = { name: string; shape: number[]; values: Float32Array<ArrayBuffer> };

function pack(weights: readonly Weight[]): { manifest: unknown; bytes: Uint8Array<ArrayBuffer> } {
  const specs = weights.map(({ name, shape }) => ({ name, shape, dtype: "float32" }));
  const total = weights.reduce((sum, { values }) => sum + values.length, 0);
  const all = new Float32Array(total);
  let offset = 0;
  for (const { values } of weights) {
    all.set(values, offset);
    offset += values.length;
  }
  return { manifest: [{ paths: ["group1-shard1of1.bin"], weights: specs }], bytes: new Uint8Array(all.buffer) };
}

const FLOAT = { type: "DT_FLOAT" };

function placeholder(name: string, shape: number[]) {
  const dim = shape.map((size) => ({ size: String(size) }));
  return { name, op: "Placeholder", attr: { dtype: FLOAT, shape: { shape: { dim } } } };
}

function constant(name: string, shape: number[]) {
  const tensorShape = { dim: shape.map((size) => ({ size: String(size) })) };
  return { name, op: "Const", attr: { dtype: FLOAT, value: { tensor: { dtype: "DT_FLOAT", tensorShape } } } };
}

function graphJson(nodes: unknown[], signature: unknown, manifest: unknown): string {
  return JSON.stringify({
    format: "graph-model",
    signature,
    modelTopology: { node: nodes, library: {}, versions: { producer: 1482 } },
    weightsManifest: manifest,
  });
}

/** total = (a + b) · W + bias; sum = a + b. The signature's names differ from the nodes'. */
export function twoByTwoGraph(): TestModel {
  const { manifest, bytes } = pack([
    { name: "W", shape: [4, 3], values: seeded(12, 3) },
    { name: "bias", shape: [3], values: seeded(3, 4) },
  ]);
  const nodes = [
    placeholder("node_a", [-1, 4]),
    placeholder("node_b", [-1, 4]),
    constant("W", [4, 3]),
    constant("bias", [3]),
    { name: "added", op: "AddV2", input: ["node_a", "node_b"], attr: { T: FLOAT } },
    { name: "product", op: "MatMul", input: ["added", "W"], attr: { T: FLOAT } },
    { name: "result", op: "BiasAdd", input: ["product", "bias"], attr: { T: FLOAT } },
  ];
  const tensorShape = { dim: [{ size: "-1" }, { size: "4" }] };
  const signature = {
    inputs: {
      a: { name: "node_a:0", dtype: "DT_FLOAT", tensorShape },
      b: { name: "node_b:0", dtype: "DT_FLOAT", tensorShape },
    },
    outputs: { total: { name: "result:0" }, sum: { name: "added:0" } },
  };
  return {
    label: "two_by_two",
    format: "graph-model",
    json: graphJson(nodes, signature, manifest),
    weights: bytes,
    inputs: [
      { name: "a", shape: [2, 4] },
      { name: "b", shape: [2, 4] },
    ],
    outputs: ["total", "sum"],
  };
}

/** y = the places of the positive values of x: an op that TF.js only runs asynchronously. */
export function dynamicGraph(): TestModel {
  const nodes = [
    placeholder("x", [4]),
    constant("zero", [1]),
    { name: "positive", op: "Greater", input: ["x", "zero"], attr: { T: FLOAT } },
    { name: "places", op: "Where", input: ["positive"], attr: { T: { type: "DT_BOOL" } } },
  ];
  const { manifest, bytes } = pack([{ name: "zero", shape: [1], values: new Float32Array(1) }]);
  const signature = { inputs: { x: { name: "x:0" } }, outputs: { places: { name: "places:0" } } };
  return {
    label: "dynamic",
    format: "graph-model",
    json: graphJson(nodes, signature, manifest),
    weights: bytes,
    inputs: [{ name: "x", shape: [4] }],
    outputs: ["places"],
  };
}

/** Convolutions with ReLU over an image of `side`², then the mean of each channel: takes real time. */
export function convLayers(side: number, channels: number, depth: number, label = "conv_net"): TestModel {
  const weights: Weight[] = [];
  const layers: unknown[] = [];
  let before = 3;
  let inbound = "image";
  layers.push({
    class_name: "InputLayer",
    name: "image",
    config: { batch_input_shape: [null, side, side, 3], dtype: "float32", sparse: false, name: "image" },
    inbound_nodes: [],
  });
  for (let i = 0; i < depth; i++) {
    const name = `conv_${i}`;
    const config = {
      name,
      filters: channels,
      kernel_size: [3, 3],
      strides: [1, 1],
      padding: "same",
      activation: "relu",
      use_bias: true,
    };
    layers.push({ class_name: "Conv2D", name, config, inbound_nodes: [[[inbound, 0, 0, {}]]] });
    const shape = [3, 3, before, channels];
    weights.push({ name: `${name}/kernel`, shape, values: seeded(9 * before * channels, i + 7) });
    weights.push({ name: `${name}/bias`, shape: [channels], values: seeded(channels, i + 70) });
    before = channels;
    inbound = name;
  }
  const mean = { class_name: "GlobalAveragePooling2D", name: "mean", config: { name: "mean" } };
  layers.push({ ...mean, inbound_nodes: [[[inbound, 0, 0, {}]]] });
  const { manifest, bytes } = pack(weights);
  const config = { name: label, layers, input_layers: [["image", 0, 0]], output_layers: [["mean", 0, 0]] };
  const modelTopology = { class_name: "Functional", config, keras_version: "3.0.0", backend: "tensorflow" };
  return {
    label,
    format: "layers-model",
    json: JSON.stringify({ format: "layers-model", modelTopology, weightsManifest: manifest }),
    weights: bytes,
    inputs: [{ name: "image", shape: [1, side, side, 3] }],
    outputs: ["mean"],
  };
}
