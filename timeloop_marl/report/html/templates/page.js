"use strict";
(() => {
  const keyOf = (row, column) => {
    const cell = row.children[column];
    return cell.dataset.number === undefined ? cell.textContent.trim() : Number(cell.dataset.number);
  };

  // Numbers before texts, either way: rows without a figure stay at the end.
  const compare = (a, b, sign) => {
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return sign * (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));
  };

  const sort = (button) => {
    const heading = button.closest("th");
    const table = button.closest("table");
    const column = Number(button.dataset.sort);
    const first = heading.classList.contains("number") ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = heading.getAttribute("aria-sort") === first ? other : first;
    for (const each of table.querySelectorAll("thead th")) each.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => compare(keyOf(a, column), keyOf(b, column), sign));
    table.tBodies[0].append(...rows);
  };

  const filter = (input) => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...document.getElementById(input.dataset.filter).querySelectorAll("tbody tr")];
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) shown += 1;
    }
    const count = input.parentElement.querySelector("output");
    count.textContent = words.length ? `${shown} of ${rows.length} rows` : `${rows.length} rows`;
  };

  const save = (blob, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  // The picture as it is shown, in light colours on white, with the style it needs.
  const standalone = (figure) => {
    const shown = [...figure.querySelectorAll("svg")].find((svg) => svg.getBoundingClientRect().width > 0);
    const copy = shown.cloneNode(true);
    const space = "http://www.w3.org/2000/svg";
    const style = document.createElementNS(space, "style");
    style.textContent = document.getElementById("export-style").content.textContent;
    const paper = document.createElementNS(space, "rect");
    for (const name of ["width", "height"]) paper.setAttribute(name, shown.getAttribute(name));
    paper.setAttribute("class", "f-surface");
    copy.prepend(style, paper);
    return new XMLSerializer().serializeToString(copy);
  };

  const save_png = (text, name) => {
    const picture = new Image();
    picture.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = 3 * picture.naturalWidth;
      canvas.height = 3 * picture.naturalHeight;
      const pen = canvas.getContext("2d");
      pen.scale(3, 3);
      pen.drawImage(picture, 0, 0);
      canvas.toBlob((blob) => save(blob, `${name}.png`), "image/png");
    };
    picture.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text);
  };

  const save_picture = (button) => {
    const figure = button.closest("figure");
    const text = standalone(figure);
    if (button.dataset.export === "png") save_png(text, figure.dataset.name);
    else save(new Blob([text], { type: "image/svg+xml" }), `${figure.dataset.name}.svg`);
  };

  // A link to a folded part opens it.
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    if (target) target.scrollIntoView();
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.sort !== undefined) sort(button);
    else if (button.dataset.export) save_picture(button);
  });
  document.addEventListener("input", (event) => {
    if (event.target.dataset.filter) filter(event.target);
  });
  // On paper everything is open, unless that would be a book.
  window.addEventListener("beforeprint", () => {
    const folds = [...document.querySelectorAll("details")];
    if (folds.length <= 12) for (const fold of folds) fold.open = true;
  });
  window.addEventListener("hashchange", unfold);
  unfold();
})();
