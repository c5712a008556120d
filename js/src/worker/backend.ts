/** Choose a TF.js backend, and say what really computes. */
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { BACKENDS, type BackendName } from "../protocol";

export type Selected = { actual: BackendName; device: string; software: boolean; backendMs: number };
/** Gives the bytes of a static file. */
export type FileSource = (name: string) => Promise<ArrayBuffer>;

const WASM_FILES = [
  "tfjs-backend-wasm.wasm",
  "tfjs-backend-wasm-simd.wasm",
  "tfjs-backend-wasm-threaded-simd.wasm",
] as const;
/** In an address's place. */
const IN_MEMORY = "tfjs_magic:wasm";
/** Magic number and version. */
const EMPTY_MODULE = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);
const SOFTWARE_GPU = /swiftshader|llvmpipe|softpipe|basic render|\bsoftware\b|lavapipe|\bwarp\b/i;

type Device = { name: string; software: boolean };

/** Set `backend`, or the fastest that works on real hardware for null. Throws a sentence if it does not work here. */
export async function selectBackend(backend: BackendName | null, files: FileSource): Promise<Selected> {
  if (backend !== null) return initialize(backend, await probe(backend), files);
  const skipped: string[] = [];
  for (const candidate of BACKENDS) {
    try {
      const device = await probe(candidate);
      if (device.software) {
        skipped.push(`${candidate} skipped: software GPU (${device.name})`);
        continue;
      }
      const selected = await initialize(candidate, device, files);
      return { ...selected, device: [selected.device, ...skipped].filter((text) => text !== "").join("; ") };
    } catch (error) {
      skipped.push(`${candidate} skipped: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(`No backend works in this browser. ${skipped.join("; ")}`);
}

async function initialize(backend: BackendName, device: Device, files: FileSource): Promise<Selected> {
  if (backend === "wasm") await provideWasm(files);
  const start = performance.now();
  const accepted = await tf.setBackend(backend).catch(() => false);
  // setBackend can answer true and yet leave another one in charge.
  if (!accepted || tf.getBackend() !== backend) {
    throw new Error(`The backend '${backend}' does not start in this browser. Choose another backend.`);
  }
  await tf.ready();
  const backendMs = performance.now() - start;
  await proveItComputes(backend);
  return { actual: backend, device: describe(backend, device), software: device.software, backendMs };
}

async function proveItComputes(backend: BackendName): Promise<void> {
  const sum = tf.tidy(() => tf.add(tf.tensor1d([1, 2, 3]), tf.scalar(1)));
  const values = await sum.data();
  sum.dispose();
  if (values.join() !== "2,3,4") {
    throw new Error(`The backend '${backend}' starts but computes [1, 2, 3] + 1 = [${values.join(", ")}].`);
  }
}

/** Only one file is fetched: threads are switched off, since a notebook page may not share memory. */
async function provideWasm(files: FileSource): Promise<void> {
  // findBackend would start it.
  if (Object.hasOwn(tf.engine().registry, "wasm")) return;
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  const simd = (await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT")) === true;
  const bytes = await files(simd ? "tfjs-backend-wasm-simd.wasm" : "tfjs-backend-wasm.wasm");
  await WebAssembly.compile(EMPTY_MODULE).catch((error) => {
    const why = "The backend 'wasm' cannot compile here; a policy of the page without 'wasm-unsafe-eval' forbids it";
    throw new Error(`${why}: ${error instanceof Error ? error.message : String(error)}`);
  });
  // TF.js would fetch the file by itself, which policies forbid, for blobs too.
  const { platform } = tf.env();
  const fetch = platform.fetch.bind(platform);
  platform.fetch = async (path, options) => (path === IN_MEMORY ? new Response(bytes) : fetch(path, options));
  setWasmPaths(Object.fromEntries(WASM_FILES.map((file) => [file, IN_MEMORY])), true);
}

function describe(backend: BackendName, device: Device): string {
  if (backend === "wasm") return tf.env().getBool("WASM_HAS_SIMD_SUPPORT") ? "SIMD, 1 thread" : "no SIMD, 1 thread";
  if (backend === "webgl" && !tf.env().getBool("WEBGL_RENDER_FLOAT32_CAPABLE")) {
    return `${device.name} (16-bit floats only: expect errors near 1e-3)`;
  }
  return device.name;
}

/** The hardware behind a backend, without starting it. Throws if there is none. */
async function probe(backend: BackendName): Promise<Device> {
  if (backend === "webgl") return probeWebgl();
  if (backend === "webgpu") return probeWebgpu();
  return { name: "", software: false };
}

function probeWebgl(): Device {
  const context = typeof OffscreenCanvas === "undefined" ? null : webglContext();
  if (!context) throw new Error("The backend 'webgl' needs WebGL, which this browser does not offer here.");
  const info = context.getExtension("WEBGL_debug_renderer_info");
  const name = String(context.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : context.RENDERER));
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return { name, software: SOFTWARE_GPU.test(name) };
}

function webglContext(): WebGLRenderingContext | WebGL2RenderingContext | null {
  return new OffscreenCanvas(1, 1).getContext("webgl2") ?? new OffscreenCanvas(1, 1).getContext("webgl");
}

async function probeWebgpu(): Promise<Device> {
  const gpu: GPU | undefined = typeof navigator === "undefined" ? undefined : navigator.gpu;
  const adapter = await gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("The backend 'webgpu' needs WebGPU, which this browser does not offer here.");
  const { vendor, architecture, device, description } = adapter.info;
  const name = [description, vendor, architecture, device].filter((text) => text !== "").join(" ");
  // Chromium moved the property from the adapter to its info.
  const fallback = adapter.info.isFallbackAdapter === true || Reflect.get(adapter, "isFallbackAdapter") === true;
  return { name, software: fallback || SOFTWARE_GPU.test(name) };
}
