/** The results as text and picture, for readers elsewhere. */
import { formatMs, formatRange } from "../format";
import { latencyPicture } from "../plot/picture";
import { backendLabel, modelLabel } from "../plot/series";
import type { JobState, Snapshot } from "../protocol";
import { summarize } from "../stats";
import { comparisonLines } from "./comparisons";
import { environmentText } from "./environment";

const PUBLISHED = { ink: "#222", paper: "#fff" };
const MAX_NAME_CHARS = 60;
const PNG_SCALE = 2;

/** "mobilenet-vs-small": what the models are called, as far as files may be called so. */
export function fileStem({ models }: Snapshot): string {
  const words = models.map(({ label }) => label.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[-.]+|[-.]+$/g, ""));
  return words.filter(Boolean).join("-vs-").slice(0, MAX_NAME_CHARS) || "benchmark";
}

/** The table, the comparisons and where they were measured. */
export function toMarkdown(snapshot: Snapshot): string {
  const heads = ["Model", "Backend", "Against Python", "Load", "First run", "Median", "95 %", "p90", "Runs"];
  const rows = snapshot.jobs.map((job) => {
    const { count, median, interval, p90 } = summarize(job.run_ms);
    const range = interval ? formatRange(...interval) : "–";
    const times = [formatMs(job.load_ms), formatMs(job.first_ms), formatMs(median), range, formatMs(p90)];
    return [modelLabel(snapshot, job), backendLabel(job), verdictText(job), ...times, String(count)];
  });
  const rule = heads.map((_, i) => (i < 3 ? "---" : "---:"));
  const table = [heads, rule, ...rows].map((cells) => `| ${cells.map(cell).join(" | ")} |`);
  const lines = comparisonLines(snapshot).map((line) => `- ${line}`);
  const environment = snapshot.environment ? [environmentText(snapshot.environment)] : [];
  return [table, lines, environment]
    .filter((part) => part.length > 0)
    .map((part) => `${part.join("\n")}\n`)
    .join("\n");
}

function verdictText({ parity, error }: JobState): string {
  return parity ? parity.status.replaceAll("_", " ") : error ? "failed" : "–";
}

/** Names are the model's: they must not end a cell or begin a tag. */
function cell(text: string): string {
  return text
    .trim()
    .replace(/\s+/g, " ")
    .replace(/[\\|`*_<>[\]]/g, (mark) => `\\${mark}`);
}

/** A row per timed call, with the columns of BenchmarkResult.to_dataframe(). */
export function toCsv(snapshot: Snapshot): string {
  const rows = snapshot.jobs.flatMap((job) => {
    const phases = { first: job.first_ms === null ? [] : [job.first_ms], warmup: job.warmup_ms, run: job.run_ms };
    const label = snapshot.models[job.job.model]?.label ?? "";
    const names = [label, job.actual ?? job.job.backend ?? "auto", job.series.label];
    return Object.entries(phases).flatMap(([phase, times]) => times.map((ms, index) => [...names, phase, index, ms]));
  });
  const heads = ["model", "backend", "series", "phase", "index", "latency_ms"];
  return [heads, ...rows].map((row) => `${row.map(csvField).join(",")}\r\n`).join("");
}

/**
 * What begins so is a formula to a spreadsheet, and a name may come from anywhere. As OWASP says (CSV Injection): in
 * quotes, with an apostrophe before it, which is all that another reader gets beside the name.
 */
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;

function csvField(value: string | number): string {
  if (typeof value === "number") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return text !== value || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function toSvg(document: Document, snapshot: Snapshot): string {
  return latencyPicture(document, snapshot, PUBLISHED);
}

/** The picture with two pixels for one, for screens that have them. */
export async function toPng(document: Document, snapshot: Snapshot): Promise<Blob> {
  const image = document.createElement("img");
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(toSvg(document, snapshot))}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [PNG_SCALE * image.naturalWidth, PNG_SCALE * image.naturalHeight];
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve));
  if (!blob) throw new Error("The browser cannot write PNG here. Save the SVG instead.");
  return blob;
}
