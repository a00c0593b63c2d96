"use strict";
// Marks the field that is wrong, for eyes and for screen readers, and goes there after a button was pressed.

function marked(part) {
  const form = document.getElementById("make");
  for (const each of form.querySelectorAll("[aria-invalid]")) {
    each.removeAttribute("aria-invalid");
    each.setAttribute("aria-describedby", each.dataset.words || "");
    if (!each.dataset.words) each.removeAttribute("aria-describedby");
  }
  for (const refusal of form.querySelectorAll("[data-field]")) {
    const field = refusal.dataset.field && form.elements[refusal.dataset.field];
    if (!field || !field.setAttribute) continue;
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", [field.dataset.words, refusal.id].filter(Boolean).join(" "));
    if (!part.contains(refusal) || !("goes" in refusal.dataset)) continue;
    const folded = field.closest("details");
    if (folded) folded.open = true;
    field.focus();
  }
}

document.addEventListener("input", (event) => {  // what was refused before is not what is there now
  if (event.target.closest("#make")) document.getElementById("refused")?.remove();
});
document.addEventListener("htmx:afterSettle", (event) => {
  if (!document.getElementById("make")) return;
  if (event.detail.target.id === "refusal") document.getElementById("wrong")?.remove();  // it says the same
  marked(event.detail.target);
});
