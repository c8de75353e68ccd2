/** Values as Grafana writes them, for the units that the dashboards use. */

const DIGITS = 3;

/** @param nowMs - What "… ago" is counted from. */
export function formatValue(value: number, unit: string, nowMs: number, decimals?: number): string {
  if (!Number.isFinite(value)) {
    return '–';
  }
  switch (unit) {
    case 'percentunit':
      return `${formatNumber(value * 100, decimals ?? 1)}%`;
    case 'reqps':
      return `${formatNumber(value, decimals)} req/s`;
    case 'ops':
      return `${formatNumber(value, decimals)} ops/s`;
    case 's':
      return formatSeconds(value, decimals);
    case 'bytes':
      return formatBytes(value, decimals);
    case 'dateTimeFromNow':
      return `${Math.round((nowMs - value) / 1000)} seconds ago`;
    default:
      return formatNumber(value, decimals);
  }
}

function formatSeconds(value: number, decimals?: number): string {
  if (value !== 0 && Math.abs(value) < 0.001) {
    return `${formatNumber(value * 1e6, 0)} µs`;
  }
  if (value !== 0 && Math.abs(value) < 1) {
    return `${formatNumber(value * 1000, decimals ?? 1)} ms`;
  }
  if (Math.abs(value) >= 60) {
    return `${formatNumber(value / 60, decimals)} mins`;
  }
  return `${formatNumber(value, decimals)} s`;
}

function formatBytes(value: number, decimals?: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = value === 0 ? 0 : Math.floor(Math.log2(Math.abs(value)) / 10);
  const unit = Math.min(units.length - 1, Math.max(0, power));
  return `${formatNumber(value / 1024 ** unit, decimals)} ${units[unit]}`;
}

function formatNumber(value: number, decimals?: number): string {
  const text = decimals === undefined ? value.toPrecision(DIGITS) : value.toFixed(decimals);
  return Math.abs(value) >= 1000 ? String(Math.round(value)) : String(Number(text));
}
