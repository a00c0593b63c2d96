"""What XNAT's Container Service 3.7.3 does with a command, as far as these tests need it.

Facts from its source (github.com/NrgXnat/container-service, tag of version 3.7.3): `model/command/auto/Command.java`
(fields, `validate`), `services/impl/CommandResolutionServiceImpl.java` (`resolveCommandInput`,
`checkForIllegalInputValue`, `getValueForCommandLine`, `resolveTemplate`, `resolveEnvironmentVariables`),
`utils/ShellSplitter.java`, and `api/DockerControlApi.java`: unless the entry point is overridden, the split command
line is the list of the entry point's arguments, and no shell is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]

ILLEGAL = (";", "&&", "||", "`", "(")
RESERVED = {"XNAT_USER", "XNAT_PASS", "XNAT_HOST"}
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_TAGGED = re.compile(r".+:[a-zA-Z0-9_.-]+$")
_JSONPATH = re.compile(r"\^(wrapper:)?(.+)\^")

_INPUT = {
    "name", "label", "description", "type", "required", "matcher", "default-value", "replacement-key",
    "command-line-flag", "command-line-separator", "true-value", "false-value", "sensitive", "select-values",
    "multiple-delimiter",
}  # fmt: skip
_EXTERNAL = {
    "name", "label", "description", "type", "matcher", "provides-value-for-command-input",
    "provides-files-for-command-mount", "via-setup-command", "default-value", "user-settable", "replacement-key",
    "required", "load-children", "sensitive",
}  # fmt: skip
_DERIVED = _EXTERNAL | {"derived-from-wrapper-input", "derived-from-xnat-object-property", "multiple", "parser"}
FIELDS: Mapping[str, set[str]] = {
    "command": {
        "name", "label", "description", "version", "schema-version", "info-url", "image", "container-name", "type",
        "index", "hash", "working-directory", "command-line", "command-metadata", "override-entrypoint", "mounts",
        "environment-variables", "ports", "inputs", "outputs", "xnat", "reserve-memory", "limit-memory", "limit-cpu",
        "runtime", "ipc-mode", "auto-remove", "shm-size", "network", "container-labels", "gpus", "generic-resources",
        "ulimits", "secrets", "visibility",
    },
    "mounts": {"name", "writable", "path"},
    "inputs": _INPUT,
    "outputs": {"name", "description", "required", "mount", "path", "glob"},
    "xnat": {"name", "label", "description", "contexts", "external-inputs", "derived-inputs", "output-handlers"},
    "external-inputs": _EXTERNAL,
    "derived-inputs": _DERIVED,
    "output-handlers": {
        "name", "accepts-command-output", "as-a-child-of", "via-wrapup-command", "type", "xsi-type", "label", "format",
        "description", "content", "tags",
    },
}  # fmt: skip
_ABOVE = {
    "Subject": {"Project"},
    "Session": {"Project", "Subject"},
    "Scan": {"Project", "Subject", "Session"},
    "Assessor": {"Project", "Subject", "Session"},
    "Resource": {"Project", "Subject", "Session", "Assessor", "Scan"},
}
_MOUNTABLE = {"Project", "Session", "Scan", "Assessor", "Resource"}
_INPUT_TYPES = {"string", "boolean", "number", "select-one", "select-many", "file"}


def problems(command: Json) -> Iterator[str]:
    """Yield what is wrong with a command of type docker."""
    yield from _unknown(command, "command")
    if command.get("schema-version") != "1.0" or command.get("type") != "docker":
        yield "schema-version and type are not 1.0 and docker"
    if not _TAGGED.match(command.get("image", "")):
        yield "the image has no tag"
    mounts, inputs, outputs = (command.get(key, []) for key in ("mounts", "inputs", "outputs"))
    for key in ("mounts", "inputs", "outputs", "xnat"):
        yield from _unknown_and_doubled(command.get(key, []), key)
    yield from (f"mount {each['name']} has no absolute path" for each in mounts if not each["path"].startswith("/"))
    for each in inputs:
        yield from _input_problems(each)
    known = {each["name"] for each in mounts}
    yield from (f"output {each['name']} is in no mount" for each in outputs if each["mount"] not in known)
    yield from _template_problems(command)
    for wrapper in command.get("xnat", []):
        yield from (f"{wrapper['name']}: {problem}" for problem in _wrapper_problems(wrapper, command))


def _unknown(values: Json, kind: str) -> Iterator[str]:
    yield from (f"{kind}: no field is called {key}" for key in values if key not in FIELDS[kind])


def _unknown_and_doubled(rows: list[Json], kind: str) -> Iterator[str]:
    names = [row.get("name", "") for row in rows]
    for row in rows:
        yield from _unknown(row, kind)
    yield from (f"{kind}: {name!r} is no name" for name in names if not _NAME.fullmatch(name))
    yield from (f"{kind}: {name} is there twice" for name in set(names) if names.count(name) > 1)


def _input_problems(given: Json) -> Iterator[str]:
    kind, chosen, default = given.get("type", "string"), given.get("select-values", []), given.get("default-value")
    if kind not in _INPUT_TYPES:
        yield f"input {given['name']}: unknown type {kind}"
    if kind.startswith("select-") != bool(chosen) or (chosen and default is not None and default not in chosen):
        yield f"input {given['name']}: select-values do not fit"


def _template_problems(command: Json) -> Iterator[str]:
    """Every replacement key has an input, every input is used, and no key is inside another's text."""
    variables = command.get("environment-variables", {})
    templates = [command["command-line"], *variables, *variables.values()]
    keys = {key_of(each) for each in command["inputs"]}
    used = {found for template in templates for found in re.findall(r"#[\w-]+#", template)}
    yield from (f"{key} is no input's" for key in used - keys)
    yield from (f"{key} is used nowhere" for key in keys - used)
    yield from (f"{name} is XNAT's own variable" for name in variables if name in RESERVED)
    yield from (f"{template} holds a JSONPath" for template in templates if _JSONPATH.search(template))


