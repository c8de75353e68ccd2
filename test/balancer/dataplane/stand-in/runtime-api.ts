/** What the daemon asks HAProxy and tells it, over the stats socket. */

import { ask } from '../../../../src/balancer/runtime/socket.ts';

/** As the API shows a server at runtime. */
export interface RuntimeServer {
  readonly address: string;
  readonly admin_state: string;
  readonly id: string;
  readonly name: string;
  readonly operational_state: string;
  readonly port: number;
}

type Row = Readonly<Record<string, string | number>>;

const deadlineMs = 5_000;

/** Columns of `show stat` that the API has, too; the texts among them. */
const statTexts = new Set(
  'addr agent_desc agent_status algo check_desc check_status cookie hanafail last_agt last_chk mode status tracked'.split(
    ' ',
  ),
);
const statNumbers = new Set(
  `act agent_code agent_duration agent_fall agent_health agent_rise bck bin bout check_code check_duration check_fall
  check_health check_rise chkdown chkfail cli_abrt comp_byp comp_in comp_out comp_rsp conn_rate conn_rate_max conn_tot
  ctime dcon downtime dreq dresp dses econ ereq eresp hrsp_1xx hrsp_2xx hrsp_3xx hrsp_4xx hrsp_5xx hrsp_other iid
  intercepted lastchg lastsess lbtot pid qcur qlimit qmax qtime rate rate_lim rate_max req_rate req_rate_max req_tot
  rtime scur sid slim smax srv_abrt stot throttle ttime weight wredis wretr`.split(/\s+/),
);

/** Lines of `show info` whose name in the API is not their own in snake case; `undefined` when it has none. */
const infoNames: Readonly<Record<string, string | undefined>> = {
  Uptime_sec: 'uptime',
  Nbproc: 'processes',
  Memmax_MB: 'mem_max_mb',
  Maxsock: 'max_sock',
  Maxconn: 'max_conn',
  Hard_maxconn: 'hard_max_conn',
  Maxpipes: 'max_pipes',
  'Unstoppable Jobs': 'unstoppable',
  SslFrontendSessionReuse_pct: 'ssl_frontend_session_reuse',
  ...Object.fromEntries(
    `Name,Uptime,TotalSplicdedBytesOut,DebugCommandsIssued,CumRecvLogs,Build info,Memmax_bytes,PoolAlloc_bytes,PoolUsed_bytes,Start_time_sec,Tainted`
      .split(',')
      .map((name) => [name, undefined]),
  ),
};

export class RuntimeApi {
  readonly socketPath: string;
  readonly #isGivenMasterSocket: boolean;

  /** @param options.isGivenMasterSocket - The daemon asks the master then, through which it sees no servers. */
  constructor(options: { readonly socketPath: string; readonly isGivenMasterSocket: boolean }) {
    this.socketPath = options.socketPath;
    this.#isGivenMasterSocket = options.isGivenMasterSocket;
  }

  /** @returns Undefined when HAProxy does not answer or has no such backend: the daemon does not tell these apart. */
  async servers(backend: string): Promise<readonly RuntimeServer[] | undefined> {
    const text = this.#isGivenMasterSocket
      ? ''
      : await this.#ask(`show servers state ${backend}`).catch(() => '');
    const [version, ...lines] = text.split('\n');
    if (version !== '1') {
      return undefined;
    }
    return lines.filter((line) => line !== '' && !line.startsWith('#')).map(parseServerState);
  }

  async server(backend: string, server: string): Promise<RuntimeServer | undefined> {
    return (await this.servers(backend))?.find(({ name }) => name === server);
  }

  /**
   * Tells HAProxy something.
   *
   * @throws Error when HAProxy does not answer, or its answer has the severity of a warning or worse.
   */
  async tell(command: string): Promise<void> {
    if (this.#isGivenMasterSocket) {
      // The master takes it, and nothing happens.
      return;
    }
    const answer = await this.#ask('set severity-output number', command);
    if (/^\[[0-3]\]:/m.test(answer)) {
      throw new Error(`${answer.trim()} [${command}]`);
    }
  }

  /** @throws Error when HAProxy does not answer, or the master was asked. */
  async stats(): Promise<readonly Row[]> {
    if (this.#isGivenMasterSocket) {
      throw new Error('Unknown command');
    }
    const [header = '', ...lines] = (await this.#ask('show stat')).split('\n');
    const names = header.replace(/^# /, '').split(',');
    return lines.filter((line) => line !== '').map((line) => parseStat(names, line.split(',')));
  }

  async info(): Promise<Row> {
    const lines = (await this.#ask('show info')).split('\n').filter((line) => line !== '');
    return Object.fromEntries(lines.flatMap(parseInfoLine));
  }

  async #ask(...commands: readonly string[]): Promise<string> {
    return await ask(this.socketPath, commands, AbortSignal.timeout(deadlineMs));
  }
}

/**
 * The daemon takes the column `srv_admin_state`, which is decimal, for a hexadecimal number. So 12 (drain, and
 * `disabled` in the file) has bit 1 set and reads as `maint`.
 */
function parseServerState(line: string): RuntimeServer {
  const fields = line.split(' ');
  const bits = Number.parseInt(fields[6] ?? '', 16);
  const running = ['down', 'up', 'up', 'stopping'];
  return {
    address: fields[4] ?? '',
    admin_state: (bits & 0x23) !== 0 ? 'maint' : (bits & 0x18) !== 0 ? 'drain' : 'ready',
    id: fields[2] ?? '',
    name: fields[3] ?? '',
    operational_state: running[Number(fields[5])] ?? '',
    port: Number(fields[18]),
  };
}

/** Proxies and servers; the API leaves out what is empty, and its commas are HAProxy's: quoted ones are not seen. */
function parseStat(names: readonly string[], fields: readonly string[]): Row {
  const row: Record<string, string | number> = {};
  for (const [index, name] of names.entries()) {
    const field = fields[index] ?? '';
    if (field !== '' && statNumbers.has(name)) {
      row[name] = Number(field);
    } else if ((field !== '' && statTexts.has(name)) || name === 'pxname' || name === 'svname') {
      row[name] = field;
    } else if (name === 'type') {
      row[name] = ['frontend', 'backend', 'server', 'listener'][Number(field)] ?? '';
    }
  }
  return row;
}

function parseInfoLine(line: string): readonly (readonly [string, string | number])[] {
  const colon = line.indexOf(': ');
  const name = line.slice(0, colon);
  const value = line.slice(colon + 2);
  const field = name in infoNames ? infoNames[name] : snakeCase(name);
  if (field === undefined) {
    return [];
  }
  const isText = ['version', 'release_date', 'node'].includes(field);
  return [[field, isText ? value.replaceAll('/', '-') : Number(value)]];
}

function snakeCase(name: string): string {
  return name
    .replaceAll('-', '_')
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}
