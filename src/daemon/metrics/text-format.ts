// The text format of Prometheus, version 0.0.4. Written by hand: npm's client costs 11 MiB of memory for these lines.
import type { Metric, Sample } from "./metric-table.ts";

/** Content-Type of formatMetrics(). */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** The lines of all metrics; families without a sample are left out. */
export function formatMetrics(metrics: readonly Metric[]): string {
  return metrics
    .filter(({ samples }) => samples.length > 0)
    .map(formatMetric)
    .join("");
}

function formatMetric({ name, type, help, samples }: Metric): string {
  const full = `pailfs_${name}`;
  const described = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  const lines = samples.map((sample) => `${full}${formatLabels(sample)} ${sample.value}\n`);
  return `# HELP ${full} ${described}\n# TYPE ${full} ${type}\n${lines.join("")}`;
}

function formatLabels({ labels }: Sample): string {
  if (labels === undefined) return "";
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
