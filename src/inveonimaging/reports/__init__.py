"""A page that shows what is in Inveon files: pictures, curves, findings and the whole header, for people to judge.

`inveonimaging.reports.page.write_report` writes it; `study.read_study` reads what it is about. matplotlib draws
the pictures, Jinja2 makes the page.
"""
