#!/usr/bin/env node
require("./prepare.js");
void import("../dist/cli/main.js").then(({ main }) => main());
