/** Writes the dashboards as Grafana loads them: `npm run generate:dashboards`. */

import { writeFile } from 'node:fs/promises';
import { createDashboards } from './dashboards.ts';

for (const [name, dashboard] of Object.entries(createDashboards())) {
  await writeFile(new URL(`../${name}`, import.meta.url), JSON.stringify(dashboard));
}
