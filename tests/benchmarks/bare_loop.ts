/**
 * A worker that times the same model two ways, in turn: our measurement, and the loop that anybody would write.
 * Message in: { model: ModelFiles, shape, wasm: name → bytes, rounds, runs }. Message out: { ours, bare } in ms.
 */
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import { selectBackend } from "../../js/src/worker/backend";
import { clockResolutionMs, measure } from "../../js/src/worker/measure";
import { loadModel, type ModelFiles } from "../../js/src/worker/model";

type Task = { model: ModelFiles; shape: number[]; wasm: Record<string, ArrayBuffer>; rounds: number; runs: number };

self.onmessage = async ({ data }: MessageEvent<Task>) => {
  try {
    self.postMessage(await compare(data));
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
};

async function compare({ model: files, shape, wasm, rounds, runs }: Task): Promise<{ ours: number[]; bare: number[] }> {
  await selectBackend("wasm", async (name) => wasm[name] ?? Promise.reject(new Error(`no ${name}`)));
  const input = tf.randomNormal(shape, 0, 1, "float32", 1);
  const feed = new Map([[files.inputs[0] ?? "", input]]);
  const model = await loadModel(files);
  const { modelTopology, weightsManifest, ...rest } = JSON.parse(new TextDecoder().decode(files.json));
  const weightSpecs = weightsManifest.flatMap((group: { weights: tf.io.WeightsManifestEntry[] }) => group.weights);
  const bareModel = await loadGraphModel({
    load: async () => ({ modelTopology, weightSpecs, weightData: files.weights, ...rest }),
  });

  const ours: number[] = [];
  const measureOurs = () =>
    measure({
      model,
      feed,
      samples: runs,
      batch: 1,
      clockResolutionMs: clockResolutionMs(),
      minTimeMs: 0,
      stopped: () => false,
      gpuIsLost: () => false,
      report: (latencies) => ours.push(...latencies),
    });
  const bare: number[] = [];
  const measureBare = async () => {
    for (let run = 0; run < runs; run++) {
      const start = performance.now();
      const output = bareModel.predict(input) as tf.Tensor;
      await output.data();
      bare.push(performance.now() - start);
      output.dispose();
    }
  };
  await measureOurs();
  await measureBare();
  ours.length = bare.length = 0;
  for (let round = 0; round < rounds; round++) {
    // Whoever comes second in a round may find a warmer machine.
    for (const measured of round % 2 === 0 ? [measureOurs, measureBare] : [measureBare, measureOurs]) await measured();
  }
  return { ours, bare };
}
