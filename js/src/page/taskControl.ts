/** Asks for more about a contender: a choice where there are several, and a button. */
import { seriesLabel } from "../plot/series";
import type { JobState, TaskKind, TaskName } from "../protocol";
import type { Make } from "./dom";
import { sameJob } from "./runState";
import type { View } from "./session";

export type TaskWords = { question: string; button: string; title: string };

export class TaskControl {
  /** Stays the same when it is drawn anew, so that nobody is thrown out of it. */
  readonly element: HTMLElement;
  #make: Make;
  #select: HTMLSelectElement;
  #button: HTMLButtonElement;
  #jobs: readonly JobState[] = [];
  #labels: readonly string[] = [];

  constructor(make: Make, kind: TaskKind, { question, button, title }: TaskWords, start: (task: TaskName) => void) {
    this.#make = make;
    this.#select = make("select");
    this.#button = make("button", { type: "button", title }, button);
    this.#button.addEventListener("click", () => {
      const chosen = this.#chosen;
      if (chosen) start({ kind, job: chosen.job });
    });
    const label = make("label", {}, make("span", {}, question), this.#select);
    this.element = make("div", { class: "tm-ask" }, label, this.#button);
  }

  /** `jobs`: those that can be asked about. */
  draw({ snapshot, activity, elsewhere }: View, jobs: readonly JobState[]): void {
    const labels = jobs.map((job) => seriesLabel(snapshot, job));
    const before = this.#chosen;
    this.#jobs = jobs;
    if (labels.join("\n") !== this.#labels.join("\n")) {
      this.#labels = labels;
      this.#select.replaceChildren(...labels.map((label) => this.#make("option", {}, label)));
      const kept = before ? jobs.findIndex(({ job }) => sameJob(job, before.job)) : 0;
      this.#select.selectedIndex = Math.max(0, kept);
    }
    this.element.hidden = jobs.length === 0;
    this.#select.hidden = jobs.length < 2;
    this.#button.disabled = activity !== "idle" || elsewhere || snapshot.status === "running";
  }

  get #chosen(): JobState | undefined {
    return this.#jobs[this.#select.selectedIndex];
  }
}
