/**
 * Writes tfjs_magic/ops/supported.json: what the TF.js that we ship can run, read from its npm packages.
 *
 *   ops                op type → category, for every op that the graph converter executes
 *   missing            backend → ops whose kernel it does not register
 *   fused_activations  backend → fused op → activations that it computes
 *   wrong              hand-kept (wrong_kernels.json): calls of kernels that give wrong results, beside those that
 *                      python -m tests.kernels measures
 *
 * Usage: node scripts/op_table.mjs [FILE]
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const PACKAGES = join(HERE, "..", "node_modules", "@tensorflow");
const BACKENDS = ["cpu", "wasm", "webgl", "webgpu"];
const read = (...path) => readFileSync(join(PACKAGES, ...path), "utf8").replace(/^\/\/# sourceMappingURL.*$/m, "");
const matches = (text, pattern) => [...text.matchAll(pattern)].map((match) => match.slice(1).find((group) => group));
const sorted = (names) => [...new Set(names)].sort();

/**
 * Gives op type → its row. Lists that the mapper does not import (ragged) are dead; listed ops without an executor
 * (decision forests) need a package that we do not ship.
 */
async function converterOps() {
  const lists = join("tfjs-converter", "dist", "operations", "op_list");
  const executors = join("tfjs-converter", "dist", "operations", "executors");
  const executed = new Set(
    readdirSync(join(PACKAGES, executors))
      .filter((file) => file.endsWith("_executor.js"))
      .flatMap((file) => matches(read(executors, file), /case '(\w+)':/g)),
  );
  const mapper = read("tfjs-converter", "dist", "operations", "operation_mapper.js");
  const ops = [];
  for (const file of matches(mapper, /from '\.\/op_list\/(\w+)'/g).map((name) => `${name}.js`)) {
    const { json } = await import(`data:text/javascript,${encodeURIComponent(read(lists, file))}`);
    ops.push(...json.filter((op) => executed.has(op.tfOpName)).map((op) => [op.tfOpName, op]));
  }
  return Object.fromEntries(ops.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Gives "file without .js" → {exports, kernels, imports} for every file of tfjs-core's ops. */
function coreOps() {
  const kernelNames = Object.fromEntries(
    [...read("tfjs-core", "dist", "kernel_names.js").matchAll(/export const (\w+) = '(\w+)'/g)].map((m) => [
      m[1],
      m[2],
    ]),
  );
  const root = join("tfjs-core", "dist", "ops");
  const files = readdirSync(join(PACKAGES, root), { recursive: true }).filter((file) => /(?<!_test)\.js$/.test(file));
  const parse = (file) => {
    const text = read(root, file);
    const calls = matches(text, /runKernel\(\s*(?:'(\w+)'|(\w+))/g);
    return {
      exports: matches(text, /export (?:const (\w+)|function (\w+)|\{ (\w+) \};)/g),
      kernels: calls.map((name) => kernelNames[name] ?? name),
      imports: matches(text, /from '(\.[^']+)'/g).map((path) => normalize(join(dirname(file), path))),
    };
  };
  return Object.fromEntries(files.map((file) => [file.replace(/\.js$/, ""), parse(file)]));
}

/**
 * Gives the kernels that a TF.js function cannot do without.
 *
 * A function that runs kernels needs those; what else it imports serves gradients and complex numbers. One that runs
 * none is composed of the functions that it imports.
 */
function neededKernels(core, file, seen = new Set()) {
  const source = core[file];
  if (source === undefined || seen.has(file)) return [];
  seen.add(file);
  if (source.kernels.length > 0) return source.kernels;
  return source.imports.flatMap((path) => neededKernels(core, path, seen));
}

/** Finds the file of "matMul" or "fused.matMul". */
function fileOf(core, name) {
  const [space, short] = name.includes(".") ? name.split(".") : ["", name];
  const inSpace = (file) => (space === "" ? !file.startsWith("fused/") : file.startsWith(`${space}/`));
  const found = Object.keys(core).filter((file) => inSpace(file) && core[file].exports.includes(short));
  if (found.length !== 1) throw new Error(`tf.${name} is exported by [${found.join(", ")}]; expected one file.`);
  return found[0];
}

/** Gives backend → names of the kernels that it registers. */
function registeredKernels() {
  // WebGPU reads its flags from the browser's globals when it is loaded; it need not start.
  globalThis.GPUBufferUsage ??= {};
  globalThis.GPUTextureUsage ??= {};
  const require = createRequire(import.meta.url);
  const tf = require("@tensorflow/tfjs-core");
  for (const backend of BACKENDS) require(`@tensorflow/tfjs-backend-${backend}`);
  return Object.fromEntries(
    BACKENDS.map((backend) => [backend, new Set(tf.getKernelsForBackend(backend).map((kernel) => kernel.kernelName))]),
  );
}

/** Gives backend → ops that need a kernel which the backend lacks. */
function missingOps(ops) {
  const core = coreOps();
  const registered = registeredKernels();
  const functions = JSON.parse(read("tfjs-converter", "metadata", "kernel2op.json"));
  const complexKernels = new Set(["Complex", "ComplexAbs", "Real", "Imag", "FFT", "IFFT"]);
  const lacks = (op, backend) => {
    const aboutComplex = complexKernels.has(op) || ops[op].category === "spectral";
    return (functions[op] ?? [])
      .flatMap((name) => neededKernels(core, fileOf(core, name)))
      .filter((kernel) => aboutComplex || !complexKernels.has(kernel))
      .some((kernel) => !registered[backend].has(kernel));
  };
  return Object.fromEntries(BACKENDS.map((backend) => [backend, Object.keys(ops).filter((op) => lacks(op, backend))]));
}

/** Where each backend decides which activations its fused kernels have, and how to read it. */
const ACTIVATIONS = {
  cpu: { file: ["utils", "fused_utils"], user: "applyActivation", pattern: /activation === '(\w+)'/g },
  wasm: { file: ["kernels", "types"], user: "FusableActivation", pattern: /FusableActivation\["(\w+)"\] = \d/g },
  webgl: {
    file: ["kernel_utils", "kernel_funcs_utils"],
    user: "mapActivationToShaderProgram",
    pattern: /activation === '(\w+)'/g,
  },
  webgpu: { file: ["activation_util"], user: "activationFnSnippet", pattern: /activation === '(\w+)'/g },
};
const FUSED = {
  _FusedConv2D: "FusedConv2D",
  FusedDepthwiseConv2dNative: "FusedDepthwiseConv2D",
  _FusedMatMul: "_FusedMatMul",
};

/** Whether a file, or one that it imports within its package, mentions a name. */
function mentions(dist, file, name, seen = new Set()) {
  if (seen.has(file)) return false;
  seen.add(file);
  const text = read(dist, `${file}.js`);
  if (text.includes(name)) return true;
  return matches(text, /from '(\.[^']+)'/g).some((path) => mentions(dist, join(dirname(file), path), name, seen));
}

/** Gives backend → fused op → activations, without "linear", that the kernel has and the converter can hand to it. */
function fusedActivations(ops) {
  const table = {};
  for (const backend of BACKENDS) {
    const dist = join(`tfjs-backend-${backend}`, "dist");
    const { file, user, pattern } = ACTIVATIONS[backend];
    const activations = sorted(matches(read(dist, `${join(...file)}.js`), pattern)).filter((name) => name !== "linear");
    table[backend] = {};
    for (const [op, kernel] of Object.entries(FUSED)) {
      if (!mentions(dist, join("kernels", kernel), user)) {
        throw new Error(`${backend}'s ${kernel} no longer uses ${user}; read how it applies activations.`);
      }
      const attrs = ops[op].attrs.map(({ tfName }) => tfName);
      // Without its slope a leaky ReLU becomes a ReLU.
      table[backend][op] = activations.filter((name) => name !== "leakyrelu" || attrs.includes("leakyrelu_alpha"));
    }
  }
  return table;
}

const target = process.argv[2] ?? join(HERE, "..", "..", "tfjs_magic", "ops", "supported.json");
const ops = await converterOps();
const table = {
  generated_by: "js/scripts/op_table.mjs",
  tfjs_version: JSON.parse(read("tfjs-converter", "package.json")).version,
  ops: Object.fromEntries(Object.entries(ops).map(([name, { category }]) => [name, category])),
  missing: missingOps(ops),
  fused_activations: fusedActivations(ops),
  wrong: JSON.parse(readFileSync(join(HERE, "wrong_kernels.json"), "utf8")),
};
writeFileSync(target, `${JSON.stringify(table, null, 1)}\n`);
