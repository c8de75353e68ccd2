import { CLUSTER } from './cluster.ts';
import { createDashboard } from './create-dashboard.ts';
import { FLEET } from './fleet.ts';
import { ITSELF } from './itself.ts';

/** @returns What stands in each file of `dashboards/`, by its name. */
export function createDashboards(): Readonly<Record<string, object>> {
  return {
    'cluster.json': createDashboard(CLUSTER),
    'fleet.json': createDashboard(FLEET),
    'itself.json': createDashboard(ITSELF),
  };
}
