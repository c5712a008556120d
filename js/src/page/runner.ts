/** Owns the runtime: a worker, or the page's main thread where workers are forbidden. */
import { assertNever } from "../assertNever";
import { runScript } from "../pageScript";
import { oncePerPage } from "../pageShared";
import { type Deferred, deferred } from "../promises";
import type { FromWorker, ToWorker, WithoutId } from "../protocol";
import { fromWireError, toWireError } from "../wireError";

type Command = WithoutId<Exclude<ToWorker, { kind: "file" | "noFile" }>>;
type AnswerKinds = {
  setModel: "done";
  setBackend: "backend";
  load: "loaded";
  infer: "inferred";
  lookInside: "inside";
  measure: "done";
  profile: "profiled";
  memory: "memory";
};
type AnswerOf<C extends Command> = Extract<FromWorker, { kind: AnswerKinds[C["kind"]] }>;
type Samples = Extract<FromWorker, { kind: "samples" }>;
type Hello = Extract<FromWorker, { kind: "hello" }>;

/** One way to the runtime. `close` frees it; afterwards nothing arrives any more. */
type Transport = {
  post: (message: ToWorker, transfer: Transferable[]) => void;
  close: () => Promise<void>;
};
type Events = { message: (message: FromWorker) => void; dead: (error: Error) => void };

export type RunnerOptions = {
  runtime: Blob;
  /** sha256 of the runtime, so that the main thread loads it once. */
  runtimeKey: string;
  getFile: (name: string) => Promise<ArrayBuffer>;
};

/** A blocked worker may stay silent; a slow machine needs seconds for the 1.6 MB of script. */
const HELLO_TIMEOUT_MS = 30_000;

/** On the main thread a run that never ends cannot be ended; the page goes on without it. */
const STOP_TIMEOUT_MS = 10_000;

export class RunnerDeadError extends Error {
  override name = "RunnerDeadError";
}

/** Start a worker from memory, else one from an address that holds it, else fall back to the main thread. */
export async function startRunner(options: RunnerOptions): Promise<Runner> {
  try {
    return await Runner.start(options, openBlobWorker, "");
  } catch (error) {
    try {
      return await Runner.start(options, openDataWorker, "");
    } catch {
      const { name, message } = toWireError(error);
      return Runner.start(options, openOnPage, message || name);
    }
  }
}

type Pending = { answer: Deferred<FromWorker>; onSamples: (samples: Samples) => void };

export class Runner {
  /** Why no worker started, so that the runtime is on the page's main thread; "" if it is in a worker. */
  readonly workerProblem: string;
  #options: RunnerOptions;
  #transport: Transport | null = null;
  #pending = new Map<number, Pending>();
  #nextId = 1;
  #dead: Error | null = null;
  #hello = deferred<Hello>();

  private constructor(options: RunnerOptions, workerProblem: string) {
    this.#options = options;
    this.workerProblem = workerProblem;
  }

