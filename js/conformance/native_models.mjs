/**
 * Builds layers models in TF.js itself and saves them with its own model.save(): node native_models.mjs DIRECTORY
 *
 * Each becomes DIRECTORY/<name>/ with model.json, weights.bin and reference.json: {inputs, outputs}, one entry per tensor,
 * {shape, values}.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(import.meta.url);
const tf = require("@tensorflow/tfjs");
console.warn = console.log = () => {};

const { input, layers, model, sequential } = tf;

const MODELS = {
  convolutional: () =>
    sequential({
      layers: [
        layers.conv2d({ inputShape: [8, 7, 3], filters: 4, kernelSize: 3, activation: "relu", padding: "same" }),
        layers.batchNormalization(),
        layers.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, activation: "swish" }),
        layers.separableConv2d({ filters: 5, kernelSize: 2, depthwiseRegularizer: "l1l2" }),
        layers.leakyReLU({ alpha: 0.2 }),
        layers.thresholdedReLU({ theta: 0.1 }),
        layers.prelu({ sharedAxes: [1, 2] }),
        layers.conv2dTranspose({ filters: 2, kernelSize: 3, strides: 2 }),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.flatten(),
        layers.dense({ units: 3, activation: "softmax", kernelConstraint: "nonNeg", useBias: false }),
      ],
    }),
  recurrent: () =>
    sequential({
      layers: [
        layers.embedding({ inputDim: 9, outputDim: 4, inputLength: 6 }),
        layers.bidirectional({ layer: layers.lstm({ units: 3, returnSequences: true }), mergeMode: "sum" }),
        layers.gru({ units: 3, returnSequences: true, recurrentActivation: "sigmoid" }),
        layers.timeDistributed({ layer: layers.dense({ units: 4, activation: "hardSigmoid" }) }),
        layers.rnn({ cell: [layers.simpleRNNCell({ units: 3 }), layers.lstmCell({ units: 2 })] }),
      ],
    }),
  functional: () => {
    const left = input({ shape: [4], name: "left" });
    const right = input({ shape: [4], name: "right" });
    const shared = layers.dense({ units: 3, activation: "tanh", name: "shared" });
    const inner = sequential({ name: "inner", layers: [layers.dense({ units: 3, inputShape: [3] }), layers.elu()] });
    const joined = layers.concatenate().apply([shared.apply(left), inner.apply(shared.apply(right))]);
    const sum = layers.add().apply([inner.apply(shared.apply(left)), shared.apply(right)]);
    return model({ inputs: [left, right], outputs: [layers.layerNormalization().apply(joined), sum], name: "two" });
  },
  volumes: () =>
    sequential({
      layers: [
        layers.conv3d({ inputShape: [4, 5, 6, 2], filters: 3, kernelSize: 2, activation: "gelu" }),
        layers.conv3dTranspose({ filters: 2, kernelSize: 2, strides: 2 }),
        layers.averagePooling3d({ poolSize: 2 }),
        layers.reshape({ targetShape: [4, -1] }),
        layers.permute({ dims: [2, 1] }),
        layers.dense({ units: 2, activation: "mish" }),
      ],
    }),
  images: () =>
    sequential({
      layers: [
        layers.convLstm2d({ inputShape: [3, 6, 5, 2], filters: 2, kernelSize: 3, padding: "same" }),
        layers.zeroPadding2d({
          padding: [
            [1, 0],
            [2, 1],
          ],
        }),
        layers.cropping2D({
          cropping: [
            [0, 1],
            [1, 0],
          ],
        }),
        layers.upSampling2d({ size: [2, 2] }),
        layers.globalMaxPooling2d({}),
        layers.dropout({ rate: 0.5 }),
        layers.repeatVector({ n: 2 }),
      ],
    }),
};

/** Gives every weight new numbers, so that fresh statistics and zero biases cannot hide a mistake. */
function randomise(built) {
  built.setWeights(
    built.weights.map((weight, i) => {
      const drawn = tf.randomNormal(weight.shape, 0, 0.5, "float32", i + 1);
      return weight.originalName.endsWith("variance") ? drawn.abs().add(0.5) : drawn;
    }),
  );
}

const listed = (tensor) => ({ shape: tensor.shape, values: Array.from(tensor.dataSync()) });

const [target] = process.argv.slice(2);
for (const [name, build] of Object.entries(MODELS)) {
  const directory = join(target, name);
  await mkdir(directory, { recursive: true });
  const built = build();
  randomise(built);
  const inputs = built.inputs.map(({ shape }, i) => {
    const size = [2, ...shape.slice(1)];
    return name === "recurrent"
      ? tf.randomUniform(size, 0, 9, "int32", i + 7)
      : tf.randomNormal(size, 0, 1, "float32", i + 7);
  });
  const outputs = [built.predict(inputs)].flat();
  await built.save(
    tf.io.withSaveHandler(async ({ weightData, weightSpecs, ...rest }) => {
      const document = { ...rest, weightsManifest: [{ paths: ["weights.bin"], weights: weightSpecs }] };
      await writeFile(join(directory, "model.json"), JSON.stringify(document));
      await writeFile(join(directory, "weights.bin"), Buffer.from(tf.io.CompositeArrayBuffer.join(weightData)));
      return {};
    }),
  );
  await writeFile(
    join(directory, "reference.json"),
    JSON.stringify({ inputs: inputs.map(listed), outputs: outputs.map(listed) }),
  );
}
