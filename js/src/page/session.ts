/** The state of one widget on this page, shared by its views: mirror of the kernel, or owner of a run. */
import { parseSnapshot } from "../guards";
import type { KernelClient } from "../kernel";
import { inPageQueue, pageShared } from "../pageShared";
import { latencyPicture } from "../plot/picture";
import type { RunChoice, Snapshot, TaskName } from "../protocol";
import type { Waiting } from "../waiting";
import { toWireError } from "../wireError";
import { BenchmarkRun, type Claim } from "./benchmarkRun";
import { Reporter, reportOf } from "./reporter";
import { begun, ended, type RunSnapshot, RunState } from "./runState";
import { runTask } from "./taskRun";
import { begunTask, failedTask, sameTask, TASK_TITLES, TaskState, taskReportOf } from "./taskState";

/** What this page does for the widget: nothing, waits its turn, asks the kernel, or runs. */
export type Activity = "idle" | "queued" | "claiming" | "running";

/** `gone`: the kernel is, so that nothing can be run. `forTask`: the activity is about a task; the benchmark stays as it is. */
export type View = {
  snapshot: Snapshot;
  activity: Activity;
  waiting: Waiting;
  elsewhere: boolean;
  gone?: boolean;
  /** No Python is there to ask. */
  solo?: boolean;
  forTask?: boolean;
};

const EMPTY: Snapshot = {
  status: "pending",
  page: "",
  models: [],
  environment: null,
  jobs: [],
  error: null,
  task: null,
  warnings: [],
};

/** What is claimed: the benchmark, `again` if the user asked for another run of it, or a task. */
type Work = { again: boolean; choice: RunChoice | null; task: TaskName | null };

const sessions = new WeakMap<KernelClient, Session>();

/** The one session of a widget model on this page. */
export function sessionOf(client: KernelClient): Session {
  const session = sessions.get(client) ?? new Session(client);
  sessions.set(client, session);
  return session;
}

export class Session {
  #client: KernelClient;
  #page = pageShared().id;
  #snapshot: Snapshot = EMPTY;
  #activity: Activity = "idle";
  #waiting: Waiting = null;
  #abort: AbortController | null = null;
  #forTask = false;
  /** The last run's reports: they must reach the kernel before another claim, or they would count for that. */
  #delivered: Promise<void> = Promise.resolve();
  /** The wanted task that this page claimed last, as long as the kernel shows it as wanted. */
  #tried: TaskName | null = null;
  #listeners = new Set<(view: View) => void>();

  constructor(client: KernelClient) {
    this.#client = client;
    const mirror = () => {
      this.#mirror();
      this.#takeWanted();
    };
    client.model.on("change:snapshot", mirror);
    const close = () => {
      client.model.off("change:snapshot", mirror);
      this.#notify();
    };
    client.closed.addEventListener("abort", close, { once: true });
    client.onWaiting((waiting) => {
      this.#waiting = waiting;
      this.#notify();
    }, client.closed);
    this.#mirror();
  }

  get client(): KernelClient {
    return this.#client;
  }

  /** Show this session's state until `signal` aborts; the run ends with its last view. */
  attach(listener: (view: View) => void, signal: AbortSignal): void {
    this.#listeners.add(listener);
    const detach = () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.stop();
    };
    signal.addEventListener("abort", detach, { once: true });
    listener(this.#view());
    if (this.#snapshot.status === "pending") this.start(false);
    this.#takeWanted();
  }

  /** Claim and run, unless this page does already. `again`: the user asked for another run, of what he chose. */
  start(again: boolean, choice: RunChoice | null = null): void {
    this.#begin({ again, choice, task: null });
  }

  /** Claim a task and run it, unless this page is busy with the widget. */
  startTask({ kind, job }: TaskName): void {
    this.#begin({ again: false, choice: null, task: { kind, job } });
  }

  #begin(work: Work): void {
    if (this.#abort) return;
    const abort = new AbortController();
    this.#abort = abort;
    this.#forTask = work.task !== null;
    this.#setActivity("queued");
    const { signal } = abort;
    let ran = false;
    const run = async () => {
      ran = await this.#claimAndRun(work, abort);
    };
    void inPageQueue(signal, run)
      .catch((error) => this.#failUnclaimed(work, error, signal))
      .finally(() => {
        this.#abort = null;
        this.#setActivity("idle");
        if (ran) this.#takeWanted();
      });
  }

  stop(): void {
    this.#abort?.abort(new DOMException("Stopped.", "AbortError"));
  }

  /** Whether it was granted. */
  async #claimAndRun(work: Work, abort: AbortController): Promise<boolean> {
    const { signal } = abort;
    this.#setActivity("claiming");
    await this.#delivered;
    signal.throwIfAborted();
    const request = { kind: "claim", page: this.#page, ...work } as const;
    const { message: claim } = await this.#client.request(request, { signal }).catch((error: unknown) => {
      if (signal.aborted) this.#withdraw(work);
      throw error;
    });
    if (!claim.granted) this.#mirror();
    else if (work.task) await this.#runTask(work.task, abort);
    else await this.#runBenchmark(claim, abort);
    return claim.granted;
  }

