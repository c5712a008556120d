/** What to run again: backends and number of runs, folded away until somebody wants to choose. */
import { BACKENDS, MAX_RUNS, type RunChoice, type Snapshot } from "../protocol";
import type { Make } from "./dom";

export class RunControls {
  readonly element: HTMLDetailsElement;
  #fields: HTMLFieldSetElement;
  #boxes: HTMLInputElement[];
  #runs: HTMLInputElement;
  /** Until then they show what the cell asked for. */
  #touched = false;

  constructor(make: Make, signal: AbortSignal) {
    this.#boxes = BACKENDS.map((value) => make("input", { type: "checkbox", value }));
    this.#runs = make("input", { type: "number", min: "1", max: String(MAX_RUNS), step: "1", size: "7" });
    this.#fields = make(
      "fieldset",
      {},
      make("legend", {}, "For the next run; no backend means the fastest"),
      ...this.#boxes.map((box) => make("label", {}, box, ` ${box.value}`)),
      make("label", {}, "Runs ", this.#runs),
    );
    this.element = make(
      "details",
      { class: "tm-controls" },
      make("summary", {}, "Choose backends and runs"),
      this.#fields,
    );
    const touch = () => {
      this.#touched = true;
    };
    this.#fields.addEventListener("input", touch, { signal });
  }

  draw({ jobs }: Snapshot, busy: boolean): void {
    this.#fields.disabled = busy;
    if (this.#touched) return;
    const asked = new Set(jobs.map(({ job }) => job.backend));
    for (const box of this.#boxes) box.checked = BACKENDS.some((name) => name === box.value && asked.has(name));
    const runs = Math.max(0, ...jobs.map((job) => (job.stage === "run" ? job.total : job.run_ms.length)));
    this.#runs.value = runs > 0 ? String(runs) : "";
  }

  /** Whether there is something to run; tells the reader what is wrong with a number. */
  get isValid(): boolean {
    if (!this.#runs.checkValidity()) this.element.open = true;
    return this.#runs.reportValidity();
  }

  /** null if nobody has chosen anything. */
  get choice(): RunChoice | null {
    if (!this.#touched) return null;
    const backends = BACKENDS.filter((name) => this.#boxes.some((box) => box.checked && box.value === name));
    return { backends, runs: this.#runs.value === "" ? null : Number(this.#runs.value) };
  }
}
