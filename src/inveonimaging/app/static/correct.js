"use strict";
// The table of page 3: keys, pasting, and what was typed goes to the app, which alone knows what is right.

(() => {
  const sheet = document.getElementById("sheet");
  if (!sheet) return;
  const { at, source, page, part = "" } = sheet.dataset;
  const token = JSON.parse(document.body.getAttribute("hx-headers"));
  const waiting = new Map(); // what was typed and is not kept yet, by the cell
  const store = `typed ${source}`; // the same, of a page that is left before the app has answered
  let sending = Promise.resolve();
  let timer = 0;

  sheet.addEventListener("answer", (event) => show(event.detail)); // of a box that was moved

  const cellOf = (element) => element.closest && element.closest("td[role=gridcell]");
  const inputs = (row) => [...row.querySelectorAll("input[data-title]")];
  const fieldsOf = (cell, text) => ({
    source, page, part, row: cell.parentElement.dataset.row, title: cell.querySelector("input").dataset.title, text,
  });

  async function send(path, fields) {
    const answer = await fetch(`${at}/${path}`, {
      method: "POST", body: new URLSearchParams(fields), keepalive: true,
      headers: { ...token, "HX-Request": "true" },
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${answer.status}`);
    return text;
  }

  function keep(cell) {
    const input = cell.querySelector("input");
    if (input.value === (input.dataset.kept ?? input.defaultValue)) return;
    input.dataset.kept = input.value;
    const isBack = input.value === input.dataset.first && input.dataset.own === "";
    waiting.set(cell.id, fieldsOf(cell, isBack ? "" : input.value)); // what was not typed here is none again
    cell.classList.add("waits");
    sending = sending.then(flush);
  }

  async function flush() {
    for (const [id, fields] of [...waiting]) {
      try {
        const html = await send("cell", fields);
        if (waiting.get(id) === fields) waiting.delete(id);
        lost("");
        show(html);
      } catch {
        lost("What was typed is not kept yet: the app does not answer. It is tried again.");
        setTimeout(() => { sending = sending.then(flush); }, 2000);
        return;
      }
    }
  }

  function lost(words) {
    const place = document.getElementById("lost");
    if (place.textContent !== words) place.textContent = words;
  }

  // What was saved is not what is typed any more, so that the page does not say so.
  function freshen(part) {
    if (part.querySelector("[data-unsaved]")) document.getElementById("saved").replaceChildren();
  }
  sheet.addEventListener("htmx:afterSwap", () => freshen(sheet));

  // Puts the app's answer into the table, cell by cell: what is being typed stays, unless a block was pasted over it.
  function show(html, isPasted = false) {
    const made = document.createElement("template");
    made.innerHTML = html;
    const table = made.content.querySelector("table");
    if (!table) { lost(made.content.textContent.trim()); return; }
    freshen(made.content);
    const here = sheet.querySelector("table");
    const focused = document.activeElement;
    const id = cellOf(focused)?.id;
    const titles = (each) => each.tHead.textContent;
    if (titles(table) !== titles(here)) {
      if (waiting.size || (id && focused.value !== (focused.dataset.kept ?? focused.defaultValue))) return;
      sheet.innerHTML = html;
      if (id) document.getElementById(id)?.querySelector("input").focus();
      return;
    }
    for (const place of ["#state", "#unfit"]) sheet.querySelector(place).innerHTML = made.content.querySelector(place).innerHTML;
    for (const row of [...table.tBodies[0].rows]) {
      for (const cell of [...row.cells]) {
        const old = document.getElementById(cell.id);
        if (old && !waiting.has(cell.id)) put(old, cell, old.contains(focused), isPasted);
      }
    }
    sheet.dispatchEvent(new CustomEvent("shown"));
  }

  function put(old, cell, isFocused, isPasted) {
    const [before, after] = [old.querySelector("input"), cell.querySelector("input")];
    if (before && after) {
      if (isFocused && isPasted) {
        before.value = before.dataset.kept = before.dataset.first = after.value;
        before.dataset.own = cell.classList.contains("typed") ? "yes" : "";
        before.select();
      }
      const typing = isFocused && before.value !== (before.dataset.kept ?? before.defaultValue);
      if (typing) return;
      if (isFocused) { // the text under the cursor stays until the cell is left
        before.dataset.kept = before.value;
        before.dataset.then = after.value;
        old.className = cell.className;
        old.querySelector(".why")?.remove();
        const why = cell.querySelector(".why");
        if (why) old.append(why);
        for (const name of ["aria-invalid", "aria-describedby"]) {
          if (after.hasAttribute(name)) before.setAttribute(name, after.getAttribute(name));
          else before.removeAttribute(name);
        }
        return;
      }
    }
    if (old.outerHTML !== cell.outerHTML || (before && before.value !== after.value)) old.replaceWith(cell);
  }

  function go(input, down, across) {
    const row = input.closest("tr");
    let target = null;
    if (down) {
      let next = row;
      do next = down > 0 ? next.nextElementSibling : next.previousElementSibling;
      while (next && !inputs(next).length);
      target = next && inputs(next).find((each) => each.dataset.title === input.dataset.title);
    } else {
      target = inputs(row)[inputs(row).indexOf(input) + across];
    }
    if (target) { target.focus(); target.select(); }
    return Boolean(target);
  }

  sheet.addEventListener("keydown", (event) => {
    const input = event.target;
    if (!cellOf(input) || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const whole = input.selectionStart === 0 && input.selectionEnd === input.value.length;
    const moves = {
      ArrowDown: () => go(input, 1, 0),
      ArrowUp: () => go(input, -1, 0),
      ArrowLeft: () => (whole || input.selectionEnd === 0) && go(input, 0, -1),
      ArrowRight: () => (whole || input.selectionStart === input.value.length) && go(input, 0, 1),
      Enter: () => { if (!go(input, event.shiftKey ? -1 : 1, 0)) keep(cellOf(input)); return true; },
      Escape: () => { input.value = input.dataset.first ?? input.defaultValue; input.select(); keep(cellOf(input)); return true; },
    };
    if (event.shiftKey && event.key !== "Enter") return;
    if (moves[event.key] && moves[event.key]()) event.preventDefault();
  });

  sheet.addEventListener("focusin", (event) => {
    const cell = cellOf(event.target);
    if (!cell) return;
    event.target.dataset.first = event.target.value;
    event.target.dataset.own = cell.classList.contains("typed") ? "yes" : "";
    event.target.select();
  });
  sheet.addEventListener("focusout", (event) => {
    const cell = cellOf(event.target);
    if (!cell) return;
    clearTimeout(timer);
    const { then } = event.target.dataset;
    if (then !== undefined && event.target.value === event.target.dataset.kept) {
      event.target.value = then;
      event.target.dataset.kept = then;
    }
    keep(cell);
  });
  sheet.addEventListener("input", (event) => {
    const cell = cellOf(event.target);
    if (!cell) return;
    clearTimeout(timer);
    timer = setTimeout(() => keep(cell), 500);
  });
  window.addEventListener("pagehide", () => {
    const cell = cellOf(document.activeElement);
    if (cell) keep(cell);
    if (waiting.size) sessionStorage.setItem(store, JSON.stringify([...waiting]));
  });
  for (const [id, fields] of JSON.parse(sessionStorage.getItem(store) || "[]")) waiting.set(`${id} of before`, fields);
  sessionStorage.removeItem(store);
  if (waiting.size) sending = sending.then(flush);

  // Saving waits until all that was done before is kept: cells here, and boxes on the pictures.
  document.addEventListener("htmx:confirm", (event) => {
    if (!event.detail.path.endsWith("/correct/save")) return;
    event.preventDefault();
    const others = [];
    sheet.dispatchEvent(new CustomEvent("saving", { detail: others }));
    Promise.all([sending, ...others]).then(() => { if (!waiting.size) event.detail.issueRequest(true); });
  });

  sheet.addEventListener("paste", (event) => {
    const cell = cellOf(event.target);
    if (!cell) return;
    const text = event.clipboardData.getData("text/plain");
    const block = text.replace(/\r?\n$/, "");
    if (!/[\t\r\n]/.test(block)) return;
    event.preventDefault();
    clearTimeout(timer); // what was being typed there is pasted over
    sending = sending.then(flush).then(() => send("paste", fieldsOf(cell, text))).then((html) => show(html, true), () => {
      lost("The block could not be pasted: the app does not answer, or it is too large.");
    });
  });
})();
