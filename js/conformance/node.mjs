/** Runs models in Node, on cpu and wasm: one JSON request per line in, one JSON reply per line out; see run.mjs. */
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, sep } from "node:path";
import { createInterface } from "node:readline";
import { createRunner } from "./run.mjs";

// stdout carries replies only; TF.js logs to the console.
console.log = console.info = console.warn = console.error;

const require = createRequire(import.meta.url);
const tf = require("@tensorflow/tfjs-core");
require("@tensorflow/tfjs-backend-cpu");
const wasm = require("@tensorflow/tfjs-backend-wasm");
const layers = require("@tensorflow/tfjs-layers");
const converter = require("@tensorflow/tfjs-converter");

wasm.setWasmPaths(dirname(require.resolve("@tensorflow/tfjs-backend-wasm")) + sep);
// Threads start worker processes that outlive a request; the notebook's pages have none either.
tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);

/** What the kernels of the last request were given: name, rank and dtype of each input, and the attributes. */
const kernels = new Set();

/** Lets cpu's kernels note that they run. */
function watchKernels() {
  const seen = ({ shape, dtype }) => `${dtype}${shape.length}`;
  for (const config of tf.getKernelsForBackend("cpu")) {
    const { kernelName, kernelFunc } = config;
    tf.unregisterKernel(kernelName, "cpu");
    tf.registerKernel({
      ...config,
      kernelFunc: (call) => {
        // A new shape is no other kernel.
        const attrs = kernelName === "Reshape" ? "" : JSON.stringify(call.attrs);
        kernels.add(`${kernelName}(${Object.values(call.inputs).filter(Boolean).map(seen)})${attrs}`);
        return kernelFunc(call);
      },
    });
  }
}

const write = (path, buffer) => writeFile(path, new Uint8Array(buffer));
const reply = createRunner({ tf, layers, converter, read: readFile, write });
watchKernels();
for await (const line of createInterface({ input: process.stdin })) {
  kernels.clear();
  const answer = await reply(JSON.parse(line));
  process.stdout.write(`${JSON.stringify({ ...answer, kernels: [...kernels] })}\n`);
}
