"use strict";
// What htmx does not do by itself: copying a command, where the focus goes, what is announced to those who do not see, and
// telling that the app has ended.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copies]");
  if (!button) return;
  const shown = document.getElementById(button.dataset.copies);
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(shown.textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  } catch {
    getSelection().selectAllChildren(shown);
    shown.focus();
  }
});

// A line of text in a long form is not the whole form: Enter there starts nothing.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("form[data-asks] input:not([type=checkbox])")) event.preventDefault();
});

// A part of the page that is replaced keeps the focus by the ids of its elements; if what had it is gone, its result gets it.
let hadFocus = false;
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, target } = event.detail;
  if (xhr.status === 400) event.detail.shouldSwap = true;
  hadFocus = target.contains(document.activeElement) && target !== document.body;
});
document.addEventListener("htmx:afterSettle", (event) => {
  const part = event.detail.target;
  if (hadFocus && document.activeElement === document.body) {
    (part.querySelector("[data-focus]") || document.getElementById("main")).focus({ preventScroll: true });
  }
  hadFocus = false;
  if (part.id === "answer") part.scrollIntoView({ block: "nearest" });
  const news = part.querySelector("[data-says]");
  const live = document.getElementById("live");
  if (news && live.textContent !== news.dataset.says) live.textContent = news.dataset.says;
});

// The bar that stays below hides nothing that has the focus, however long the command in it is.
(() => {
  const root = document.documentElement;
  const usual = 200, space = 12; // px: kept free in any case, since the bar grows; and above the bar
  let left = null; // what someone scrolled below the bar stays there
  function hidden(bar) {
    const focused = document.activeElement;
    if (!focused || focused === document.body || bar.contains(focused)) return null;
    const { top, bottom } = focused.getBoundingClientRect();
    return top < innerHeight && bottom > innerHeight - bar.offsetHeight ? focused : null;
  }
  function makeRoom() {
    const bar = document.querySelector(".command");
    if (!bar) return;
    root.style.scrollPaddingBottom = `${Math.max(usual, bar.offsetHeight + space)}px`;
    const focused = hidden(bar);
    if (focused && focused !== left) focused.scrollIntoView({ block: "nearest" });
  }
  addEventListener("scroll", () => {
    const bar = document.querySelector(".command");
    left = bar && hidden(bar);
  }, { passive: true });
  const main = document.getElementById("main");
  new ResizeObserver(makeRoom).observe(main);
  new MutationObserver(makeRoom).observe(main, { childList: true, subtree: true, characterData: true }); // before the next key
})();

// What no page can say of itself.
const NO_ANSWER = "The app does not answer. Start inveon app again; what was done is kept.";
const FAILED = "An error in the program. The window in which inveon app was started shows details.";
function trouble(words) {
  const notice = document.getElementById("trouble");
  if (!notice) return; // it was quit on this page, which says so
  notice.hidden = !words;
  if (notice.textContent !== words) notice.textContent = words;
}
document.addEventListener("htmx:sendError", () => trouble(NO_ANSWER));
document.addEventListener("htmx:responseError", (event) => {
  const { status } = event.detail.xhr;
  if (status !== 400) trouble(status === 500 ? FAILED : NO_ANSWER);
});
document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful) trouble(""); });

// Pictures come one after the other, those that are seen first: a browser asks for few things at a time, in all its tabs
// together, and other pages are to answer while pictures of large scans are drawn.
(() => {
  const waiting = new Set();
  let drawn = null;
  const isSeen = (image) => {
    const { top, bottom } = image.getBoundingClientRect();
    return bottom > -innerHeight / 2 && top < innerHeight * 1.5;
  };
  function next() {
    drawn = drawn || [...waiting].find(isSeen) || null;
    if (!drawn || drawn.src) return;
    waiting.delete(drawn);
    for (const end of ["load", "error"]) drawn.addEventListener(end, () => { drawn = null; next(); }, { once: true });
    drawn.src = drawn.dataset.src;
  }
  for (const image of document.querySelectorAll("img[data-src]")) waiting.add(image);
  for (const moved of ["scroll", "resize"]) addEventListener(moved, next, { passive: true });
  addEventListener("load", next);
})();
