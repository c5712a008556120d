/** What lab.py calls in the page; JupyterLab shows its application as `jupyterapp` when started to do so. */
globalThis.lab = {
  panel: () => jupyterapp.shell.currentWidget,
  kernel: () => lab.panel().sessionContext.session.kernel,
  async command([name, args]) {
    await jupyterapp.commands.execute(name, args); // what it gives is JupyterLab's own, too deep to hand on
  },

  isReady({ path, kernel }) {
    const panel = globalThis.jupyterapp?.shell?.currentWidget;
    if (!panel?.content?.widgets || !panel.context.isReady || !panel.context.path.endsWith(path)) return false;
    const { isReady, session } = panel.sessionContext;
    return !kernel || (isReady && session?.kernel?.connectionStatus === "connected");
  },
  kernelAnswers: async () => void (await lab.kernel().info),

  cell: (index) => lab.panel().content.widgets[index],
  count: () => lab.panel().content.widgets.length,
  outputs: (index) => lab.cell(index).model.outputs?.toJSON() ?? [],
  setSource: ([index, source]) => lab.cell(index).model.sharedModel.setSource(source),
  setCells(sources) {
    const cells = sources.map((source) => ({ cell_type: "code", source, metadata: {}, outputs: [] }));
    const shared = lab.panel().content.model.sharedModel;
    shared.transact(() => {
      shared.deleteCellRange(0, shared.cells.length);
      shared.insertCells(0, cells);
    });
  },
  select(index) {
    const notebook = lab.panel().content;
    notebook.activeCellIndex = index;
    notebook.deselectAll();
  },

  /** JupyterLab hides cells that are out of sight. */
  scrollTo: (index) => lab.panel().content.scrollToCell(lab.cell(index)),

  /** Cell index, or "all" → whether the run that was begun last goes on. */
  running: {},
  start(index) {
    lab.select(index);
    lab.cell(index).model.executionCount = null;
    lab.watch(index, jupyterapp.commands.execute("notebook:run-cell"));
  },
  startAll: () => lab.watch("all", jupyterapp.commands.execute("notebook:run-all-cells")),
  watch(key, run) {
    lab.running[key] = true;
    run.finally(() => delete lab.running[key]).catch(() => undefined);
  },
  hasEnded: (key) => !lab.running[key],
  /** JupyterLab drops a cell without a word while a new kernel is not ready for it. */
  hasRun: (index) => lab.cell(index).model.executionCount !== null,

  /** Run statements, then evaluate an expression as JSON; the kernel's answer to it. */
  async python([code, expression]) {
    const user_expressions = { value: `__import__('json').dumps(${expression})` };
    const request = { code, silent: true, store_history: false, user_expressions };
    const { content } = await lab.kernel().requestExecute(request).done;
    return content.user_expressions?.value ?? content;
  },
  restart: () => lab.kernel().restart(),

  hasTheme: (theme) => document.body.dataset.jpThemeName === theme && !document.querySelector("#jupyterlab-splash"),
  showSidebar: (shown) => (shown ? jupyterapp.shell.expandLeft() : jupyterapp.shell.collapseLeft()),
  save: () => lab.panel().context.save(),
};
