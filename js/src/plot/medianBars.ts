/** The medians of several contenders as bars with their intervals. */
import { summarize } from "../stats";
import type { Series } from "./series";

/** Shares of the longest bar; `interval` is null below six runs. */
export type MedianBar = { length: number; interval: [low: number, high: number] | null };

/** One bar per series; null where nothing was measured. */
export function medianBars(series: readonly Series[]): (MedianBar | null)[] {
  const summaries = series.map(({ runMs }) => summarize(runMs));
  const longest = Math.max(...summaries.map(({ median, interval }) => Math.max(median ?? 0, interval?.[1] ?? 0)));
  const share = (ms: number) => (longest > 0 ? ms / longest : 0);
  return summaries.map(({ median, interval }) =>
    median === null ? null : { length: share(median), interval: interval && [share(interval[0]), share(interval[1])] },
  );
}
