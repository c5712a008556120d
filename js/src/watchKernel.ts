/** Whether the kernel is free to answer. Only JupyterLab and notebook 7 tell: their widget manager has the kernel. */
import type { Model } from "./model";

/** "unknown": this front end does not say. */
export type KernelState = "idle" | "busy" | "disconnected" | "unknown";

type Listener = (sender: unknown, status: unknown) => void;
/** What we use of @jupyterlab/services' Kernel.IKernelConnection. */
type Kernel = {
  status: string;
  connectionStatus?: unknown;
  isDisposed?: unknown;
  requestKernelInfo?: unknown;
  statusChanged: { connect(listener: Listener): unknown; disconnect(listener: Listener): unknown };
};

const DEAD = new Set(["restarting", "autorestarting", "terminating", "dead"]);
/** Who holds a model has started long ago: a kernel that begins to start has been restarted from elsewhere. */
const REBORN = "starting";

function isKernel(value: unknown): value is Kernel {
  if (typeof value !== "object" || value === null || !("status" in value) || !("statusChanged" in value)) return false;
  const signal = value.statusChanged;
  return typeof value.status === "string" && typeof signal === "object" && signal !== null && "connect" in signal;
}

export function kernelOf(model: Model): Kernel | null {
  const manager = model.widget_manager;
  if (typeof manager !== "object" || manager === null || !("kernel" in manager)) return null;
  return isKernel(manager.kernel) ? manager.kernel : null;
}

/** A proof of idleness holds so long. */
const PROOF_MS = 2000;

/**
 * Whether the kernel answers now. Its status does not tell: a subshell of ipykernel 7 makes it "idle" while a cell runs.
 * But a kernel_info_request is answered between cells only. At most one waits, however long the cell takes.
 */
function idleProof(kernel: Kernel): () => boolean {
  const request = kernel.requestKernelInfo;
  if (typeof request !== "function") return () => true;
  let asking = false;
  let askedAt = Number.NEGATIVE_INFINITY;
  const settle = () => {
    asking = false;
  };
  return () => {
    if (!asking && Date.now() - askedAt > PROOF_MS) {
      asking = true;
      askedAt = Date.now();
      new Promise((resolve) => resolve(Reflect.apply(request, kernel, []))).then(settle, settle);
    }
    return !asking;
  };
}

/** Calls `die` once the kernel that holds the model restarts, dies or is exchanged. Gives a function that looks. */
export function watchKernel(model: Model, die: () => void, signal: AbortSignal): () => KernelState {
  if (model.lossless) return () => "busy";
  let watched: Kernel | null = null;
  let answers = () => true;
  const onStatus: Listener = (_sender, status) => {
    if (typeof status === "string" && (DEAD.has(status) || status === REBORN)) die();
  };
  const watch = () => {
    const kernel = kernelOf(model);
    if (watched === null && kernel !== null && !signal.aborted) {
      watched = kernel;
      answers = idleProof(kernel);
      kernel.statusChanged.connect(onStatus);
    }
    return kernel;
  };
  signal.addEventListener("abort", () => watched?.statusChanged.disconnect(onStatus), { once: true });
  watch();
  return () => {
    const kernel = watch();
    if (watched === null) return "unknown";
    if (watched.isDisposed === true || (kernel !== null && kernel !== watched) || DEAD.has(watched.status)) die();
    const connected = watched.connectionStatus === undefined || watched.connectionStatus === "connected";
    if (!connected) return "disconnected";
    return watched.status === "idle" && answers() ? "idle" : "busy";
  };
}
