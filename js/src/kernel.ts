/** Requests from the page to the kernel: ids, answers matched by id, time-outs that count idle kernel time where it is known. */
import { isRecord, parseFromKernel } from "./guards";
import type { Model } from "./model";
import { deferred } from "./promises";
import type { FromKernel, ToKernel, WithoutId } from "./protocol";
import type { Waiting } from "./waiting";
import { type KernelState, kernelOf, watchKernel } from "./watchKernel";
import { fromWireError } from "./wireError";

/** What each request is answered with, unless with `failed`. */
const ANSWERS = {
  get_asset: "asset",
  claim: "claim",
  get_model: "model",
  get_weights: "weights",
  get_feed: "feed",
  put_output: "ack",
  verify: "verified",
  get_layers: "layers",
  compare_layers: "layers_compared",
  report: "ack",
  report_task: "ack",
  picture: "ack",
  get_result: "result",
} as const satisfies Record<ToKernel["kind"], FromKernel["kind"]>;

/** A request as the caller writes it; the client adds the id. */
export type Request = WithoutId<ToKernel>;
export type Answer<R extends Request> = {
  message: Extract<FromKernel, { kind: (typeof ANSWERS)[R["kind"]] }>;
  buffers: Uint8Array<ArrayBuffer>[];
};
export type RequestOptions = {
  buffers?: ArrayBufferView[];
  signal?: AbortSignal;
  /** Idle kernel time after which the request is sent again. */
  idleTimeoutMs?: number;
  /** Nobody waits for the answer: it does not count as waiting for the kernel. */
  background?: boolean;
};

/** The kernel that held the model is gone: nothing can be asked any more. */
export class KernelGoneError extends Error {
  override name = "KernelGoneError";
  /** Nothing of ours went wrong: where it was noticed helps no reader. */
  override stack = "";
}

const TICK_MS = 250;
const IDLE_TIMEOUT_MS = 10_000;
const ATTEMPTS = 4;
/** Likewise where nobody says whether the kernel is idle: a cell may run, so that the last attempt gets much time. */
const BLIND_TIMEOUTS_MS = [10_000, 30_000, 120_000, 600_000] as const satisfies { length: typeof ATTEMPTS };
/** Answers usually come within milliseconds: later than this the kernel is doing something else. */
const WAITING_AFTER_MS = 750;

/** A request that waits for its answer. */
class Pending {
  readonly request: Request;
  readonly options: RequestOptions;
  ageMs = 0;
  /** Since it was sent last: idle kernel time, or all of it where that is not known. */
  waitedMs = 0;
  sent = 0;
  readonly answer = deferred<{ message: FromKernel; buffers: Uint8Array<ArrayBuffer>[] }>();

  constructor(request: Request, options: RequestOptions) {
    this.request = request;
    this.options = options;
  }

  get isLate(): boolean {
    return this.ageMs >= WAITING_AFTER_MS;
  }

  /** What `waitedMs` may be before it is sent again, or given up. */
  get timeoutMs(): number {
    return this.options.idleTimeoutMs ?? IDLE_TIMEOUT_MS;
  }

  get blindTimeoutMs(): number {
    return Math.max(this.timeoutMs, BLIND_TIMEOUTS_MS[this.sent - 1] ?? 0);
  }

  settle(message: FromKernel, buffers: Uint8Array<ArrayBuffer>[]): void {
    const { kind } = this.request;
    if (message.kind === "failed") this.answer.reject(fromWireError(message.error));
    else if (message.kind === ANSWERS[kind]) this.answer.resolve({ message, buffers });
    else this.answer.reject(new Error(`The kernel answered '${kind}' with '${message.kind}'. Please report this.`));
  }
}

export class KernelClient {
  readonly model: Model;
  #pending = new Map<number, Pending>();
  #nextId = 1;
  #timer: ReturnType<typeof setInterval> | null = null;
  #closed: Error | null = null;
  #waiting: Waiting = null;
  #closing = new AbortController();
  #waitingListeners = new Set<(waiting: Waiting) => void>();
  #kernelState: () => KernelState;

  constructor(model: Model) {
    this.model = model;
    const receive = (content: unknown, buffers: unknown) => this.#receive(content, buffers);
    model.on("msg:custom", receive);
    this.#closing.signal.addEventListener("abort", () => model.off("msg:custom", receive), { once: true });
    const die = () => this.close(new KernelGoneError("The kernel restarted or died. Run the cell again."));
    this.#kernelState = watchKernel(model, die, this.#closing.signal);
  }

