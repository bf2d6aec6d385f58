// Draws each figure from the JSON beside it, and serves its list of series and its zoom button.
"use strict";
(function () {
  // Only these buttons: some versions of Plotly bring others, which send the figure to a server.
  const buttons = ["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"];
  const config = { responsive: true, displaylogo: false, modeBarButtons: [buttons], plotlyServerURL: "" };
  const plots = [];

  function fitted(layout, width) {
    if (width >= 600) return layout;
    const margin = Object.assign({}, layout.margin, { l: 44, r: 8, t: 8 });
    return Object.assign({}, layout, { margin, font: Object.assign({}, layout.font, { size: 12 }) });
  }

  function draw(holder) {
    const plot = holder.querySelector(".plot");
    const read = (node) => JSON.parse(node.textContent);
    const figures = Array.from(holder.querySelectorAll("script[type='application/json']"));
    const select = holder.querySelector("select");
    const button = holder.querySelector("button");
    let whole = false;

    function show() {
      const figure = read(figures[select ? select.selectedIndex : 0]);
      const layout = fitted(figure.layout, plot.clientWidth);
      const zoomed = Boolean(layout.meta && layout.meta.zoomed);
      if (button) {
        button.hidden = !zoomed;
        button.textContent = whole ? "Show the recent part" : "Show the whole history";
      }
      if (zoomed && whole) {
        for (const axis of [layout.xaxis, layout.yaxis]) {
          delete axis.range;
          axis.autorange = true;
        }
      }
      if (select) plot.setAttribute("aria-label", holder.dataset.title + ": " + select.value);
      // On a phone the buttons would lie over the legend.
      const bar = { displayModeBar: plot.clientWidth >= 600 ? "hover" : false };
      return Plotly.react(plot, figure.data, layout, Object.assign({}, config, bar));
    }

    if (select) select.addEventListener("change", show);
    if (button) {
      button.addEventListener("click", function () {
        whole = !whole;
        show();
      });
    }
    show();
    plots.push(plot);
  }

  document.querySelectorAll("figure[data-title]").forEach(draw);
  // Paper is narrower than most screens, and a drawn figure does not shrink by itself.
  window.addEventListener("beforeprint", () => plots.forEach((p) => Plotly.relayout(p, { width: 670 })));
  window.addEventListener("afterprint", () => plots.forEach((p) => Plotly.relayout(p, { width: null, autosize: true })));
})();
