"""Writes docs/openapi.yaml as a C file that holds it as JSON: openapi.py YAML C."""
import json
import sys

import yaml


class Plain(yaml.SafeLoader):
    """Dates stay text, as JSON has none."""


Plain.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
    for letter, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()}

with open(sys.argv[1], encoding="utf-8") as source:
    text = json.dumps(yaml.load(source, Loader=Plain), separators=(",", ":")) + "\n"
data = text.encode()
with open(sys.argv[2], "w", encoding="ascii") as made:
    made.write('#include "fcgi/openapi.h"\n\nconst char hf_openapi_json[] = {\n')
    for start in range(0, len(data), 24):
        made.write("\t" + " ".join(f"{byte}," for byte in data[start:start + 24]) + "\n")
    made.write("\t0};\n\nconst size_t hf_openapi_json_len = sizeof hf_openapi_json - 1;\n")
