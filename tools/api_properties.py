#!/usr/bin/env python3
"""Lists the properties that the API takes on create and update, one JSON Pointer a line.

    api_properties.py SCHEMAS_FOLDER OUT_FOLDER KIND...      writes OUT_FOLDER/KIND.txt
    api_properties.py --check SCHEMAS_FOLDER OUT_FOLDER      compares the files that are there

SCHEMAS_FOLDER holds a JSON Schema a kind with `$defs/create` and `$defs/update`, and a body of a name of its own for
what stands at other endpoints: PARTS says which field has that. Elements of lists stand as `[]`. The files are
committed, so that the test of the declarations needs nothing else.
"""
import json
import pathlib
import sys

PARTS = {
    "attackProtection": [
        ("botDetection", "bot_detection_update_request"),
        ("breachedPasswordDetection", "breached_password_detection_update_request"),
        ("bruteForceProtection", "brute_force_protection_update_request"),
        ("captcha", "captcha_update_request"),
        ("suspiciousIpThrottling", "suspicious_ip_throttling_update_request"),
    ],
    "guardianPolicies": [("policies", "update")],
    "riskAssessment": [("new_device", "new_device_update_request"), ("settings", "update")],
}


def properties(schema, defs, path, seen, above=()):
    while "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        # What holds its own like: once is enough.
        if name in above:
            return
        schema, above = defs[name], (*above, name)
    for part in schema.get("anyOf", []):
        properties(part, defs, path, seen, above)
    for name, member in schema.get("properties", {}).items():
        pointer = f"{path}/{name}"
        seen.add(pointer)
        properties(member, defs, pointer, seen, above)
    if isinstance(schema.get("items"), dict):
        properties(schema["items"], defs, path + "/[]", seen, above)


def listing(file, parts):
    defs = json.loads(file.read_text())["$defs"]
    seen = set()
    is_own = lambda body: body in defs and all(body != other for _, other in parts)
    bodies = list(filter(is_own, ("create", "update")))
    # A kind without them has its bodies under the names of its operations.
    for body in bodies or [name for name in defs if name.endswith("_request") and not parts]:
        properties(defs[body], defs, "", seen)
    for field, body in parts:
        seen.add("/" + field)
        properties(defs[body], defs, "/" + field, seen)
    return "".join(pointer + "\n" for pointer in sorted(seen))


def main(args):
    is_check = args[:1] == ["--check"]
    schemas, out = map(pathlib.Path, args[is_check:is_check + 2])
    kinds = [file.stem for file in sorted(out.glob("*.txt"))] if is_check else args[2:]
    stale = 0
    for kind in kinds:
        text = listing(schemas / f"{kind}.json", PARTS.get(kind, []))
        file = out / f"{kind}.txt"
        if not is_check:
            file.write_text(text)
        elif file.read_text() != text:
            stale += 1
            print(f"{file} is not what the schema says")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
