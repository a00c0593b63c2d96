// Filters the headers' tables; texts are compared, never made into markup.
(() => {
  "use strict";
  const input = document.getElementById("search");
  const found = document.getElementById("found");
  const tables = Array.from(document.querySelectorAll("details.header"), (details) => ({
    details,
    rows: Array.from(details.querySelectorAll("tbody tr"), (row) => ({
      row,
      text: Array.from(row.cells, (cell) => cell.textContent).join(" ").toLowerCase(),
    })),
  }));
  let pending = 0;
  function search() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { details, rows } of tables) {
      let here = 0;
      for (const { row, text } of rows) {
        const fits = words.every((word) => text.includes(word));
        row.hidden = !fits;
        here += fits ? 1 : 0;
      }
      if (words.length) details.open = here > 0;
      count += here;
    }
    found.textContent = words.length ? `${count} ${count === 1 ? "line" : "lines"}` : "";
  }
  input.addEventListener("input", () => {
    clearTimeout(pending);
    pending = setTimeout(search, 80);
  });
})();
