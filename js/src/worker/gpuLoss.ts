/** Whether the GPU is still there: TF.js goes on without it, with zeros or an error about something else. */

export class GpuLostError extends Error {
  override name = "GpuLostError";

  /** `cause`: what was thrown about it, if anything was. */
  constructor(cause: unknown = null) {
    const said = cause instanceof Error && cause.message !== "" ? ` (${cause.message})` : "";
    super(
      `The browser lost the GPU: its driver or the browser's GPU process restarted${said}. Run again; if it happens again, take another backend, such as wasm.`,
    );
  }
}

type Context = { isContextLost(): boolean; canvas: EventTarget };
type Device = { lost: Promise<unknown> };

/**
 * Watches what a backend of TF.js computes on; gives a function that tells whether it was lost. `onLost` is called then:
 * what waits for the GPU may wait for ever.
 */
export function watchGpu(backend: object, onLost: () => void): () => boolean {
  const gpgpu: unknown = Reflect.get(backend, "gpgpu");
  const context: unknown = typeof gpgpu === "object" && gpgpu !== null ? Reflect.get(gpgpu, "gl") : null;
  const device: unknown = Reflect.get(backend, "device");
  let lost = false;
  const note = () => {
    lost = true;
    onLost();
  };
  if (isContext(context)) context.canvas.addEventListener("webglcontextlost", note, { once: true });
  if (isDevice(device)) void device.lost.then(note);
  return () => lost || (isContext(context) && context.isContextLost());
}

function isContext(value: unknown): value is Context {
  return typeof value === "object" && value !== null && "isContextLost" in value && "canvas" in value;
}

function isDevice(value: unknown): value is Device {
  return typeof value === "object" && value !== null && "lost" in value && value.lost instanceof Promise;
}
