/** Requests from the page to the kernel: ids, answers matched by id, time-outs that count idle kernel time only. */
import { fromWireError } from "./assert";
import { parseFromKernel } from "./guards";
import { type KernelState, watchKernel } from "./kernelState";
import type { FromKernel, ToKernel } from "./protocol";

/** What we use of anywidget's model. */
export type Model = {
  get(name: string): unknown;
  on(event: string, callback: (message: unknown, buffers: unknown) => void): void;
  off(event: string, callback: (message: unknown, buffers: unknown) => void): void;
  send(content: unknown, callbacks?: undefined, buffers?: ArrayBufferView[]): void;
  widget_manager?: unknown;
};

type AnswerKinds = {
  get_asset: "asset";
  claim: "claim";
  get_model: "model";
  get_weights: "weights";
  get_feed: "feed";
  put_output: "ack";
  verify: "verified";
  report: "ack";
  picture: "ack";
};
type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;
/** A request as the caller writes it; the client adds the id. */
export type Request = WithoutId<ToKernel>;
export type Answer<R extends Request> = {
  message: Extract<FromKernel, { kind: AnswerKinds[R["kind"]] }>;
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

type Pending = {
  kind: Request["kind"];
  send: () => void;
  settle: (message: FromKernel, buffers: Uint8Array<ArrayBuffer>[]) => void;
  reject: (error: unknown) => void;
  idleMs: number;
  idleTimeoutMs: number;
  ageMs: number;
  background: boolean;
  sent: number;
};

const TICK_MS = 250;
const IDLE_TIMEOUT_MS = 10_000;
const ATTEMPTS = 4;
/** Answers usually come within milliseconds: later than this the kernel is doing something else. */
const WAITING_AFTER_MS = 750;

export class KernelClient {
  readonly model: Model;
  #pending = new Map<number, Pending>();
  #nextId = 1;
  #timer: ReturnType<typeof setInterval> | null = null;
  #closed: Error | null = null;
  #waiting = false;
  #closing = new AbortController();
  #waitingListeners = new Set<(waiting: boolean) => void>();
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

  /** Calls back whenever requests begin or cease to wait for a busy kernel. */
  onWaiting(listener: (waiting: boolean) => void, signal: AbortSignal): void {
    this.#waitingListeners.add(listener);
    signal.addEventListener("abort", () => this.#waitingListeners.delete(listener), { once: true });
    listener(this.#waiting);
  }

  request<R extends Request>(request: R, options: RequestOptions = {}): Promise<Answer<R>> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      if (options.signal?.aborted) return reject(options.signal.reason);
      const id = this.#nextId++;
      const abort = () => this.#take(id)?.reject(options.signal?.reason);
      options.signal?.addEventListener("abort", abort, { once: true });
      const release = () => options.signal?.removeEventListener("abort", abort);
      this.#pending.set(id, {
        kind: request.kind,
        send: () => this.model.send({ ...request, id }, undefined, options.buffers ?? []),
        settle: (message, buffers) => {
          release();
          if (message.kind === "failed") reject(fromWireError(message.error));
          else if (message.kind === ANSWERS[request.kind]) {
            resolve({ message: message as Answer<R>["message"], buffers });
          } else {
            reject(new Error(`The kernel answered '${request.kind}' with '${message.kind}'. Please report this.`));
          }
        },
        reject: (error) => {
          release();
          reject(error);
        },
        idleMs: 0,
        idleTimeoutMs: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
        ageMs: 0,
        background: options.background ?? false,
        sent: 0,
      });
      this.#send(id);
      this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    });
  }

  /** Reject everything, now and later. */
  close(reason: Error): void {
    if (this.#closed) return;
    this.#closed = reason;
    for (const id of [...this.#pending.keys()]) this.#take(id)?.reject(reason);
    this.#closing.abort(reason);
  }

  #send(id: number): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    pending.sent += 1;
    pending.idleMs = 0;
    try {
      pending.send();
    } catch (error) {
      this.#take(id)?.reject(error);
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
    const id = typeof content === "object" && content !== null && "id" in content ? content.id : null;
    const kind = typeof content === "object" && content !== null && "kind" in content ? content.kind : null;
    if (typeof id === "number") {
      const text = `The kernel sent a message of kind '${String(kind)}' that this page does not understand.`;
      this.#take(id)?.reject(new Error(`${text} Restart the kernel and reload the page.`));
    }
  }

  #tick(): void {
    const state = this.#kernelState();
    for (const [id, pending] of [...this.#pending]) {
      pending.ageMs += TICK_MS;
      if (state !== "idle") continue;
      pending.idleMs += TICK_MS;
      if (pending.idleMs < pending.idleTimeoutMs) continue;
      if (pending.sent < ATTEMPTS) this.#send(id);
      else {
        const seconds = Math.round((pending.idleTimeoutMs * ATTEMPTS) / 1000);
        const text = `The kernel is idle but did not answer '${pending.kind}' within ${seconds} s, asked ${ATTEMPTS} times.`;
        this.#take(id)?.reject(new Error(`${text} Run the cell again.`));
      }
    }
    this.#updateWaiting();
  }

  #updateWaiting(): void {
    const waiting = [...this.#pending.values()].some(
      ({ background, ageMs }) => !background && ageMs >= WAITING_AFTER_MS,
    );
    if (waiting === this.#waiting) return;
    this.#waiting = waiting;
    for (const listener of this.#waitingListeners) listener(waiting);
  }
}

const ANSWERS: AnswerKinds = {
  get_asset: "asset",
  claim: "claim",
  get_model: "model",
  get_weights: "weights",
  get_feed: "feed",
  put_output: "ack",
  verify: "verified",
  report: "ack",
  picture: "ack",
};

/** Front ends hand buffers over as DataView, typed array or ArrayBuffer; take exactly their bytes. */
function toBytes(buffer: unknown): Uint8Array<ArrayBuffer> {
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer);
  if (ArrayBuffer.isView(buffer) && buffer.buffer instanceof ArrayBuffer) {
    return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }
  return new Uint8Array(0);
}
