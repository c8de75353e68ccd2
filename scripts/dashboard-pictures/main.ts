/** Draws what each dashboard shows of a real storm into `docs/images`: `npm run generate:pictures`. Needs Chromium. */

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  chooseDemo,
  DASHBOARD_NAMES,
  readDashboard,
} from '../../test/dashboards/dashboard-file.ts';
import { watchStorm } from '../../test/dashboards/watched-storm.ts';
import { drawPage, type Page, PAGE_WIDTH } from './page.ts';
import { askDashboard } from './panel-data.ts';

const CHROMIUM_DEADLINE_MS = 60_000;

async function photograph({ html, height }: Page, file: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rackfire-pictures-'));
  try {
    const page = join(folder, 'page.html');
    await writeFile(page, html);
    const flags = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--hide-scrollbars',
    ];
    const offline = [
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ];
    await promisify(execFile)(
      'chromium',
      [
        ...flags,
        ...offline,
        `--user-data-dir=${join(folder, 'profile')}`,
        `--window-size=${PAGE_WIDTH},${height}`,
        `--screenshot=${file}`,
        `file://${page}`,
      ],
      { timeout: CHROMIUM_DEADLINE_MS },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

await using storm = await watchStorm();
const range = { fromMs: storm.fromMs, toMs: storm.toMs, stepSeconds: 1 };
const choice = chooseDemo((range.toMs - range.fromMs) / 1000);
const IMAGES = fileURLToPath(new URL('../../docs/images', import.meta.url));
await mkdir(IMAGES, { recursive: true });
for (const name of DASHBOARD_NAMES) {
  const data = await askDashboard(storm.prometheus, await readDashboard(name), choice, range);
  await photograph(drawPage(data), join(IMAGES, `dashboard-${name.replace('.json', '.png')}`));
}
