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

const write = (path, buffer) => writeFile(path, new Uint8Array(buffer));
const reply = createRunner({ tf, layers, converter, read: readFile, write });
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await reply(JSON.parse(line)))}\n`);
}
