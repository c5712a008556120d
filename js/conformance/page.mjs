/** Runs models in a page, on webgl and webgpu: `run` takes a request and gives its reply; see run.mjs. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-webgl";
import "@tensorflow/tfjs-backend-webgpu";
import * as converter from "@tensorflow/tfjs-converter";
import * as layers from "@tensorflow/tfjs-layers";
import { createRunner } from "./run.mjs";

// Whoever drives the page answers these requests; nothing listens.
const at = (path) => `/files?path=${encodeURIComponent(path)}`;
const read = async (path) => new Uint8Array(await (await fetch(at(path))).arrayBuffer());
const write = (path, body) => fetch(at(path), { method: "POST", body });
const reply = createRunner({ tf, layers, converter, read, write, forwardSmall, fed: ({ dataId }) => fed.add(dataId) });

/** The data of the feeds' tensors. */
const fed = new WeakSet();
/** Whether TF.js's own rule holds for what is computed on the cpu. */
let forwards = true;

/** Sets whether small tensors are computed on the cpu, as GPU backends do by default. */
function forwardSmall(forward) {
  tf.env().set("WEBGL_CPU_FORWARD", forward);
  forwards = forward;
}

/** What went wrong on the GPU without an exception: the shader compiler tells the device only, as does a crash. */
const faults = [];
/** Sizes and other parameters have fewer numbers. */
const MOST_KEPT = 1000;

/**
 * Watches WebGPU's device: TF.js does not, so that a shader that fails to compile leaves zeros without a word.
 *
 * A GPU in software gives numbers back later only: to wait for them loses the device. Sizes are computed on the cpu by
 * TF.js, too, so here all is that no feed has to do with; and small numbers that came from the cpu are kept there, which
 * TF.js drops once the GPU has them.
 */
async function watchDevice() {
  const backend = tf.findBackend("webgpu") ?? ((await tf.setBackend("webgpu")) && tf.backend());
  if (backend?.device === undefined || backend.watched) return;
  backend.watched = true;
  backend.device.addEventListener("uncapturederror", ({ error }) => faults.push(error.message));
  backend.device.lost.then(({ message }) => faults.push(`the device was lost: ${message}`));
  const readSync = backend.readSync.bind(backend);
  backend.readSync = (dataId) => {
    if (backend.tensorMap.get(dataId).values != null) return readSync(dataId);
    const error = new Error("WebGPU was read synchronously.");
    error.name = "SyncReadError";
    throw error;
  };
  const upload = backend.uploadToGPU.bind(backend);
  backend.uploadToGPU = (dataId) => {
    const data = backend.tensorMap.get(dataId);
    const { values } = data;
    upload(dataId);
    if (values?.length < MOST_KEPT) data.values = values;
  };
  const runProgram = backend.runWebGPUProgram.bind(backend);
  backend.runWebGPUProgram = (...call) => {
    const made = runProgram(...call);
    const data = backend.tensorMap.get(made.dataId);
    if (data.resource != null) data.values = null; // a scatter writes into what was there
    return made;
  };
  const isOnCpu = backend.shouldExecuteOnCPU.bind(backend);
  const isNoData = ({ dataId }) => !fed.has(dataId) && backend.tensorMap.get(dataId).values?.length < MOST_KEPT;
  backend.shouldExecuteOnCPU = (inputs, ...rest) => (forwards && isOnCpu(inputs, ...rest)) || inputs.every(isNoData);
}

/** Waits until the device has told what went wrong: it does so asynchronously, once its queue is empty. */
async function drainDevice() {
  try {
    await tf.findBackend("webgpu").device.queue.onSubmittedWorkDone();
  } catch (error) {
    faults.push(error.message); // the GPU's process is gone
  }
  await new Promise((resolve) => setTimeout(resolve));
}

globalThis.run = async (request) => {
  const onDevice = request.backend === "webgpu";
  if (onDevice) await watchDevice();
  faults.length = 0;
  const answer = await reply(request);
  if (onDevice) await drainDevice();
  if (faults.length > 0 && answer.ok) {
    return { id: request.id, ok: false, error: { name: "GPUError", message: faults.join("; "), stack: "" } };
  }
  return answer;
};
