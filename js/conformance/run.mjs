/**
 * Runs TF.js models for the tests, in Node (node.mjs) and in a page (page.mjs): one request in, one reply out.
 *
 * Request: {id, model, backend, names, tensors, feeds, forward, train}
 *   model    directory with model.json and its shards
 *   backend  "cpu", "wasm", "webgl" or "webgpu"
 *   names    {inputs, outputs}: what a layers model's tensors are called, in model.json's order; null for TF.js's names
 *   tensors  file with the numbers of all feeds end to end; it is overwritten with the outputs' numbers
 *   feeds    [[{name, dtype, shape, nbytes, values}]]: the model runs once per feed
 *   forward  per feed whether small tensors of a GPU backend are computed on the cpu, as TF.js does by default; on webgpu
 *            those that no feed has to do with, like sizes, are in any case
 *   train    the second feed holds the targets, by position: the model takes one step on the first feed, and the results
 *            are its weights
 * Reply: {id, ok: true, results: [[{name, dtype, shape, nbytes, values}]], async, leaked, leakedPerRun}
 *    or: {id, ok: false, error: {name, message, stack}}
 * Numbers are little-endian; complex64 interleaved; bool one byte each. Strings are base64 in `values`.
 */
const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array, complex64: Float32Array };

/**
 * Gives the function from request to reply, which never throws.
 *
 * tf, layers, converter: TF.js. read, write: whole files by their path, as Uint8Array and from an ArrayBuffer.
 * forwardSmall: sets whether small tensors are computed on the cpu. fed: told of every tensor of a feed.
 */
