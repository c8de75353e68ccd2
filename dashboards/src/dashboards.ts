import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { clusterDashboard } from './cluster.ts';
import { fleetDashboard } from './fleet.ts';
import { itselfDashboard } from './itself.ts';

/** @returns What stands in each file of `dashboards/`, by its name. */
export function createDashboards(): Readonly<Record<string, Dashboard>> {
  return {
    'cluster.json': clusterDashboard(),
    'fleet.json': fleetDashboard(),
    'itself.json': itselfDashboard(),
  };
}