  /** Aborted once no request can be answered any more; the reason says why. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** Calls back whenever requests begin or cease to wait for a kernel that is busy, or out of reach. */
  onWaiting(listener: (waiting: Waiting) => void, signal: AbortSignal): void {
    this.#waitingListeners.add(listener);
    signal.addEventListener("abort", () => this.#waitingListeners.delete(listener), { once: true });
    listener(this.#waiting);
  }

  async request<R extends Request>(request: R, options: RequestOptions = {}): Promise<Answer<R>> {
    const { signal } = options;
    if (this.#closed) throw this.#closed;
    signal?.throwIfAborted();
    const id = this.#nextId++;
    const pending = new Pending(request, options);
    const abort = () => this.#take(id)?.answer.reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    this.#pending.set(id, pending);
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    this.#send(id, pending);
    try {
      const { message, buffers } = await pending.answer.promise;
      return { message: message as Answer<R>["message"], buffers };
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /**
   * Let marimo run the cells again that read the widget: it does for what a page sets. Jupyter needs none of that, and a
   * trait that is set while a cell waits would keep later ones back.
   */
  tellEnd(): void {
    const { model } = this;
    if (kernelOf(model) !== null) return;
    try {
      model.set?.("ended", Number(model.get("ended") ?? 0) + 1);
      model.save_changes?.();
    } catch {
      // Whose kernel is gone by now runs no cells.
    }
  }

  /** Reject everything, now and later. */
  close(reason: Error): void {
    if (this.#closed) return;
    this.#closed = reason;
    for (const id of [...this.#pending.keys()]) this.#take(id)?.answer.reject(reason);
    this.#closing.abort(reason);
  }

  #send(id: number, pending: Pending): void {
    pending.sent += 1;
    pending.waitedMs = 0;
    try {
      this.model.send({ ...pending.request, id }, undefined, pending.options.buffers ?? []);
    } catch (error) {
      this.#take(id)?.answer.reject(error);
    }
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#pending.size === 0 && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
    this.#updateWaiting();
    return pending;
  }

  #receive(content: unknown, rawBuffers: unknown): void {
    const message = parseFromKernel(content);
    if (message) {
      const buffers = Array.isArray(rawBuffers) ? rawBuffers.map(toBytes) : [];
      this.#take(message.id)?.settle(message, buffers);
      return;
    }
    // A message of another version: tell the one who waits for it rather than let it wait.
    const { id, kind }: { id?: unknown; kind?: unknown } = isRecord(content) ? content : {};
    if (typeof id === "number") {
      const text = `The kernel sent a message of kind '${String(kind)}' that this page does not understand.`;
      this.#take(id)?.answer.reject(new Error(`${text} Restart the kernel and reload the page.`));
    }
  }

  #tick(): void {
    const state = this.#kernelState();
    for (const [id, pending] of [...this.#pending]) {
      pending.ageMs += TICK_MS;
      if (state !== "idle" && state !== "unknown") continue;
      pending.waitedMs += TICK_MS;
      if (pending.waitedMs < (state === "idle" ? pending.timeoutMs : pending.blindTimeoutMs)) continue;
      if (pending.sent < ATTEMPTS) this.#send(id, pending);
      else this.#take(id)?.answer.reject(new Error(overdue(pending, state)));
    }
    this.#updateWaiting();
  }

  #updateWaiting(): void {
    const late = [...this.#pending.values()].filter(({ isLate }) => isLate);
    // Without a kernel it is a download that takes its time, whose progress is shown.
    const waited = this.model.get("solo") !== true && late.some(({ options }) => !options.background);
    const disconnected = late.length > 0 && this.#kernelState() === "disconnected";
    const waiting = disconnected ? "disconnected" : waited ? "busy" : null;
    if (waiting === this.#waiting) return;
    this.#waiting = waiting;
    for (const listener of this.#waitingListeners) listener(waiting);
  }
}

function overdue({ request: { kind }, timeoutMs, ageMs }: Pending, state: "idle" | "unknown"): string {
  const asked = (time: string) => `did not answer '${kind}' within ${time}, asked ${ATTEMPTS} times.`;
  if (state === "idle")
    return `The kernel is idle but ${asked(`${Math.round((timeoutMs * ATTEMPTS) / 1000)} s`)} Run the cell again.`;
  const minutes = `${Math.round(ageMs / 60_000)} minutes`;
  return `The kernel ${asked(minutes)} If a cell ran all that time, wait for its end and press Run again; else run this cell again.`;
}

/** Front ends hand buffers over as DataView, typed array or ArrayBuffer; take exactly their bytes. */
function toBytes(buffer: unknown): Uint8Array<ArrayBuffer> {
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer);
  if (ArrayBuffer.isView(buffer) && buffer.buffer instanceof ArrayBuffer) {
    return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }
  return new Uint8Array(0);
}
