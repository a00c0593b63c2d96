"""Taking out of headers what identifies someone: text in, text out, before anything else reads it. Knows no DICOM.

The rows of `inveon.hdr.fields` say what happens to each key; `context` looks at the headers of a study together;
`free_text` finds what text must not hold; and `header_text.redacted` takes out of each header what the rows say. What
cannot be found in that text cannot be written.
"""
