/** The name most like `wrong`, or undefined when none is like it. */
export function nearestName(wrong: string, names: readonly string[]): string | undefined {
  const rated = names.map((name) => ({ name, distance: distance(wrong, name) }));
  const best = rated.sort((a, b) => a.distance - b.distance)[0];
  // more than a third of the letters wrong is no longer a typing error
  const limit = Math.max(1, Math.floor(wrong.length / 3));
  return best !== undefined && best.distance <= limit ? best.name : undefined;
}

// Levenshtein's distance, one row at a time
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 0; i < from.length; i += 1) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j += 1) {
      const replaced = (row[j] ?? 0) + (to[j] === from[i] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
