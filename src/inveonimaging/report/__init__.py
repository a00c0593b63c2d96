"""A page that shows what is in Inveon files: pictures, curves, findings and the whole header, for people to judge.

`inveonimaging.report.page.write_report` writes it; `study.read_study` reads what it is about. What draws needs the
extra `[report]`: matplotlib for the pictures, Jinja2 for the page.
"""
