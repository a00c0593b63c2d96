"""No page is left out where all pages are looked at."""

from __future__ import annotations

from pathlib import Path

from app import every_page
from app.driving import front_of, opened
from inveonimaging.app.serving import server
from inveonimaging.app.serving.guard import Guard


def test_each_page_of_the_app_is_in_the_list_for_axe(tmp_path: Path) -> None:
    root = tmp_path / "data"
    study = every_page.prepared(root)
    front = front_of(root)
    application = server.application(front)
    assert isinstance(application, Guard)
    shown = {each.path for each in application._app.routes if "GET" in each.methods}  # type: ignore[attr-defined]
    pages = every_page.addresses(root)
    assert shown == {*pages, *every_page.NO_PAGES}, "a row in every_page.addresses"
    every_page.filled(front, study)
    client = opened(front)
    titles = set()
    for address in (each for some in pages.values() for each in some):
        html = client.get(address).text
        assert html.count("<h1") == html.count("<title>") == html.count('<html lang="en">') == 1, address
        titles.add(html.split("<title>")[1].split("</title>")[0])
    front.close()
    assert {"Choose · inveon", "Look at study · inveon", "Results · inveon"} <= titles
