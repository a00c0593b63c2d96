"""`inveon app`: a front for people who use no terminal, as pages in a browser of the same computer.

It calls the functions that the commands call. Nothing leaves the computer unless it is sent, and nobody else can use
it: `guard` checks every request. Only here are Starlette and uvicorn imported.
"""
