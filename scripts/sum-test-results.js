// Adds up vitest's JSON summaries and the failed checks of scripts/test; prints the last line, exits with 1 on a failure.
// usage: node scripts/sum-test-results.js FOLDER PROJECT...
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [folder = ".", ...projects] = process.argv.slice(2);
let passed = 0;
const failures = readLines("failed").map((name) => `${name} failed`);

for (const project of projects) {
  const path = join(folder, `${project}.json`);
  if (!existsSync(path)) {
    failures.push(`project ${project} did not run to its end`);
    continue;
  }
  const summary = JSON.parse(readFileSync(path, "utf8"));
  passed += summary.numPassedTests;
  for (const file of summary.testResults) {
    const failed = file.assertionResults.filter(({ status }) => status === "failed");
    failures.push(...failed.map(({ fullName }) => `${file.name}: ${fullName}`));
    // a file that could not be loaded, or whose hooks failed, has no failed test
    if (file.status === "failed" && failed.length === 0)
      failures.push(`${file.name}: ${file.message}`);
  }
  if (summary.numPendingTests > 0) console.log(`${project}: ${summary.numPendingTests} skipped`);
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, numTotalTests } = summary;
  // the process of a file died: what it did not come to is in no result
  const missing = numTotalTests - numPassedTests - numFailedTests - numPendingTests - numTodoTests;
  if (missing > 0) failures.push(`project ${project}: ${missing} tests did not run to their end`);
  if (!summary.success && failures.length === 0) failures.push(`project ${project} failed`);
}

for (const failure of failures) console.log(`FAILED ${failure}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 ? 0 : 1;

function readLines(name) {
  const path = join(folder, name);
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").filter(Boolean) : [];
}
