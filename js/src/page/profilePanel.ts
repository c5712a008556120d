/** Where the time goes: the question, and the profiles that were taken. */
import { formatBytes, formatCount, formatMs } from "../format";
import { seriesLabel } from "../plot/series";
import type { JobState, Profile, ProfileRow } from "../protocol";
import { summarize } from "../stats";
import { type Make, redraw } from "./dom";
import { sameJob } from "./runState";
import type { Session, View } from "./session";
import { errorBox } from "./table";
import { TaskControl } from "./taskControl";

const HEADS = ["Kernel", "Time", "±", "Share", "Cumulative", "Calls", "Output", "Layer"];
const WORDS = {
  question: "Where does the time go?",
  button: "Profile",
  title: "Runs the model for some seconds more.",
};
/** The others are a press away. */
const SHOWN_ROWS = 10;

const STYLES = `
.tfjs-magic .tm-profiles table { font-size: 12px; }
.tfjs-magic .tm-profiles th:nth-child(n + 8) { text-align: left; }
.tfjs-magic .tm-profiles th:first-child { overflow-wrap: normal; }
.tfjs-magic .tm-profiles tbody th { font-weight: 400; text-align: left; }
.tfjs-magic .tm-profiles td.tm-left { max-width: 320px; overflow: hidden; text-overflow: ellipsis; }
.tfjs-magic .tm-share { background: linear-gradient(to right, color-mix(in srgb, var(--tm-accent) 35%, transparent) var(--tm-part), transparent 0); }
.tfjs-magic .tm-profiles p { margin: 4px 0; }
.tfjs-magic .tm-profiles p.tm-title { margin-top: 12px; }
`;

export class ProfilePanel {
  readonly element: HTMLElement;
  #make: Make;
  #control: TaskControl;
  #content: HTMLElement;
  /** Indices of the jobs whose rows are all shown. */
  #open = new Set<number>();

  constructor(make: Make, session: Pick<Session, "startTask">) {
    this.#make = make;
    this.#control = new TaskControl(make, "profile", WORDS, (task) => session.startTask(task));
    this.#content = make("div");
    this.element = make(
      "div",
      { class: "tm-profiles" },
      make("style", {}, STYLES),
      this.#control.element,
      this.#content,
    );
  }

  draw(view: View): void {
    const { snapshot } = view;
    const over = snapshot.status !== "running" && snapshot.status !== "pending";
    this.#control.draw(view, over ? snapshot.jobs.filter(({ status }) => status === "done") : []);
    redraw(this.#content, [...snapshot.jobs.flatMap((job, index) => this.#block(view, job, index))]);
  }

  #block(view: View, job: JobState, index: number): HTMLElement[] {
    const make = this.#make;
    const { task } = view.snapshot;
    const error =
      task?.kind === "profile" && task.status === "failed" && sameJob(task.job, job.job) ? task.error : null;
    if (!job.profile && !error) return [];
    const name = `Time per kernel: ${seriesLabel(view.snapshot, job)}`;
    const title = make("p", { class: "tm-title" }, make("strong", {}, name));
    const content = job.profile ? this.#profile(view, job, job.profile, index, name) : [];
    return [title, ...(error ? [errorBox(make, error)] : []), ...content];
  }

  #profile(view: View, job: JobState, profile: Profile, index: number, name: string): HTMLElement[] {
    const make = this.#make;
    if (profile.runs === 0) return [make("p", {}, profile.note)];
    const all = this.#open.has(index);
    const rows = all ? profile.rows : profile.rows.slice(0, SHOWN_ROWS);
    const total = kernelMs(profile);
    const ofGraph = profile.rows.some(({ node, layer }) => node !== layer);
    let before = 0;
    const body = rows.map((row) => {
      before += row.ms;
      return profileRow(make, row, total, before, ofGraph);
    });
    const heads = ofGraph ? [...HEADS, "Node"] : HEADS;
    const head = make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text))));
    const table = make("table", { "aria-label": name }, head, make("tbody", {}, ...body));
    const sentences = [totalText(profile, total, job), profile.note].map((text) => make("p", {}, text));
    const scroll = make("div", { class: "tm-scroll", tabindex: "0" }, table);
    return [scroll, ...this.#more(view, profile, index), ...sentences];
  }

  #more(view: View, profile: Profile, index: number): HTMLElement[] {
    const hidden = profile.rows.length - SHOWN_ROWS;
    if (hidden <= 0) return [];
    const all = this.#open.has(index);
    const button = this.#make("button", { type: "button", "aria-expanded": String(all) });
    button.textContent = all ? "Show fewer" : `Show ${hidden} more`;
    button.addEventListener("click", () => {
      if (!this.#open.delete(index)) this.#open.add(index);
      this.draw(view);
    });
    return [this.#make("p", {}, button)];
  }
}

function kernelMs({ rows, more_ms }: Profile): number {
  return rows.reduce((sum, { ms }) => sum + ms, more_ms);
}

function profileRow(make: Make, row: ProfileRow, total: number, before: number, ofGraph: boolean): HTMLElement {
  const share = percent(row.ms / total);
  const layer = row.layer || (ofGraph ? "–" : "(around the layers)");
  const names = ofGraph ? [layer, row.node] : [layer];
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, row.kernel),
    make("td", {}, formatMs(row.ms)),
    make("td", {}, formatMs(Number(row.error_ms.toPrecision(1)))),
    make("td", { class: "tm-share", style: `--tm-part: ${share.replace(" ", "")}` }, share),
    make("td", {}, percent(before / total)),
    make("td", {}, formatCount(row.calls)),
    make("td", {}, formatBytes(row.nbytes)),
    ...names.map((name) => make("td", { class: "tm-left", title: name }, name)),
  );
}

function percent(part: number): string {
  return `${(100 * (Number.isFinite(part) ? part : 0)).toFixed(1)} %`;
}

function totalText(profile: Profile, total: number, job: JobState): string {
  const { median: middle } = summarize(job.run_ms);
  const median = middle === null ? "" : `; the benchmark's median is ${formatMs(middle)}`;
  const more = profile.more_rows > 0 ? `${profile.more_rows} more take ${formatMs(profile.more_ms)}. ` : "";
  return `${more}Kernels take ${formatMs(total)} of a profiled run of ${formatMs(profile.profiled_ms)}; without the profiler a run takes ${formatMs(profile.plain_ms)}${median}.`;
}
