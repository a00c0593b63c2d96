"""Taking out of headers what tells who someone is: text in, text out, before anything else reads it. Knows no DICOM.

`profile` is the table of what happens to each key; `cover.cover_of` looks at the headers of a study together; `kept`
tells what free text must not hold; and `text.covered` takes out of each header what the table says. What cannot be
found in that text cannot be written.
"""