  static async start(
    options: RunnerOptions,
    open: (options: RunnerOptions, events: Events) => Promise<Transport>,
    workerProblem: string,
  ): Promise<Runner> {
    const runner = new Runner(options, workerProblem);
    runner.#hello.promise.catch(() => undefined);
    const timer = setTimeout(
      () => runner.#die(new RunnerDeadError("The TensorFlow.js runtime did not start within 30 s.")),
      HELLO_TIMEOUT_MS,
    );
    try {
      runner.#transport = await open(options, {
        message: (message) => runner.#receive(message),
        dead: (error) => runner.#die(error),
      });
      await runner.#hello.promise;
      return runner;
    } catch (error) {
      await runner.#transport?.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  get hello(): Promise<Hello> {
    return this.#hello.promise;
  }

  get dead(): boolean {
    return this.#dead !== null;
  }

  /** `transfer`: buffers that move to the runtime and are gone here. */
  async request<C extends Command>(
    command: C,
    transfer: Transferable[] = [],
    onSamples: (samples: Samples) => void = () => undefined,
  ): Promise<AnswerOf<C>> {
    if (this.#dead) throw this.#dead;
    const id = this.#nextId++;
    const answer = deferred<FromWorker>();
    this.#pending.set(id, { answer, onSamples });
    try {
      this.#transport?.post({ ...command, id }, transfer);
      return (await answer.promise) as AnswerOf<C>;
    } finally {
      this.#pending.delete(id);
    }
  }

  /** Stop at once what runs (on the main thread: after the current sample); pending requests reject. */
  async terminate(): Promise<void> {
    this.#die(new RunnerDeadError("The run was stopped."));
    await this.#transport?.close();
  }

  #die(error: Error): void {
    this.#dead ??= error;
    this.#hello.reject(error);
    for (const { answer } of this.#pending.values()) answer.reject(error);
  }

  #receive(message: FromWorker): void {
    const pending = this.#pending.get(message.id);
    switch (message.kind) {
      case "hello":
        this.#hello.resolve(message);
        break;
      case "want":
        void this.#provide(message.id, message.name);
        break;
      case "samples":
        pending?.onSamples(message);
        break;
      case "failed":
        pending?.answer.reject(fromWireError(message.error));
        break;
      case "backend":
      case "loaded":
      case "inferred":
      case "inside":
      case "memory":
      case "profiled":
      case "done":
        pending?.answer.resolve(message);
        break;
      default:
        assertNever(message);
    }
  }

  async #provide(id: number, name: string): Promise<void> {
    try {
      const bytes = await this.#options.getFile(name);
      this.#transport?.post({ kind: "file", id, bytes }, [bytes]);
    } catch (error) {
      this.#transport?.post({ kind: "noFile", id, error: toWireError(error) }, []);
    }
  }
}

async function openBlobWorker({ runtime }: RunnerOptions, events: Events): Promise<Transport> {
  return openWorker(URL.createObjectURL(runtime), events);
}

/** VS Code's policy for notebooks allows workers from such addresses alone. */
async function openDataWorker({ runtime }: RunnerOptions, events: Events): Promise<Transport> {
  const reader = new FileReader();
  const { promise, resolve, reject } = deferred<string>();
  reader.onload = () => resolve(String(reader.result));
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(runtime);
  return openWorker(await promise, events);
}

function openWorker(url: string, events: Events): Transport {
  // Throws, or fires an error event before the first message, where a policy forbids workers.
  const worker = new Worker(url);
  const listening = new AbortController();
  const on = <K extends keyof WorkerEventMap>(type: K, listener: (event: WorkerEventMap[K]) => void) =>
    worker.addEventListener(type, listener, { signal: listening.signal });
  on("message", ({ data }: MessageEvent<FromWorker>) => {
    if (data.kind === "hello") URL.revokeObjectURL(url);
    events.message(data);
  });
  on("error", ({ message }) => {
    URL.revokeObjectURL(url);
    const silent = "The worker failed without a reason, as where a policy forbids workers.";
    events.dead(new RunnerDeadError(message ? `The worker failed: ${message}` : silent));
  });
  on("messageerror", () => events.dead(new RunnerDeadError("A message of the worker could not be read.")));
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    close: async () => {
      listening.abort();
      worker.terminate();
    },
  };
}

type RuntimeFactory = (port: MessagePort) => { stop(): Promise<void> };

const isFactory = (value: unknown): value is RuntimeFactory => typeof value === "function";

async function openOnPage({ runtime, runtimeKey }: RunnerOptions, events: Events): Promise<Transport> {
  const start = await oncePerPage(`factory:${runtimeKey}`, isFactory, async () => {
    const factory = await runScript(runtime, "runtime");
    if (!isFactory(factory)) throw new Error("The TensorFlow.js runtime did not start on this page. Reload the page.");
    return factory;
  });
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = (event: MessageEvent<FromWorker>) => events.message(event.data);
  const handle = start(port2);
  return {
    post: (message, transfer) => port1.postMessage(message, transfer),
    close: async () => {
      port1.onmessage = null;
      await Promise.race([handle.stop(), new Promise((resolve) => setTimeout(resolve, STOP_TIMEOUT_MS))]);
      port1.close();
    },
  };
}
