/** Events to the kernel: in order, one message in flight, at most four a second, a heartbeat when there is none. */
import type { KernelClient } from "../kernel";
import type { BenchEvent } from "../protocol";
import { sameJob } from "./reducer";

const INTERVAL_MS = 250;
const HEARTBEAT_MS = 2000;

export class Reporter {
  #client: KernelClient;
  #page: string;
  #onError: (error: unknown) => void;
  #queue: BenchEvent[] = [];
  #inFlight: Promise<void> | null = null;
  #sinceLastMs = 0;
  #timer: ReturnType<typeof setInterval>;

  /** `onError` is called once; nothing is sent after it. */
  constructor(client: KernelClient, page: string, onError: (error: unknown) => void) {
    this.#client = client;
    this.#page = page;
    this.#onError = onError;
    this.#timer = setInterval(() => this.#tick(), INTERVAL_MS);
  }

  push(event: BenchEvent): void {
    const last = this.#queue.at(-1);
    const merged = last ? merge(last, event) : null;
    if (merged) this.#queue[this.#queue.length - 1] = merged;
    else this.#queue.push(event);
  }

  /** Send what is left and end; resolves when the kernel has it. */
  async finish(): Promise<void> {
    clearInterval(this.#timer);
    await this.#inFlight;
    if (this.#queue.length > 0) await this.#send();
  }

  #tick(): void {
    this.#sinceLastMs += INTERVAL_MS;
    if (this.#inFlight || (this.#queue.length === 0 && this.#sinceLastMs < HEARTBEAT_MS)) return;
    this.#inFlight = this.#send().finally(() => {
      this.#inFlight = null;
    });
  }

  async #send(): Promise<void> {
    const events = this.#queue;
    this.#queue = [];
    this.#sinceLastMs = 0;
    try {
      await this.#client.request({ kind: "report", page: this.#page, events }, { background: true });
    } catch (error) {
      clearInterval(this.#timer);
      this.#queue = [];
      this.#onError(error);
    }
  }
}

/** Only the latest progress counts; samples of one phase that follow each other become one event. */
function merge(last: BenchEvent, next: BenchEvent): BenchEvent | null {
  if (last.kind === "progress" && next.kind === "progress") {
    return sameJob(last.job, next.job) && last.stage === next.stage ? next : null;
  }
  if (last.kind !== "samples" || next.kind !== "samples") return null;
  const follows = last.first_index + last.latency_ms.length === next.first_index;
  if (!follows || last.phase !== next.phase || last.batch !== next.batch || !sameJob(last.job, next.job)) return null;
  return { ...last, latency_ms: [...last.latency_ms, ...next.latency_ms] };
}
