"use strict";
// The boxes of page 3 on their pictures: dragged, or moved by keys. The app alone knows whether they fit.

(() => {
  const views = document.getElementById("views");
  if (!views) return;
  const { at, source } = views.dataset;
  const token = JSON.parse(document.body.getAttribute("hx-headers"));
  const sheet = document.getElementById("sheet");
  const names = ["low0", "high0", "low1", "high1", "low2", "high2"];
  const NEAR_PX = 8;
  const SMALLEST = 0.5;
  const rowOf = (key) => [...document.querySelectorAll("#edges tr[data-row]")].find((row) => row.dataset.row === key);
  const inputOf = (key, edge) => rowOf(key).querySelector(`[data-edge=${edge}]`);
  const end = (key, edge) => Number(inputOf(key, edge).value);
  let sending = Promise.resolve();

  // How far boxes may go along each axis: to the ends of the pictures, or of what was found beyond them.
  const limits = ["0", "1", "2"].map((axis) => {
    const ends = [...document.querySelectorAll(`#edges [data-edge=low${axis}], #edges [data-edge=high${axis}]`)].map((each) => Number(each.value));
    for (const svg of views.querySelectorAll("svg")) {
      const { x, y, width, height } = svg.viewBox.baseVal;
      if (svg.dataset.across === axis) ends.push(x, x + width);
      if (svg.dataset.down === axis) ends.push(y, y + height);
    }
    return [Math.min(...ends), Math.max(...ends)];
  });

  function draw(key) {
    for (const svg of views.querySelectorAll("svg")) {
      const { across, down } = svg.dataset;
      const group = [...svg.querySelectorAll(".box")].find((each) => each.dataset.row === key);
      const [rect, text] = [group.querySelector("rect"), group.querySelector("text")];
      const [x, y] = [end(key, `low${across}`), end(key, `low${down}`)];
      const sizes = { x, y, width: Math.max(0, end(key, `high${across}`) - x), height: Math.max(0, end(key, `high${down}`) - y) };
      for (const [name, value] of Object.entries(sizes)) rect.setAttribute(name, value);
      text.setAttribute("x", x + 1);
      text.setAttribute("y", y + 5);
    }
  }

  function put(key, edge, value) {
    inputOf(key, edge).value = Math.round(value * 10) / 10;
  }

  // Puts edges along an axis somewhere: both, or one, which stops before the other; none leaves the pictures.
  function place(key, axis, low, high, which) {
    const [first, last] = limits[axis];
    const within = (value) => Math.min(Math.max(value, first), last);
    if (which === "low") put(key, `low${axis}`, Math.min(within(low), high - SMALLEST));
    else if (which === "high") put(key, `high${axis}`, Math.max(within(high), low + SMALLEST));
    else {
      const back = Math.max(0, first - low) - Math.max(0, high - last);
      put(key, `low${axis}`, low + back);
      put(key, `high${axis}`, high + back);
    }
  }

  function keep(key) {
    const fields = { source, part: "animals", row: key };
    for (const name of names) fields[name] = inputOf(key, name).value;
    sending = sending.then(() => fetch(`${at}/box`, {
      method: "POST", body: new URLSearchParams(fields), headers: { ...token, "HX-Request": "true" }, keepalive: true,
    })).then((answer) => answer.text()).then((html) => {
      document.getElementById("lost").textContent = "";
      sheet.dispatchEvent(new CustomEvent("answer", { detail: html }));
    }).catch(() => {
      document.getElementById("lost").textContent = "The box is not kept: the app does not answer. Move it again when it does.";
    });
  }

  function pointOf(svg, event) {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return { x: at.x, y: at.y, near: NEAR_PX / svg.getScreenCTM().a };
  }

  // Which edges lie under the pointer: [along the picture, down the picture], null for none.
  function edgesAt(svg, key, point) {
    return [[svg.dataset.across, point.x], [svg.dataset.down, point.y]].map(([axis, value]) => {
      if (Math.abs(value - end(key, `low${axis}`)) < point.near) return "low";
      return Math.abs(value - end(key, `high${axis}`)) < point.near ? "high" : null;
    });
  }

  views.addEventListener("pointermove", (event) => {
    const group = event.target.closest(".box");
    if (!group || event.buttons) return;
    const [across, down] = edgesAt(group.ownerSVGElement, group.dataset.row, pointOf(group.ownerSVGElement, event));
    group.classList.toggle("across", Boolean(across));
    group.classList.toggle("down", Boolean(down));
  });

  views.addEventListener("pointerdown", (event) => {
    const group = event.target.closest(".box");
    if (!group || event.button) return;
    const [svg, key] = [group.ownerSVGElement, group.dataset.row];
    const begin = pointOf(svg, event);
    const [across, down] = edgesAt(svg, key, begin);
    const first = names.map((name) => inputOf(key, name).value);
    const whole = !across && !down;
    event.preventDefault();
    group.focus();
    group.classList.add("moved");
    const exact = Object.fromEntries(names.map((name) => [name, end(key, name)]));
    const moved = (now) => {
      const here = pointOf(svg, now);
      for (const [axis, by, which] of [[svg.dataset.across, here.x - begin.x, across], [svg.dataset.down, here.y - begin.y, down]]) {
        const [low, high] = [exact[`low${axis}`], exact[`high${axis}`]];
        if (whole) place(key, axis, low + by, high + by, null);
        else if (which) place(key, axis, which === "low" ? low + by : low, which === "high" ? high + by : high, which);
      }
      draw(key);
    };
    const over = () => {
      svg.removeEventListener("pointermove", moved);
      svg.removeEventListener("pointerup", over);
      svg.removeEventListener("pointercancel", over);
      group.classList.remove("moved");
      if (names.some((name, n) => inputOf(key, name).value !== first[n])) keep(key);
    };
    svg.setPointerCapture(event.pointerId);
    svg.addEventListener("pointermove", moved);
    svg.addEventListener("pointerup", over);
    svg.addEventListener("pointercancel", over);
  });

  const arrows = { ArrowLeft: ["across", -1], ArrowRight: ["across", 1], ArrowUp: ["down", -1], ArrowDown: ["down", 1] };
  const waits = new Map(); // timers of boxes that keys moved, by row
  views.addEventListener("keydown", (event) => {
    const group = event.target.closest(".box");
    const arrow = arrows[event.key];
    if (!group || !arrow || event.altKey || event.metaKey) return;
    event.preventDefault();
    const axis = group.ownerSVGElement.dataset[arrow[0]];
    const [key, by, which] = [group.dataset.row, arrow[1], event.shiftKey ? "high" : event.ctrlKey ? "low" : null];
    place(key, axis, end(key, `low${axis}`) + (which === "high" ? 0 : by), end(key, `high${axis}`) + (which === "low" ? 0 : by), which);
    draw(key);
    clearTimeout(waits.get(key));
    waits.set(key, setTimeout(() => { waits.delete(key); keep(key); }, 300));
  });
  window.addEventListener("pagehide", () => { for (const key of waits.keys()) keep(key); });
  sheet.addEventListener("saving", (event) => {
    for (const [key, timer] of waits) { clearTimeout(timer); keep(key); }
    waits.clear();
    event.detail.push(sending);
  });

  document.getElementById("edges").addEventListener("change", (event) => {
    const key = event.target.closest("tr").dataset.row;
    draw(key);
    keep(key);
  });

  // The name of a box is the position in its row of the table.
  sheet.addEventListener("shown", label);
  function label() {
    for (const row of sheet.querySelectorAll("tbody tr")) {
      const key = decodeURIComponent(row.dataset.row);
      const name = row.querySelector("[data-title=position]").value;
      for (const group of views.querySelectorAll(".box")) {
        if (group.dataset.row !== key) continue;
        group.querySelector("text").textContent = name;
        group.setAttribute("aria-label", `${name}, ${group.ownerSVGElement.previousElementSibling.firstChild.textContent.trim()}`);
      }
      const edges = rowOf(key);
      if (edges) edges.cells[0].textContent = name;
    }
  }
})();
