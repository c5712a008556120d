/**
 * Follows JupyterLab's theme variables, VS Code's after them, the page's own scheme where there are neither. Verdict
 * colours lean towards the text's, so that they read on every background, also when the theme changes later.
 */
export const STYLES = `
.tfjs-magic {
  --tm-fg: var(--jp-ui-font-color1, var(--vscode-foreground, light-dark(#212121, #e0e0e0)));
  --tm-muted: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, light-dark(#5f5f5f, #a8a8a8)));
  --tm-border: var(--jp-border-color2, var(--vscode-panel-border, light-dark(#d0d0d0, #505050)));
  --tm-soft: var(--jp-layout-color2, var(--vscode-editorWidget-background, light-dark(#f0f0f0, #303030)));
  --tm-page: var(--jp-layout-color1, var(--vscode-editor-background, light-dark(#fff, #1e1e1e)));
  --tm-accent: var(--jp-brand-color1, var(--vscode-focusBorder, #1976d2));
  --tm-good: color-mix(in srgb, #1f9d4d 52%, var(--tm-fg)); --tm-bad: color-mix(in srgb, #e53935 55%, var(--tm-fg));
  --tm-warn: color-mix(in srgb, #e08600 70%, var(--tm-fg));
  container-type: inline-size; box-sizing: border-box; max-width: 960px; padding: 4px 2px 8px;
  color: var(--tm-fg); font: 13px/1.45 var(--jp-ui-font-family, system-ui, sans-serif); overflow-wrap: anywhere;
}
@media (forced-colors: active) {
  .tfjs-magic { --tm-fg: CanvasText; --tm-muted: CanvasText; --tm-border: CanvasText; --tm-page: Canvas; --tm-accent: Highlight; }
}
.tfjs-magic * { box-sizing: border-box; }
.tfjs-magic header { display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: start; }
.tfjs-magic .tm-models { flex: 1 1 200px; margin: 0; padding: 0; list-style: none; }
.tfjs-magic .tm-models strong { font-size: 14px; font-weight: 600; }
.tfjs-magic .tm-models span, .tfjs-magic footer { color: var(--tm-muted); }
.tfjs-magic .tm-buttons { display: flex; gap: 8px; }
.tfjs-magic button {
  font: inherit; color: inherit; background: transparent; border: 1px solid var(--tm-border); border-radius: 4px;
  padding: 3px 12px; cursor: pointer;
}
.tfjs-magic button:hover:enabled { background: var(--tm-soft); }
.tfjs-magic button:disabled { opacity: .45; cursor: default; }
.tfjs-magic :is(button, summary, input, select, textarea, .tm-plot, .tm-scroll):focus-visible { outline: 2px solid var(--tm-accent); outline-offset: 1px; }
.tfjs-magic .tm-status { display: flex; align-items: center; gap: 10px; min-height: 24px; margin: 4px 0; }
.tfjs-magic .tm-status p { flex: 1 1 auto; margin: 0; }
.tfjs-magic progress { flex: 0 1 160px; height: 6px; accent-color: var(--tm-accent); }
.tfjs-magic progress[data-off] { visibility: hidden; }
.tfjs-magic .tm-controls { margin: 4px 0; }
.tfjs-magic .tm-controls summary, .tfjs-magic .tm-error summary { cursor: pointer; color: var(--tm-muted); width: max-content; max-width: 100%; }
.tfjs-magic fieldset { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 4px 0; padding: 4px 10px 8px; border: 1px solid var(--tm-border); border-radius: 4px; min-width: 0; }
.tfjs-magic legend { padding: 0 4px; color: var(--tm-muted); font-size: 12px; }
.tfjs-magic fieldset input { margin: 0; vertical-align: -2px; accent-color: var(--tm-accent); }
.tfjs-magic input[type="number"] { width: 9ch; font: inherit; color: inherit; background: transparent; border: 1px solid var(--tm-muted); border-radius: 4px; padding: 1px 4px; vertical-align: baseline; }
.tfjs-magic .tm-plot { position: relative; overflow: hidden; margin: 2px 0 6px; touch-action: pan-y; }
.tfjs-magic .tm-plot:focus-visible { outline-offset: -2px; }
.tfjs-magic .tm-ring { position: absolute; width: 14px; height: 14px; margin: -7px 0 0 -7px; border: 2px solid var(--tm-fg); border-radius: 50%; pointer-events: none; }
.tfjs-magic .tm-tip { position: absolute; max-width: 60%; padding: 1px 8px; border: 1px solid var(--tm-border); border-radius: 4px; background: var(--tm-page); pointer-events: none; font-variant-numeric: tabular-nums; }
.tfjs-magic .tm-legend { display: grid; grid-template-columns: 22px fit-content(40%) 1fr max-content; column-gap: 8px; list-style: none; margin: 0 0 8px; padding: 0; }
.tfjs-magic .tm-legend :is(li, button) { display: grid; grid-column: 1 / -1; grid-template-columns: subgrid; align-items: center; }
.tfjs-magic .tm-legend button { padding: 2px 8px; border-color: transparent; text-align: left; }
.tfjs-magic .tm-legend button[aria-pressed="false"] .tm-name { text-decoration: line-through; color: var(--tm-muted); }
.tfjs-magic .tm-legend button[aria-pressed="false"] .tm-bar, .tfjs-magic .tm-legend button[aria-pressed="false"] svg { opacity: .35; }
.tfjs-magic .tm-value { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tfjs-magic .tm-track { position: relative; height: 10px; forced-color-adjust: none; }
.tfjs-magic .tm-bar, .tfjs-magic .tm-interval { position: absolute; top: 0; bottom: 0; left: 0; min-width: 1px; }
.tfjs-magic .tm-bar { opacity: .75; border-radius: 1px; }
.tfjs-magic .tm-interval { border: solid var(--tm-fg); border-width: 0 1px; background: linear-gradient(var(--tm-fg), var(--tm-fg)) center / 100% 1px no-repeat; }
.tfjs-magic .tm-export { display: flex; flex-wrap: wrap; gap: 6px; margin: 8px 0 4px; }
.tfjs-magic .tm-export button { padding: 1px 10px; }
.tfjs-magic .tm-told { flex: 1 1 100%; }
.tfjs-magic .tm-told:empty { display: none; }
.tfjs-magic textarea { display: block; width: 100%; margin-top: 4px; font: 12px/1.4 var(--jp-code-font-family, monospace); color: inherit; background: transparent; border: 1px solid var(--tm-muted); }
.tfjs-magic .tm-plot svg { display: block; max-width: 100%; height: auto; }
.tfjs-magic .tm-note { border-left: 3px solid var(--tm-warn); padding: 2px 10px; margin: 6px 0; }
.tfjs-magic .tm-quiet { margin: 2px 0; color: var(--tm-muted); }
.tfjs-magic .tm-error { border-left: 3px solid var(--tm-bad); padding: 2px 10px; margin: 6px 0; white-space: pre-wrap; }
.tfjs-magic pre { margin: 4px 0; white-space: pre-wrap; font-size: 11px; max-height: 200px; overflow: auto; background: none; color: inherit; }
.tfjs-magic table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
.tfjs-magic th, .tfjs-magic td { padding: 4px 8px; text-align: right; font-weight: 400; border-bottom: 1px solid var(--tm-border); vertical-align: top; }
.tfjs-magic .tm-jobs { table-layout: fixed; }
.tfjs-magic .tm-jobs > tbody > tr:not(.tm-detail) { height: 46px; }
.tfjs-magic .tm-jobs > * > tr > :nth-child(2) { width: 186px; }
.tfjs-magic .tm-jobs > * > tr > :nth-child(n + 3) { width: 84px; }
.tfjs-magic .tm-jobs > * > tr > :nth-child(3) { width: 108px; }
.tfjs-magic .tm-jobs > * > tr > :nth-child(5) { width: 118px; }
.tfjs-magic .tm-jobs > * > tr:not(.tm-detail) > :not(:first-child) { white-space: nowrap; overflow-wrap: normal; }
.tfjs-magic thead th { color: var(--tm-muted); font-size: 12px; }
.tfjs-magic th:first-child, .tfjs-magic td.tm-left { text-align: left; }
.tfjs-magic tbody th { font-weight: 600; }
.tfjs-magic .tm-swatch { display: inline-block; }
.tfjs-magic .tm-jobs > tbody > tr[data-job] > th { position: relative; padding-left: 28px; }
.tfjs-magic .tm-jobs .tm-swatch { position: absolute; left: 8px; margin-top: 3px; }
.tfjs-magic .tm-device { display: block; white-space: normal; line-height: 1.3; font-weight: 400; font-size: 11px; color: var(--tm-muted); }
.tfjs-magic .tm-software { display: inline-block; padding: 0 6px; border-radius: 3px; background: #ffd54f; color: #212121; font-weight: 700; font-size: 11px; }
.tfjs-magic .tm-comparisons { list-style: none; margin: 6px 0; padding: 0; }
.tfjs-magic .tm-ask { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; margin: 6px 0; }
.tfjs-magic .tm-ask label { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; min-width: 0; max-width: 100%; color: var(--tm-muted); }
.tfjs-magic .tm-ask button { padding: 1px 10px; }
.tfjs-magic select { min-width: 0; max-width: 36ch; font: inherit; color: var(--tm-fg); background: var(--tm-page); border: 1px solid var(--tm-muted); border-radius: 4px; padding: 1px 4px; text-overflow: ellipsis; }
.tfjs-magic .tm-layers p { margin: 8px 0 2px; }
.tfjs-magic .tm-layer-plot { overflow: hidden; } .tfjs-magic .tm-layer-plot svg { display: block; max-width: 100%; height: auto; }
.tfjs-magic .tm-tall { max-height: 320px; overflow-y: auto; } .tfjs-magic .tm-named { background: var(--tm-soft); }
.tfjs-magic .tm-inconclusive { color: var(--tm-muted); }
.tfjs-magic .tm-passed { color: var(--tm-good); } .tfjs-magic .tm-failed { color: var(--tm-bad); font-weight: 600; }
.tfjs-magic .tm-detail > td { text-align: left; padding: 2px 8px 8px; }
.tfjs-magic .tm-scroll { overflow-x: auto; overflow-wrap: normal; }
.tfjs-magic .tm-scroll td { white-space: nowrap; }
.tfjs-magic .tm-scroll th:first-child { min-width: 10ch; overflow-wrap: anywhere; }
.tfjs-magic .tm-parity { padding: 1px 8px; }
.tfjs-magic footer { font-size: 11px; margin-top: 6px; }
.tfjs-magic .tm-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.tfjs-magic [hidden] { display: none !important; }
.tfjs-magic td .tm-device { white-space: nowrap; }
@container (max-width: 820px) {
  .tfjs-magic .tm-jobs > thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .tfjs-magic .tm-jobs > tbody > tr { display: grid; grid-template-columns: repeat(auto-fit, minmax(104px, 1fr)); border-bottom: 1px solid var(--tm-border); padding: 4px 0; }
  .tfjs-magic .tm-jobs > tbody > tr:not(.tm-detail) { height: auto; }
  .tfjs-magic .tm-jobs > tbody > tr > *, .tfjs-magic .tm-jobs > tbody > tr > :nth-child(n) { border: 0; padding-block: 1px; text-align: left; width: auto; }
  .tfjs-magic .tm-jobs > tbody > tr > :nth-child(2) { grid-column: span 2; }
  .tfjs-magic .tm-jobs > tbody > tr > th, .tfjs-magic .tm-jobs > tbody > .tm-detail > td { grid-column: 1 / -1; }
  .tfjs-magic .tm-jobs td[data-label]::before { content: attr(data-label); display: block; font-size: 11px; color: var(--tm-muted); }
}
@container (max-width: 520px) {
  .tfjs-magic .tm-legend { grid-template-columns: 22px 1fr max-content; }
  .tfjs-magic .tm-track { grid-column: 2 / -1; grid-row: 2; }
}
@container (max-width: 240px) {
  .tfjs-magic .tm-jobs > tbody > tr { grid-template-columns: 100%; }
  .tfjs-magic .tm-jobs > tbody > tr > :nth-child(2) { grid-column: auto; }
}
@media (prefers-reduced-motion: no-preference) { .tfjs-magic button { transition: background .12s; } }
@media (prefers-reduced-motion) { .tfjs-magic progress:indeterminate { visibility: hidden; } }
`;
