/**
 * Processor time per run of the same network in several variants, on wasm with one thread.
 * Usage: node time.mjs FOLDER ROUNDS VARIANT … ; the last line is JSON, microseconds[variant][round].
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, sep } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(fileURLToPath(new URL("../../../js/package.json", import.meta.url)));
console.warn = console.info = () => {};
const tf = require("@tensorflow/tfjs-core");
require("@tensorflow/tfjs-backend-cpu");
const wasm = require("@tensorflow/tfjs-backend-wasm");
const layers = require("@tensorflow/tfjs-layers");
const converter = require("@tensorflow/tfjs-converter");
wasm.setWasmPaths(dirname(require.resolve("@tensorflow/tfjs-backend-wasm")) + sep);
tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
await tf.setBackend("wasm");

const [folder, rounds, ...variants] = process.argv.slice(2);
const bytes = (path) => {
  const file = readFileSync(path);
  return file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
};

async function load(variant) {
  const directory = `${folder}/${variant}`;
  const json = JSON.parse(readFileSync(`${directory}/model.json`, "utf8"));
  const read = async (manifest) => [
    tf.io.getWeightSpecs(manifest),
    manifest.flatMap((group) => group.paths).map((path) => bytes(`${directory}/${path}`)),
  ];
  const handler = { load: () => tf.io.getModelArtifactsForJSON(json, read) };
  const isLayers = json.format === "layers-model";
  const model = await (isLayers ? layers.loadLayersModel(handler) : converter.loadGraphModel(handler));
  const [{ shape, dtype }] = JSON.parse(readFileSync(`${directory}/inputs.json`, "utf8"));
  const feeds = [0, 1].map((seed) => {
    const values = new (dtype === "int32" ? Int32Array : Float32Array)(bytes(`${directory}/feed${seed}-0.bin`));
    return tf.tensor(values, shape, dtype);
  });
  const run = (feed) => {
    const output = model.predict(feed);
    const found = output.dataSync();
    output.dispose();
    return found;
  };
  for (const [seed, feed] of feeds.entries()) {
    const wanted = new Float32Array(bytes(`${directory}/wanted${seed}.bin`));
    const found = run(feed);
    const largest = wanted.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
    const error = wanted.reduce((most, one, i) => Math.max(most, Math.abs(one - found[i])), 0) / largest;
    if (!(error < 1e-5)) throw new Error(`${variant}: error ${error}`);
  }
  return () => run(feeds[0]);
}

function time(run, times) {
  const start = process.cpuUsage();
  for (let i = 0; i < times; i++) run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / times;
}

const runs = [];
for (const variant of variants) runs.push(await load(variant));
for (const run of runs) time(run, 10);
const times = Math.max(1, Math.round(10_000 / Math.min(...runs.map((run) => time(run, 5)))));
const found = runs.map(() => []);
for (let round = 0; round < Number(rounds); round++) {
  const order = runs.map((_, place) => place);
  if (round % 2 === 1) order.reverse();
  for (const place of order) found[place].push(time(runs[place], times));
}
process.stdout.write(`${JSON.stringify(found)}\n`);