export function createRunner({ tf, layers, converter, read, write, forwardSmall = () => {}, fed = () => {} }) {
  /** Gives {format, model} for a directory; TF.js itself decodes the shards, in the manifest's order. */
  async function load(directory) {
    const modelJson = JSON.parse(new TextDecoder().decode(await read(`${directory}/model.json`)));
    const readShards = async (manifest) => {
      const paths = manifest.flatMap((group) => group.paths);
      const files = await Promise.all(paths.map((path) => read(`${directory}/${path}`)));
      const buffers = files.map((file) => file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength));
      return [tf.io.getWeightSpecs(manifest), buffers];
    };
    const handler = { load: () => tf.io.getModelArtifactsForJSON(modelJson, readShards) };
    const { format } = modelJson;
    if (format === "layers-model") return { format, model: await layers.loadLayersModel(handler) };
    if (format === "graph-model") return { format, model: await converter.loadGraphModel(handler) };
    throw new Error(`model.json has format ${JSON.stringify(format)}; expected "layers-model" or "graph-model".`);
  }

  const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  function toTensor({ dtype, shape, values }, bytes) {
    if (dtype === "string") {
      return tf.tensor(values.map(fromBase64), shape, "string");
    }
    // A copy, so that the array starts at a multiple of its element size.
    const array = new ARRAYS[dtype](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    if (dtype !== "complex64") return tf.tensor(array, shape, dtype);
    return tf.tidy(() =>
      tf.complex(
        tf.tensor(
          array.filter((_, i) => i % 2 === 0),
          shape,
          "float32",
        ),
        tf.tensor(
          array.filter((_, i) => i % 2 === 1),
          shape,
          "float32",
        ),
      ),
    );
  }

  /** Gives {row, bytes}: what the reply says of a tensor, and its numbers. */
  async function fromTensor(name, tensor) {
    const { dtype, shape } = tensor;
    if (!shape.every(Number.isInteger)) throw new Error(`Output "${name}" has the impossible shape [${shape}].`);
    if (dtype === "string") {
      const values = (await tensor.bytes()).map(toBase64);
      return { row: { name, dtype, shape, nbytes: 0, values }, bytes: new Uint8Array() };
    }
    // A cast that keeps the bits keeps their array: floats that were booleans come as bytes.
    const raw = await tensor.data();
    const data = raw instanceof ARRAYS[dtype] ? raw : ARRAYS[dtype].from(raw);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
    return { row: { name, dtype, shape, nbytes: bytes.length, values: null }, bytes };
  }

  function checkNames(given, expected) {
    const wanted = [...expected].sort().join(", ");
    const got = [...given].sort().join(", ");
    if (wanted !== got) throw new Error(`The inputs given are [${got}]; the model has [${wanted}].`);
  }

  /** Runs a layers model: tensors by position, under `names`. */
  function runLayers(model, names, feed) {
    const inputNames = names?.inputs ?? model.inputNames;
    const outputNames = names?.outputs ?? model.outputNames;
    checkNames(Object.keys(feed), inputNames);
    const ordered = inputNames.map((name) => feed[name]);
    // One batch, whatever its size: predict would cut it every 32 examples.
    const batchSize = Math.max(1, ...ordered.map((tensor) => tensor.shape[0] ?? 1));
    const outputs = [model.predict(ordered, { batchSize })].flat();
    return { outputNames, outputs, async: false };
  }

  /** Runs a graph model: tensors by the names of its signature. */
  async function runGraph(model, feed) {
    const signature = model.modelSignature;
    const fed = Object.entries(signature.inputs ?? {}).filter(([, info]) => !info.resourceId);
    checkNames(
      Object.keys(feed),
      fed.map(([name]) => name),
    );
    const byNode = Object.fromEntries(fed.map(([name, info]) => [info.name, feed[name]]));
    const outputNames = Object.keys(signature.outputs);
    const refs = outputNames.map((name) => signature.outputs[name].name);
    try {
      return { outputNames, outputs: [model.execute(byNode, refs)].flat(), async: false };
    } catch (error) {
      // TF.js says so itself where a loop, a condition or a data-dependent shape needs the asynchronous executor.
      if (!String(error?.message).includes("model.executeAsync()")) throw error;
      return { outputNames, outputs: [await model.executeAsync(byNode, refs)].flat(), async: true };
    }
  }

  /** Runs one feed and frees all that it made; gives {rows, chunks, async}. */
  async function runFeed({ format, model }, names, feed) {
    const byName = {};
    const made = [];
    try {
      for (const { info, bytes } of feed) {
        byName[info.name] = toTensor(info, bytes);
        made.push(byName[info.name]);
        fed(byName[info.name]);
      }
      const ran = format === "layers-model" ? runLayers(model, names, byName) : await runGraph(model, byName);
      const results = [];
      for (const [i, name] of ran.outputNames.entries()) results.push(await fromTensor(name, ran.outputs[i]));
      // An output can be an input, another output, or a graph model's weight, which the model frees.
      const weights = new Set(format === "graph-model" ? Object.values(model.weights).flat() : []);
      made.push(...ran.outputs.filter((tensor) => !weights.has(tensor)));
      return { rows: results.map(({ row }) => row), chunks: results.map(({ bytes }) => bytes), async: ran.async };
    } finally {
      for (const tensor of new Set(made)) if (!tensor.isDisposed) tensor.dispose();
    }
  }

  /** Takes one step of training on a batch; gives the weights afterwards in the same form as runFeed its outputs. */
  async function train({ model }, names, [inputs, targets]) {
    const byName = Object.fromEntries(inputs.map(({ info, bytes }) => [info.name, toTensor(info, bytes)]));
    const wanted = targets.map(({ info, bytes }) => toTensor(info, bytes));
    await model.trainOnBatch(
      (names?.inputs ?? model.inputNames).map((name) => byName[name]),
      wanted,
    );
    const weights = await Promise.all(model.weights.map((weight) => fromTensor(weight.originalName, weight.read())));
    tf.dispose([byName, wanted]);
    return { rows: weights.map(({ row }) => row), chunks: weights.map(({ bytes }) => bytes), async: false };
  }

  /** Cuts the file of all numbers into the feeds' tensors. */
  function cutFeeds(feeds, bytes) {
    let offset = 0;
    return feeds.map((feed) =>
      feed.map((info) => {
        offset += info.nbytes;
        return { info, bytes: bytes.subarray(offset - info.nbytes, offset) };
      }),
    );
  }

  async function answer(request) {
    if (!(await tf.setBackend(request.backend)) || tf.getBackend() !== request.backend) {
      throw new Error(`The backend "${request.backend}" did not start; tf.getBackend() is "${tf.getBackend()}".`);
    }
    const feeds = cutFeeds(request.feeds, await read(request.tensors));
    const before = tf.memory().numTensors;
    const loaded = await load(request.model);
    const ran = [];
    const counts = [];
    try {
      if (request.train) ran.push(await train(loaded, request.names, feeds));
      for (const [i, feed] of request.train ? [] : feeds.entries()) {
        forwardSmall(request.forward[i]);
        ran.push(await runFeed(loaded, request.names, feed));
        counts.push(tf.memory().numTensors);
      }
    } finally {
      loaded.model.dispose();
    }
    await write(request.tensors, await new Blob(ran.flatMap(({ chunks }) => chunks)).arrayBuffer());
    return {
      results: ran.map(({ rows }) => rows),
      async: ran.some((run) => run.async),
      leaked: tf.memory().numTensors - before,
      leakedPerRun: counts.length > 1 ? counts[counts.length - 1] - counts[counts.length - 2] : 0,
    };
  }

  return async function reply(request) {
    try {
      return { id: request.id, ok: true, ...(await answer(request)) };
    } catch (thrown) {
      const { name, message, stack = "" } = thrown instanceof Error ? thrown : new Error(String(thrown));
      return { id: request.id, ok: false, error: { name, message, stack } };
    }
  };
}
