import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const reportFile = process.env['RACKFIRE_TEST_REPORT'];

/** Never a retry: a test that fails now and then is a finding. */
export default defineConfig({
  test: {
    retry: 0,
    // Hundreds of tests start a command, most of whose time it takes to compile what it imports.
    env: {
      NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/node', import.meta.url)),
    },
    // Generous, because a machine of two cores is busy; a test that needs more says so itself.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Two files at a time: real servers and compilers share the cores with them.
    fileParallelism: true,
    maxWorkers: 2,
    // Of one file, those that say that they may. Most of their time they wait.
    maxConcurrency: 8,
    // The gate counts from a file, so that the command it runs stays the one that people run.
    // The demos measure latencies in real time: they run when nothing else does.
    projects: [
      {
        extends: true,
        test: {
          name: 'parts',
          include: ['test/**/*.test.ts'],
          exclude: [
            'test/e2e/**',
            'test/lab/**',
            'test/weather/**',
            'test/dataplane/**',
            'test/dashboards/**',
            'test/kubernetes/**',
          ],
        },
      },
      { extends: true, test: { name: 'weather', include: ['test/weather/**/*.test.ts'] } },
      { extends: true, test: { name: 'dataplane', include: ['test/dataplane/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'dashboards',
          include: ['test/dashboards/**/*.test.ts'],
          // One of them is a storm in real time.
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'kubernetes',
          include: ['test/kubernetes/**/*.test.ts'],
          // Timings of real elections: one site at a time.
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'xen',
          include: ['test/lab/**/*.test.ts'],
          globalSetup: ['test/lab/measure.ts'],
          // Two emulated hosts take all of two cores: one scenario at a time.
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          sequence: { groupOrder: 1 },
          fileParallelism: false,
        },
      },
    ],
    reporters:
      reportFile === undefined ? ['default'] : ['default', ['json', { outputFile: reportFile }]],
  },
});
