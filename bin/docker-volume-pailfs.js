#!/usr/bin/env node
// The volume plugin of Docker.
require("./prepare.js");
void import("../dist/docker/main.js").then(({ main }) => main());
