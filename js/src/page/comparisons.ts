/** Sentences on how the contenders compare with the first one, where they took turns. */
import { seriesLabel } from "../plot/series";
import type { Snapshot } from "../protocol";
import { compareRounds } from "../stats";

/** One sentence per job but the first of its series; none where the jobs ran one after the other, on the page's main thread. */
export function comparisonLines(snapshot: Snapshot): string[] {
  if (!snapshot.environment?.worker) return [];
  return snapshot.jobs.flatMap((job) => {
    const first = snapshot.jobs.find(({ series }) => series.label === job.series.label);
    const found = first && first !== job ? compareRounds(job.run_ms, first.run_ms) : null;
    if (!first || !found) return [];
    const base = seriesLabel(snapshot, first);
    const within = `${ratioText(found.low)}–${ratioText(found.high)}`;
    const name = seriesLabel(snapshot, job);
    return found.low <= 1 && found.high >= 1
      ? `${name} and ${base}: no difference that these runs could show (95 %: ${within}).`
      : `${name} takes ${ratioText(found.ratio)} times as long as ${base} (95 %: ${within}).`;
  });
}

/** Three digits, as the Python side writes them. */
function ratioText(ratio: number): string {
  return ratio >= 100 ? ratio.toFixed(0) : ratio.toPrecision(3);
}