  async #runBenchmark(claim: Claim, abort: AbortController): Promise<void> {
    const { signal } = abort;
    const state = new RunState(begun(this.#snapshot, this.#page, claim.jobs), (snapshot) => this.#show(snapshot));
    this.#snapshot = state.snapshot;
    this.#setActivity("running");
    const reporter = new Reporter(this.#client, state, reportOf, (error) => abort.abort(error));
    try {
      await new BenchmarkRun(this.#client, claim, state, signal).run();
      state.end("finished");
    } catch (error) {
      if (isStop(error, signal)) state.end("stopped");
      else state.end("failed", toWireError(error));
    }
    // The next widget's benchmark need not wait for a busy kernel.
    this.#delivered = this.#deliver(reporter, state.snapshot);
  }

  async #runTask(task: TaskName, abort: AbortController): Promise<void> {
    const { signal } = abort;
    const state = new TaskState(begunTask(this.#snapshot, this.#page, task), (snapshot) => this.#show(snapshot));
    this.#snapshot = state.snapshot;
    this.#setActivity("running");
    const requestOf = (_told: unknown, now: typeof state.snapshot) => taskReportOf(now);
    const reporter = new Reporter(this.#client, state, requestOf, (error) => abort.abort(error));
    try {
      await runTask(this.#client, state, signal);
    } catch (error) {
      state.fail(isStop(error, signal) ? stopped(task) : toWireError(error));
    }
    // A cell that is run again for a failure asks again, and so on for ever.
    const tell = () => (state.snapshot.task.status === "done" ? this.#client.tellEnd() : undefined);
    this.#delivered = reporter.finish().then(tell);
  }

  async #deliver(reporter: Reporter<RunSnapshot>, snapshot: Snapshot): Promise<void> {
    await reporter.finish();
    this.#client.tellEnd();
    if (!snapshot.jobs.some((job) => job.run_ms.length > 0)) return;
    const svg = latencyPicture(document, snapshot);
    // Without it the saved notebook lacks the plot, nothing else: the kernel may be gone by now.
    const request = { kind: "picture", page: this.#page, svg } as const;
    await this.#client.request(request, { background: true }).catch(() => undefined);
  }

  /** The numbers as a file, which the kernel writes. */
  async resultJson(): Promise<Uint8Array<ArrayBuffer>> {
    const { buffers } = await this.#client.request({ kind: "get_result" });
    const [bytes] = buffers;
    if (!bytes) throw new Error("The kernel sent no result.");
    return bytes;
  }

  /** A busy kernel grants the claim when it is free, though it was given up: it must not wait for this page. */
  #withdraw({ task, choice }: Work): void {
    // Which jobs a choice leads to only the kernel's answer would have told.
    const jobs = choice ? [] : this.#snapshot.jobs.map(({ job }) => job);
    const granted = begun(this.#snapshot, this.#page, jobs);
    const request = task
      ? taskReportOf(failedTask(begunTask(this.#snapshot, this.#page, task), stopped(task)))
      : reportOf(granted, ended(granted, "stopped"));
    void this.#client.request(request, { background: true }).catch(() => undefined);
  }

  /** Nothing was claimed, so the kernel is told nothing. */
  #failUnclaimed({ task }: Work, error: unknown, signal: AbortSignal): void {
    if (signal.aborted || (this.#isGone && this.#snapshot.status !== "pending")) return;
    this.#snapshot = task
      ? failedTask(begunTask(this.#snapshot, this.#page, task), toWireError(error))
      : ended(this.#snapshot, "failed", toWireError(error));
  }

  /** Run what Python asks a page for. Who is busy or shows no view leaves it to others, or to later. */
  #takeWanted(): void {
    const task = parseSnapshot(this.#client.model.get("snapshot"))?.task;
    if (task?.status !== "wanted") this.#tried = null;
    else if (!this.#abort && this.#listeners.size > 0 && !(this.#tried && sameTask(this.#tried, task))) {
      this.#tried = task;
      this.startTask(task);
    }
  }

  #mirror(): void {
    if (this.#activity === "running") return;
    const snapshot = parseSnapshot(this.#client.model.get("snapshot"));
    if (!snapshot) return;
    // The kernel lags behind: this page knows that its own run has ended.
    if (snapshot.status === "running" && snapshot.page === this.#page) return;
    if (snapshot.task?.status === "running" && snapshot.task.page === this.#page) return;
    this.#show(snapshot);
  }

  #show(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#notify();
  }

  #setActivity(activity: Activity): void {
    this.#activity = activity;
    this.#notify();
  }

  #view(): View {
    const { status, page, task } = this.#snapshot;
    const runs = status === "running" ? page : task?.status === "running" ? task.page : this.#page;
    const elsewhere = runs !== this.#page;
    return {
      snapshot: this.#snapshot,
      activity: this.#activity,
      waiting: this.#waiting,
      elsewhere,
      gone: this.#isGone,
      solo: this.#client.model.get("solo") === true,
      forTask: this.#forTask,
    };
  }

  get #isGone(): boolean {
    // The client comes from another bundle, with a class of its own.
    const reason: unknown = this.#client.closed.reason;
    return reason instanceof Error && reason.name === "KernelGoneError";
  }

  #notify(): void {
    const view = this.#view();
    for (const listener of this.#listeners) listener(view);
  }
}

function isStop(error: unknown, signal: AbortSignal): boolean {
  return error instanceof DOMException && error.name === "AbortError" && signal.aborted;
}

function stopped({ kind }: TaskName) {
  return toWireError(new DOMException(`${TASK_TITLES[kind]} was stopped.`, "AbortError"));
}
