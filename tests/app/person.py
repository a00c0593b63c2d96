"""Someone who uses the app in a browser by the keyboard alone, and notices what a page does wrong meanwhile."""

from __future__ import annotations

from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from browser import console, events

WAIT_S = 30  # for a page of a busy computer
_MOST_TABS = 120
_TAB = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
_SHIFTS = """window.shifts = [];
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) if (!each.hadRecentInput) window.shifts.push(each.value);
}).observe({type: 'layout-shift', buffered: true})"""
_FOCUSED = """const it = document.activeElement;
if (!it || it === document.body) return null;
const [box, style] = [it.getClientRects()[0], getComputedStyle(it)];
const clip = (at, size, most) => Math.min(Math.max(at + size / 2, 1), most - 1);
const rect = it.querySelector(':scope > rect');  // of a box in a picture, through others
const all = document.elementsFromPoint(clip(box.x, box.width, innerWidth), clip(box.y, box.height, innerHeight));
const over = rect ? all.find((each) => it.contains(each)) : all[0];
const labels = [...(it.labels || [])].map((each) => each.textContent).join(' ');
const name = (it.getAttribute('aria-label') || labels || it.textContent).trim().replace(/\\s+/g, ' ');
const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
const seen = inside && Boolean(over) && it.contains(over);
const [line, width] = rect ? ['solid', getComputedStyle(rect).strokeWidth] : [style.outlineStyle, style.outlineWidth];
const marked = line !== 'none' && parseFloat(width) >= 2;
return [name, seen, marked]"""


class Person:
    """Goes by the Tab key, presses keys, reads.

    Attributes:
        pressed: how many buttons, links and boxes.
        typed: how many texts.
        bad: what was wrong with what had the focus: not seen, or not marked.
        shifts: the sum of layout shifts that no one caused, by page.
    """

    def __init__(self, chrome: Chrome) -> None:
        self.chrome = chrome
        self.pressed = self.typed = 0
        self.bad: list[str] = []
        self.shifts: dict[str, float] = {}
        chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _SHIFTS})

    def go_to(self, words: str) -> None:
        """Press Tab until what these words name has the focus."""
        self.see(words.partition(" of ")[0])
        for _ in range(_MOST_TABS):
            if self.tab() == words:
                return
        raise AssertionError(f"no Tab leads to '{words}'")

    def tab(self) -> str:
        """Press Tab; return the name of what has the focus."""
        self.chrome.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "rawKeyDown", **_TAB})
        found = self.chrome.execute_script(_FOCUSED)
        if found is None:
            return ""
        name, is_seen, is_marked = found
        if not is_seen:
            self.bad.append(f"{name}: has the focus and is not seen")
        if not is_marked:
            self.bad.append(f"{name}: has the focus and no mark")
        return str(name)

    def press(self, words: str, key: str = Keys.ENTER) -> None:
        """Go to a button, link or box, and press it."""
        self.go_to(words)
        self.pressed += 1
        self.leave()
        self.key(key)

    def type(self, words: str, text: str) -> None:
        """Go to a field, and type."""
        self.go_to(words)
        self.typed += 1
        self.key(text)

    def key(self, *keys: str) -> None:
        """Press keys."""
        ActionChains(self.chrome).send_keys(*keys).perform()

    def see(self, words: str) -> None:
        """Wait until words are on the page, or the name of something on it."""
        script = """return document.readyState === 'complete' && (document.body?.innerText.includes(arguments[0]) ||
        [...document.querySelectorAll('[aria-label]')].some((it) => it.ariaLabel.includes(arguments[0])))"""
        WebDriverWait(self.chrome, WAIT_S, 0.25).until(lambda _: self.chrome.execute_script(script, words))

    def leave(self) -> None:
        """Remember how much the page moved by itself."""
        page, shift = self.chrome.execute_script(
            "return [location.pathname, (window.shifts || []).reduce((sum, each) => sum + each, 0)]"
        )
        name = "/".join(str(page).split("/")[2:])
        self.shifts[name] = max(float(shift), self.shifts.get(name, 0.0))

    def focused(self) -> str:
        """Return the name of what has the focus."""
        found = self.chrome.execute_script(_FOCUSED)
        return str(found[0]) if found else ""


def heard(chrome: Chrome, port: int) -> list[str]:
    """Return what a page did that none may: a request elsewhere, a dialog, words in the console."""
    messages = [each["message"] for each in console(chrome)]
    for event in events(chrome):
        if event["method"] == "Page.javascriptDialogOpening":
            messages.append(f"dialog: {event['params']['message']}")
        if event["method"] == "Network.requestWillBeSent":
            address = event["params"]["request"]["url"]
            if not address.startswith((f"http://127.0.0.1:{port}/", "data:", "blob:", "about:")):
                messages.append(f"request: {address}")
    return messages
