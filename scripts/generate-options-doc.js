// Writes the option table into README.md; run it (after `npm run build`) when an option changed.
// usage: node scripts/generate-options-doc.js
import { readFileSync, writeFileSync } from "node:fs";
import { insertOptions } from "../dist/options/option-document.js";

const path = new URL("../README.md", import.meta.url);
writeFileSync(path, insertOptions(readFileSync(path, "utf8")));
