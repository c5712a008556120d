/** How "Try it" looks. */
export const TRY_STYLES = `
.tfjs-magic .tm-try { margin: 12px 0; padding: 8px 12px; border: 1px solid var(--tm-border); border-radius: 6px; }
.tfjs-magic .tm-try[data-over] { border-color: var(--tm-accent); outline: 1px solid var(--tm-accent); }
.tfjs-magic .tm-try p { margin: 4px 0; } .tfjs-magic .tm-try p:empty { display: none; }
.tfjs-magic .tm-drop { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 12px; }
.tfjs-magic .tm-choose { position: relative; padding: 3px 12px; border: 1px solid var(--tm-border); border-radius: 4px; cursor: pointer; }
.tfjs-magic .tm-choose input { position: absolute; inset: 0; width: 100%; opacity: 0; cursor: pointer; }
.tfjs-magic .tm-choose:focus-within { outline: 2px solid var(--tm-accent); outline-offset: 1px; }
.tfjs-magic .tm-choose:hover { background: var(--tm-soft); }
.tfjs-magic .tm-try[data-busy] .tm-choose { opacity: .45; } .tfjs-magic .tm-try[data-busy] input { cursor: default; }
.tfjs-magic .tm-hint, .tfjs-magic .tm-range { color: var(--tm-muted); }
.tfjs-magic .tm-range { margin-left: auto; }
.tfjs-magic .tm-range select { font: inherit; color: var(--tm-fg); background: var(--tm-page); border: 1px solid var(--tm-muted); border-radius: 4px; padding: 1px 4px; }
.tfjs-magic .tm-seen { width: 96px; height: 96px; object-fit: contain; border-radius: 4px; background: var(--tm-soft); }
.tfjs-magic .tm-top { max-width: 560px; }
.tfjs-magic .tm-top :is(th, td) { border: 0; padding: 2px 8px 2px 0; vertical-align: middle; }
.tfjs-magic .tm-top td { white-space: nowrap; } .tfjs-magic .tm-top th { width: 32%; font-weight: 400; overflow-wrap: break-word; }
.tfjs-magic .tm-top tr:first-child th { font-weight: 600; }
.tfjs-magic .tm-top-track { width: 50%; }
.tfjs-magic .tm-top-bar { display: block; height: 10px; border-radius: 1px; background: var(--tm-accent); opacity: .75; }
@media (hover: none) { .tfjs-magic .tm-hint { display: none; } }
@container (max-width: 520px) {
  .tfjs-magic .tm-hint { display: none; } .tfjs-magic .tm-choose { padding-block: 9px; }
}
`;
