/** What changed in a run, to the kernel: one message in flight, at most four a second, a heartbeat when there is none. */
import type { KernelClient, Request } from "../kernel";
import { HEARTBEAT_MS, type JobReport, type JobState, type Latencies } from "../protocol";
import type { RunSnapshot } from "./runState";

const INTERVAL_MS = 250;

export class Reporter<S extends object> {
  #client: KernelClient;
  #state: { readonly snapshot: S };
  #requestOf: (told: S, now: S) => Request;
  #onError: (error: unknown) => void;
  /** What the kernel knows. */
  #told: S;
  #inFlight: Promise<void> | null = null;
  #sinceLastMs = 0;
  #failed = false;
  #timer: ReturnType<typeof setInterval>;

  /** `requestOf`: what to tell a kernel that knows `told`. `onError` is called once; nothing is sent after it. */
  constructor(
    client: KernelClient,
    state: { readonly snapshot: S },
    requestOf: (told: S, now: S) => Request,
    onError: (error: unknown) => void,
  ) {
    this.#client = client;
    this.#state = state;
    this.#requestOf = requestOf;
    this.#told = state.snapshot;
    this.#onError = onError;
    this.#timer = setInterval(() => this.#tick(), INTERVAL_MS);
  }

  /** Send what is left and end; resolves when the kernel has it. */
  async finish(): Promise<void> {
    clearInterval(this.#timer);
    await this.#inFlight;
    if (this.#told !== this.#state.snapshot && !this.#failed) await this.#send();
  }

  #tick(): void {
    this.#sinceLastMs += INTERVAL_MS;
    const changed = this.#told !== this.#state.snapshot;
    if (this.#inFlight || (!changed && this.#sinceLastMs < HEARTBEAT_MS)) return;
    this.#inFlight = this.#send().finally(() => {
      this.#inFlight = null;
    });
  }

  async #send(): Promise<void> {
    const { snapshot } = this.#state;
    const report = this.#requestOf(this.#told, snapshot);
    this.#told = snapshot;
    this.#sinceLastMs = 0;
    try {
      await this.#client.request(report, { background: true });
    } catch (error) {
      clearInterval(this.#timer);
      this.#failed = true;
      this.#onError(error);
    }
  }
}

/** What to tell a kernel that knows `told`. */
export function reportOf(told: RunSnapshot, now: RunSnapshot): Extract<Request, { kind: "report" }> {
  const { page, status, environment, error } = now;
  const jobs = now.jobs.flatMap((job, index) => {
    const before = told.jobs[index];
    return before === undefined || before === job ? [] : [jobReportOf(before, job)];
  });
  return { kind: "report", page, status, environment, error, jobs };
}

function jobReportOf(
  before: JobState,
  { warmup_ms, run_ms, parity: _, profile: _kept, divergence: _found, series: _same, ...progress }: JobState,
): JobReport {
  return { progress, warmup: tail(before.warmup_ms, warmup_ms), run: tail(before.run_ms, run_ms) };
}

/** Latencies are only ever added. */
function tail(before: readonly number[], now: readonly number[]): Latencies {
  return { first_index: before.length, latency_ms: now.slice(before.length) };
}