def _wrapper_problems(wrapper: Json, command: Json) -> Iterator[str]:
    seen: dict[str, Json] = {}
    for kind in ("external-inputs", "derived-inputs"):
        yield from _unknown_and_doubled(wrapper.get(kind, []), kind)
        for each in wrapper.get(kind, []):
            yield from _wrapper_input_problems(each, kind, seen, command)
            if each["name"] in seen:
                yield f"{each['name']} is there twice"
            seen[each["name"]] = each
    handled = set()
    yield from _unknown_and_doubled(wrapper["output-handlers"], "output-handlers")
    for each in wrapper["output-handlers"]:
        handled.add(each["accepts-command-output"])
        parent = seen.get(each["as-a-child-of"])
        if each.get("type", "Resource") != "Resource" or parent is None or parent["type"] not in _ABOVE["Resource"]:
            yield f"{each['name']} makes no resource of an input"
        elif parent.get("multiple") or parent.get("derived-from-xnat-object-property", "uri") != "uri":
            yield f"{each['name']}: nothing can be attached to {parent['name']}"
    if handled != {each["name"] for each in command["outputs"]}:
        yield "outputs and their handlers differ"
    fed = [
        each["provides-files-for-command-mount"] for each in seen.values() if "provides-files-for-command-mount" in each
    ]
    written = {each["mount"] for each in command["outputs"]}
    if sorted(fed) != sorted({each["name"] for each in command["mounts"]} - written):
        yield "not every mount gets its files once"


def _wrapper_input_problems(given: Json, kind: str, seen: Mapping[str, Json], command: Json) -> Iterator[str]:
    name, type_ = given["name"], given.get("type", "string")
    if type_ not in {*_ABOVE, "Project", "string", "boolean", "number"}:
        yield f"{name}: unknown type {type_}"
    if "provides-files-for-command-mount" in given and type_ not in _MOUNTABLE:
        yield f"{name}: a {type_} has no files"
    target = given.get("provides-value-for-command-input")
    if target is not None and target not in {each["name"] for each in command["inputs"]}:
        yield f"{name}: gives its value to no input"
    if kind == "derived-inputs":
        parent = seen.get(given.get("derived-from-wrapper-input", ""))
        if parent is None or (type_ in _ABOVE and parent["type"] not in _ABOVE[type_]):
            yield f"{name}: derived from nothing above it"


def key_of(given: Json) -> str:
    """Return the text that an input's value replaces."""
    return str(given.get("replacement-key") or f"#{given['name']}#")


class IllegalValueError(Exception):
    """The Container Service refuses to launch."""


def value_of(given: Json, values: Mapping[str, str]) -> str:
    """Return an input's value: what the user gave, else the default; "" for none.

    Raises:
        IllegalValueError: it holds one of the strings that are refused, or what would be taken for a JSONPath.
    """
    value = values.get(given["name"], given.get("default-value")) or ""
    if _JSONPATH.search(value):
        raise IllegalValueError(f"{given['name']} would be searched as a JSONPath")
    if given.get("type") == "boolean":
        value = given.get("true-value", value) if value.lower() == "true" else given.get("false-value", value)
    if any(each in value for each in ILLEGAL):
        raise IllegalValueError(f"{given['name']} holds an illegal string")
    return str(value)


def _on_the_command_line(given: Json, value: str) -> str:
    flag = given.get("command-line-flag")
    if not value.strip():
        return ""
    return f"{flag}{given.get('command-line-separator', ' ')}{value}" if flag else value


def resolved(command: Json, values: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the entry point's arguments and the environment that a user's values make."""
    raw = {key_of(each): value_of(each, values) for each in command["inputs"]}
    typed = {key_of(each): _on_the_command_line(each, raw[key_of(each)]) for each in command["inputs"]}
    line = _filled(command["command-line"], typed)
    variables = {_filled(k, raw): _filled(v, raw) for k, v in command["environment-variables"].items()}
    assert not command["override-entrypoint"], "the command line would go through a shell"
    return shell_split(line), variables


def _filled(template: str, values: Mapping[str, str]) -> str:
    for key, value in values.items():
        template = template.replace(key, value)
    return template


def shell_split(line: str) -> list[str]:
    """Return the words of a line, separated by spaces outside quotes; empty words are lost."""
    words: list[str] = []
    word, quote, escaped = "", "", False
    for c in line:
        if escaped:
            word, escaped = word + c, False
        elif c == "\\" and quote != "'":
            escaped = True
        elif quote and c == quote:
            quote = ""
        elif not quote and c in "'\"":
            quote = c
        elif not quote and c.isspace():
            words, word = [*words, word], ""
        else:
            word += c
    return [each for each in [*words, word] if each]
