/**
 * One model in one runtime, on wasm with one thread. Loaded into a frame of its own; `prepare` and `time` are what the
 * benchmark calls. A run ends when its output is an array in JavaScript.
 */
/** A file as bytes, fetched in pieces: an answer of 100 MB closes the page. */
const bytes = async (path) => {
  const pieces = [];
  do pieces.push(await (await fetch(`${path}?piece=${pieces.length}`)).blob());
  while (pieces.at(-1).size > 0);
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
};
const script = (src) =>
  new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement("script"), { src, onload: resolve, onerror: reject });
    document.head.append(element);
  });
const ARRAYS = { float32: Float32Array, int32: Int32Array };

async function tfjs(directory, inputs, backend) {
  await script("/tfjs/tfjs/dist/tf.min.js");
  await script("/tfjs/tfjs-backend-wasm/dist/tf-backend-wasm.min.js");
  tf.wasm.setWasmPaths("/tfjs/tfjs-backend-wasm/dist/");
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  await tf.setBackend(backend);
  const { format } = await (await fetch(`${directory}/model.json`)).json();
  if (format === "layers-model") {
    const model = await tf.loadLayersModel(`${directory}/model.json`);
    return (feed) => {
      const given = feed.map(({ values, shape, dtype }) => tf.tensor(values, shape, dtype));
      const output = model.predict(given.length > 1 ? given : given[0]);
      const found = output.dataSync();
      tf.dispose([output, given]);
      return found;
    };
  }
  const model = await tf.loadGraphModel(`${directory}/model.json`);
  const nodes = inputs.map(({ name }) => model.modelSignature.inputs[name].name);
  const all = Object.values(model.modelSignature.outputs).map(({ name }) => name);
  let method = "execute";
  const run = async (feed) => {
    const given = Object.fromEntries(feed.map(({ values, shape, dtype }, i) => [nodes[i], tf.tensor(values, shape, dtype)]));
    const output = await model[method](given, all);
    const found = (Array.isArray(output) ? output[0] : output).dataSync();
    tf.dispose([output, given]);
    return found;
  };
  return async (feed) => {
    try {
      return await run(feed);
    } catch (error) {
      if (method === "executeAsync" || !/executeAsync/.test(error.message)) throw error;
      method = "executeAsync";
      return run(feed);
    }
  };
}

async function onnx(directory, inputs) {
  await script("/npm/onnxruntime-web/dist/ort.wasm.min.js");
  ort.env.wasm.wasmPaths = "/npm/onnxruntime-web/dist/";
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(await bytes(`${directory}/model.onnx`), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  const names = inputs.map(({ name }) => session.inputNames.find((one) => one.split(":")[0] === name));
  return async (feed) => {
    const given = feed.map(({ values, shape, dtype }, i) => [names[i], new ort.Tensor(dtype, values, shape)]);
    const output = await session.run(Object.fromEntries(given));
    return output[session.outputNames[0]].data;
  };
}

async function litert(directory, inputs) {
  const { loadLiteRt, loadAndCompile, Tensor } = await import("/litert.js");
  await loadLiteRt("/npm/@litertjs/core/wasm/", { threads: false });
  const model = await loadAndCompile(await bytes(`${directory}/model.tflite`), { accelerator: "wasm" });
  const names = model.getInputDetails().map(({ name }) => name);
  const places = inputs.map(({ name }) => names.findIndex((one) => new RegExp(`(^|_)${name}(:|$)`).test(one)));
  return async (feed) => {
    const given = [];
    feed.forEach(({ values, shape }, i) => (given[Math.max(places[i], 0)] = new Tensor(values, shape)));
    const [output] = await model.run(given);
    const found = output.toTypedArray().slice();
    for (const one of [output, ...given]) one.delete();
    return found;
  };
}

const RUNTIMES = { official: tfjs, onnx, litert };
let once, feeds;

globalThis.prepare = async (contender, directory, backend = "wasm") => {
  const inputs = await (await fetch(`${directory}/inputs.json`)).json();
  const feed = async (number) =>
    Promise.all(
      inputs.map(async (input, place) => ({
        ...input,
        values: new ARRAYS[input.dtype]((await bytes(`${directory}/feed${number}-${place}.bin`)).buffer),
      })),
    );
  feeds = [await feed(0), await feed(1)];
  once = await (RUNTIMES[contender] ?? tfjs)(directory, inputs, backend);
  const outputs = [];
  for (const one of feeds) outputs.push(Array.from(await once(one)));
  return outputs;
};

/** Milliseconds per run, the mean of `runs`. */
globalThis.time = async (runs) => {
  const start = performance.now();
  for (let run = 0; run < runs; run++) await once(feeds[0]);
  return (performance.now() - start) / runs;
};

/** How many programs a run starts on webgl, once everything is uploaded. */
globalThis.programs = async () => {
  const { gpgpu } = tf.backend();
  const { executeProgram } = gpgpu;
  let count = 0;
  gpgpu.executeProgram = (...rest) => {
    count++;
    return executeProgram.apply(gpgpu, rest);
  };
  await once(feeds[0]);
  gpgpu.executeProgram = executeProgram;
  return count;
};
