/** `npm run generate:metrics`: prints docs/metrics.md, made from the metrics that the service registers. */

import { type MetricDefinition, SECTIONS } from '../src/telemetry/catalog.ts';

const HEAD = `# Metrics

Served as text for Prometheus at \`/metrics\` of \`http.listen\`. This page is made from the code: \`npm run generate:metrics\`.

- Everything is in base units: seconds, bytes, ratios from 0 to 1. A rate is called \`_rps\`, requests per second.
- What is not known is \`NaN\`, never 0. A comparison with it is false, so an alert on it is silent: that is what \`rackfire_signal_ok\` and
  \`rackfire_source_up\` are for.
- A label has the values that are listed, or names of the config (\`size\` a size of a scaled tier, \`name\` a host or balancer); what a
  reload takes out of the config takes its series with it.
  1,000 clusters of 12 nodes are fewer than 60,000 series. No histogram has the label \`cluster\`.
- Where a state is one of several, each has its series, and one of them is 1.
- Of two Rackfires with one lease both say what they see. \`and on (job, instance) (rackfire_leader == 1)\` leaves the one that acts.
- Of two installations in one Prometheus, each needs a \`job\` of its own: [dashboards/README.md](../dashboards/README.md#several-installations).
`;

/** The whole page. */
export function renderMetricsPage(): string {
  const sections = SECTIONS.map(({ title, metrics }) => {
    const rows = metrics.map(renderRow);
    return [
      `## ${title}`,
      '',
      '| Metric | Type | Labels | Says |',
      '| --- | --- | --- | --- |',
      ...rows,
    ].join('\n');
  });
  return `${[HEAD.trimEnd(), ...sections].join('\n\n')}\n`;
}

function renderRow({ name, type, labels, help, buckets }: MetricDefinition): string {
  const labelTexts = Object.entries(labels).map(([label, values]) =>
    typeof values === 'string'
      ? `\`${label}\``
      : `\`${label}\`: ${values.map((value) => `\`${value}\``).join(' ')}`,
  );
  const says = buckets === undefined ? help : `${help} Buckets: ${buckets.join(', ')}.`;
  return `| \`${name}\` | ${type} | ${labelTexts.join('<br>') || '–'} | ${says} |`;
}

if (import.meta.main) {
  process.stdout.write(renderMetricsPage());
}
